"""Settlement: which contract carried which Wh, and what is due. Integers throughout, the same on every machine.

    register at a slot boundary -> consumption and export per slot -> Wh per contract -> nano-units per party

What always holds: in each slot the Wh of a consumer's contracts and the grid's add up to its consumption, those of a
supplier's contracts and the grid's to its export; every payment has its receiver, so all accounts sum to zero.
Specification: docs/spec/settlement.md.
"""

from wattpact_protocol import contracts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wattpact_protocol.contracts import Contract


class Load:
    """A meter's register against time: what settlement knows of its consumption, or of its export.

    Points are (unix_s, wh), both rising. Between two points energy is spread evenly and counts as estimated."""

    def __init__(self) -> None:
        self.times: list[int] = []
        self.values: list[int] = []

    def add(self, unix_s: int, wh: int) -> None:
        """Append a point; one that does not lie after the last is passed over (a snapshot said twice)."""
        if not self.times or unix_s > self.times[-1]:
            self.times.append(unix_s)
            self.values.append(wh)

    def at(self, unix_s: int) -> "tuple[int, bool]":
        """(Wh at that time, whether it was measured then); held flat outside the points."""
        times = self.times
        if not times or unix_s <= times[0]:
            return (self.values[0] if times else 0, bool(times) and unix_s == times[0])
        if unix_s >= times[-1]:
            return self.values[-1], unix_s == times[-1]
        low, high = 0, len(times) - 1
        while high - low > 1:
            middle = (low + high) // 2
            if times[middle] <= unix_s:
                low = middle
            else:
                high = middle
        if times[low] == unix_s:
            return self.values[low], True
        risen = self.values[high] - self.values[low]
        return self.values[low] + risen * (unix_s - times[low]) // (times[high] - times[low]), False


def share(amount: int, claims: "list[tuple[bytes, int]]") -> "dict[bytes, int]":
    """`amount` pro rata to (id, claim), by largest remainder, ties to the smaller id; nobody gets more than its claim."""
    total = sum(claim for _, claim in claims)
    if total <= amount:
        return dict(claims)
    shares = {name: amount * claim // total for name, claim in claims}
    left = amount - sum(shares.values())
    for _, name in sorted([(-(amount * claim % total), name) for name, claim in claims])[:left]:
        shares[name] += 1
    return shares


class Claim:
    """What a contract may still carry in one slot."""

    def __init__(self, contract: "Contract", most_wh: int) -> None:
        self.contract = contract
        self.most_wh = most_wh


def allocate(
    consumption_wh: "dict[bytes, int]", export_wh: "dict[bytes, int]", claims: "list[Claim]"
) -> "tuple[dict[bytes, int], dict[bytes, int]]":
    """One slot: (Wh carried, Wh short) by contract id; short is what the supplier's export did not cover.

    Each consumer asks its contracts in order of (priority, id); where a supplier's export is not enough for all who
    ask at once, it is shared pro rata, and the rest of each need goes on to the next contract."""
    need = dict(consumption_wh)
    supply = dict(export_wh)
    queues: dict[bytes, list[Claim]] = {}
    for claim in sorted(claims, key=lambda claim: contracts.order_of(claim.contract)):
        queues.setdefault(claim.contract.consumer, []).append(claim)
    carried: dict[bytes, int] = {}
    short: dict[bytes, int] = {}
    while True:
        asked = _ask(queues, need)
        if not asked:
            return carried, short
        for supplier, asks in asked.items():
            shares = share(supply.get(supplier, 0), [(claim.contract.id, wh) for claim, wh in asks])
            for claim, wh in asks:
                got = shares[claim.contract.id]
                carried[claim.contract.id] = got
                short[claim.contract.id] = wh - got
                need[claim.contract.consumer] -= got
                supply[supplier] = supply.get(supplier, 0) - got


def _ask(queues: "dict[bytes, list[Claim]]", need: "dict[bytes, int]") -> "dict[bytes, list[tuple[Claim, int]]]":
    """The next contract of each consumer that still needs energy, by supplier."""
    asked: dict[bytes, list[tuple[Claim, int]]] = {}
    for consumer, queue in queues.items():
        while queue and need.get(consumer, 0) > 0:
            claim = queue.pop(0)
            wh = min(need[consumer], claim.most_wh)
            if wh > 0:
                asked.setdefault(claim.contract.supplier, []).append((claim, wh))
                break
    return asked


def most_wh(contract: "Contract", carried_wh: int, from_s: int, to_s: int) -> int:
    """The most that a contract may carry in the slot: what is left of it, and its rate over the part it is active.

    The rate counts from the contract's first second, so that whole Wh lose nothing over many short slots."""
    if contract.is_void or contract.used_from_s is None:
        return 0
    first_s, last_s = contract.used_from_s, contract.active_to_s
    begin, end = max(from_s, first_s), min(to_s, last_s)
    if begin >= end:
        return 0
    by_rate = contract.max_w * (end - first_s) // 3600 - contract.max_w * (begin - first_s) // 3600
    return int(min(contract.wh - carried_wh, by_rate))


def unused_wh(contract: "Contract", carried_wh: int, short_wh: int) -> int:
    """What the consumer owes without having taken it, once the contract has ended.

    Run out or left early by the consumer: the whole allocation is due, less what the supplier failed to export when it
    was asked. Ended by the supplier or the operator, or void: nothing beyond what was carried."""
    if contract.is_void or contract.terminated_by in (contracts.BY_SUPPLIER, contracts.BY_OPERATOR):
        return 0
    return int(max(0, contract.wh - carried_wh - short_wh))


class Line:
    """A contract in one period: energy carried, energy owed unused, and both in nano-units."""

    def __init__(self, contract: "Contract") -> None:
        self.contract = contract
        self.carried_wh = 0
        self.unused_wh = 0

    @property
    def carried_nano(self) -> int:
        return int(self.carried_wh * self.contract.price_micro_per_kwh)

    @property
    def unused_nano(self) -> int:
        return int(self.unused_wh * self.contract.price_micro_per_kwh)


class Balance:
    """A meter in one period. The grid account is what no contract carried."""

    def __init__(self) -> None:
        self.import_wh = 0
        self.export_wh = 0
        self.bought_wh = 0
        self.sold_wh = 0
        self.grid_import_wh = 0
        self.grid_export_wh = 0
        self.grid_import_nano = 0
        self.grid_export_nano = 0
        self.alone_nano = 0  # what the grid alone would have charged, net
        self.estimated_wh = 0


class Tariff:
    """The grid's prices from a time on; before the first, zero."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, int]] = []

    def add(self, from_s: int, import_micro_per_kwh: int, export_micro_per_kwh: int) -> None:
        """A later word on the same time replaces the earlier."""
        self._rows = [row for row in self._rows if row[0] != from_s]
        self._rows.append((from_s, import_micro_per_kwh, export_micro_per_kwh))
        self._rows.sort()

    def at(self, unix_s: int) -> "tuple[int, int]":
        """(import, export) in micro-units per kWh."""
        prices = (0, 0)
        for from_s, import_price, export_price in self._rows:
            if from_s > unix_s:
                break
            prices = (import_price, export_price)
        return prices


class Result:
    """What a period came to: lines by contract id and balances by meter, for slots from from_s to to_s."""

    def __init__(self, from_s: int, to_s: int) -> None:
        self.from_s = from_s
        self.to_s = to_s
        self.lines: dict[bytes, Line] = {}
        self.balances: dict[bytes, Balance] = {}


class Settlement:
    """Folds slots, oldest first. `carried` and `short` go on from slot to slot and say what is left of a contract."""

    def __init__(self, slot_s: int, tariff: Tariff) -> None:
        self.slot_s = slot_s
        self.tariff = tariff
        self.carried: dict[bytes, int] = {}
        self.short: dict[bytes, int] = {}

    def settle_slot(
        self, start_s: int, loads: "dict[bytes, tuple[Load, Load]]", active: "list[Contract]", into: Result
    ) -> None:
        """One slot: `loads` are (import, export) by meter, `active` every contract that may carry in it."""
        end_s = start_s + self.slot_s
        imports: dict[bytes, int] = {}
        exports: dict[bytes, int] = {}
        for kid, (imported, exported) in loads.items():
            balance = into.balances.setdefault(kid, Balance())
            imports[kid] = _slot_wh(imported, start_s, end_s, balance)
            exports[kid] = _slot_wh(exported, start_s, end_s, balance)
        claims = []
        for contract in active:
            most = most_wh(contract, self.carried.get(contract.id, 0), start_s, end_s)
            if most > 0:
                claims.append(Claim(contract, most))
        carried, short = allocate(imports, exports, claims)
        bought, sold = self._book(claims, carried, short, into)
        self._close_contracts(start_s, end_s, active, into)
        for kid in loads:
            self._grid(into.balances[kid], start_s, (imports[kid], exports[kid], bought.get(kid, 0), sold.get(kid, 0)))

    def _book(
        self, claims: "list[Claim]", carried: "dict[bytes, int]", short: "dict[bytes, int]", into: Result
    ) -> "tuple[dict[bytes, int], dict[bytes, int]]":
        bought: dict[bytes, int] = {}
        sold: dict[bytes, int] = {}
        for claim in claims:
            contract = claim.contract
            wh = carried.get(contract.id, 0)
            self.carried[contract.id] = self.carried.get(contract.id, 0) + wh
            self.short[contract.id] = self.short.get(contract.id, 0) + short.get(contract.id, 0)
            into.lines.setdefault(contract.id, Line(contract)).carried_wh += wh
            bought[contract.consumer] = bought.get(contract.consumer, 0) + wh
            sold[contract.supplier] = sold.get(contract.supplier, 0) + wh
        return bought, sold

    def _close_contracts(self, start_s: int, end_s: int, active: "list[Contract]", into: Result) -> None:
        for contract in active:
            if start_s < contract.active_to_s <= end_s and not contract.is_void:
                owed = unused_wh(contract, self.carried.get(contract.id, 0), self.short.get(contract.id, 0))
                into.lines.setdefault(contract.id, Line(contract)).unused_wh += owed

    def _grid(self, balance: Balance, start_s: int, flows: "tuple[int, int, int, int]") -> None:
        imported, exported, bought, sold = flows
        import_price, export_price = self.tariff.at(start_s)
        balance.import_wh += imported
        balance.export_wh += exported
        balance.bought_wh += bought
        balance.sold_wh += sold
        balance.grid_import_wh += imported - bought
        balance.grid_export_wh += exported - sold
        balance.grid_import_nano += (imported - bought) * import_price
        balance.grid_export_nano += (exported - sold) * export_price
        balance.alone_nano += imported * import_price - exported * export_price


def _slot_wh(load: Load, start_s: int, end_s: int, balance: Balance) -> int:
    before, measured_before = load.at(start_s)
    after, measured_after = load.at(end_s)
    if not (measured_before and measured_after):
        balance.estimated_wh += after - before
    return after - before
