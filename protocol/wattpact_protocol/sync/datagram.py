"""Datagrams between a meter and a host: deterministic CBOR, at most 1,200 bytes.

    datagram = [version, type, community, body]
    DIGEST  meter -> host  [kid, generation, next_sequence, inbox, cursor]   my log's end, and my place in the inbox
    HEAD    host -> meter  [kid, generation, next_sequence]                  what I hold of you: send on from here
    ENTRY   meter -> host  entry                                             one entry of my log
    INBOX   host -> meter  [inbox, after, cursor, entry]                     the entry for you that follows `after`
    ENROL   meter -> host  [public_key, proof]                               I have no certificate yet

Entries carry their own proof; a datagram carries none yet, so nothing in one is trusted: a forged one can only make a
peer repeat itself, within bounds. Specification: docs/spec/datagrams.md.
"""

from wattpact_protocol.encoding import cbor
from wattpact_protocol.log.reasons import MALFORMED, OVERSIZE, UNKNOWN_TYPE, UNKNOWN_VERSION, WRONG_COMMUNITY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VERSION = 1
MAX_DATAGRAM_BYTES = 1200

DIGEST, HEAD, ENTRY, INBOX, ENROL = 1, 2, 3, 4, 5
NAMES = {1: "digest", 2: "head", 3: "entry", 4: "inbox", 5: "enrol"}

_UINT = (1 << 63) - 1


class DatagramError(ValueError):
    """Bytes that are no datagram of ours; the text is the reason that is counted."""


def encode(kind: int, community: bytes, body: "Any") -> bytes:
    """One datagram; raises DatagramError where `decode` would."""
    data = cbor.encode([VERSION, kind, community, body])
    fits = kind in _SHAPES and _fits([body] if kind == ENTRY else body, _SHAPES[kind])
    if not fits or len(data) > MAX_DATAGRAM_BYTES or not isinstance(community, bytes):
        decode(data, community)  # which raises what is wrong
    return data


def decode(data: bytes, community: bytes) -> "tuple[int, Any]":
    """(type, body); raises DatagramError with the reason."""
    if len(data) > MAX_DATAGRAM_BYTES:
        raise DatagramError(OVERSIZE)
    try:
        message = cbor.decode(data, limit=MAX_DATAGRAM_BYTES)
    except ValueError:
        raise DatagramError(MALFORMED)
    if not isinstance(message, list) or len(message) != 4:
        raise DatagramError(MALFORMED)
    version, kind, sender, body = message
    if not _is_uint(version) or version != VERSION:
        raise DatagramError(UNKNOWN_VERSION)
    if not isinstance(sender, bytes) or sender != community:
        raise DatagramError(WRONG_COMMUNITY)
    if not _is_uint(kind) or kind not in _SHAPES:
        raise DatagramError(UNKNOWN_TYPE)
    if kind == ENTRY:
        body = [body]
    if not _fits(body, _SHAPES[kind]):
        raise DatagramError(MALFORMED)
    return kind, body[0] if kind == ENTRY else body


# Per type, the length of each byte string, 0 for an entry, None for an unsigned integer.
_SHAPES = {
    DIGEST: (8, None, None, 8, None),
    HEAD: (8, None, None),
    ENTRY: (0,),
    INBOX: (8, None, None, 0),
    ENROL: (32, 32),
}


def _is_uint(value: object) -> bool:
    return isinstance(value, int) and value is not True and value is not False and 0 <= value <= _UINT


def _fits(body: object, shape: "tuple[int | None, ...]") -> bool:
    if not isinstance(body, list) or len(body) != len(shape):
        return False
    for value, want in zip(body, shape):
        if want is None:
            if not _is_uint(value):
                return False
        elif not isinstance(value, bytes) or (len(value) != want if want else len(value) > 1024):
            return False
    return True
