"""The secret of an epoch, wrapped for each reader (X25519, HKDF, AES-CCM) in a KEY_EPOCH entry.

Specification: docs/spec/sealing.md.
"""

from wattpact_protocol.crypto import ccm, hkdf, x25519
from wattpact_protocol.log.sealed_part import NONCE_BYTES
from wattpact_protocol.sealing.period_keys import SECRET_BYTES, NoKeyError, SealError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any


def wrap_steps(
    secret: bytes, ephemeral: bytes, number: int, place: "tuple[bytes, bytes]", readers: "list[tuple[bytes, bytes]]"
) -> "Generator[None, None, dict[str, Any]]":
    """A generator; its value is the body of a KEY_EPOCH that gives a secret of 32 bytes to each reader.

    `ephemeral` is 32 fresh random bytes, `place` (community, meter's kid), `readers` (kid, X25519 key); a reader whose
    key is no key is left out. Raises SealError where none is left, or the secret is none."""
    if not isinstance(secret, bytes) or len(secret) != SECRET_BYTES:
        raise SealError("a secret is %d bytes" % SECRET_BYTES)
    yield
    ephemeral_key = yield from x25519.public_key_steps(ephemeral)
    wraps = []
    for kid, key in readers:
        yield
        try:
            shared = yield from x25519.shared_steps(ephemeral, key)
        except x25519.AgreementError:
            continue
        yield
        wrapping, nonce = _wrapping(shared, place, number, ephemeral_key, key)
        yield
        wraps.append([kid, ccm.seal(wrapping, nonce, b"", secret)])
    yield
    if not wraps:
        raise SealError("nobody could read what is sealed")
    return {"number": number, "ephemeral_key": ephemeral_key, "wraps": wraps}


def unwrap(own_secret: bytes, kid: bytes, place: "tuple[bytes, bytes]", body: "dict[str, Any]") -> bytes:
    """The secret of an epoch for the reader of that kid; raises NoKeyError where it is not for them, SealError."""
    for reader, wrapped in body["wraps"]:
        if reader == kid:
            try:
                shared = x25519.shared(own_secret, body["ephemeral_key"])
                own_key = x25519.public_key(own_secret)
                wrapping, nonce = _wrapping(shared, place, body["number"], body["ephemeral_key"], own_key)
                return ccm.open(wrapping, nonce, b"", wrapped)
            except ValueError:
                raise SealError("the secret of the epoch does not unwrap")
    raise NoKeyError("the epoch is not for this reader")


def _wrapping(
    shared: bytes, place: "tuple[bytes, bytes]", number: int, ephemeral_key: bytes, reader_key: bytes
) -> "tuple[bytes, bytes]":
    """Key and nonce, used once: the ephemeral secret is fresh for each epoch."""
    info = b"wattpact/w" + place[0] + place[1] + number.to_bytes(4, "big") + ephemeral_key + reader_key
    made = hkdf.derive(shared, b"", info, 16 + NONCE_BYTES)
    return made[:16], made[16:]
