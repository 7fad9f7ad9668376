"""The keys of sealing: of a reader, and of each period of a meter's log.

    secret of an epoch -> key of a period (HKDF) -> its commitment, which a KEY_OPEN entry publishes

Specification: docs/spec/sealing.md.
"""

import hashlib

from wattpact_protocol.crypto import hkdf

SECRET_BYTES = 32
KEY_BYTES = 48  # 16 to encrypt, 32 to make nonces


class SealError(ValueError):
    """What cannot be sealed or unsealed; the text says why and holds nothing secret."""


class NoKeyError(SealError):
    """There is no key for this here."""


def sealing_secret(seed: bytes) -> bytes:
    """The X25519 secret of whoever signs with that seed: one file to keep, two keys that share nothing."""
    return hkdf.derive(seed, b"", b"wattpact/sealing", 32)


def period_key(secret: bytes, kid: bytes, key_no: int) -> bytes:
    """The key of one period of a meter's log."""
    return hkdf.derive(secret, b"", b"wattpact/k" + kid + key_no.to_bytes(4, "big"), KEY_BYTES)


def commitment(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def context(community: bytes, kid: bytes, generation: int, key_no: int, kind: int) -> bytes:
    """The external_aad: a sealed part is void in any other place than a body of this kind, key and log."""
    return b"wattpact/1" + community + kid + generation.to_bytes(4, "big") + key_no.to_bytes(4, "big") + bytes((kind,))
