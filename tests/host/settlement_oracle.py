"""Settlement once more, from the text of docs/spec/settlement.md and in exact fractions, to check the real one.

It shares no code with the protocol or the ledger. Everything is a Fraction: energy in kWh, money in units of the
currency, power in kW, time in hours; whole Wh appear only where the specification rounds.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from math import floor

WH = Fraction(1, 1000)  # in kWh
SECOND = Fraction(1, 3600)  # in hours


@dataclass
class Agreement:
    """A contract, in the oracle's units; times in Unix seconds."""

    name: bytes
    supplier: str
    consumer: str
    kwh: Fraction
    kw: Fraction
    price: Fraction
    priority: int
    start: int
    end: int
    start_by: int
    used_from: int | None
    ends: list[tuple[int, str]] = field(default_factory=list)  # (when, for whom)

    def over_at(self) -> tuple[int, str]:
        """When it is over and by whom: the earliest; in one second, operator before supplier before consumer."""
        ranks = ["operator", "supplier", "consumer"]
        said = [(when, ranks.index(party)) for when, party in self.ends if when < self.end]
        if not said:
            return (self.end, "nobody")
        when, rank = min(said)
        return (when, ranks[rank])

    def runs(self) -> tuple[int, int] | None:
        """The seconds from which and to which it may carry; None where it is void."""
        if self.used_from is None:
            return None
        first = max(self.used_from, self.start)
        last = self.over_at()[0]
        return (first, last) if first <= self.start_by and first < last else None


def divide(amount: Fraction, asks: dict[bytes, Fraction]) -> dict[bytes, Fraction]:
    """Whole Wh of `amount`, in proportion to what each claims; then Wh by Wh to whoever lost the largest fraction."""
    wanted = sum(asks.values(), Fraction(0))
    if wanted <= amount:
        return dict(asks)
    exact = {name: amount * ask / wanted for name, ask in asks.items()}
    given = {name: floor(part / WH) * WH for name, part in exact.items()}
    lost = {name: exact[name] - given[name] for name in asks}
    while sum(given.values(), Fraction(0)) < amount:
        most = max(lost.values())
        name = min(name for name, part in lost.items() if part == most)
        given[name] += WH
        del lost[name]
    return given


def one_slot(
    used: dict[str, Fraction], exported: dict[str, Fraction], claims: list[tuple[Agreement, Fraction]]
) -> tuple[dict[bytes, Fraction], dict[bytes, Fraction]]:
    """(carried, short) by contract: in rounds, each consumer turns to the next contract that can give it something."""
    left, supply = dict(used), dict(exported)
    asked_before: set[bytes] = set()
    carried: dict[bytes, Fraction] = {}
    short: dict[bytes, Fraction] = {}
    while True:
        turns: dict[str, tuple[Agreement, Fraction]] = {}
        for agreement, most in claims:
            if agreement.name in asked_before or left.get(agreement.consumer, Fraction(0)) <= 0 or most <= 0:
                continue
            rival = turns.get(agreement.consumer)
            if rival is None or (agreement.priority, agreement.name) < (rival[0].priority, rival[0].name):
                turns[agreement.consumer] = (agreement, min(most, left[agreement.consumer]))
        if not turns:
            return carried, short
        for supplier in {agreement.supplier for agreement, _ in turns.values()}:
            asks = {a.name: ask for a, ask in turns.values() if a.supplier == supplier}
            given = divide(supply.get(supplier, Fraction(0)), asks)
            supply[supplier] = supply.get(supplier, Fraction(0)) - sum(given.values(), Fraction(0))
            for name, part in given.items():
                carried[name], short[name] = part, asks[name] - part
        for agreement, _ in turns.values():
            asked_before.add(agreement.name)
            left[agreement.consumer] -= carried[agreement.name]


def could_have(left: dict[str, Fraction], room: list[tuple[Agreement, Fraction]]) -> dict[bytes, Fraction]:
    """What each supplier could have delivered of what nobody carried, shared among what may still be claimed."""
    found: dict[bytes, Fraction] = {}
    for supplier in {agreement.supplier for agreement, _ in room}:
        asks = {a.name: wh for a, wh in room if a.supplier == supplier and wh > 0}
        if asks and left.get(supplier, Fraction(0)) > 0:
            found.update(divide(left[supplier], asks))
    return found


def is_measured(points: list[tuple[int, Fraction]], start: int, end: int) -> bool:
    """Whether both ends of a slot are points, or nothing is known to have flowed in it."""
    known = {when for when, _ in points}
    return start in known and end in known


def register(points: list[tuple[int, Fraction]], when: int) -> Fraction:
    """The register at a time: straight lines between points, cut to whole Wh."""
    if not points or when <= points[0][0]:
        return points[0][1] if points else Fraction(0)
    for (before, low), (after, high) in zip(points, points[1:], strict=False):
        if before <= when <= after:
            return floor((low + (high - low) * Fraction(when - before, after - before)) / WH) * WH
    return points[-1][1]


class Oracle:
    """A community's energy: points by meter and direction, agreements, tariffs (from, import price, export price)."""

    def __init__(self, slot_s: int, imports: dict, exports: dict, agreements: list[Agreement], tariffs: list) -> None:
        self.slot_s, self.imports, self.exports = slot_s, imports, exports
        self.agreements, self.tariffs = agreements, sorted(tariffs)
        self.carried = {a.name: Fraction(0) for a in agreements}
        self.short = {a.name: Fraction(0) for a in agreements}
        self.unused = {a.name: Fraction(0) for a in agreements}
        self.spare = {a.name: Fraction(0) for a in agreements}
        self.grid: dict[str, list[Fraction]] = {meter: [Fraction(0)] * 4 for meter in imports}
        self.alone = {meter: Fraction(0) for meter in imports}

    def prices(self, when: int) -> tuple[Fraction, Fraction]:
        found = (Fraction(0), Fraction(0))
        for since, bought, sold in self.tariffs:
            if since <= when:
                found = (bought, sold)
        return found

    def settle(self, start: int, end: int) -> None:
        for slot in range(start, end, self.slot_s):
            self._settle_slot(slot, slot + self.slot_s)

    def _settle_slot(self, start: int, end: int) -> None:
        used = {m: register(points, end) - register(points, start) for m, points in self.imports.items()}
        given = {m: register(points, end) - register(points, start) for m, points in self.exports.items()}
        claims = [(a, self._most(a, start, end)) for a in self.agreements]
        # Contracts carry what was measured; the rest of a slot is the grid's.
        counted = {m: wh if is_measured(self.imports[m], start, end) else Fraction(0) for m, wh in used.items()}
        exported = {m: wh if is_measured(self.exports[m], start, end) else Fraction(0) for m, wh in given.items()}
        carried, short = one_slot(counted, exported, claims)
        room = []
        for agreement, most in claims:
            part = carried.get(agreement.name, Fraction(0))
            exported[agreement.supplier] -= part
            whole = agreement.kwh - self.carried[agreement.name] - self.spare[agreement.name]
            room.append((agreement, min(most, whole) - part))
        for name, part in could_have(exported, room).items():
            self.spare[name] += part
        for agreement in self.agreements:
            part = carried.get(agreement.name, Fraction(0))
            self.carried[agreement.name] += part
            self.short[agreement.name] += short.get(agreement.name, Fraction(0))
            used[agreement.consumer] -= part
            given[agreement.supplier] -= part
            self.alone[agreement.consumer] += part * self.prices(start)[0]
            self.alone[agreement.supplier] -= part * self.prices(start)[1]
            self._close(agreement, start, end)
        for meter, row in self.grid.items():
            row[0] += used[meter]
            row[1] += used[meter] * self.prices(start)[0]
            row[2] += given[meter]
            row[3] += given[meter] * self.prices(start)[1]
            self.alone[meter] += used[meter] * self.prices(start)[0] - given[meter] * self.prices(start)[1]

    def _most(self, agreement: Agreement, start: int, end: int) -> Fraction:
        runs = agreement.runs()
        if runs is None:
            return Fraction(0)
        first, last = runs
        begin, until = max(start, first), min(end, last)
        if begin >= until:
            return Fraction(0)

        def whole(seconds: int) -> Fraction:
            return floor(agreement.kw * seconds * SECOND / WH) * WH

        return min(agreement.kwh - self.carried[agreement.name], whole(until - first) - whole(begin - first))

    def _close(self, agreement: Agreement, start: int, end: int) -> None:
        runs = agreement.runs()
        if runs is None or not start < runs[1] <= end or agreement.over_at()[1] in ("supplier", "operator"):
            return
        owed = agreement.kwh - self.carried[agreement.name] - self.short[agreement.name]
        self.unused[agreement.name] = max(Fraction(0), min(owed, self.spare[agreement.name]))
