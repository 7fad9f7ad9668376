"""What an entry can say: the closed table of kinds and the fields of their bodies.

A body travels as a map with small integer keys (readings: an array, see `readings`) and is used as a dict with field
names. `decode` accepts exactly what the table allows: no unknown key, no missing field, every value in its range.
What a meter measured may be sealed: then `sealed` stands in the place of those fields (SEALABLE), all of them.
Specification: docs/spec/bodies.md, docs/spec/sealing.md; the same table as CDDL: docs/spec/wire.cddl.
"""

from wattpact_protocol.log import readings, sealed_part

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
# The fields that may be sealed, by kind. A reading is sealed whole.
SEALABLE = {
    EVENT: ("registers",), USAGE_START: ("import_wh",), USAGE: ("attributed_wh", "import_wh"),
    USAGE_END: ("attributed_wh", "import_wh"),
}  # fmt: skip

# kind: (name, ((key, field, type, required), ...))
TABLE = {
    CERTIFICATE: ("certificate", (
        (1, "version", U32, True), (2, "public_key", KEY, True), (3, "role", ("int", 1, 6), True),
        (4, "label", NAME, True), (5, "supply_point", NAME, False), (6, "generation", U32, True),
        (7, "epoch", U32, True), (8, "not_before_s", U63, True), (9, "not_after_s", U63, True),
        (10, "assurance", ("int", 0, 3), True), (11, "accuracy_centi_percent", U16, False),
        (12, "rated_w", U32, False), (13, "owner", KID, False), (14, "sealing_key", KEY, False),
    )),
    EVENT: ("event", (
        (1, "code", U8, True), (2, "registers", REGISTERS, False), (3, "detail", I63, False),
        (4, "text", TEXT, False), (5, "contract", ID, False),
    )),
    COMMUNITY: ("community", (
        (1, "version", U32, True), (2, "name", NAME, True), (3, "currency", ("text", 1, 8), True),
        (4, "slot_s", ("int", 1, 86400), True), (5, "timezone", ("text", 1, 40), True),
        (6, "silence_s", ("int", 1, MAX_U32), False),
    )),
    TARIFF: ("tariff", (
        (1, "from_s", U63, True), (2, "import_micro_per_kwh", U32, True), (3, "export_micro_per_kwh", U32, True),
    )),
    POLICY: ("policy", (
        (1, "version", U32, True), (2, "meter", KID, False),
        (3, "emergency_credit_wh", U32, False), (4, "quiet_start_min", ("int", 0, 1439), False),
        (5, "quiet_end_min", ("int", 0, 1439), False), (6, "quiet_weekends", BOOL, False),
        (7, "utc_offset_min", ("int", -840, 840), False), (8, "warn_wait_max_s", ("int", 0, 300), False),
        (9, "reconnect_wait_max_s", ("int", 0, 600), False), (10, "rest_s", ("int", 60, 86400), False),
        (11, "consent_required", BOOL, False), (12, "protected", BOOL, False),
        (13, "hold_budget_s", U32, False), (14, "hold_budget_wh", U32, False),
        (15, "reassert_s", ("int", 1, 3600), False), (16, "operator_order_fresh_s", U32, False),
        (17, "holidays", DAYS, False), (18, "operator_open_at_s", U63, False), (19, "quiet_hours", BOOL, False),
    )),
    MANDATE: ("mandate", (
        (1, "order_id", KID, True), (2, "expires_s", U63, True), (3, "meter", KID, True),
        (4, "side", ("int", 0, 1), True), (5, "limit_micro_per_kwh", U32, True), (6, "wh", U32, True),
        (7, "max_w", U32, True), (8, "start_s", U63, True), (9, "end_s", U63, True),
        (10, "preferred", KIDS, False), (11, "reserve_wh", U32, False), (12, "wh_per_day", U32, False),
    )),
    OFFER: ("offer", (
        (1, "price_micro_per_kwh", U32, True), (2, "wh", U32, True), (3, "max_w", U32, True),
        (4, "start_s", U63, True), (5, "end_s", U63, True), (6, "valid_until_s", U63, True),
        (7, "mandate", ID, True),
    )),
    DEMAND: ("demand", (
        (1, "price_micro_per_kwh", U32, True), (2, "wh", U32, True), (3, "max_w", U32, True),
        (4, "start_s", U63, True), (5, "end_s", U63, True), (6, "valid_until_s", U63, True),
        (7, "mandate", ID, True),
    )),
    ACCEPTANCE: ("acceptance", (
        (1, "offer", ID, True), (2, "wh", ("int", 1, MAX_U32), True), (3, "priority", U16, True),
        (4, "start_timeout_s", U32, True), (5, "demand", ID, False),
    )),
    CONTRACT: ("contract", ((1, "acceptance", ID, True),)),
    GRANT: ("grant", (
        (1, "number", U32, True), (2, "meter", KID, True), (3, "contract", ID, True), (4, "wh", U32, True),
        (5, "max_w", U32, True), (6, "from_s", U63, True), (7, "to_s", U63, True),
        (8, "price_micro_per_kwh", U32, True), (9, "priority", U16, True), (10, "start_by_s", U63, True),
        (11, "default_supply", BOOL, True),
    )),
    USAGE_START: ("usage_start", ((1, "contract", ID, True), (2, "grant", U32, True), (3, "import_wh", U63, True))),
    USAGE: ("usage", ((1, "contract", ID, True), (2, "attributed_wh", U32, True), (3, "import_wh", U63, True))),
    USAGE_END: ("usage_end", (
        (1, "contract", ID, True), (2, "attributed_wh", U32, True), (3, "import_wh", U63, True),
        (4, "reason", ("int", 1, 4), True),
    )),
    TERMINATE: ("terminate", (
        (1, "contract", ID, True), (2, "reason", TEXT, True), (3, "attributed_wh", U32, False),
        (4, "order_id", KID, False), (5, "expires_s", U63, False),
    )),
    RECEIPT: ("receipt", (
        (1, "author", KID, True), (2, "generation", U32, True), (3, "sequence", U63, True), (4, "head", ID, True),
    )),
    STATEMENT: ("statement", (
        (1, "subject", KID, True), (2, "from_s", U63, True), (3, "to_s", U63, True),
        (4, "bought_wh", U63, True), (5, "bought_nano", U63, True), (6, "sold_wh", U63, True),
        (7, "sold_nano", U63, True), (8, "grid_import_wh", U63, True), (9, "grid_import_nano", U63, True),
        (10, "grid_export_wh", U63, True), (11, "grid_export_nano", U63, True), (12, "unused_nano", U63, True),
        (13, "unused_earned_nano", U63, True), (14, "net_nano", I63, True), (15, "saved_nano", I63, True),
        (16, "lines", U32, True), (17, "lines_root", ID, True), (18, "evidence", U32, True),
        (19, "evidence_root", ID, True), (20, "estimated_wh", U63, True), (21, "unsettled_meters", U32, True),
        (22, "settled_to_s", U63, True),
    )),
    KEY_EPOCH: ("key_epoch", (
        (1, "number", ("int", 1, MAX_U32), True), (2, "ephemeral_key", KEY, True), (3, "wraps", WRAPS, True),
    )),
    KEY_OPEN: ("key_open", (
        (1, "key_no", ("int", 1, MAX_U32), True), (2, "epoch", ("int", 1, MAX_U32), True),
        (3, "commitment", ID, True),
    )),
}  # fmt: skip

NAMES = {kind: row[0] for kind, row in TABLE.items()}
NAMES[READING] = "reading"
KINDS = {name: kind for kind, name in NAMES.items()}


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
    name, low, high = shape
    if name == "int":
        return _is_int(value, low, high)
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
    row = TABLE.get(kind)
    if row is None:
        raise BodyError("kind %r is not in the table" % (kind,))
    name, fields = row
    if not isinstance(raw, dict):
        raise BodyError("%s: the body is not a map" % name)
    body: "dict[str, object]" = {}
    hidden: "tuple[str, ...]" = ()
    if SEALED_KEY in raw and kind in SEALABLE:
        hidden = SEALABLE[kind]
        body[SEALED] = sealed_part.decode(raw[SEALED_KEY])
        if body[SEALED] is None:
            raise BodyError("%s: the sealed part is malformed" % name)
    for key, field, shape, required in fields:
        if field in hidden:
            continue
        if key in raw:
            value = raw[key]
            if not _allows(shape, value):
                raise BodyError("%s: %s is out of range" % (name, field))
            body[field] = value
        elif required:
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
    row = TABLE.get(kind)
    if row is None:
        raise BodyError("kind %r is not in the table" % (kind,))
    raw = {key: body[field] for key, field, _, _ in row[1] if field in body}
    part = body.get(SEALED)
    if isinstance(part, sealed_part.Sealed):
        raw[SEALED_KEY] = sealed_part.encode(part)
    if len(raw) != len(body):
        raise BodyError("%s: a field is unknown" % row[0])
    return raw, decode(kind, raw)
