"""X25519 (RFC 7748, 5): two key pairs, and the secret that each makes of its own and the other's public key.

This is the one place that chooses who does the work, as `ed25519` does; docs/spec/x25519.md has what is rejected.

`public_key_steps` and `shared_steps` are for a program that has other things to do: generators whose value, in
StopIteration, is the result. In machine code they give way after at most 400,000 instructions.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

try:
    from wattpact_protocol.crypto import _x25519_host as _backend
except ImportError:
    try:
        # SyntaxError: no compiler to machine code here; ValueError: compiled ahead for other machines.
        from wattpact_protocol.crypto import _x25519_viper as _backend  # type: ignore[no-redef]
    except (ImportError, SyntaxError, ValueError):
        from wattpact_protocol.crypto import _x25519_portable as _backend  # type: ignore[no-redef]


class AgreementError(ValueError):
    """A key is not 32 bytes, or what the two would share is 0 (RFC 7748, 6.1)."""


def public_key(secret: bytes) -> bytes:
    """The 32-byte public key of 32 secret bytes; raises AgreementError."""
    _check(secret)
    return _backend.public_key(secret)


def public_key_steps(secret: bytes) -> "Generator[None, None, bytes]":
    """As `public_key`, giving way between steps."""
    _check(secret)
    public = yield from _backend.public_key_steps(secret)
    return public


def shared(secret: bytes, public: bytes) -> bytes:
    """The 32 bytes that both sides have; raises AgreementError."""
    _check(secret)
    _check(public)
    return _nonzero(_backend.shared(secret, public))


def shared_steps(secret: bytes, public: bytes) -> "Generator[None, None, bytes]":
    """As `shared`, giving way between steps."""
    _check(secret)
    _check(public)
    agreed = yield from _backend.shared_steps(secret, public)
    return _nonzero(agreed)


def _check(key: bytes) -> None:
    if not isinstance(key, bytes) or len(key) != 32:
        raise AgreementError("a key is 32 bytes")


def _nonzero(agreed: bytes) -> bytes:
    """Reject 0, which is what every secret makes of a point of small order; all bytes are looked at."""
    bits = 0
    for byte in agreed:
        bits |= byte
    if bits == 0:
        raise AgreementError("nothing is shared with a public key of small order")
    return agreed
