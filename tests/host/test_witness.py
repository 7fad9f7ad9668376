"""Who cosigns a ledger's head: a witness signs one history alone, and a host keeps what its witnesses signed."""

import asyncio
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from simulator.authors import REAL
from simulator.community import START_S, Community
from simulator.host import hosted
from simulator.month import TradedMonth
from simulator.proving import Proving
from simulator.witnessing import Direct, Log, served_by
from wattpact import audit
from wattpact.api.server import WebServer
from wattpact.audit import page, program
from wattpact.bundle import cosigned, disclosure
from wattpact.bundle import format as bundle_format
from wattpact.keys import Signer
from wattpact.ordering import cosigning, exported, following, submitting
from wattpact.ordering.cosigning import Cosigning
from wattpact.ordering.proven import Proven
from wattpact.ordering.submitting import Answer, SubmissionError
from wattpact.witness import forks, serving
from wattpact.witness import keeper as keeping
from wattpact.witness.keeper import Keeper, Pinned
from wattpact_protocol.crypto import ed25519
from wattpact_protocol.encoding import cbor
from wattpact_protocol.ledger import checkpoints
from wattpact_protocol.log import ids

NAME = "pi.example/house-4"
NOW_S = START_S + 5


@pytest.fixture(scope="module")
def community():
    return Community(crypto=REAL, name="witnessed", sink=Proving)


@pytest.fixture
def log(community):
    made = Log(community)
    made.append(5)
    return made


def keeper_of(directory, community, name=NAME, log_key=None):
    keeping.create(directory, Pinned(name, community.root.public_key, log_key or community.host.public_key))
    return Keeper(directory)


@pytest.fixture
def keeper(tmp_path, community):
    return keeper_of(tmp_path / "witness", community)


def signed_at(keeper, log, answer, size=None):
    """When the witness signed the head, by the lines of its answer alone."""
    point = checkpoints.decode(f"{log.point(size).body}\n{answer.text}")
    return cosigned.cosigners(point, [keeper.key]).get(keeper.key.name)


# What a witness cosigns


def test_a_witness_cosigns_a_ledger_that_only_grows(keeper, log):
    assert keeper.add_checkpoint(log.submission(0, 3), NOW_S).status == submitting.OK
    answer = keeper.add_checkpoint(log.submission(3), NOW_S + 60)
    assert answer.status == submitting.OK and signed_at(keeper, log, answer) == NOW_S + 60
    again = keeper.add_checkpoint(log.submission(5), NOW_S + 120)
    assert signed_at(keeper, log, again) == NOW_S + 120
    assert keeper.head.size == 5


def test_one_who_has_another_size_in_mind_gets_the_size(keeper, log):
    keeper.add_checkpoint(log.submission(0, 3), NOW_S)
    for old in (0, 2, 4):
        assert keeper.add_checkpoint(log.submission(old), NOW_S) == Answer(submitting.CONFLICT, "3\n")
    assert keeper.head.size == 3


def test_a_ledger_that_shrinks_is_not_cosigned(keeper, log):
    keeper.add_checkpoint(log.submission(0), NOW_S)
    assert keeper.add_checkpoint(log.submission(5, 3), NOW_S).status == submitting.BAD_REQUEST
    assert keeper.add_checkpoint(log.submission(3, 3), NOW_S) == Answer(submitting.CONFLICT, "5\n")
    assert keeper.add_checkpoint(log.submission(0, 0), NOW_S) == Answer(submitting.CONFLICT, "5\n")
    assert keeper.head.size == 5


def test_two_heads_of_one_size_are_kept_for_everybody_to_see(keeper, log, tmp_path, community):
    keeper.add_checkpoint(log.submission(0), NOW_S)
    other = log.branch(4)
    other.append(1, "another block")
    for old in (5, 0):
        assert keeper.add_checkpoint(other.submission(old), NOW_S) == Answer(submitting.CONFLICT, "5\n")
    origin, key = checkpoints.origin_of(community.id), community.host.public_key
    text = (tmp_path / "witness" / "fork-5.txt").read_text()
    assert forks.verify(text, origin, key).root == log.point().root
    longer = log.branch(5)
    longer.append(1)
    unsigned = log.point().text
    for changed, match in (
        (forks.encode(log.head(), log.head()), "one history"),
        (forks.encode(log.head(), longer.head()), "one history"),
        (forks.encode(log.head(), other.head(host=Signer(bytes(32)))), "did not sign both"),
        (f"{unsigned}\n{other.head().text}", "not two signed heads"),
        (log.head().text, "not two signed heads"),
        ("", "not two signed heads"),
        (text.replace(origin, "wattpact/" + "0" * 32), "another ledger"),
    ):
        with pytest.raises(forks.ForkError, match=match):
            forks.verify(changed, origin, key)
    assert keeper.head.root == log.point().root


def test_another_history_is_not_cosigned_however_long_it_is(keeper, log):
    keeper.add_checkpoint(log.submission(0), NOW_S)
    other = log.branch(3)
    other.append(9, "another block")
    assert keeper.add_checkpoint(other.submission(5), NOW_S).status == submitting.UNPROCESSABLE
    assert keeper.head.root == log.point().root


def test_only_the_host_of_the_community_is_cosigned(keeper, log, community):
    stranger = Signer(bytes(32))
    assert keeper.add_checkpoint(log.submission(0, host=stranger), NOW_S).status == submitting.FORBIDDEN
    assert keeper.add_checkpoint(submitting.encode(0, [], log.point().text), NOW_S).status == submitting.FORBIDDEN
    other = Log(Community(crypto=REAL, name="another"))
    other.append(2)
    assert keeper.add_checkpoint(other.submission(0), NOW_S).status == submitting.NOT_FOUND
    assert keeper.head is None


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\n\n", b"old 0\n", b"old 00\n\nx", b"old -1\n\nx", b"new 0\n\nx", b"old 0\nnot base64\n\nx", b"\xff\n\n",
        b"old 0\n" + b"AAAA\n" * 64 + b"\nx", b"old 99999999999999999999\n\nx", b"old 0\n\nno checkpoint\n",
    ],
)  # fmt: skip
def test_what_is_no_submission_is_a_bad_request(keeper, body):
    assert keeper.add_checkpoint(body, NOW_S).status == submitting.BAD_REQUEST
    assert keeper.head is None


def test_a_proof_that_does_not_lead_to_the_head_is_not_cosigned(keeper, log):
    keeper.add_checkpoint(log.submission(0, 3), NOW_S)
    body = submitting.encode(3, [bytes(32)], log.head().text)
    assert keeper.add_checkpoint(body, NOW_S).status == submitting.UNPROCESSABLE
    assert keeper.add_checkpoint(log.submission(3), NOW_S).status == submitting.OK


def test_a_head_that_cannot_be_kept_is_not_cosigned(keeper, log, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        keeper.add_checkpoint(log.submission(0), NOW_S)
    monkeypatch.undo()
    assert keeper.head is None
    assert keeper.add_checkpoint(log.submission(0), NOW_S).status == submitting.OK


def test_a_witness_remembers_after_its_end(keeper, log, tmp_path):
    keeper.add_checkpoint(log.submission(0, 3), NOW_S)
    again = Keeper(tmp_path / "witness")
    assert again.head.size == 3 and again.key == keeper.key
    other = Log(log.community)
    other.append(3, "another block")
    assert again.add_checkpoint(other.submission(3), NOW_S).status == submitting.CONFLICT


KILLED = """
import sys
sys.path[:0] = {path!r}
from simulator.authors import REAL
from simulator.community import Community
from simulator.proving import Proving
from simulator.witnessing import Log
from pathlib import Path
from wattpact.witness.keeper import Keeper
log = Log(Community(crypto=REAL, name="witnessed", sink=Proving))
keeper = Keeper(Path({directory!r}))
size = keeper.head.size if keeper.head else 0
log.append(size)
while True:
    old = len(log.leaves)
    log.append(1)
    answer = keeper.add_checkpoint(log.submission(old), 1)
    assert answer.status == 200, answer
    print(len(log.leaves), flush=True)
"""


def test_what_was_cosigned_is_remembered_whenever_it_is_killed(keeper, tmp_path):
    directory, last = tmp_path / "witness", 0
    script = KILLED.format(path=sys.path, directory=str(directory))
    for turn in range(4):
        running = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        for _ in range(3 + turn):
            last = int(running.stdout.readline())
        running.send_signal(signal.SIGKILL)
        rest = running.communicate()[0].split("\n")
        last = max([last, *(int(line) for line in rest[:-1])])
        held = Keeper(directory).head
        assert held.size >= last, "a head was cosigned and forgotten"
    assert last > 12


def test_one_program_at_a_time_is_the_witness(keeper, tmp_path):
    with keeper.lock(), pytest.raises(keeping.WitnessError, match="running"), Keeper(tmp_path / "witness").lock():
        pass


@pytest.mark.parametrize("text", ["{}", "", '{"wattpact_witness": 2}'])
def test_a_damaged_memory_is_not_guessed_at(keeper, tmp_path, text):
    (tmp_path / "witness" / "witness.json").write_text(text)
    with pytest.raises(keeping.WitnessError, match="damaged"):
        Keeper(tmp_path / "witness")
    with pytest.raises(keeping.WitnessError, match="already"):
        keeping.create(tmp_path / "witness", Pinned(NAME, bytes(32), None))


def test_what_is_no_witness_is_a_sentence(tmp_path, community):
    with pytest.raises(keeping.WitnessError, match="no witness's directory"):
        Keeper(tmp_path)
    keeping.create(tmp_path / "blind", Pinned(NAME, community.root.public_key, None))
    with pytest.raises(keeping.WitnessError, match="needs the blocks"):
        Keeper(tmp_path / "blind")


# A witness that has the blocks


@pytest.fixture
def host(tmp_path):
    made = hosted(tmp_path)
    made.owned_meter("House 1")
    yield made
    made.sink.close()


def applying(tmp_path, host, source):
    directory = tmp_path / "applying"
    key = keeping.create(directory, Pinned(NAME, host.root.public_key, None))
    cosigning.add(host.sink.store, key, "http://pi.example", START_S)
    return Keeper(directory, source)


def submit(host, keeper):
    """The host's one submission, and what it knows of the witness then."""
    asyncio.run(Cosigning(host.sink.store, host.sink.clock, Direct(keeper, host.sink.clock)).submit())
    return host.sink.store.witnesses()[0]


def test_with_the_blocks_a_witness_applies_every_rule(tmp_path, host):
    keeper = applying(tmp_path, host, tmp_path)
    first = submit(host, keeper)
    host.owned_meter("House 2")
    second = submit(host, keeper)
    assert second.blocks > first.blocks and second.problem is None


def test_a_witness_waits_for_blocks_that_are_not_there_yet(tmp_path, host):
    file = tmp_path / "ledger.blocks"
    exported.write(file, host.sink.store)
    keeper = applying(tmp_path, host, file)
    host.owned_meter("House 2")
    known = submit(host, keeper)
    assert known.blocks == 0 and known.conflict is None and "503" in known.problem
    exported.write(file, host.sink.store)
    assert submit(host, keeper).problem is None


def test_a_host_that_gives_other_blocks_than_it_signs_is_not_cosigned(tmp_path, host):
    file = tmp_path / "ledger.blocks"
    exported.write(file, host.sink.store)
    keeper = applying(tmp_path, host, file)
    keeper.catch_up()
    size = keeper._follower.ledger.size
    forged = Log(host)
    forged.append(size)
    assert keeper.add_checkpoint(forged.submission(0), NOW_S).status == submitting.UNPROCESSABLE
    assert (tmp_path / "applying" / f"fork-{size}.txt").exists() and keeper.head is None
    assert submit(host, keeper).blocks == size


def test_blocks_that_break_a_rule_are_not_cosigned_nor_is_what_follows(tmp_path, host):
    file = tmp_path / "ledger.blocks"
    exported.write(file, host.sink.store)
    file.write_bytes(file.read_bytes().replace(b"House 1", b"House 7"))
    keeper = applying(tmp_path, host, file)
    keeper.catch_up()
    exported.write(file, host.sink.store)
    body = Direct(keeper, host.sink.clock)
    asyncio.run(Cosigning(host.sink.store, host.sink.clock, body).submit())
    assert host.sink.store.witnesses()[0].blocks == 0 and keeper.head is None


def test_a_file_of_blocks_is_followed_like_the_store(tmp_path, host):
    file = tmp_path / "ledger.blocks"
    count = exported.write(file, host.sink.store)
    follower = following.Follower(host.id)
    for raw in exported.blocks_of(file):
        follower.apply(raw)
    assert follower.check_head(exported.head_of(file)).size == count
    assert list(exported.blocks_of(file)) == list(exported.blocks_of(tmp_path))
    assert list(exported.blocks_of(file, count - 1)) == [list(exported.blocks_of(file))[-1]]
    whole = file.read_bytes()
    for cut in (1, 100, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:cut])
        with pytest.raises(following.FollowingError):
            list(exported.blocks_of(file))
    file.write_bytes(whole[:100])
    with pytest.raises(following.FollowingError):
        exported.head_of(file)
    file.write_bytes(b"\x9f" + whole)
    with pytest.raises(following.FollowingError, match="no file"):
        exported.head_of(file)


# What a host keeps


@pytest.fixture
def witnesses(tmp_path, host):
    made = []
    for number in range(3):
        keeper = keeper_of(tmp_path / f"w{number}", host, f"w{number}.example")
        cosigning.add(host.sink.store, keeper.key, f"http://w{number}.example", START_S)
        made.append(keeper)
    return made


def everybody(witnesses, clock):
    """Submissions that reach each witness at its own address."""
    by_url = {f"http://{keeper.key.name}": Direct(keeper, clock) for keeper in witnesses}
    return lambda url, body: by_url[url](url, body)


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
    head = checkpoints.decode(store.meta("checkpoint").decode())
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
    store, ticks, release, asked = host.sink.store, [], threading.Event(), []

    def slow(url, body):
        asked.append(url)
        release.wait(10)
        raise RuntimeError("and something nobody thought of")

    async def live():
        cosigning.add(store, cosigned.WitnessKey("me.example", bytes(32)), "http://me.example", START_S)
        began = time.monotonic()
        running = asyncio.create_task(Cosigning(store, host.sink.clock, slow).run())
        for _ in range(20):
            await asyncio.sleep(0.01)
            host.person(f"person {len(ticks)}")  # the store is free meanwhile
            ticks.append(time.monotonic() - began)
        assert len(asked) == 1
        release.set()
        await asyncio.sleep(0.2)
        assert not running.done()
        running.cancel()

    asyncio.run(live())
    assert len(ticks) == 20 and ticks[-1] < 5


# Keys and addresses


def test_keys_are_written_as_everybody_writes_them():
    # The log key of C2SP's signed-note, made by Go's golang.org/x/mod/sumdb/note for PeterNeumann.
    text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    with pytest.raises(cosigned.WitnessKeyError, match="type 1"):
        cosigned.read_key(text)
    key = cosigned.WitnessKey(NAME, Signer(bytes(32)).public_key)
    assert cosigned.read_key(f" {key.text}\n") == key


@pytest.mark.parametrize(
    "change", [lambda text: text[:-1], lambda text: "x" + text, lambda text: text + "A", lambda _: ""]
)
def test_a_key_that_was_cut_or_changed_is_a_sentence(change):
    text = cosigned.WitnessKey(NAME, Signer(bytes(32)).public_key).text
    with pytest.raises(cosigned.WitnessKeyError, match="no key of a witness|mistyped"):
        cosigned.read_key(change(text))


def test_a_ledger_has_its_own_key():
    origin, key = checkpoints.origin_of(bytes(16)), Signer(bytes(32)).public_key
    text = checkpoints.verifier_key(origin, key, checkpoints.ED25519)
    assert cosigned.read_log_key(text, bytes(16)) == key
    with pytest.raises(cosigned.WitnessKeyError, match="not the ledger"):
        cosigned.read_log_key(text, bytes(15) + b"x")


def test_no_more_can_be_required_than_witnesses_are_given():
    one, two = (cosigned.WitnessKey(name, ids.sha256(name.encode())).text for name in ("one", "two"))
    assert cosigned.required([one, two], None).least == 2
    assert cosigned.required([one, two], 1).least == 1
    assert cosigned.required([], 0) == cosigned.NOBODY
    assert cosigned.required([], None) is None  # as the community's entry has it
    with pytest.raises(cosigned.WitnessKeyError, match="2 cosignatures are required and 1 witnesses"):
        cosigned.required([one, one], 2)


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


# Over the network


def test_a_submission_over_http(keeper, log):
    async def served():
        server = WebServer(serving.application(keeper, lambda: NOW_S))
        port = await server.start(port=0)
        url = f"http://127.0.0.1:{port}"
        try:
            answers = [
                await asyncio.to_thread(submitting.post, url, body)
                for body in (log.submission(0, 3), log.submission(0), log.submission(3), b"x" * (33 << 10), b"nonsense")
            ]
            return [*answers, await asyncio.to_thread(submitting.post, url + "/elsewhere", b"")]
        finally:
            await server.stop()

    answers = asyncio.run(served())
    assert [answer.status for answer in answers] == [200, 409, 200, 413, 400, 404]
    assert answers[1].text == "3\n" and signed_at(keeper, log, answers[2]) == NOW_S


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
    began = time.monotonic()
    for behave, match in ((drip, "no answer|longer"), (flood, "longer")):
        server, url = served_by(behave)
        with pytest.raises(SubmissionError, match=match):
            submitting.post(url, b"x")
        threading.Thread(target=server.shutdown, daemon=True).start()
    server, url = served_by(redirect)
    assert submitting.post(url, b"x").status == 302
    server.shutdown()
    assert time.monotonic() - began < 10


def test_a_witness_that_is_away_is_a_sentence():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(SubmissionError, match=f"no answer from http://127.0.0.1:{port}: Connection"):
        submitting.post(f"http://127.0.0.1:{port}", b"x")
    with pytest.raises(SubmissionError, match="no answer from http://nowhere.invalid"):
        submitting.post("http://nowhere.invalid", b"x")


def test_the_state_of_a_witness_is_json_that_a_person_can_read(keeper, log, tmp_path):
    keeper.add_checkpoint(log.submission(0), NOW_S)
    found = json.loads((tmp_path / "witness" / "witness.json").read_text())
    assert found["name"] == NAME and found["head"].startswith(checkpoints.origin_of(log.community.id))


# What an auditor can require


@pytest.fixture(scope="module")
def traded():
    return TradedMonth("cosigned")


WITNESSES = [(f"w{number}.example", Signer(ids.sha256(bytes([number])))) for number in range(3)]
KEYS = tuple(cosigned.WitnessKey(name, signer.public_key) for name, signer in WITNESSES)


def cosigned_bundle(traded, signed_by):
    """The bundle of a month with cosignatures of its head."""
    data = traded.bundle()
    first = next(raw for _, raw in bundle_format.read(io.BytesIO(data)))
    head = bundle_format.decode_head(first)
    point = checkpoints.decode(head.checkpoint)
    for name, signer in signed_by:
        checkpoints.cosign(point, name, signer.public_key, NOW_S, signer.sign)
    return cbor.encode(cbor.encode(list(head._replace(checkpoint=point.text)))) + data[len(first) :]


def audited(traded, data, least):
    wanted = cosigned.Required(KEYS, least)
    return audit.audit(io.BytesIO(data), traded.community.root.public_key, traded.keys, wanted)


def test_an_auditor_can_require_cosignatures(traded):
    data = cosigned_bundle(traded, WITNESSES[:2])
    assert audited(traded, data, 2).cosigned == {"w0.example": NOW_S, "w1.example": NOW_S}
    assert "Cosigned: by w0.example at " in page.text(audited(traded, data, 0))
    with pytest.raises(audit.Refuted, match=r"2 of the 3 cosignatures that are required; missing: w2\.example$"):
        audited(traded, data, 3)
    assert "Cosigned" not in page.text(audited(traded, traded.bundle(), 0))


def test_a_cosignature_of_another_head_or_by_a_stranger_does_not_count(traded):
    stranger = [(name, Signer(bytes(32))) for name, _ in WITNESSES]
    with pytest.raises(audit.Refuted, match=r"0 of the 1 .* missing: w0.example, w1.example, w2.example"):
        audited(traded, cosigned_bundle(traded, stranger), 1)
    twice = cosigned_bundle(traded, [WITNESSES[0], WITNESSES[0]])
    with pytest.raises(audit.Refuted, match="1 of the 2"):
        audited(traded, twice, 2)


def test_the_audit_as_a_program_has_the_same_demands(traded, tmp_path, capsys):
    file, keys = tmp_path / "west.bundle", tmp_path / "west.keys"
    file.write_bytes(cosigned_bundle(traded, WITNESSES[:1]))
    for given in traded.keys:
        disclosure.write(keys, given)
    root = traded.community.root.public_key.hex()

    def status(*texts, least=None):
        return program.run(str(file), root, [str(keys)], False, sys.stdout, sys.stderr, texts, least)

    assert status(KEYS[0].text) == program.AGREES
    assert "by w0.example" in capsys.readouterr().out
    assert status(KEYS[0].text, KEYS[1].text, least=1) == program.AGREES
    assert status(KEYS[0].text, KEYS[1].text) == program.REFUTED
    assert "missing: w1.example" in capsys.readouterr().err
    assert status("nonsense") == program.UNREADABLE
    assert status(least=1) == program.UNREADABLE
    assert "name each with --witness" in capsys.readouterr().err
