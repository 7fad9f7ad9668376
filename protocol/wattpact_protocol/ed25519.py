"""Ed25519 (RFC 8032): public keys, signatures, and libsodium's verdict on them, on every platform.

This is the one place that chooses who does the work: libsodium where PyNaCl is installed, big integers elsewhere.
Signatures and verdicts are the same bytes and the same answers on both; docs/spec/ed25519.md says which.
"""

try:
    from wattpact_protocol._ed25519_host import public_key as _public_key
    from wattpact_protocol._ed25519_host import sign as _sign
    from wattpact_protocol._ed25519_host import verify as _verify
except ImportError:
    from wattpact_protocol._ed25519_portable import public_key as _public_key
    from wattpact_protocol._ed25519_portable import sign as _sign
    from wattpact_protocol._ed25519_portable import verify as _verify


class SeedError(ValueError):
    """A seed is not 32 bytes."""


def public_key(seed: bytes) -> bytes:
    """The 32-byte public key of a 32-byte seed; raises SeedError."""
    _check_seed(seed)
    return _public_key(seed)


def sign(seed: bytes, message: bytes) -> bytes:
    """The 64-byte signature of the message under a 32-byte seed; raises SeedError."""
    _check_seed(seed)
    return _sign(seed, message)


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is the key's over the message; False as well for bytes that are no key or signature."""
    return len(public_key) == 32 and len(signature) == 64 and _verify(public_key, message, signature)


def _check_seed(seed: bytes) -> None:
    if not isinstance(seed, bytes) or len(seed) != 32:
        raise SeedError("a seed is 32 bytes")
