"""Settlement: which contract carried which Wh, and what is due. Integers throughout, the same on every machine.

    register at a slot boundary -> consumption and export per slot -> Wh per contract -> nano-units per party

What always holds: in each slot the Wh of a consumer's contracts and the grid's add up to its consumption, those of a
supplier's contracts and the grid's to its export; a slot is settled for all meters that contracts link in it or for
none; the same entries and the same `now_s` give the same result, in however many steps they were folded.
Specification: docs/spec/settlement.md.
"""

from wattpact_protocol.ledger import trades
from wattpact_protocol.settlement.allocation import allocate, spare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wattpact_protocol.settlement.allocation import Claim
    from wattpact_protocol.settlement.contracts import Contract, Contracts
    from wattpact_protocol.settlement.load_profile import LoadProfile

SILENCE_S = 7 * 86400  # unless the community sets another


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


def unused_wh(contract: "Contract", carried_wh: int, short_wh: int, spare_wh: int) -> int:
    """What the consumer owes without having taken it, once the contract has ended.

    Run out or left early by the consumer: the whole allocation is due, less what the supplier failed to export when the
    consumer needed it, and no more than what the supplier's meter showed that it could have delivered. Ended by the
    supplier or the operator, or void: nothing beyond what was carried."""
    if contract.is_void or contract.terminated_by in (trades.BY_SUPPLIER, trades.BY_OPERATOR):
        return 0
    return int(max(0, min(contract.wh - carried_wh - short_wh, spare_wh)))


class Fill:
    """What one contract has carried, by slot: starts of slots, and running totals after each."""

    def __init__(self, contract: "Contract") -> None:
        self.contract = contract
        self.starts: list[int] = []
        self.carried: list[int] = []
        self.short: list[int] = []
        self.spare: list[int] = []
        self.closed_s: int | None = None  # start of the slot in which it ended
        self.unused_wh = 0

    @property
    def carried_wh(self) -> int:
        return self.carried[-1] if self.carried else 0

    @property
    def short_wh(self) -> int:
        return self.short[-1] if self.short else 0

    @property
    def spare_wh(self) -> int:
        return self.spare[-1] if self.spare else 0

    def add(self, start_s: int, carried_wh: int, short_wh: int, spare_wh: int) -> None:
        if carried_wh or short_wh or spare_wh:
            self.carried.append(self.carried_wh + carried_wh)
            self.short.append(self.short_wh + short_wh)
            self.spare.append(self.spare_wh + spare_wh)
            self.starts.append(start_s)

    def close(self, start_s: int) -> None:
        self.closed_s = start_s
        self.unused_wh = unused_wh(self.contract, self.carried_wh, self.short_wh, self.spare_wh)

    def rewind(self, start_s: int) -> None:
        """Forget slots from start_s on."""
        while self.starts and self.starts[-1] >= start_s:
            del self.starts[-1], self.carried[-1], self.short[-1], self.spare[-1]
        if self.closed_s is not None and self.closed_s >= start_s:
            self.closed_s, self.unused_wh = None, 0

    def carried_before(self, unix_s: int) -> int:
        """Wh carried in slots that start before unix_s."""
        low, high = -1, len(self.starts)
        while high - low > 1:
            middle = (low + high) // 2
            if self.starts[middle] < unix_s:
                low = middle
            else:
                high = middle
        return self.carried[low] if low >= 0 else 0

    def carried_in(self, from_s: int, to_s: int) -> int:
        if not self.starts or self.starts[0] >= to_s or self.starts[-1] < from_s:
            return 0
        if from_s <= self.starts[0] and self.starts[-1] < to_s:
            return self.carried_wh
        return self.carried_before(to_s) - self.carried_before(from_s)

    def unused_in(self, from_s: int, to_s: int) -> int:
        return self.unused_wh if self.closed_s is not None and from_s <= self.closed_s < to_s else 0


class Settlement:
    """Settles the slots of all contracts, oldest first, as far as the load profiles reach."""

    def __init__(
        self, slot_s: int, silence_s: int, load_profiles: "dict[bytes, LoadProfile]", agreed: "Contracts"
    ) -> None:
        self.slot_s = slot_s
        self.silence_s = silence_s
        self.load_profiles = load_profiles
        self.agreed = agreed
        self.fills: dict[bytes, Fill] = {}
        self.of_meter: dict[bytes, list[Fill]] = {}  # fills by consumer and by supplier
        self.frontier_s = 0  # every slot before it has been looked at
        self.stuck: dict[bytes, int] = {}  # meter: the first slot that waits, for itself or for a partner
        self._late: set[bytes] = set()  # meters whose points the stuck slots wait for
        self._given_up: dict[bytes, int] = {}  # silent meter: the first slot settled without its points
        self._now_s = 0

    def floor(self, unix_s: int) -> int:
        return unix_s // self.slot_s * self.slot_s

    def advance(self, to_s: int, now_s: int) -> None:
        """Settle every slot that can be, up to to_s and now_s; entries may have come for past slots too."""
        self._now_s = now_s
        again_s = [
            slot_s for kid, slot_s in self._given_up.items() if self._end_s(kid) > slot_s or not self._is_silent(kid)
        ]
        again_s += [self.stuck[kid] for kid in self._late if self._is_ready(kid, self.stuck[kid] + self.slot_s)]
        if self.agreed.changed_from_s is not None:
            again_s.append(self.floor(self.agreed.changed_from_s))
            self.agreed.changed_from_s = None
        if again_s:
            self.rewind(min(again_s))
        self._fold(self.floor(min(to_s, now_s)))

    def rewind(self, start_s: int) -> None:
        """Forget what was settled from that slot on."""
        if start_s >= self.frontier_s:
            return
        self.frontier_s = start_s
        for fill in self.fills.values():
            fill.rewind(start_s)
        for name in [name for name in self.fills if name not in self.agreed.by_id]:
            fill = self.fills.pop(name)
            self.of_meter[fill.contract.consumer].remove(fill)
            self.of_meter[fill.contract.supplier].remove(fill)
        self.stuck = {kid: slot_s for kid, slot_s in self.stuck.items() if slot_s < start_s}
        self._late = {kid for kid in self._late if kid in self.stuck}
        self._given_up = {kid: slot_s for kid, slot_s in self._given_up.items() if slot_s < start_s}

    def settled_to(self, kid: bytes, to_s: int) -> int:
        """The slot boundary, to_s at most, up to which a meter is settled."""
        settled_s = min(self.floor(min(to_s, self._now_s)), self.stuck.get(kid, to_s))
        if self._is_silent(kid):
            return settled_s
        return min(settled_s, self.floor(self._end_s(kid)))

    def fill(self, contract: "Contract") -> Fill:
        found = self.fills.get(contract.id)
        if found is None:
            found = self.fills[contract.id] = Fill(contract)
            self.of_meter.setdefault(contract.consumer, []).append(found)
            self.of_meter.setdefault(contract.supplier, []).append(found)
        return found

    def _end_s(self, kid: bytes) -> int:
        load = self.load_profiles.get(kid)
        return load.end_s if load else -1

    def _is_silent(self, kid: bytes) -> bool:
        """It has had no reading for so long, or ever, that no slot waits for it any more."""
        end_s = self._end_s(kid)
        return end_s < 0 or self._now_s - end_s > self.silence_s

    def _is_ready(self, kid: bytes, end_s: int) -> bool:
        return self._end_s(kid) >= end_s or self._is_silent(kid)

    def _fold(self, to_s: int) -> None:
        slot_s = self.slot_s
        start_s = self.frontier_s
        later = []
        for contract in self.agreed.by_id.values():
            from_s = self._concerns_from_s(contract, start_s, to_s)
            if from_s is not None:
                later.append((from_s, contract.id, contract))
        later.sort(key=_begin_of, reverse=True)
        current: list[Contract] = []
        while start_s < to_s and (current or later):
            if not current:
                start_s = max(start_s, self.floor(later[-1][0]))
            end_s = start_s + slot_s
            while later and later[-1][0] < end_s:
                current.append(later.pop()[2])
            if end_s > to_s:
                break
            self._settle_slot(start_s, end_s, current)
            current = [c for c in current if c.active_to_s > end_s]
            start_s = end_s
        self.frontier_s = max(self.frontier_s, to_s)

    def _concerns_from_s(self, contract: "Contract", from_s: int, to_s: int) -> "int | None":
        """When, between from_s and to_s, a contract first matters; None for one that does not. One whose start
        is long before its meter's first reading costs no slots."""
        known_s = self._end_s(contract.consumer)
        if contract.used_from_s is not None:
            first_s = contract.used_from_s
            matters = not contract.is_void
        else:
            first_s = max(from_s, self.floor(max(contract.start_s, known_s)))
            matters = known_s <= contract.start_by_s
        if not matters or first_s >= to_s or contract.active_to_s <= max(first_s, from_s):
            return None
        if contract.used_from_s is None and self._is_silent(contract.consumer):
            self._give_up(contract.consumer, first_s)
            return None
        return first_s

    def _give_up(self, kid: bytes, slot_s: int) -> None:
        self._given_up[kid] = min(slot_s, self._given_up.get(kid, slot_s))

    def _settle_slot(self, start_s: int, end_s: int, current: "list[Contract]") -> None:
        running: list[Contract] = []
        linked: list[Contract] = []
        for contract in current:
            # One that is not used yet is here because its start may be in what is missing of the consumer's log.
            (linked if contract.used_from_s is None else running).append(contract)
        held = self._hold(start_s, end_s, running + linked)
        if held:
            running = [contract for contract in running if contract.consumer not in held]
        self._carry(start_s, end_s, running)
        for contract in running:
            if contract.active_to_s <= end_s:
                self.fill(contract).close(start_s)

    def _hold(self, start_s: int, end_s: int, linking: "list[Contract]") -> "set[bytes]":
        """The meters for which the slot has to wait: those without points to its end, and all linked to them."""
        held = set()
        for contract in linking:
            for kid in (contract.consumer, contract.supplier):
                if kid in self.stuck:
                    held.add(kid)
                elif self._end_s(kid) >= end_s:
                    continue
                elif self._is_silent(kid):
                    self._give_up(kid, start_s)
                else:
                    held.add(kid)
                    self._late.add(kid)
        grown = bool(held)
        while grown:
            grown = False
            for contract in linking:
                if (contract.consumer in held) != (contract.supplier in held):
                    held.add(contract.consumer)
                    held.add(contract.supplier)
                    grown = True
        for kid in held:
            self.stuck.setdefault(kid, start_s)
        return held

    def _carry(self, start_s: int, end_s: int, running: "list[Contract]") -> None:
        claims: list[Claim] = []
        imports: dict[bytes, int] = {}
        exports: dict[bytes, int] = {}
        for contract in running:
            fill = self.fill(contract)
            carried_wh = fill.carried_wh
            most = most_wh(contract, carried_wh, start_s, end_s) if carried_wh < contract.wh else 0
            if most > 0:
                claims.append((contract, most))
                imports[contract.consumer] = exports[contract.supplier] = 0
        for kid in imports:
            imports[kid] = self._measured(kid, start_s, end_s)[0]
        for kid in exports:
            exports[kid] = self._measured(kid, start_s, end_s)[1]
        carried, short = allocate(imports, exports, claims)
        left: list[Claim] = []
        for contract, most in claims:
            fill, wh = self.fills[contract.id], carried.get(contract.id, 0)
            exports[contract.supplier] -= wh
            left.append((contract, min(most, contract.wh - fill.carried_wh - fill.spare_wh) - wh))
        could = spare(exports, left)
        for contract, _ in claims:
            name = contract.id
            self.fills[name].add(start_s, carried.get(name, 0), short.get(name, 0), could.get(name, 0))

    def _measured(self, kid: bytes, start_s: int, end_s: int) -> "tuple[int, int]":
        """(import, export) of the slot for contracts: nothing where it is estimated, so that nobody gains by readings
        that are left out."""
        load = self.load_profiles.get(kid)
        if load is None or load.estimated_wh(start_s, end_s):
            return 0, 0
        before = load.at(start_s)
        after = load.at(end_s)
        return after[0] - before[0], after[1] - before[1]


def _begin_of(row: "tuple[int, bytes, Contract]") -> "tuple[int, bytes]":
    return row[:2]
