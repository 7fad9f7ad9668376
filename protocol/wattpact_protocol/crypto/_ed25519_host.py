"""Ed25519 by libsodium, through PyNaCl; the global lock is free while it works."""

from collections.abc import Generator

from nacl import bindings
from nacl.exceptions import BadSignatureError


def public_key(seed: bytes) -> bytes:
    """The public key of a 32-byte seed."""
    return bindings.crypto_sign_seed_keypair(seed)[0]


def sign(seed: bytes, message: bytes) -> bytes:
    """The 64-byte signature of the message."""
    return bindings.crypto_sign(message, bindings.crypto_sign_seed_keypair(seed)[1])[:64]


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether libsodium accepts: 32-byte key and 64-byte signature, checked by the caller for length."""
    try:
        bindings.crypto_sign_open(signature + message, public_key)
    except BadSignatureError:
        return False
    return True


def sign_steps(seed: bytes, message: bytes) -> Generator[None, None, bytes]:
    """As `sign`, in one step."""
    yield
    return sign(seed, message)


def verify_steps(public_key: bytes, message: bytes, signature: bytes) -> Generator[None, None, bool]:
    """As `verify`, in one step."""
    yield
    return verify(public_key, message, signature)
