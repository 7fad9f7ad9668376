"""The registry of kinds: of each kind of entry its name, its fields, what of it may be sealed, who may publish it and
whom it concerns. Whatever else depends on the kind of an entry reads it here.

A body travels as a map with small integer keys (readings: an array, see `readings`) and is used as a dict with field
names. `decode` accepts exactly what the row allows: no unknown key, no missing field, every value in its range.
What a meter measured may be sealed: then `sealed` takes the place of those fields (SEALABLE), all of them.
Specification: docs/spec/bodies.md, docs/spec/sealing.md; the same table as CDDL: docs/spec/wire.cddl.
"""

import sys

from wattpact_protocol import steps
from wattpact_protocol.log import readings, sealed_part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    NAMES: dict[int, str]
    KINDS: dict[str, int]
    SEALABLE: dict[int, tuple[str, ...]]

CERTIFICATE = 1
READING = 2
EVENT = 3
COMMUNITY = 4
TARIFF = 5
POLICY = 6
MANDATE = 7
OFFER = 8
DEMAND = 9
ACCEPTANCE = 10
CONTRACT = 11
GRANT = 12
USAGE_START = 13
USAGE = 14
USAGE_END = 15
TERMINATE = 16
RECEIPT = 17
STATEMENT = 18
KEY_EPOCH = 19
KEY_OPEN = 20

SELL, BUY = 0, 1

END_USED_UP, END_EXPIRED, END_TERMINATED, END_VOID = 1, 2, 3, 4

MAX_UINT = (1 << 63) - 1  # SQLite's integers are signed 64 bits
MAX_U32 = (1 << 32) - 1


class BodyError(ValueError):
    """A body that its kind does not allow; the text names the kind and the field."""


MAX_WRAPS = 8  # the most that the type `wraps` holds
WRAPPED_BYTES = 40  # a secret of 32 bytes and the tag of its encryption

SEALED = "sealed"
SEALED_KEY = 0  # its number in a body's map

# Whom an entry concerns: the meters that a host passes it on to, once its author is left out.
NOBODY = ""
ALL = "every meter"
ALL_WHILE_VALID = "every meter, while valid"
NAMED_OR_ALL = "the meter it names, or every meter"
NAMED = "the meter it names"
ACKNOWLEDGED = "the author it acknowledges"
OFFERER = "the author of the offer"
ACCEPTER = "the author of the acceptance"
PARTIES = "both meters of the contract"

# Each kind: its number and name, roles that may publish it, whom it concerns, fields that may be sealed; then number,
# name and type of its fields, a number below zero for an optional one. One constant, which a meter leaves in flash: as
# tuples it would be 7 kB of its heap. A reading is an array, which `readings` decodes. A person's entries are outside a
# chain: an order id and an expiry take its place. The sentences of kinds, which only hosts show, are in `kind_texts`.
ROWS = b"""

1 certificate | root issuer | every meter |
  1 version u32  2 public_key key  3 role int:1:6  4 label name  -5 supply_point name  6 generation u32
  7 epoch u32  8 not_before_s u63  9 not_after_s u63  10 assurance int:0:3  -11 accuracy_centi_percent u16
  -12 rated_w u32  -13 owner kid  -14 sealing_key key

2 reading | meter |  |

3 event | meter |  | registers
  1 code u8  -2 registers registers  -3 detail i63  -4 text text  -5 contract id

4 community | issuer | every meter |
  1 version u32  2 name name  3 currency text:1:8  4 slot_s int:1:86400  5 timezone text:1:40
  -6 silence_s int:1:4294967295  -7 witnesses text:1:768  -8 cosigned int:0:16

5 tariff | issuer |  |
  1 from_s u63  2 import_micro_per_kwh u32  3 export_micro_per_kwh u32

6 policy | issuer | the meter it names, or every meter |
  1 version u32  -2 meter kid  -3 emergency_credit_wh u32  -4 quiet_start_min int:0:1439
  -5 quiet_end_min int:0:1439  -6 quiet_weekends bool  -7 utc_offset_min int:-840:840
  -8 warn_wait_max_s int:0:300  -9 reconnect_wait_max_s int:0:600  -10 rest_s int:60:86400
  -11 consent_required bool  -12 protected bool  -13 hold_budget_s u32  -14 hold_budget_wh u32
  -15 reassert_s int:1:3600  -16 operator_order_fresh_s u32  -17 holidays days  -18 operator_open_at_s u63
  -19 quiet_hours bool  -20 register_generation u32

7 mandate | person | the meter it names |
  1 order_id kid  2 expires_s u63  3 meter kid  4 side int:0:1  5 limit_micro_per_kwh u32  6 wh u32  7 max_w u32
  8 start_s u63  9 end_s u63  -10 preferred kids  -11 reserve_wh u32  -12 wh_per_day u32

8 offer | meter | every meter, while valid |
  1 price_micro_per_kwh u32  2 wh u32  3 max_w u32  4 start_s u63  5 end_s u63  6 valid_until_s u63
  7 mandate id

9 demand | meter | every meter, while valid |
  1 price_micro_per_kwh u32  2 wh u32  3 max_w u32  4 start_s u63  5 end_s u63  6 valid_until_s u63
  7 mandate id

10 acceptance | meter | the author of the offer |
  1 offer id  2 wh int:1:4294967295  3 priority u16  4 start_timeout_s u32  -5 demand id

11 contract | meter | the author of the acceptance |
  1 acceptance id

12 grant | issuer | the meter it names |
  1 number u32  2 meter kid  3 contract id  4 wh u32  5 max_w u32  6 from_s u63  7 to_s u63
  8 price_micro_per_kwh u32  9 priority u16  10 start_by_s u63  11 default_supply bool

13 usage_start | meter |  | import_wh
  1 contract id  2 grant u32  3 import_wh u63

14 usage | meter |  | attributed_wh import_wh
  1 contract id  2 attributed_wh u32  3 import_wh u63

15 usage_end | meter |  | attributed_wh import_wh
  1 contract id  2 attributed_wh u32  3 import_wh u63  4 reason int:1:4

16 terminate | issuer meter person | both meters of the contract |
  1 contract id  2 reason text  -3 attributed_wh u32  -4 order_id kid  -5 expires_s u63

17 receipt | host | the author it acknowledges |
  1 author kid  2 generation u32  3 sequence u63  4 head id  5 noted u63  6 blocks u63  7 root id

18 statement | host |  |
  1 subject kid  2 from_s u63  3 to_s u63  4 bought_wh u63  5 bought_nano u63  6 sold_wh u63  7 sold_nano u63
  8 grid_import_wh u63  9 grid_import_nano u63  10 grid_export_wh u63  11 grid_export_nano u63
  12 unused_nano u63  13 unused_earned_nano u63  14 net_nano i63  15 saved_nano i63  16 lines u32
  17 lines_root id  18 evidence u32  19 evidence_root id  20 estimated_wh u63  21 unsettled_meters u32
  22 settled_to_s u63  23 height u63  24 state_root id  -25 corrects id

19 key_epoch | meter |  |
  1 number int:1:4294967295  2 ephemeral_key key  3 wraps wraps

20 key_open | meter |  |
  1 key_no int:1:4294967295  2 epoch int:1:4294967295  3 commitment id

"""

# A type and its bounds, of the value or of its length, as a field may also give them itself.
TYPES = b"""
u8 int:0:255
u16 int:0:65535
u32 int:0:4294967295
u63 int:0:9223372036854775807
i63 int:-9223372036854775807:9223372036854775807
bool bool:0:0
kid bytes:8:8
id bytes:32:32
key bytes:32:32
text text:0:64
name text:1:32
kids kids:0:8
days days:0:32
registers registers:0:16
wraps wraps:1:8
"""

# Rows that were read: a meter holds no more than that of the kind it works on.
_HELD = 1 if sys.implementation.name == "micropython" else 256
_rows: "dict[int, tuple[str, str, str, tuple[str, ...], tuple[Any, ...]]]" = {}


def _row(kind: int) -> "tuple[str, str, str, tuple[str, ...], tuple[Any, ...]]":
    """(name, publishers, whom it concerns, fields that may be sealed, fields); raises BodyError.

    Fields are a flat row of number, name and type: a tuple of its own for each takes longer to make than to check."""
    if kind not in _rows:
        steps.finish(load_steps(kind))
    return _rows[kind]


def load_steps(kind: int) -> "Generator[None, None, None]":
    """A generator that reads the row of a kind, for what works with that kind then; raises BodyError."""
    if kind in _rows:
        return
    at = ROWS.find(b"\n\n%d " % kind)
    if at < 0:
        raise BodyError("kind %r is not in the table" % (kind,))
    head, _, rest = ROWS[at + 2 : ROWS.find(b"\n\n", at + 2)].partition(b"\n")
    yield
    named, roles, concerned, hidden = [part.strip() for part in head.split(b"|")]
    sealed = readings.FIELDS if kind == READING else tuple([_text(field) for field in hidden.split()])
    texts = _text(named.split()[1]), _text(roles), _text(concerned)
    yield
    flat: "list[Any]" = rest.split()
    yield
    shapes: dict[bytes, tuple[str, int, int]] = {}
    for at in range(0, len(flat), 3):
        flat[at], flat[at + 1], shape = int(flat[at]), _text(flat[at + 1]), flat[at + 2]
        if shape not in shapes:
            shapes[shape] = _shape(shape)
        flat[at + 2] = shapes[shape]
        if at % 12 == 0:
            yield
    if len(_rows) >= _HELD:
        _rows.clear()
    _rows[kind] = (texts[0], texts[1], texts[2], sealed, tuple(flat))


if not TYPE_CHECKING:

    def __getattr__(attribute: str) -> "Any":
        """Tables of all kinds for hosts and tools, made at the first use; a meter reads one kind at a time."""
        if attribute not in ("NAMES", "KINDS", "SEALABLE"):
            raise AttributeError(attribute)
        numbers = [int(row.split()[0]) for row in ROWS.strip().split(b"\n\n")]
        tables = globals()
        tables["NAMES"] = {number: name(number) for number in numbers}
        tables["KINDS"] = {name(number): number for number in numbers}
        tables["SEALABLE"] = {number: sealable(number) for number in numbers if sealable(number)}
        return tables[attribute]


def _text(data: bytes) -> str:
    """Of few bytes only: MicroPython looks for each text among all that it has."""
    return str(data, "utf-8")


def _shape(text: bytes) -> "tuple[str, int, int]":
    """(type, lowest, highest)."""
    if b":" not in text:
        at = TYPES.find(b"\n" + text + b" ") + len(text) + 2
        text = TYPES[at : TYPES.find(b"\n", at)]
    name, low, high = text.split(b":")
    return _text(name), int(low), int(high)


def name(kind: int) -> str:
    return _row(kind)[0]


def publishers(kind: int) -> str:
    """The names of the roles that may publish it, as a text."""
    return _row(kind)[1]


def concerns(kind: int) -> str:
    """Whom it concerns: one of the constants above."""
    return _row(kind)[2]


def sealable(kind: int) -> "tuple[str, ...]":
    """The fields that may be sealed."""
    return _row(kind)[3]


def fields(kind: int) -> "list[tuple[int, str, tuple[str, int, int], bool]]":
    """(number, name, type, whether it is required) of each field."""
    flat = _row(kind)[4]
    return [(abs(flat[at]), flat[at + 1], flat[at + 2], flat[at] > 0) for at in range(0, len(flat), 3)]


def _is_int(value: object, low: int, high: int) -> bool:
    # MicroPython's bool is no int, CPython's is: a flag never passes for a number on either.
    return type(value) is int and low <= value <= high


def _is_registers(value: object, limit: int) -> bool:
    return isinstance(value, dict) and len(value) <= limit and all(
        _is_int(k, 1, 255) and _is_int(v, -MAX_UINT, MAX_UINT) for k, v in value.items()
    )  # fmt: skip


def _is_wraps(value: object, low: int, high: int) -> bool:
    """[[kid, wrapped secret], ...], each reader once."""
    if not isinstance(value, list) or not low <= len(value) <= high:
        return False
    for row in value:
        if not isinstance(row, list) or len(row) != 2:
            return False
        if not (_is_bytes(row[0], 8) and _is_bytes(row[1], WRAPPED_BYTES)):
            return False
    return len({row[0] for row in value}) == len(value)


def _is_bytes(value: object, length: int) -> bool:
    return isinstance(value, bytes) and len(value) == length


def _allows(shape: "tuple[str, int, int]", value: object) -> bool:
    """Whether a value is of that type, which is none of integers."""
    name, low, high = shape
    if name == "bytes":
        return isinstance(value, bytes) and low <= len(value) <= high
    if name == "bool":
        return value is True or value is False
    if name == "text":
        return isinstance(value, str) and low <= len(value.encode()) <= high
    if name == "registers":
        return _is_registers(value, high)
    if name == "wraps":
        return _is_wraps(value, low, high)
    if not isinstance(value, list) or len(value) > high:
        return False
    if name == "kids":
        return all(isinstance(item, bytes) and len(item) == 8 for item in value)
    return all(_is_int(item, 0, 1 << 20) for item in value)


def decode(kind: int, raw: object) -> "dict[str, object]":
    """The fields by name of a decoded CBOR body; raises BodyError."""
    if kind == READING:
        return readings.decode(raw, BodyError)
    row = _rows.get(kind) or _row(kind)
    name = row[0]
    if not isinstance(raw, dict):
        raise BodyError("%s: the body is not a map" % name)
    body: "dict[str, object]" = {}
    hidden: "tuple[str, ...]" = ()
    if SEALED_KEY in raw and row[3]:
        hidden = row[3]
        body[SEALED] = sealed_part.decode(raw[SEALED_KEY])
        if body[SEALED] is None:
            raise BodyError("%s: the sealed part is malformed" % name)
    flat = row[4]
    for at in range(0, len(flat), 3):  # by index: a tuple for each field takes a meter longer to allocate than to check
        number, field = flat[at], flat[at + 1]
        if field in hidden:
            continue
        key = number if number > 0 else -number
        if key in raw:
            value, shape = raw[key], flat[at + 2]
            if shape[0] == "int":
                good = type(value) is int and shape[1] <= value <= shape[2]
            else:
                good = _allows(shape, value)
            if not good:
                raise BodyError("%s: %s is out of range" % (name, field))
            body[field] = value
        elif number > 0:
            raise BodyError("%s: %s is missing" % (name, field))
    if len(body) != len(raw):
        raise BodyError("%s: a key is unknown" % name)
    return body


def encode(kind: int, body: "dict[str, object]") -> object:
    """The body as it is put into CBOR; raises BodyError where `decode` would."""
    return encode_checked(kind, body)[0]


def encode_checked(kind: int, body: "dict[str, object]") -> "tuple[object, dict[str, object]]":
    """The body as it is put into CBOR, and as `decode` gives it back; raises BodyError where that would."""
    if kind == READING:
        return readings.encode_checked(body, BodyError)
    row = _rows.get(kind) or _row(kind)
    flat = row[4]
    raw = {abs(flat[at]): body[flat[at + 1]] for at in range(0, len(flat), 3) if flat[at + 1] in body}
    part = body.get(SEALED)
    if isinstance(part, sealed_part.Sealed):
        raw[SEALED_KEY] = sealed_part.encode(part)
    if len(raw) != len(body):
        raise BodyError("%s: a field is unknown" % row[0])
    return raw, decode(kind, raw)
