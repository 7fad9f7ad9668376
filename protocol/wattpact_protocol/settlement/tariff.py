"""The grid's prices by time, which price what no contract carried.

What always holds: `at` is the price for the slot that starts then; before the first tariff both prices are zero.
Specification: docs/spec/settlement.md, "The grid".
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Tariff:
    """Prices from a time on, as the ledger's records have them."""

    def __init__(self) -> None:
        self._periods: dict[int, list[Any]] = {}
        self._order: list[tuple[int, int, int]] = []

    def follow(self, period: int, rows: "list[Any]") -> None:
        """The rows [from_s, import price, export price, ...] of one period, which take the place of what it had."""
        self._periods[period] = rows
        self._order = sorted([(row[0], row[1], row[2]) for held in self._periods.values() for row in held])

    def at(self, unix_s: int) -> "tuple[int, int]":
        """(import, export) in micro-units per kWh."""
        prices = (0, 0)
        for from_s, import_price, export_price in self._order:
            if from_s > unix_s:
                break
            prices = (import_price, export_price)
        return prices

    def changes(self, from_s: int, to_s: int) -> "list[int]":
        """The times strictly within a window from which another tariff holds."""
        return [row[0] for row in self._order if from_s < row[0] < to_s]
