"""The body of a reading: registers at t0 and their steps after it, open or sealed under a key.

    body    = [0, content] | [key_no, COSE_Encrypt0]
    content = [register_generation, t0_s, step_s, quality, calibration / null, {id: [value, [delta, ...]]}, bad_mask]

Energy registers never fall: their deltas are unsigned. Every energy register of one reading has the same number of
deltas, 0 to 60; instantaneous registers (ids from 64) are for display and have none.
A sealed reading has the one field `sealed` instead. Specification: docs/spec/readings.md, docs/spec/sealing.md.
"""

from wattpact_protocol.log import register_table, sealed_part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_INTERVALS = 60
MAX_WH = register_table.MAX_WH
FIRST_INSTANTANEOUS = register_table.FIRST_INSTANTANEOUS
IMPORT_WH = register_table.IMPORT_WH
EXPORT_WH = register_table.EXPORT_WH

FIELDS = ("register_generation", "t0_s", "step_s", "quality", "calibration", "registers", "bad_mask")

ESTIMATED = 1
SENSOR_FAULT = 2
CLIPPED = 4
POWER_FAILURE = 8
CLOCK_ADJUSTED = 16


def _int(value: object, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def _check_register(number: int, value: object, intervals: int) -> bool:
    if number not in register_table.TABLE or not isinstance(value, list) or len(value) != 2:
        return False
    start, deltas = value
    if type(start) is not int or not isinstance(deltas, list):
        return False
    if number >= FIRST_INSTANTANEOUS:
        return not deltas and -(1 << 31) <= start <= 1 << 31
    if start < 0 or len(deltas) != intervals:
        return False
    for delta in deltas:
        if type(delta) is not int or not 0 <= delta <= 1 << 31:
            return False
    return bool(start + sum(deltas) <= MAX_WH)


def _intervals(registers: "dict[int, list[Any]]") -> int:
    imported = registers.get(IMPORT_WH)
    if isinstance(imported, list) and len(imported) == 2 and isinstance(imported[1], list):
        return len(imported[1])
    return -1


def decode(raw: object, error: "type[ValueError]") -> "dict[str, Any]":
    """The fields of a reading by name; raises `error`. A reading always has the total import and export registers."""
    if not isinstance(raw, list) or len(raw) != 2:
        raise error("reading: not an array of two")
    if not _int(raw[0], 0, 0):
        part = sealed_part.decode(raw)
        if part is None:
            raise error("reading: neither an open body nor a sealed one")
        return {"sealed": part}
    content = raw[1]
    if not isinstance(content, list) or len(content) != 7:
        raise error("reading: the content is not an array of seven")
    generation, t0_s, step_s, quality, calibration, registers, bad_mask = content
    for number in (generation, t0_s, step_s, quality, bad_mask):
        if type(number) is not int or number < 0:
            raise error("reading: generation, t0, step, quality and bad_mask are unsigned integers")
    if generation >= 1 << 32 or t0_s > 1 << 40 or not 1 <= step_s <= 86400 or quality > 255:
        raise error("reading: generation, t0, step or quality is out of range")
    if calibration is not None and not _int(calibration, 0, (1 << 32) - 1):
        raise error("reading: calibration is out of range")
    if not isinstance(registers, dict) or len(registers) > len(register_table.TABLE) or EXPORT_WH not in registers:
        raise error("reading: total import and export are required")
    intervals = _intervals(registers)
    if not 0 <= intervals <= MAX_INTERVALS:
        raise error("reading: 0 to 60 intervals")
    for number, value in registers.items():
        if not _check_register(number, value, intervals):
            raise error("reading: register %r is malformed" % (number,))
    if bad_mask >> intervals:
        raise error("reading: bad_mask names an interval that is not there")
    return {
        "register_generation": generation, "t0_s": t0_s, "step_s": step_s, "quality": quality,
        "calibration": calibration, "registers": registers, "bad_mask": bad_mask,
    }  # fmt: skip


def encode_checked(body: "dict[str, Any]", error: "type[ValueError]") -> "tuple[object, dict[str, Any]]":
    """The body as it is put into CBOR, and as `decode` gives it back; raises `error` where that would."""
    part = body.get("sealed")
    if isinstance(part, sealed_part.Sealed) and len(body) == 1:
        encoded = sealed_part.encode(part)
        return encoded, decode(encoded, error)
    try:
        content = [body[name] for name in FIELDS]
    except KeyError as missing:
        raise error("reading: %s is missing" % missing)
    raw = [0, content]
    return raw, decode(raw, error)


def intervals(body: "dict[str, Any]") -> int:
    return len(body["registers"][IMPORT_WH][1])


def end_s(body: "dict[str, Any]") -> int:
    """The time of the last register value, Unix seconds."""
    return int(body["t0_s"] + body["step_s"] * intervals(body))


def end_value(body: "dict[str, Any]", register: int) -> int:
    """The register at `end_s`, Wh."""
    start, deltas = body["registers"][register]
    return int(start + sum(deltas))
