"""The longest that the meter's sampler waits, in instructions: between two of its turns, while the core signs,
verifies, seals, keeps and sends.

python -m tools.bench.slices [--rounds N] [--full]      in the heap of the bare profile, or of the full one
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tools import romfs
from tools.bench import counting, heap

BAR = 400_000  # instructions of every slice but a collection: docs/spec/meter.md, rule 28
ROUNDS = 24
CRYPTOGRAPHY = ("signing", "verifying", "sealing")
COLLECTING = "collecting"  # goes through the whole heap, and cannot give way: no bar
COUNTING_BYTES = 48 * heap.KIB  # of heap, for what lives the meter's life here and counts: a chip has none of it

# A slice is what runs between two points at which the sampler may; it is called by the last thing that began in it.
# The sampler's own work is not counted, and files are the computer's: littlefs and a
# flash are not in these counts. How long it takes to find free memory depends on what lives in it: the code is in an
# image outside of the heap, as on a chip, and what the host sends was recorded before.
LIFE = """
def live(app, board, answer, begin, counted):
    meter = app.meter
    for n in range(ROUNDS):
        board.uptime_ms += 1000
        now = board.now()
        begin(n, now.unix_s)
        shown = {number: 230000 + n for number in register_table.TABLE if number >= register_table.FIRST_INSTANTANEOUS}
        board.source.next = [Measurement([n * 10**12], 1000000, shown)]
        app.sample(now)
        counted("sending", app.exchange, now)
        for _ in range(200):
            work = app.tick_steps(now)
            while counted("doing else", advance, work):
                if app._must_collect():
                    counted("collecting", gc.collect)
            counted("sending", app.exchange, now)
            sent, board.network.sent = board.network.sent, []
            board.network.incoming += answer(sent)
            if not board.network.incoming and not app.waiting.datagrams and meter.next_tick_ms(now) > now.uptime_ms:
                break
        if n % 3 == 0:
            work = app.report_status_steps(now)
            while counted("reporting", advance, work):
                pass
    print(app.journal.next_sequence, meter.trust.verifications, app.errors, meter.rejected, sep="|")

def advance(work):
    try:
        next(work)
        return True
    except StopIteration:
        return False
"""
RECORDING = r"""
import gc
from simulator.enrolled import EnrolledApp
from wattpact_meter.metering.measurement import Measurement
from wattpact_protocol.log import ids, kinds, register_table
LIFE

class Neighbour:
    def __init__(self, name):
        self.name = name

def begin(n, now_s):
    community.now_s = now_s
    if n == 4:
        community.mandate(owner, enrolled, kinds.BUY, 250000, 900)
    if n >= 4 and n % 2 == 0:
        community.give(enrolled, 40 + n)
        community.publish(community.authors[ids.kid_of(sellers[n % 3])], kinds.OFFER, {
            "price_micro_per_kwh": 200000 - n, "wh": 300, "max_w": 9000, "start_s": community.now_s,
            "end_s": community.now_s + 1800, "valid_until_s": community.now_s + 900, "mandate": bytes(32),
        })

def answer(sent):
    datagrams = []
    for data in sent:
        datagrams += community.sink.receive_datagram(data, enrolled.kid)
    file.write(",".join([data.hex() for data in datagrams]) + "\n")
    return datagrams

enrolled = EnrolledApp(FOLDER)
community = enrolled.community
owner = community.person("seller")
sellers = [community.enrol(Neighbour("n%d" % n), owner).public_key for n in range(3)]
with open(FOLDER + "/received", "w") as file:
    file.write("%s\n%d\n" % (community.root.public_key.hex(), enrolled.board.start_s))
    live(enrolled.app, enrolled.board, answer, begin, lambda name, function, *arguments: function(*arguments))
"""
COUNTED = r"""
import binascii, ffi, gc, hashlib
from wattpact_meter import load_order

load_order.load()
import case
from simulator.board import Board
from wattpact_meter import app as application
from wattpact_meter.app import App
from wattpact_meter.metering.measurement import Measurement
from wattpact_protocol.log import entry, register_table
from wattpact_protocol.sealing import content
from wattpact_protocol.crypto import x25519
mark = ffi.open("libc.so.6").func("i", "getppid", "")
LIFE
doing = [""]
names = open(FOLDER + "/names", "w")

def noted(name, function):
    def run(*arguments):
        doing[0] = name
        return function(*arguments)
    return run

def stepped(name, function):
    def run(*arguments):
        steps = function(*arguments)
        while True:
            doing[0] = name
            try:
                next(steps)
            except StopIteration as done:
                return done.value
            yield
    return run

class Collector:
    collect = staticmethod(noted("collecting", gc.collect))

def counted(name, function, *arguments):
    doing[0] = name
    mark()
    result = function(*arguments)
    mark()
    names.write(doing[0] + "\n")
    return result

file = open(FOLDER + "/received")
root_public_key = binascii.unhexlify(file.readline().strip())
board = Board(FOLDER + "/again", root_public_key, step_s=1)
seed = hashlib.sha256(b"enrolled").digest()
drawn, bits = [seed, seed], case.Bits("randomness")
board.urandom = lambda n: drawn.pop()[:n] if drawn else bits.bytes(n)
board.start_s = int(file.readline())
app = App(board)
meter = app.meter
app.identity.sign_steps = stepped("signing", app.identity.sign_steps)
meter.trust._verifier_steps = stepped("verifying", meter.trust._verifier_steps)
meter.measure_steps = stepped("measuring", meter.measure_steps)
meter._store.save = noted("storing", meter._store.save)
meter._store.save_steps = stepped("storing", meter._store.save_steps)
entry._draft_steps = stepped("encoding", entry._draft_steps)
entry.decode = noted("decoding", entry.decode)
entry.decode_steps = stepped("decoding", entry.decode_steps)
app.journal.append = noted("appending", app.journal.append)
meter.inbox.admit = noted("receiving", meter.inbox.admit)
meter.guard.decide = noted("deciding", meter.guard.decide)
application.gc = Collector()
content.seal_steps = stepped("sealing", content.seal_steps)
x25519.public_key_steps = stepped("sealing", x25519.public_key_steps)
x25519.shared_steps = stepped("sealing", x25519.shared_steps)

def answer(sent):
    return [binascii.unhexlify(data) for data in file.readline().strip().split(",") if data]

mark(); mark(); mark()
live(app, board, answer, lambda n, now_s: None, counted)
names.close()
"""


class Slices(NamedTuple):
    """The longest slice of each kind, instructions; entries that were signed, signatures that were verified, and how
    often garbage was collected."""

    longest: dict[str, int]
    entries: int
    verifications: int
    collections: int

    def above(self) -> "dict[str, int]":
        """What is longer than it may be."""
        return {name: count for name, count in self.longest.items() if name != COLLECTING and count > BAR}


def _image(rounds: int, folder: Path) -> bytes:
    """The image that a meter has, and beside it what lives in it and counts."""
    tests = counting.ROOT / "tests"
    programs = {name: (tests / name).read_text(encoding="utf-8") for name in ("case.py", "simulator/board.py")}
    return romfs.build_image("x86", {**programs, "counted.py": _program(COUNTED, rounds, folder)})


def _program(text: str, rounds: int, folder: Path) -> str:
    return text.replace("LIFE", LIFE.replace("ROUNDS", str(rounds))).replace("FOLDER", repr(str(folder)))


def _record(program: str, folder: Path) -> str:
    """Live the same life beside a host, and store what it sends; the line that is printed at the end."""
    path = [str(counting.ROOT / part) for part in ("protocol", "firmware", "tests", "tests/firmware")]
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=folder,
        env={**os.environ, "PYTHONPATH": ":".join(path)},
    )  # fmt: skip
    if result.returncode:
        raise counting.CountError(result.stderr[-2000:])
    return result.stdout.strip()


def unavailable() -> str:
    """Empty if slices can be counted here, else what is missing."""
    return counting.available()


def measure(rounds: int = ROUNDS, heap_bytes: int = heap.BARE_BYTES) -> Slices:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "again").mkdir()
        image = folder / "image"
        image.write_bytes(_image(rounds, folder))
        recorded = _record(_program(RECORDING, rounds, folder), folder)
        lines, counts = counting.printed_counts(
            romfs.mounting(image) + "import counted\n", str(heap_bytes + COUNTING_BYTES)
        )
        names = (folder / "names").read_text().splitlines()
    entries, verifications, errors = lines[0].split("|")[:3]
    if errors != "{}" or len(counts) != len(names) or lines[0].split("|")[:3] != recorded.split("|")[:3]:
        raise counting.CountError(f"{len(counts)} counts of {len(names)} slices; {lines[0]}; before {recorded}")
    longest: dict[str, int] = {}
    for name, count in zip(names, counts, strict=True):
        longest[name] = max(count, longest.get(name, 0))
    return Slices(longest, int(entries), int(verifications), names.count(COLLECTING))


def main() -> int:
    parser = argparse.ArgumentParser(description="Count the longest that the sampler waits for the meter's core.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="seconds of the meter's life")
    parser.add_argument("--full", action="store_true", help="in the heap of a board with PSRAM")
    arguments = parser.parse_args()
    rounds = arguments.rounds
    if unavailable():
        print(unavailable(), file=sys.stderr)
        return 1
    found = measure(rounds, heap.FULL_BYTES if arguments.full else heap.BARE_BYTES)
    print(f"{found.entries} entries signed, {found.verifications} signatures verified; i386 instructions, callgrind")
    print(f"garbage collected {found.collections} times in {rounds} seconds")
    for name, count in sorted(found.longest.items(), key=lambda row: -row[1]):
        print(f"longest slice while {name:12} {count:10,}" + (f"   <= {BAR:,}" if name != COLLECTING else ""))
    return int(bool(found.above()))


if __name__ == "__main__":
    sys.exit(main())
