"""A meter's flash in memory, whose power can be cut at any durable write: what a journal and a store keep there."""

from wattpact_meter import load_order

load_order.load()  # from the bottom up: nested imports take more stack than MicroPython has

from wattpact_meter.storage.journal import JournalFull  # noqa: E402
from wattpact_meter.storage.store import MAX_VALUE_BYTES  # noqa: E402
from wattpact_protocol.encoding import cbor  # noqa: E402


class PowerCut(Exception):
    """The meter lost power in the middle of what it did."""


class Flash:
    """What survives a power cut. cut_in: durable writes until the power goes, before or after the last takes effect."""

    def __init__(self, limit=100_000):
        self.entries = []
        self.first = 0
        self.values = {}
        self.limit = limit
        self.writes = 0
        self.cut_in = None
        self.cut_after = False

    def write(self, effect):
        self.writes += 1
        if self.cut_in is not None:
            self.cut_in -= 1
            if self.cut_in <= 0:
                self.cut_in = None
                if self.cut_after:
                    effect()
                raise PowerCut("at write %d" % self.writes)
        effect()


class Journal:
    def __init__(self, flash):
        self._flash = flash
        self.corrupt = False
        self.missing = []
        self.lost_to = 0

    @property
    def first(self):
        return self._flash.first

    @property
    def next_sequence(self):
        return self._flash.first + len(self._flash.entries)

    def append(self, raw, sequence):
        assert sequence == self.next_sequence, "sequence %d is used twice or skipped" % sequence
        if len(self._flash.entries) >= self._flash.limit:
            raise JournalFull("full")
        self._flash.write(lambda: self._flash.entries.append(raw))

    def read(self, sequence):
        place = sequence - self._flash.first
        return self._flash.entries[place] if 0 <= place < len(self._flash.entries) else None

    def read_steps(self, sequence):
        yield
        return self.read(sequence)

    def last(self):
        return self._flash.entries[-1] if self._flash.entries else None

    def drop_broken(self):
        pass

    def skip_to(self, sequence):
        assert sequence == self.next_sequence

    def clear(self):
        def drop():
            self._flash.entries = []
            self._flash.first = 0

        self._flash.write(drop)

    def prune(self, before):
        count = min(before - self._flash.first, len(self._flash.entries) - 1)
        if count > 0:

            def drop():
                del self._flash.entries[:count]
                self._flash.first += count

            self._flash.write(drop)


class Store:
    """Keeps bytes, as flash does, so that nothing is shared with what the meter changes later."""

    def __init__(self, flash):
        self._flash = flash
        self.corrupt = {name for name, data in flash.values.items() if data is None}
        self.is_saving = False

    def load(self, name):
        data = self._flash.values.get(name)
        return None if data is None else cbor.decode(data, limit=MAX_VALUE_BYTES)

    def condemn(self, name):
        self._flash.values[name] = None
        self.corrupt.add(name)

    def save(self, name, value):
        self._write(name, cbor.encode(value))

    def save_steps(self, name, value):
        self.is_saving = True
        try:
            data = yield from cbor.encode_steps(value, 4)
        finally:
            self.is_saving = False
        self._write(name, data)

    def _write(self, name, data):
        assert len(data) <= MAX_VALUE_BYTES, "%s is %d bytes" % (name, len(data))

        def put():
            self._flash.values[name] = data

        self._flash.write(put)
        self.corrupt.discard(name)
