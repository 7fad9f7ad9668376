"""X25519 by libsodium, through PyNaCl."""

from nacl import bindings
from nacl.exceptions import RuntimeError as RejectedError

from wattpact_protocol.steps import in_one


def public_key(secret: bytes) -> bytes:
    """The public key of 32 secret bytes."""
    return bindings.crypto_scalarmult_base(secret)


def shared(secret: bytes, public: bytes) -> bytes:
    """The secret shared with the holder of a public key, 32 bytes of 0 where libsodium rejects it."""
    try:
        return bindings.crypto_scalarmult(secret, public)
    except RejectedError:
        return bytes(32)


public_key_steps = in_one(public_key)
shared_steps = in_one(shared)
