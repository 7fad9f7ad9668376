"""The registry of kinds: of each kind of entry its name, its fields, what of it may be sealed, who may publish it and
whom it concerns. Whatever else depends on the kind of an entry reads it here.

A body travels as a map with small integer keys (readings: an array, see `readings`) and is used as a dict with field
names. `decode` accepts exactly what the row allows: no unknown key, no missing field, every value in its range.
What a meter measured may be sealed: then `sealed` takes the place of those fields (SEALABLE), all of them.
Specification: docs/spec/bodies.md, docs/spec/sealing.md; the same table as CDDL: docs/spec/wire.cddl.
"""

from wattpact_protocol.log import readings, sealed_part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

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
ENDS = {1: "used up", 2: "expired", 3: "terminated", 4: "void"}

MAX_UINT = (1 << 63) - 1  # SQLite's integers are signed 64 bits
MAX_U32 = (1 << 32) - 1


class BodyError(ValueError):
    """A body that its kind does not allow; the text names the kind and the field."""


def _uint(limit: int) -> "tuple[str, int, int]":
    return ("int", 0, limit)


U8 = _uint(255)
U16 = _uint(65535)
U32 = _uint(MAX_U32)
U63 = _uint(MAX_UINT)
I63 = ("int", -MAX_UINT, MAX_UINT)
BOOL = ("bool", 0, 0)
KID = ("bytes", 8, 8)
ID = ("bytes", 32, 32)
KEY = ("bytes", 32, 32)
TEXT = ("text", 0, 64)
NAME = ("text", 1, 32)
KIDS = ("kids", 0, 8)
DAYS = ("days", 0, 32)
REGISTERS = ("registers", 0, 16)
WRAPS = ("wraps", 1, 8)
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

_ORDER = (
    1, "price_micro_per_kwh", U32, 2, "wh", U32, 3, "max_w", U32, 4, "start_s", U63, 5, "end_s", U63,
    6, "valid_until_s", U63, 7, "mandate", ID,
)  # fmt: skip

# kind: (name, roles that may publish it, whom it concerns, fields that may be sealed, fields). Fields are a flat row
# of number, name and type, since a tuple of its own for each would cost a meter more than twice the heap; a number
# below zero is that of an optional field. A person's entries are outside a chain: an order id and an expiry take its
# place. The sentences of kinds, which only hosts show, are in `kind_texts`.
ROWS = {
    CERTIFICATE: ("certificate", "root issuer", ALL, (), (
        1, "version", U32, 2, "public_key", KEY, 3, "role", ("int", 1, 6), 4, "label", NAME, -5, "supply_point", NAME,
        6, "generation", U32, 7, "epoch", U32, 8, "not_before_s", U63, 9, "not_after_s", U63,
        10, "assurance", ("int", 0, 3), -11, "accuracy_centi_percent", U16, -12, "rated_w", U32, -13, "owner", KID,
        -14, "sealing_key", KEY,
    )),
    READING: ("reading", "meter", NOBODY, readings.FIELDS, ()),  # an array, which `readings` decodes
    EVENT: ("event", "meter", NOBODY, ("registers",), (
        1, "code", U8, -2, "registers", REGISTERS, -3, "detail", I63, -4, "text", TEXT, -5, "contract", ID,
    )),
    COMMUNITY: ("community", "issuer", ALL, (), (
        1, "version", U32, 2, "name", NAME, 3, "currency", ("text", 1, 8), 4, "slot_s", ("int", 1, 86400),
        5, "timezone", ("text", 1, 40), -6, "silence_s", ("int", 1, MAX_U32),
    )),
    TARIFF: ("tariff", "issuer", NOBODY, (), (
        1, "from_s", U63, 2, "import_micro_per_kwh", U32, 3, "export_micro_per_kwh", U32,
    )),
    POLICY: ("policy", "issuer", NAMED_OR_ALL, (), (
        1, "version", U32, -2, "meter", KID, -3, "emergency_credit_wh", U32, -4, "quiet_start_min", ("int", 0, 1439),
        -5, "quiet_end_min", ("int", 0, 1439), -6, "quiet_weekends", BOOL, -7, "utc_offset_min", ("int", -840, 840),
        -8, "warn_wait_max_s", ("int", 0, 300), -9, "reconnect_wait_max_s", ("int", 0, 600),
        -10, "rest_s", ("int", 60, 86400), -11, "consent_required", BOOL, -12, "protected", BOOL,
        -13, "hold_budget_s", U32, -14, "hold_budget_wh", U32, -15, "reassert_s", ("int", 1, 3600),
        -16, "operator_order_fresh_s", U32, -17, "holidays", DAYS, -18, "operator_open_at_s", U63,
        -19, "quiet_hours", BOOL, -20, "register_generation", U32,
    )),
    MANDATE: ("mandate", "person", NAMED, (), (
        1, "order_id", KID, 2, "expires_s", U63, 3, "meter", KID, 4, "side", ("int", 0, 1),
        5, "limit_micro_per_kwh", U32, 6, "wh", U32, 7, "max_w", U32, 8, "start_s", U63, 9, "end_s", U63,
        -10, "preferred", KIDS, -11, "reserve_wh", U32, -12, "wh_per_day", U32,
    )),
    OFFER: ("offer", "meter", ALL_WHILE_VALID, (), _ORDER),
    DEMAND: ("demand", "meter", ALL_WHILE_VALID, (), _ORDER),
    ACCEPTANCE: ("acceptance", "meter", OFFERER, (), (
        1, "offer", ID, 2, "wh", ("int", 1, MAX_U32), 3, "priority", U16, 4, "start_timeout_s", U32, -5, "demand", ID,
    )),
    CONTRACT: ("contract", "meter", ACCEPTER, (), (1, "acceptance", ID)),
    GRANT: ("grant", "issuer", NAMED, (), (
        1, "number", U32, 2, "meter", KID, 3, "contract", ID, 4, "wh", U32, 5, "max_w", U32, 6, "from_s", U63,
        7, "to_s", U63, 8, "price_micro_per_kwh", U32, 9, "priority", U16, 10, "start_by_s", U63,
        11, "default_supply", BOOL,
    )),
    USAGE_START: ("usage_start", "meter", NOBODY, ("import_wh",), (
        1, "contract", ID, 2, "grant", U32, 3, "import_wh", U63,
    )),
    USAGE: ("usage", "meter", NOBODY, ("attributed_wh", "import_wh"), (
        1, "contract", ID, 2, "attributed_wh", U32, 3, "import_wh", U63,
    )),
    USAGE_END: ("usage_end", "meter", NOBODY, ("attributed_wh", "import_wh"), (
        1, "contract", ID, 2, "attributed_wh", U32, 3, "import_wh", U63, 4, "reason", ("int", 1, 4),
    )),
    TERMINATE: ("terminate", "issuer meter person", PARTIES, (), (
        1, "contract", ID, 2, "reason", TEXT, -3, "attributed_wh", U32, -4, "order_id", KID, -5, "expires_s", U63,
    )),
    RECEIPT: ("receipt", "host", ACKNOWLEDGED, (), (
        1, "author", KID, 2, "generation", U32, 3, "sequence", U63, 4, "head", ID,
    )),
    STATEMENT: ("statement", "host", NOBODY, (), (
        1, "subject", KID, 2, "from_s", U63, 3, "to_s", U63, 4, "bought_wh", U63, 5, "bought_nano", U63,
        6, "sold_wh", U63, 7, "sold_nano", U63, 8, "grid_import_wh", U63, 9, "grid_import_nano", U63,
        10, "grid_export_wh", U63, 11, "grid_export_nano", U63, 12, "unused_nano", U63,
        13, "unused_earned_nano", U63, 14, "net_nano", I63, 15, "saved_nano", I63, 16, "lines", U32,
        17, "lines_root", ID, 18, "evidence", U32, 19, "evidence_root", ID, 20, "estimated_wh", U63,
        21, "unsettled_meters", U32, 22, "settled_to_s", U63,
    )),
    KEY_EPOCH: ("key_epoch", "meter", NOBODY, (), (
        1, "number", ("int", 1, MAX_U32), 2, "ephemeral_key", KEY, 3, "wraps", WRAPS,
    )),
    KEY_OPEN: ("key_open", "meter", NOBODY, (), (
        1, "key_no", ("int", 1, MAX_U32), 2, "epoch", ("int", 1, MAX_U32), 3, "commitment", ID,
    )),
}  # fmt: skip

NAMES = {kind: row[0] for kind, row in ROWS.items()}
KINDS = {name: kind for kind, name in NAMES.items()}
SEALABLE = {kind: row[3] for kind, row in ROWS.items() if row[3]}


def publishers(kind: int) -> str:
    """The names of the roles that may publish it, as a text."""
    return ROWS[kind][1]


def concerns(kind: int) -> str:
    """Whom it concerns: one of the constants above."""
    return ROWS[kind][2]


def fields(kind: int) -> "list[tuple[int, str, tuple[str, int, int], bool]]":
    """(number, name, type, whether it is required) of each field."""
    flat: "Any" = ROWS[kind][4]
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
    row = ROWS.get(kind)
    if row is None:
        raise BodyError("kind %r is not in the table" % (kind,))
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
    flat: "Any" = row[4]
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
    row = ROWS.get(kind)
    if row is None:
        raise BodyError("kind %r is not in the table" % (kind,))
    flat: "Any" = row[4]
    raw = {abs(flat[at]): body[flat[at + 1]] for at in range(0, len(flat), 3) if flat[at + 1] in body}
    part = body.get(SEALED)
    if isinstance(part, sealed_part.Sealed):
        raw[SEALED_KEY] = sealed_part.encode(part)
    if len(raw) != len(body):
        raise BodyError("%s: a field is unknown" % row[0])
    return raw, decode(kind, raw)
