"""A host and its witnesses: what it submits, what it keeps of their answers, and that none of them holds it up."""

import asyncio
import socket
import threading
import time

import pytest
from simulator.community import START_S
from simulator.host import hosted_with_meter, hosted_with_node
from simulator.witnessing import NOW_S, Log, everybody, served_by, witnesses_of
from wattpact.bundle import cosigned
from wattpact.keys import Signer
from wattpact.node.events import COSIGNED
from wattpact.ordering import cosigning, following, submitting
from wattpact.ordering.cosigning import Cosigning
from wattpact.ordering.proven import Proven
from wattpact.ordering.submitting import Answer, SubmissionError
from wattpact_protocol.crypto import ed25519
from wattpact_protocol.ledger import checkpoints


@pytest.fixture
def host(tmp_path):
    with hosted_with_meter(tmp_path) as made:
        yield made


@pytest.fixture
def witnesses(tmp_path, host):
    return witnesses_of(tmp_path, host)


# What a host keeps


def test_a_head_carries_all_its_cosignatures(host, witnesses):
    store = host.sink.store
    asyncio.run(Cosigning(store, host.sink.clock, everybody(witnesses, host.sink.clock)).submit())
    (text,) = store.cosigned_heads(0, 9)
    point = checkpoints.decode(text)
    assert checkpoints.is_signed(point, host.host.public_key, ed25519.verify)
    assert cosigned.cosigners(point, [one.key for one in witnesses]) == {
        f"w{number}.example": host.now_s for number in range(3)
    }
    assert Proven(store).head().checkpoint == text


def test_whoever_waits_for_cosignatures_is_notified_of_each(host, witnesses):
    notified = []
    post = everybody(witnesses[:2], host.sink.clock)
    cosigner = Cosigning(host.sink.store, host.sink.clock, lambda *asked: post(*asked), lambda: notified.append(1))
    cosigning.remove(host.sink.store, witnesses[2].key.name)
    asyncio.run(cosigner.submit())
    asyncio.run(cosigner.submit())
    assert notified == [1, 1]


def test_a_node_notifies_its_pages_of_a_cosignature(tmp_path):
    with hosted_with_node(tmp_path) as host:
        host.owned_meter("House 1")
        host.node._cosigning._post = everybody(witnesses_of(tmp_path, host), host.sink.clock)
        events = host.node.events.subscribe()
        asyncio.run(host.node._cosigning.submit())
        assert [events.get_nowait().name for _ in range(events.qsize())] == [COSIGNED] * 3


def test_a_bundle_and_a_proof_have_the_newest_head_that_is_cosigned(host, witnesses):
    store = host.sink.store
    post = everybody(witnesses, host.sink.clock)
    asyncio.run(Cosigning(store, host.sink.clock, post).submit())
    entry = next(row.id for row in store.ordered_in(0))
    host.person("East")  # one block: the head over all before it does not cover it
    wanted = cosigned.Required(tuple(one.key for one in witnesses), 2)
    proven = following.verify(following.prove(store, entry), host.root.public_key, wanted)
    assert len(proven.cosigned) == 3 and proven.head.size < store.last_block().height + 1
    last = store.ordered_in(store.last_block().height)[0].id
    with pytest.raises(cosigned.MissingCosignaturesError, match=r"0 of the 2 .* w0.example, w1.example, w2.example"):
        following.verify(following.prove(store, last), host.root.public_key, wanted)
    asyncio.run(Cosigning(store, host.sink.clock, post).submit())
    assert len(following.verify(following.prove(store, last), host.root.public_key, wanted).cosigned) == 3
    assert cosigning.seen_by(store, 0)["w0.example"] == host.now_s


def test_a_host_put_back_from_an_old_copy_learns_it_from_its_witness(host, witnesses):
    log = Log(host)
    log.append(99)
    witnesses[0].add_checkpoint(log.submission(0), NOW_S)
    asyncio.run(Cosigning(host.sink.store, host.sink.clock, everybody(witnesses, host.sink.clock)).submit())
    first, *others = host.sink.store.witnesses()
    assert "99 blocks" in first.conflict and first.blocks == 0
    assert len(others) == 2 and all(one.conflict is None and one.blocks for one in others)


def test_a_witness_that_saw_another_history_is_shown_until_it_is_removed(host, witnesses, caplog):
    store = host.sink.store
    log = Log(host)
    log.append(3)
    witnesses[0].add_checkpoint(log.submission(0), NOW_S)
    working = Cosigning(store, host.sink.clock, everybody(witnesses, host.sink.clock))
    asyncio.run(working.submit())
    asyncio.run(working.submit())
    assert "another history up to block 2" in store.witnesses()[0].conflict
    shouted = [record for record in caplog.records if record.levelname == "CRITICAL" and "DISPUTED" in record.message]
    assert len(shouted) == 1  # and again an hour later, not at each turn
    cosigning.remove(store, "w0.example")
    assert [one.name for one in store.witnesses()] == ["w1.example", "w2.example"]
    with pytest.raises(cosigning.CosigningError, match="no witness"):
        cosigning.remove(store, "w0.example")


def lines_by(signer, name, head, time_s=NOW_S):
    point = checkpoints.Checkpoint(head.origin, head.size, head.root)
    checkpoints.cosign(point, name, signer.public_key, time_s, signer.sign)
    return point.text.removeprefix(point.body + "\n")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (lambda head, me, other: Answer(200, ""), "no cosignature by the key"),
        (lambda head, me, other: Answer(200, "nonsense"), "no cosignature"),
        (lambda head, me, other: Answer(200, lines_by(other, "me.example", head)), "no cosignature by the key"),
        (lambda head, me, other: Answer(200, lines_by(me, "other.example", head)), "no cosignature by the key"),
        (
            lambda head, me, other: Answer(
                200, lines_by(me, "me.example", checkpoints.Checkpoint(head.origin, head.size, bytes(32)))
            ),
            "no cosignature by the key",
        ),
        (lambda head, me, other: Answer(200, ("— x " + "A" * 96 + "\n") * 17), "more than 16"),
        (lambda head, me, other: Answer(409, "many\n"), "without a size"),
        (lambda head, me, other: Answer(409, "-1\n"), "without a size"),
        (lambda head, me, other: Answer(403, ""), "403"),
        (lambda head, me, other: Answer(404, ""), "404"),
        (lambda head, me, other: Answer(400, ""), "400"),
        (lambda head, me, other: Answer(302, ""), "302"),
        (lambda head, me, other: Answer(500, ""), "500"),
    ],
)
def test_what_is_no_cosignature_is_not_kept(host, answer, problem):
    store, me = host.sink.store, Signer(bytes(range(32)))
    cosigning.add(store, cosigned.WitnessKey("me.example", me.public_key), "http://me.example", START_S)
    head = checkpoints.decode(store.text("checkpoint"))
    posted = Cosigning(store, host.sink.clock, lambda url, body: answer(head, me, Signer(bytes(32))))
    asyncio.run(posted.submit())
    (known,) = store.witnesses()
    assert problem in known.problem and known.blocks == 0 and known.conflict is None
    assert store.cosigned_heads(0, 9) == []


def test_a_witness_that_fails_is_tried_ever_less_often(host):
    store, tries = host.sink.store, []

    def away(url, body):
        tries.append(host.now_s)
        raise SubmissionError("no answer")

    cosigning.add(store, cosigned.WitnessKey("me.example", bytes(32)), "http://me.example", START_S)
    working = Cosigning(store, host.sink.clock, away)
    for _ in range(1200):
        asyncio.run(working.submit(only_due=True))
        host.now_s += 3
    gaps = [later - before for before, later in zip(tries, tries[1:], strict=False)]
    assert gaps == sorted(gaps) and gaps[0] == 6 and gaps[-1] == cosigning.LONGEST_WAIT_S and len(tries) < 15


def test_witnesses_are_bounded_and_have_one_name_each(host):
    store = host.sink.store
    for number in range(cosigning.MAX_WITNESSES):
        cosigning.add(store, cosigned.WitnessKey(f"w{number}", bytes([number]) * 32), "http://x.example", START_S)
    with pytest.raises(cosigning.CosigningError, match="already"):
        cosigning.add(store, cosigned.WitnessKey("w0", bytes(32)), "http://x.example", START_S)
    with pytest.raises(cosigning.CosigningError, match="at most 12"):
        cosigning.add(store, cosigned.WitnessKey("more", bytes(32)), "http://x.example", START_S)


def test_the_node_goes_on_while_a_witness_takes_its_time(host):
    store, release, asked, released = host.sink.store, threading.Event(), [], []

    def slow(url, body):
        asked.append(url)
        released.append(release.wait(10))
        raise RuntimeError("and something nobody thought of")

    async def live():
        cosigning.add(store, cosigned.WitnessKey("me.example", bytes(32)), "http://me.example", START_S)
        running = asyncio.create_task(Cosigning(store, host.sink.clock, slow).run())
        for number in range(20):
            await asyncio.sleep(0.01)
            host.person(f"person {number}")  # the store is free meanwhile
        assert len(asked) == 1
        release.set()
        await asyncio.sleep(0.2)
        assert not running.done()
        running.cancel()

    asyncio.run(live())
    assert released == [True], "all of it while the witness took its time"


# Over the network


@pytest.mark.parametrize(
    "url",
    ["", "pi.example", "ftp://pi.example", "file:///etc/passwd", "http://", "http://a:b@pi.example", "http://x y",
     "http://pi.example:99999", "http://pi.example/?a=b", "http://pi.example/#a", "http://[::1", "http://pi.example\n"],
)  # fmt: skip
def test_only_an_address_is_an_address(url):
    with pytest.raises(SubmissionError, match="no address"):
        submitting.check_url(url)


def test_an_address_may_have_a_path():
    assert submitting.check_url("https://pi.example:8443/w/1/") == "https://pi.example:8443/w/1"


def drip(handler):
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(600):
            handler.wfile.write(b"A")
            time.sleep(0.05)
    except OSError:
        return


def flood(handler):
    handler.send_response(200)
    handler.end_headers()
    try:
        handler.wfile.write(b"A" * (1 << 20))
    except OSError:
        return


def redirect(handler):
    handler.send_response(302)
    handler.send_header("Location", "http://127.0.0.1:1/")
    handler.end_headers()


def test_a_hostile_witness_holds_nobody_up(monkeypatch):
    monkeypatch.setattr(submitting, "DEADLINE_S", 1)
    for behave, match in ((drip, "no answer"), (flood, "longer")):
        server, url = served_by(behave)
        with pytest.raises(SubmissionError, match=match):
            submitting.post(url, b"x")
        threading.Thread(target=server.shutdown, daemon=True).start()
    server, url = served_by(redirect)
    assert submitting.post(url, b"x").status == 302
    server.shutdown()


def test_a_witness_that_is_away_is_a_sentence():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(SubmissionError, match=f"no answer from http://127.0.0.1:{port}: Connection"):
        submitting.post(f"http://127.0.0.1:{port}", b"x")
    with pytest.raises(SubmissionError, match="no answer from http://nowhere.invalid"):
        submitting.post("http://nowhere.invalid", b"x")
