"""An entry: one signed message, at one place in its author's log.

    entry   = COSE_Sign1 (`cose`), payload = << [kind, generation, sequence, previous, stamp, body] >>
    stamp   = [boot, uptime_s, unix_s / null, clock_status]          clock status: DLMS, 0 is a good clock
    id      = SHA-256(Sig_structure): names the content, never the signature

An Entry that exists has been decoded: its syntax and its body's ranges hold. Nothing is known about its signature
until `verify`, nor about its place in the log until `chain.judge`. Specification: docs/spec/entry.md.
"""

from wattpact_protocol import steps
from wattpact_protocol.encoding import cbor, cose
from wattpact_protocol.log import ids, kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

MAX_ENTRY_BYTES = 1024
NO_PREVIOUS = bytes(32)

CLOCK_INVALID = 0x01
CLOCK_DOUBTFUL = 0x02
CLOCK_DIFFERENT_BASE = 0x04
CLOCK_INVALID_STATUS = 0x08
CLOCK_DAYLIGHT_SAVING = 0x80
_CLOCK_BITS = 0x8F
_LEVELS = 4  # of a payload that are encoded item by item: down to the registers of a reading


class EntryError(ValueError):
    """Bytes that are no entry; the text says which rule they break."""


class Stamp:
    """When an entry was made. unix_s is None exactly while the clock is invalid."""

    __slots__ = ("boot", "clock_status", "unix_s", "uptime_s")

    def __init__(self, boot: int, uptime_s: int, unix_s: "int | None", clock_status: int = 0) -> None:
        self.boot = boot
        self.uptime_s = uptime_s
        self.unix_s = unix_s
        self.clock_status = clock_status

    def to_list(self) -> "list[int | None]":
        return [self.boot, self.uptime_s, self.unix_s, self.clock_status]

    @property
    def doubtful(self) -> bool:
        return bool(self.clock_status & ~CLOCK_DAYLIGHT_SAVING)


class Entry:
    """A decoded entry. `raw` is what travels, `signed` the Sig_structure that the signature covers."""

    __slots__ = (
        "body", "generation", "id", "kid", "kind", "previous", "raw", "sequence", "signature", "signed", "stamp",
    )  # fmt: skip

    def __init__(
        self, raw: bytes, kid: bytes, signed: bytes, entry_id: bytes, signature: bytes, place: "tuple[Any, ...]"
    ) -> None:
        self.raw = raw
        self.kid = kid
        self.signed = signed
        self.id = entry_id
        self.signature = signature
        self.kind, self.generation, self.sequence, self.previous, self.stamp, self.body = place

    @property
    def name(self) -> str:
        return kinds.name(self.kind)

    @property
    def is_sealed(self) -> bool:
        """Whether part of its body is sealed, so that only who has the key knows it."""
        return kinds.SEALED in self.body

    def with_body(self, body: "dict[str, Any]") -> "Entry":
        """The same entry with its body unsealed."""
        place = (self.kind, self.generation, self.sequence, self.previous, self.stamp, body)
        return Entry(self.raw, self.kid, self.signed, self.id, self.signature, place)

    def __repr__(self) -> str:
        return "<%s %s/%d/%d %s>" % (self.name, self.kid.hex(), self.generation, self.sequence, self.id.hex()[:12])


def aad_of(community: bytes) -> bytes:
    return b"wattpact/1" + community


def _decode_stamp(raw: object) -> Stamp:
    if not isinstance(raw, list) or len(raw) != 4:
        raise EntryError("the stamp is not an array of four")
    boot, uptime_s, unix_s, status = raw
    if type(boot) is not int or type(uptime_s) is not int or type(status) is not int:
        raise EntryError("the stamp is out of range")
    if not (0 <= boot <= kinds.MAX_U32 and 0 <= uptime_s <= 1 << 40 and 0 <= status <= 255):
        raise EntryError("the stamp is out of range")
    if status & ~_CLOCK_BITS:
        raise EntryError("the clock status has unknown bits")
    if unix_s is None:
        if not status & CLOCK_INVALID:
            raise EntryError("a stamp without time needs an invalid clock status")
    elif type(unix_s) is not int or not 0 <= unix_s <= 1 << 40 or status & CLOCK_INVALID:
        raise EntryError("the stamp's time is out of range or its clock invalid")
    return Stamp(boot, uptime_s, unix_s, status)


def decode(raw: bytes, community: bytes) -> Entry:
    """The entry in `raw`, at most 1,024 bytes; raises EntryError and nothing else.

    Plain, and not `decode_steps` at once: a host decodes every entry that arrives, and a generator costs it time."""
    envelope = _envelope_of(raw)
    payload = _payload_of(envelope)
    _check_payload(payload)
    return _made(raw, community, envelope, payload, _fields_of(payload))


def decode_steps(raw: bytes, community: bytes) -> "Generator[None, None, Entry]":
    """As `decode`, giving way between steps."""
    envelope = _envelope_of(raw)
    yield
    try:
        payload = yield from cbor.decode_steps(envelope.payload, 3)
        yield
        _check_payload(payload)
        yield from kinds.load_steps(payload[0])
    except ValueError as error:
        raise EntryError(str(error))
    yield
    fields = _fields_of(payload)
    yield
    return _made(raw, community, envelope, payload, fields)


def id_of(raw: bytes, community: bytes) -> bytes:
    """The id of an entry that was decoded before, without that."""
    return bytes(ids.sha256(cose.signed_part(raw, aad_of(community))))


def _envelope_of(raw: bytes) -> cose.Sign1:
    if not isinstance(raw, bytes) or len(raw) > MAX_ENTRY_BYTES:
        raise EntryError("an entry is at most 1024 bytes")
    try:
        return cose.decode1(raw)
    except ValueError as error:
        raise EntryError(str(error))


def _payload_of(envelope: cose.Sign1) -> "Any":
    try:
        return cbor.decode(envelope.payload)
    except ValueError as error:
        raise EntryError(str(error))


def _check_payload(payload: "Any") -> None:
    if not isinstance(payload, list) or len(payload) != 6:
        raise EntryError("the payload is not an array of six")
    _check_place(*payload[:4])


def _fields_of(payload: "list[Any]") -> "dict[str, object]":
    try:
        return kinds.decode(payload[0], payload[5])
    except kinds.BodyError as error:
        raise EntryError(str(error))


def _made(
    raw: bytes, community: bytes, envelope: cose.Sign1, payload: "list[Any]", fields: "dict[str, object]"
) -> Entry:
    kind, generation, sequence, previous, stamp, _ = payload
    signed = cose.signed_part(raw, aad_of(community))
    place = (kind, generation, sequence, previous, _decode_stamp(stamp), fields)
    return Entry(raw, envelope.kid, signed, ids.sha256(signed), envelope.signature, place)


def _check_place(kind: object, generation: object, sequence: object, previous: object) -> None:
    if type(kind) is not int or type(generation) is not int or type(sequence) is not int:
        raise EntryError("kind, generation or sequence is no integer")
    if not (0 <= kind <= 255 and 0 <= generation <= kinds.MAX_U32 and 0 <= sequence <= kinds.MAX_UINT):
        raise EntryError("kind, generation or sequence is out of range")
    if not isinstance(previous, bytes) or len(previous) != 32:
        raise EntryError("previous is not 32 bytes")


def sign(
    kind: int,
    body: "dict[str, Any]",
    place: "tuple[int, int, bytes]",
    stamp: Stamp,
    kid: bytes,
    community: bytes,
    signer: "Callable[[bytes], bytes]",
) -> Entry:
    """A new entry at `place` (generation, sequence, previous); `signer(message)` gives 64 bytes. Raises EntryError."""
    draft = steps.finish(_draft_steps(kind, body, place, stamp, kid, community))
    return _signed(draft, signer(draft.signed))


def sign_steps(
    kind: int,
    body: "dict[str, Any]",
    place: "tuple[int, int, bytes]",
    stamp: Stamp,
    kid: bytes,
    community: bytes,
    signer_steps: "Callable[[bytes], Generator[None, None, bytes]]",
) -> "Generator[None, None, Entry]":
    """As `sign`, giving way between steps; so does `signer_steps`, whose value is the 64 bytes."""
    draft = yield from _draft_steps(kind, body, place, stamp, kid, community)
    yield
    signature = yield from signer_steps(draft.signed)
    yield
    return _signed(draft, signature)


def _draft_steps(
    kind: int, body: "dict[str, Any]", place: "tuple[int, int, bytes]", stamp: Stamp, kid: bytes, community: bytes
) -> "Generator[None, None, Entry]":
    """The entry but for its signature, which is 64 zeros: `decode` would give the same, and reject the same."""
    generation, sequence, previous = place
    _check_place(kind, generation, sequence, previous)
    times = stamp.to_list()
    stamp = _decode_stamp(times)
    try:
        yield from kinds.load_steps(kind)
        yield
        part, fields = kinds.encode_checked(kind, body)
        yield
        payload = yield from cbor.encode_steps([kind, generation, sequence, previous, times, part], _LEVELS)
        yield
        raw = cose.sign1(kid, payload, aad_of(community), _no_signature)
    except ValueError as error:
        raise EntryError(str(error))
    yield
    signed = cose.signed_part(raw, aad_of(community))
    held = (kind, generation, sequence, previous, stamp, fields)
    return Entry(raw, kid, signed, ids.sha256(signed), raw[-cose.SIGNATURE_LENGTH :], held)


def _no_signature(message: bytes) -> bytes:
    return bytes(cose.SIGNATURE_LENGTH)


def _signed(draft: Entry, signature: bytes) -> Entry:
    if len(signature) != cose.SIGNATURE_LENGTH:
        raise EntryError("a signature is %d bytes" % cose.SIGNATURE_LENGTH)
    draft.raw = draft.raw[: -cose.SIGNATURE_LENGTH] + signature
    draft.signature = signature
    return draft


def verify(entry: Entry, public_key: bytes, verifier: "Callable[[bytes, bytes, bytes], bool]") -> bool:
    """Whether `public_key` is the author's and signed it; `verifier(public_key, message, signature)`."""
    return ids.kid_of(public_key) == entry.kid and verifier(public_key, entry.signed, entry.signature)


def verify_steps(
    entry: Entry, public_key: bytes, verifier_steps: "Callable[[bytes, bytes, bytes], Generator[None, None, bool]]"
) -> "Generator[None, None, bool]":
    """As `verify`, giving way between steps."""
    if ids.kid_of(public_key) != entry.kid:
        return False
    yield
    valid = yield from verifier_steps(public_key, entry.signed, entry.signature)
    yield
    return valid
