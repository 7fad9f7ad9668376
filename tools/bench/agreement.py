"""X25519 in instructions of 32-bit MicroPython: whether every secret is the same work, and how long a step is."""

from tools.bench import counting

SECRETS = """
import hashlib
import micropython
from wattpact_protocol.crypto import _scalar25519_viper as scalar
from wattpact_protocol.crypto import _x25519_viper

@micropython.viper
def fill(target: ptr8, source: ptr8, at: int, size: int):
    for i in range(size):
        target[i] = source[at + i]

def nothing():
    yield

def agree(function, *keys):
    mark()
    for _ in function(*keys):
        pass
    mark()

gc.disable()
mark(); mark(); mark()
random = b"".join([hashlib.sha256(b"%d" % n).digest() for n in range(COUNT + 1)])
secret, public = bytes(32), hashlib.sha256(b"public").digest()
for at in range(0, len(random), 32):
    # The same objects and the same free memory each time: how long it takes to copy bytes depends on where they are.
    fill(secret, random, at, 32)
    for _ in nothing():
        pass  # MicroPython keeps the last value that a generator returned: let it be this one's
    gc.collect()
    agree(_x25519_viper.FUNCTION_steps, *(secret, public)[:KEYS])
"""
STEPS = """
from wattpact_protocol.crypto import _x25519_viper
secret = bytes(range(32))
mark(); mark(); mark()
for make in _x25519_viper.public_key_steps, _x25519_viper.shared_steps:
    gc.collect()
    steps = make(*(secret, secret)[: 1 + (make is _x25519_viper.shared_steps)])
    going = True
    while going:
        mark()
        try:
            next(steps)
        except StopIteration:
            going = False
        mark()
"""


def work_of_secrets(count: int, change: str = "", function: str = "shared") -> list[int]:
    """Instructions of `shared` or `public_key` for so many random secrets; `change` is code that runs before."""
    keys = {"shared": 2, "public_key": 1}[function]
    program = SECRETS.replace("COUNT", str(count)).replace("FUNCTION", function).replace("KEYS", str(keys))
    found = counting.counts(program.replace("gc.disable()\n", change + "\ngc.disable()\n"))
    return found[1:]  # the first one links and warms up


def longest_step() -> int:
    """Instructions of the longest step of making a public key and a shared secret."""
    return max(counting.counts(STEPS))
