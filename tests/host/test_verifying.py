"""Processes that verify: libsodium's verdicts, in order, whatever becomes of the processes."""

import io
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from wattpact.ingest import signature_pool
from wattpact_protocol.crypto import ed25519

SEED = bytes(range(32))
KEY = ed25519.public_key(SEED)


def flipped(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def claims(count: int, rng: random.Random) -> tuple[list[signature_pool.Claim], list[bool]]:
    """Claims, half of them forged in message or signature, and which of them are genuine."""
    made: list[signature_pool.Claim] = []
    genuine = []
    for _ in range(count):
        message = rng.randbytes(rng.choice((1, 200, 1100)))
        signature = ed25519.sign(SEED, message)
        forged = rng.randrange(4)
        if forged == 0:
            message = flipped(message, rng)
        elif forged == 1:
            signature = flipped(signature, rng)
        made.append((KEY, message, signature))
        genuine.append(forged > 1)
    return made, genuine


class Pieces(io.BytesIO):
    """Gives three bytes at a time, as a pipe may."""

    def read(self, size: "int | None" = -1) -> bytes:
        return super().read(3 if size is None or size < 0 else min(size, 3))


def test_so_much_is_read_and_nothing_of_what_follows() -> None:
    stream = Pieces(b"0123456789")
    assert [signature_pool._read(stream, count) for count in (7, 2, 5)] == [b"0123456", b"78", b"9"]


@pytest.fixture
def pool() -> Iterator[signature_pool.SignaturePool]:
    made = signature_pool.SignaturePool(2)
    yield made
    made.close()


def processes(pool: signature_pool.SignaturePool) -> list[signature_pool._Process]:
    assert pool._processes is not None
    return pool._processes


def test_verdicts_are_those_of_libsodium_whoever_verifies_first(pool: signature_pool.SignaturePool) -> None:
    rng = random.Random(3)
    asked = [claims(count, rng) for count in (32, 1, 256, 32, 7)]
    groups = [(pool.submit(made), genuine) for made, genuine in asked]
    rng.shuffle(groups)
    for group, genuine in groups:
        assert pool.result(group) == pool.result(group) == genuine
    assert all(process.alive for process in processes(pool))


def test_nothing_is_lost_with_processes_that_die(pool: signature_pool.SignaturePool) -> None:
    rng = random.Random(4)
    first, genuine = claims(40, rng)
    assert pool.result(pool.submit(first)) == genuine
    before = [pool.submit(first) for _ in range(6)]
    for process in processes(pool):
        os.kill(process._process.pid, signal.SIGKILL)
    assert [pool.result(group) for group in before] == [genuine] * 6
    assert [pool.result(pool.submit(first)) for _ in range(6)] == [genuine] * 6
    assert not any(process.alive for process in processes(pool))


def test_more_than_its_pipe_holds_is_taken(pool: signature_pool.SignaturePool) -> None:
    made, genuine = claims(40, random.Random(5))
    groups = [pool.submit(made * 10) for _ in range(6)]
    assert all(pool.result(group) == genuine * 10 for group in groups)


def test_a_process_ends_with_its_input_even_within_a_group() -> None:
    for data in (b"", b"\0\0", b"\0\0\1\0" + bytes(9)):
        ended = subprocess.run(
            [sys.executable, "-P", "-m", "wattpact.ingest.signature_pool"], input=data, capture_output=True, timeout=60
        )  # fmt: skip
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")


def test_closing_ends_them() -> None:
    pool = signature_pool.SignaturePool(1)
    pool.submit(claims(1, random.Random(6))[0])
    process = processes(pool)[0]._process
    pool.close()
    assert process.returncode == 0


def test_with_no_process_this_one_verifies() -> None:
    alone = signature_pool.SignaturePool(0)
    made, genuine = claims(9, random.Random(7))
    group = alone.submit(made)
    assert group.verdicts is None
    assert alone.result(group) == genuine
    alone.close()


def test_what_is_submitted_is_in_work_at_once(pool: signature_pool.SignaturePool) -> None:
    made, genuine = claims(9, random.Random(8))
    groups = [pool.submit(made) for _ in range(2)]
    assert sum(len(process.groups) for process in processes(pool)) == 2
    assert [pool.result(group) for group in groups] == [genuine] * 2
