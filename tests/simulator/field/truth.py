"""What is truly used: a load that a seed draws, behind a relay and on mains that may fail.

Energy is in W * ms, as integers; WMS_PER_WH of them are one Wh. Nothing here is the firmware's.
"""

WMS_PER_WH = 3_600_000
MOST_W = 7_500
_LOADS_W = (0, 60, 230, 700, 700, 1500, 2200, 3600, 7200, -900, -2800)


class Truth:
    """Truth(bits). watts: what the load would draw, negative where it feeds in; import_wms, export_wms: what it did."""

    def __init__(self, bits):
        self._bits = bits
        self.ms = 0
        self.has_mains = True
        self.is_closed = False
        self.watts = 230
        self._changes_ms = 60_000
        self.import_wms = 0
        self.export_wms = 0

    def advance(self, to_ms):
        """Go on to that moment; what flowed meanwhile, as a list of (watts, ms)."""
        flows = []
        while self.ms < to_ms:
            if self._changes_ms <= self.ms:
                self._change()
            end_ms = min(to_ms, self._changes_ms)
            watts = self.watts if self.has_mains and self.is_closed else 0
            self._count(watts, end_ms - self.ms)
            flows.append((watts, end_ms - self.ms))
            self.ms = end_ms
        return flows

    def used_wms(self):
        """Imported and exported since the start."""
        return self.import_wms, self.export_wms

    def used_since(self, before_wms):
        return [self.import_wms - before_wms[0], self.export_wms - before_wms[1]]

    def _change(self):
        self.watts = self._bits.choice(_LOADS_W)
        if self.watts > 0:
            self.watts += self._bits.below(MOST_W - 7_200)
        self._changes_ms = self.ms + 30_000 + 1000 * self._bits.below(1_200)

    def _count(self, watts, ms):
        if watts >= 0:
            self.import_wms += watts * ms
        else:
            self.export_wms -= watts * ms


class Ct:
    """A source of measured energy: what flowed while the meter ran, a whole period at a time."""

    pause_ms = 100

    def __init__(self, measurement, shown_register):
        self._measurement = measurement
        self._shown = shown_register
        self._flows = []
        self.rejected = {}

    def follow(self, flows):
        self._flows += flows

    def read(self, now_us):
        flows, self._flows = self._flows, []
        return [
            self._measurement([watts * ms * 1_000_000], ms * 1000, {self._shown: watts}) for watts, ms in flows if ms
        ]
