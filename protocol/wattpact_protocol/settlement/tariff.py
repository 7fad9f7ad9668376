"""The grid's prices by time, which price what no contract carried.

What always holds: `at` is the price for the slot that starts then; before the first tariff both prices are zero.
Specification: docs/spec/settlement.md, "The grid".
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wattpact_protocol.log.entry import Entry


class Tariff:
    """Prices from a time on. Of two for the same time the one published later counts."""

    def __init__(self) -> None:
        self._rows: dict[int, tuple[tuple[int, int, int, bytes], int, int]] = {}
        self._order: list[int] = []

    def apply(self, new: "Entry") -> None:
        body = new.body
        order = (new.stamp.unix_s or 0, new.generation, new.sequence, new.id)
        self.add(body["from_s"], body["import_micro_per_kwh"], body["export_micro_per_kwh"], order)

    def add(
        self, from_s: int, import_price: int, export_price: int, order: "tuple[int, int, int, bytes]" = (0, 0, 0, b"")
    ) -> None:
        if from_s not in self._rows or self._rows[from_s][0] <= order:
            self._rows[from_s] = (order, import_price, export_price)
            self._order = sorted(self._rows)

    def at(self, unix_s: int) -> "tuple[int, int]":
        """(import, export) in micro-units per kWh."""
        prices = (0, 0)
        for from_s in self._order:
            if from_s > unix_s:
                break
            prices = self._rows[from_s][1:]
        return prices

    def changes(self, from_s: int, to_s: int) -> "list[int]":
        """The times strictly within a window from which another tariff holds."""
        return [unix_s for unix_s in self._order if from_s < unix_s < to_s]
