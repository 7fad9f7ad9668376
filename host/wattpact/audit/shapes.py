"""Whether a record of the ledger has values of the kinds that its fields have: who makes a bundle chooses its records,
and what reads them later expects what a ledger writes.

A field is a whole number unless it is named here. docs/spec/ledger.md, "State".
"""

from collections.abc import Callable
from typing import Any

from wattpact_protocol.log import kinds

MAX_SLOT_S = 86400


def _is_number(value: object) -> bool:
    return type(value) is int and -1 <= value <= kinds.MAX_UINT


def _is_bytes(value: object) -> bool:
    return isinstance(value, bytes)


def _is_number_or_none(value: object) -> bool:
    return value is None or _is_number(value)


def _are_bytes(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, bytes) for one in value)


def _rows(*parts: Callable[[object], bool]) -> Callable[[object], bool]:
    def are_rows(value: object) -> bool:
        return isinstance(value, list) and all(
            isinstance(row, list) and len(row) == len(parts)
            and all(part(one) for part, one in zip(parts, row, strict=True))
            for row in value
        )  # fmt: skip

    return are_rows


_BYTES = "id public_key owner meter mandate offer acceptance contract supplier consumer commitment"
_SHAPES: dict[str, Callable[[object], bool]] = {
    **dict.fromkeys(_BYTES.split(), _is_bytes),
    **dict.fromkeys("meters unstarted acceptances ids".split(), _are_bytes),
    **dict.fromkeys("granted_s used_from_s terminated_s ended_s".split(), _is_number_or_none),
    "terminated_by": lambda value: isinstance(value, str),
    "slot_s": lambda value: _is_number(value) and 1 <= value <= MAX_SLOT_S,  # type: ignore[operator]
    "certificates": lambda value: value != [] and _rows(
        _is_bytes, _is_number, _is_number, _is_number, _is_bytes, _is_number
    )(value),
    **dict.fromkeys(("net_nano", "closed_nano"), lambda value: type(value) is int and abs(value) <= kinds.MAX_UINT),
    "spans": _rows(_is_number, _is_number),
    "rows": _rows(_is_number, _is_number, _is_number, _is_bytes),
}  # fmt: skip


def misshapen(fields: dict[str, Any]) -> list[str]:
    """The fields whose values are of another kind."""
    return [name for name, value in fields.items() if not _SHAPES.get(name, _is_number)(value)]
