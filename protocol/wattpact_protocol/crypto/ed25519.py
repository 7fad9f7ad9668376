"""Ed25519 (RFC 8032): public keys, signatures, and libsodium's verdict on them, on every platform.

This is the one place that chooses who does the work: libsodium where PyNaCl is installed; machine code compiled from
MicroPython where integers have 32 bits, as on the chips; big integers elsewhere. Signatures and verdicts are the same
bytes and the same answers on all; docs/spec/ed25519.md says which.

`sign_steps` and `verify_steps` are for a program that has other things to do: generators whose value, in StopIteration,
is the result. In machine code they give way after at most 400,000 instructions, and several may run in turns; the other
backends do their work in one step.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

try:
    from wattpact_protocol.crypto import _ed25519_host as _backend
except ImportError:
    try:
        # SyntaxError: no compiler to machine code here; ValueError: compiled ahead for other machines.
        from wattpact_protocol.crypto import _ed25519_viper as _backend  # type: ignore[no-redef]
    except (ImportError, SyntaxError, ValueError):
        from wattpact_protocol.crypto import _ed25519_portable as _backend  # type: ignore[no-redef]


class SeedError(ValueError):
    """A seed is not 32 bytes."""


class FaultError(Exception):
    """A signature just made does not verify, and is withheld: it could give the key away."""


def public_key(seed: bytes) -> bytes:
    """The 32-byte public key of a 32-byte seed; raises SeedError."""
    _check_seed(seed)
    return _backend.public_key(seed)


def sign(seed: bytes, message: bytes) -> bytes:
    """The 64-byte signature of the message under a 32-byte seed; raises SeedError, or FaultError."""
    _check_seed(seed)
    return _released(_backend.sign(seed, message))


def sign_steps(seed: bytes, message: bytes) -> "Generator[None, None, bytes]":
    """As `sign`, giving way between steps."""
    _check_seed(seed)
    signature = yield from _backend.sign_steps(seed, message)
    return _released(signature)


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is the key's over the message; False as well for bytes that are no key or signature."""
    return len(public_key) == 32 and len(signature) == 64 and _backend.verify(public_key, message, signature)


def verify_steps(public_key: bytes, message: bytes, signature: bytes) -> "Generator[None, None, bool]":
    """As `verify`, giving way between steps."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    valid = yield from _backend.verify_steps(public_key, message, signature)
    return valid


def _released(signature: "bytes | None") -> bytes:
    if signature is None:
        raise FaultError("the signature does not verify")
    return signature


def _check_seed(seed: bytes) -> None:
    if not isinstance(seed, bytes) or len(seed) != 32:
        raise SeedError("a seed is 32 bytes")
