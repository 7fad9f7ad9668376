"""What hosts order together: entries as they travel, notes of the heads of logs, and the opening of a block.

    entry     as it travels; its first byte is that of a COSE_Sign1
    opening   0x00 | CBOR time_s                                        by who proposes a block, first in it
    note      0x01 | CBOR [kid of a host, time_s, [entry, ...], signature]

A note has the last entries of logs, as they travel: so no host notes a head that its author never signed. One without
entries means that nothing has happened for a while. It is signed over NOTE_DOMAIN, the community's id and the CBOR of
its first three fields. docs/spec/quorum.md.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from wattpact_protocol.encoding import cbor
from wattpact_protocol.ledger.blocks import is_anchor
from wattpact_protocol.log import entry
from wattpact_protocol.log.entry import Entry, EntryError

from wattpact.keys import Signer

if TYPE_CHECKING:
    from wattpact_protocol.ledger.blocks import Anchor

MAX_BYTES = 65_536  # of one transaction
MAX_LAST = 60  # entries of one note: as many as fit, however long they are
NOTE_DOMAIN = b"wattpact/heads/1"

_OPENING, _NOTE = b"\x00", b"\x01"
_MAX_S = 1 << 40


class TransactionError(ValueError):
    """Bytes that are no opening or no note; the text says why."""


class Note(NamedTuple):
    """The last entries of logs that a host holds, as of its clock. Their signatures are not verified here."""

    kid: bytes
    time_s: int
    entries: list[Entry]
    signature: bytes

    @property
    def heads(self) -> "list[Anchor]":
        """As a block has them."""
        return [(new.kid, new.generation, new.sequence + 1, new.id) for new in self.entries]


def opening(time_s: int) -> bytes:
    return _OPENING + cbor.encode(time_s)


def note(host: Signer, community: bytes, time_s: int, last: Sequence[bytes]) -> bytes:
    """Signed by the host; `last` are entries as they travel, at most MAX_LAST."""
    fields = [host.kid, time_s, list(last)]
    return _NOTE + cbor.encode([*fields, host.sign(_signed(community, fields))])


def is_note(raw: bytes) -> bool:
    return raw[:1] == _NOTE


def is_opening(raw: bytes) -> bool:
    return raw[:1] == _OPENING


def time_of(raw: bytes) -> int:
    """Of an opening, Unix seconds; raises TransactionError."""
    value = _decoded(raw)
    if not is_opening(raw) or not _is_time(value):
        raise TransactionError("a block begins with its time")
    return int(value)


def decode_note(raw: bytes, community: bytes) -> Note:
    """No signature is verified here. Raises TransactionError."""
    value = _decoded(raw)
    if not is_note(raw) or not isinstance(value, list) or len(value) != 4:
        raise TransactionError("a note is an array of four")
    kid, time_s, last, signature = value
    if not (_is_bytes(kid, 8) and _is_time(time_s) and _is_bytes(signature, 64)):
        raise TransactionError("a field of the note is out of range")
    if not isinstance(last, list) or len(last) > MAX_LAST or not all(type(one) is bytes for one in last):
        raise TransactionError(f"a note has at most {MAX_LAST} entries")
    try:
        found = Note(kid, time_s, [entry.decode(one, community) for one in last], signature)
    except EntryError as error:
        raise TransactionError(f"an entry of the note is malformed: {error}") from None
    if len({new.kid for new in found.entries}) < len(last) or not all(is_anchor(list(head)) for head in found.heads):
        raise TransactionError("a note has one head of each log, behind which another entry has room")
    return found


def is_signed(
    found: Note, community: bytes, public_key: bytes, verifier: Callable[[bytes, bytes, bytes], bool]
) -> bool:
    fields = [found.kid, found.time_s, [new.raw for new in found.entries]]
    return verifier(public_key, _signed(community, fields), found.signature)


def _signed(community: bytes, fields: list[Any]) -> bytes:
    return NOTE_DOMAIN + community + cbor.encode(fields)


def _decoded(raw: bytes) -> Any:
    if len(raw) > MAX_BYTES:
        raise TransactionError(f"this is more than {MAX_BYTES} bytes")
    try:
        return cbor.decode(raw[1:], limit=MAX_BYTES)
    except ValueError as error:
        raise TransactionError(str(error)) from None


def _is_bytes(value: object, length: int) -> bool:
    return isinstance(value, bytes) and len(value) == length


def _is_time(value: object) -> bool:
    return type(value) is int and 0 <= value < _MAX_S
