"""A witness: it signs one history of a ledger alone, whatever it is sent and whenever it ends."""

import asyncio
import json
import os
import signal
import subprocess
import sys

import pytest
from simulator.authors import REAL
from simulator.community import START_S, Community
from simulator.host import hosted_with_meter
from simulator.proving import Proving
from simulator.witnessing import NAME, NOW_S, Direct, Log, keeper_of
from wattpact.api.server import WebServer
from wattpact.bundle import cosigned
from wattpact.keys import Signer
from wattpact.ordering import cosigning, exported, following, submitting
from wattpact.ordering.cosigning import Cosigning
from wattpact.ordering.submitting import Answer
from wattpact.witness import forks, serving
from wattpact.witness import keeper as keeping
from wattpact.witness.keeper import Keeper, Pinned
from wattpact_protocol.ledger import checkpoints


@pytest.fixture(scope="module")
def community():
    return Community(crypto=REAL, name="witnessed", sink=Proving)


@pytest.fixture
def log(community):
    made = Log(community)
    made.append(5)
    return made


@pytest.fixture
def host(tmp_path):
    with hosted_with_meter(tmp_path) as made:
        yield made


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


# Over the network, and on the disk


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


def test_the_state_of_a_witness_is_json_that_a_person_can_read(keeper, log, tmp_path):
    keeper.add_checkpoint(log.submission(0), NOW_S)
    found = json.loads((tmp_path / "witness" / "witness.json").read_text())
    assert found["name"] == NAME and found["head"].startswith(checkpoints.origin_of(log.community.id))
