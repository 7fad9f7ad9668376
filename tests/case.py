"""What the tests of both Pythons lean on: expected errors, vectors, shared data, repeatable randomness, sizes.

Imports nothing that MicroPython lacks, and gives the same answers under both.
"""

import hashlib
import json
import os
import sys

MICROPYTHON = sys.implementation.name == "micropython"
TESTS = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."
CHECKOUT = TESTS.rsplit("/", 1)[0] if "/" in TESTS else TESTS + "/.."


class Skip(Exception):
    """This test cannot run here; the text says what would let it. Where WATTPACT_REQUIRE_ALL=1, it fails."""


class Elsewhere(Skip):
    """It is not missed here, since it runs under the other Python, or in the thorough run."""


def raises(error, function, *args):
    """Call function(*args) and return the `error` it raised; anything else it raises passes through."""
    try:
        result = function(*args)
    except error as raised:
        return raised
    raise AssertionError("expected %r, got the result %r" % (error, result))


def vectors(name):
    """The parsed protocol/vectors/<name>.json."""
    with open("%s/protocol/vectors/%s.json" % (CHECKOUT, name)) as file:
        return json.load(file)


def is_missed(skip):
    """Whether a test must not skip for that here: where all is required, as on the machine that checks a change."""
    return os.getenv("WATTPACT_REQUIRE_ALL") == "1" and not isinstance(skip, Elsewhere)


def data(path):
    """The path of a file or folder of the shared data. Skips when there is no such data at all; a wrong name fails."""
    folder = os.getenv("WATTPACT_DATA") or CHECKOUT + "/../shared/data"
    if not _exists(folder):
        raise Skip("%s needs the shared data: set WATTPACT_DATA to its folder" % path)
    found = folder + "/" + path
    assert _exists(found), found + " is not in the shared data"
    return found


def scale(n_cpython, n_micropython):
    """How many cases to run here."""
    return n_micropython if MICROPYTHON else n_cpython


def cases(thorough, quick):
    """How many cases to run: `thorough` with WATTPACT_THOROUGH=1, as `make test` sets it, `quick` while working."""
    return thorough if os.getenv("WATTPACT_THOROUGH") == "1" else quick


def only_thorough():
    """What takes long as a whole is left to WATTPACT_THOROUGH=1."""
    if not cases(True, False):
        raise Elsewhere("takes long: set WATTPACT_THOROUGH=1")


def only_micropython(why):
    """What nothing but MicroPython can show."""
    if not MICROPYTHON:
        raise Elsewhere(why)


class Bits:
    """A repeatable stream of random bits: SHA-256 of the seed and a counter. Fit for tests alone."""

    def __init__(self, seed):
        self._key = str(seed).encode()
        self._count = 0
        self._ready = b""

    def bytes(self, n):
        """The next n bytes."""
        chunks = [self._ready]
        size = len(self._ready)
        while size < n:
            chunks.append(hashlib.sha256(self._key + b"/%d" % self._count).digest())
            self._count += 1
            size += 32
        stream = b"".join(chunks)
        self._ready = stream[n:]
        return stream[:n]

    def below(self, n):
        """An integer from 0 to n - 1, each as likely to within one part in 2**32."""
        assert n > 0, n
        size = 4
        rest = n
        while rest:
            size += 1
            rest >>= 8
        return int.from_bytes(self.bytes(size), "big") % n

    def choice(self, items):
        """One of the items of a sequence."""
        return items[self.below(len(items))]

    def shuffle(self, items):
        """Put a list into random order, in place."""
        for last in range(len(items) - 1, 0, -1):
            other = self.below(last + 1)
            items[last], items[other] = items[other], items[last]


def _exists(path):
    try:
        os.stat(path)
    except OSError:
        return False
    return True
