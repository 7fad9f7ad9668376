"""A meter's registers against time: what settlement knows of its consumption and its export.

    readings, oldest first -> points (unix_s, import_wh, export_wh) -> registers at any slot boundary

What always holds: times rise and registers never fall, whatever register generations the points come from; between two
points energy is spread evenly, rounded down, so the parts between them always add up to the whole.
Specification: docs/spec/settlement.md, "Registers at slot boundaries".
"""

from wattpact_protocol.log import readings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class LoadProfile:
    """Both registers of one meter. They run on flat through a change of register generation: nothing is made up."""

    def __init__(self, slot_s: int) -> None:
        self.slot_s = slot_s
        self.times: list[int] = []
        self.imports: list[int] = []
        self.exports: list[int] = []
        # Wh both ways in slots known exactly and not flagged as estimated, summed up to each point.
        self.measured: list[int] = []
        self.end_s = -1  # the time of the last point; -1 where there is none
        self._generation = -1
        self._offsets = (0, 0)
        self._boundary = (-1, 0, 0)
        self._is_clean = True
        self._near = 0

    def add(self, body: "dict[str, Any]") -> None:
        """Append the points of a reading that holds against those before it (`continuity`)."""
        imported, import_deltas = body["registers"][readings.IMPORT_WH]
        exported, export_deltas = body["registers"][readings.EXPORT_WH]
        unix_s, step_s = body["t0_s"], body["step_s"]
        estimated = bool(body["quality"] & readings.ESTIMATED)
        if body["register_generation"] != self._generation:
            # A point that an older generation has already covered is left out: the next one starts the new count.
            while import_deltas and unix_s < self.end_s:
                unix_s += step_s
                imported += import_deltas[0]
                exported += export_deltas[0]
                import_deltas, export_deltas = import_deltas[1:], export_deltas[1:]
            if unix_s < self.end_s:
                return
            self._rebase(body["register_generation"], imported, exported, unix_s > self.end_s)
        self._add_point(unix_s, imported, exported, False)
        skipped = len(body["registers"][readings.IMPORT_WH][1]) - len(import_deltas)
        mask = body["bad_mask"] >> skipped
        for i in range(len(import_deltas)):
            unix_s += step_s
            imported += import_deltas[i]
            exported += export_deltas[i]
            self._add_point(unix_s, imported, exported, estimated or bool(mask >> i & 1))

    def _rebase(self, generation: int, imported: int, exported: int, has_gap: bool) -> None:
        if self.times:
            self._offsets = (self.imports[-1] - imported, self.exports[-1] - exported)
            self._is_clean = self._is_clean and not has_gap
        self._generation = generation

    def _add_point(self, unix_s: int, imported: int, exported: int, estimated: bool) -> None:
        imported += self._offsets[0]
        exported += self._offsets[1]
        measured_wh = 0
        if self.times:
            if unix_s <= self.times[-1]:
                return
            measured_wh = self.measured[-1]
        if estimated:
            self._is_clean = False
        if unix_s % self.slot_s == 0:
            at_s, import_before, export_before = self._boundary
            if self._is_clean and at_s == unix_s - self.slot_s:
                measured_wh += imported - import_before + exported - export_before
            self._boundary = (unix_s, imported, exported)
            self._is_clean = True
        self.end_s = unix_s
        self.times.append(unix_s)
        self.imports.append(imported)
        self.exports.append(exported)
        self.measured.append(measured_wh)

    def _find(self, unix_s: int) -> int:
        """The index of the last point at or before that time; -1 where there is none."""
        times = self.times
        if not times or unix_s < times[0]:
            return -1
        low = self._near
        # Settlement looks up one boundary after the other: the index is most often the last one's neighbour.
        if times[low] <= unix_s:
            if low + 1 == len(times) or unix_s < times[low + 1]:
                return low
            if low + 2 == len(times) or unix_s < times[low + 2]:
                self._near = low + 1
                return low + 1
        low, high = 0, len(times)
        while high - low > 1:
            middle = (low + high) // 2
            if times[middle] <= unix_s:
                low = middle
            else:
                high = middle
        self._near = low
        return low

    def at(self, unix_s: int) -> "tuple[int, int]":
        """(import Wh, export Wh) at that time; held flat outside the points."""
        i = self._find(unix_s)
        if i < 0:
            return (self.imports[0], self.exports[0]) if self.times else (0, 0)
        imported, exported = self.imports[i], self.exports[i]
        before_s = self.times[i]
        if before_s == unix_s or i + 1 == len(self.times):
            return imported, exported
        share_s, whole_s = unix_s - before_s, self.times[i + 1] - before_s
        return (
            imported + (self.imports[i + 1] - imported) * share_s // whole_s,
            exported + (self.exports[i + 1] - exported) * share_s // whole_s,
        )

    def estimated_wh(self, from_s: int, to_s: int) -> int:
        """Wh both ways, between two slot boundaries, of slots that no two points enclose or that a meter estimated."""
        first, last = self._find(from_s), self._find(to_s)
        import_before, export_before = self.at(from_s)
        imported, exported = self.at(to_s)
        known_wh = (self.measured[last] if last >= 0 else 0) - (self.measured[first] if first >= 0 else 0)
        return imported - import_before + exported - export_before - known_wh

    def gaps(self, from_s: int, to_s: int) -> "list[tuple[int, int]]":
        """Times (from, to) between two points with a slot boundary of that window inside."""
        found = []
        for i in range(max(0, self._find(from_s)), len(self.times) - 1):
            start_s, end_s = self.times[i], self.times[i + 1]
            if start_s >= to_s:
                break
            next_boundary_s = start_s // self.slot_s * self.slot_s + self.slot_s
            if next_boundary_s < end_s and end_s > from_s:
                found.append((start_s, end_s))
        return found
