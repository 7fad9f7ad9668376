"""Settlement, stored: which contract carried which Wh in each slot, kept as far as it can be known.

    progress, waiting meters, contracts, load profiles of a day -> Settlement (the protocol's) -> fills, totals

What always holds: what is stored is what the protocol's settlement of everything stored would be, as of `now_s`;
what came late, or changed a contract, takes settlement back to the first slot that it changes, and no further.
A run reads the days that it settles. docs/spec/settlement.md.
"""

from wattpact_protocol.log import entry, kinds
from wattpact_protocol.settlement.contracts import Contracts
from wattpact_protocol.settlement.load_profile import LoadProfile
from wattpact_protocol.settlement.slots import SILENCE_S, Settlement

from wattpact.projections.contracts import StoredContract
from wattpact.store.interface import Reader, Store
from wattpact.store.records import LATE, SILENT, STUCK, Point, Progress, Totals, Waiting

_AT_ONCE_S = 86400


class Window(LoadProfile):
    """A part of a meter's load profile, from its points; `end_s` is the time of the last of all."""

    def __init__(self, slot_s: int, points: list[Point], end_s: int) -> None:
        super().__init__(slot_s)
        self.times = [point.unix_s for point in points]
        self.imports = [point.import_wh for point in points]
        self.exports = [point.export_wh for point in points]
        self.measured = [point.measured_wh for point in points]
        self.end_s = end_s


def rules_of(reader: Reader) -> tuple[int, int] | None:
    """(slot_s, silence_s) of the first community entry; None where there is none."""
    for row in reader.entries(of_kinds=(kinds.COMMUNITY,), limit=1):
        body = entry.decode(row.raw, reader.community).body
        return body["slot_s"], body.get("silence_s", SILENCE_S)
    return None


def end_s_of(reader: Reader, meter: bytes) -> int:
    """The time of a meter's last point, -1 where it has none."""
    found = reader.points_around(meter, kinds.MAX_UINT)
    return found[0].unix_s if found else -1


def settle(store: Store, now_s: int, slot_s: int, silence_s: int) -> None:
    """Settle what can be settled by now; writes only where there is something new to settle."""
    to_s = now_s // slot_s * slot_s
    progress = store.progress()
    if to_s == progress.frontier_s and not _again(store, progress, now_s, slot_s, silence_s):
        return
    with store.transaction():
        progress = store.progress()
        again = _again(store, progress, now_s, slot_s, silence_s)
        frontier_s = min([progress.frontier_s, to_s, *again])
        if frontier_s < progress.frontier_s:
            store.rewind_settlement(frontier_s)
        while frontier_s < to_s:
            first_s = min((row.start_s for row, _ in store.contracts(frontier_s, to_s)), default=to_s)
            begin_s = max(frontier_s, first_s // slot_s * slot_s)
            frontier_s = min(to_s, begin_s + _AT_ONCE_S // slot_s * slot_s)
            _Run(store, begin_s, now_s, slot_s, silence_s).settle(store, frontier_s)
        store.set_progress(Progress(to_s, now_s, None))


def _again(store: Store, progress: Progress, now_s: int, slot_s: int, silence_s: int) -> list[int]:
    """The slots from which on to settle again, as the protocol's `advance` finds them."""
    found = [] if progress.changed_s is None else [progress.changed_s // slot_s * slot_s]
    for meter, what, slot, known_s in store.waiting():
        if what == STUCK:
            continue
        end_s = end_s_of(store, meter)
        silent = end_s < 0 or now_s - end_s > silence_s
        if (what == LATE and (silent or end_s >= slot + slot_s)) or (
            what == SILENT and (not silent or end_s > known_s)
        ):
            found.append(slot)
    return found


class _Run(Settlement):
    """Some slots, with the contracts and the parts of load profiles that they need."""

    def __init__(self, store: Store, begin_s: int, now_s: int, slot_s: int, silence_s: int) -> None:
        super().__init__(slot_s, silence_s, {}, Contracts())
        self._store = store
        self._begin_s = self.frontier_s = begin_s
        self._now_s = now_s
        for meter, what, slot, _ in store.waiting():
            if what == SILENT:
                self._given_up[meter] = slot
            else:
                self.stuck[meter] = slot
                if what == LATE:
                    self._late.add(meter)

    def settle(self, store: Store, to_s: int) -> None:
        rows = list(store.contracts(self._begin_s, to_s))
        meters = {kid for row, _ in rows for kid in (row.supplier, row.consumer)} | {*self.stuck, *self._given_up}
        self.load_profiles.update((kid, profile) for kid in meters if (profile := self._profile(kid, to_s)) is not None)
        before: dict[bytes, tuple[Totals, int]] = {}
        for row, totals in rows:
            contract = self.agreed.by_id[row.id] = StoredContract(row)
            before[row.id] = (totals, self._restore(contract, totals))
        self._fold(to_s)
        fills, changed = [], []
        for name, fill in self.fills.items():
            totals, known = before[name]
            slots = list(zip(fill.starts, fill.carried, fill.short, fill.spare, strict=True))[known:]
            fills += [(name, start_s, carried, _bounded(short), spare) for start_s, carried, short, spare in slots]
            new = Totals(fill.carried_wh, _bounded(fill.short_wh), fill.spare_wh, fill.closed_s, fill.unused_wh)
            if new != totals:
                changed.append((name, new))
        waiting = [Waiting(kid, STUCK, slot, self._end_s(kid)) for kid, slot in self.stuck.items()]
        waiting += [Waiting(kid, LATE, self.stuck[kid], self._end_s(kid)) for kid in self._late]
        waiting += [Waiting(kid, SILENT, slot, self._end_s(kid)) for kid, slot in self._given_up.items()]
        store.keep_settled(waiting, fills, changed)

    def _profile(self, kid: bytes, to_s: int) -> Window | None:
        """A meter's points from the last before the first slot to the first behind the last one."""
        end_s = end_s_of(self._store, kid)
        if end_s < 0:
            return None
        from_s = self._store.points_around(kid, self._begin_s)[0].unix_s
        until_s = self._store.points_around(kid, to_s)[-1].unix_s
        return Window(self.slot_s, self._store.points(kid, from_s, until_s), end_s)

    def _restore(self, contract: StoredContract, totals: Totals) -> int:
        """Go on from what it carried before; how many slots are stored of it, 0 or 1 for all of them."""
        found = self._store.filled_before(contract.id, self._begin_s)
        fill = self.fill(contract)
        fill.closed_s, fill.unused_wh = totals.closed_s, totals.unused_wh
        if found is not None:
            fill.starts, fill.carried, fill.short, fill.spare = ([value] for value in found)
        return len(fill.starts)


def _bounded(wh: int) -> int:
    """As a store can hold it: what a contract of absurd size is short of sums up to more."""
    return min(wh, kinds.MAX_UINT)
