"""The grid operator's meter with a P1 port, and the line from it, on which telegrams are lost, late or damaged."""

from simulator.field.truth import WMS_PER_WH

_HEADS = (b"XYZ5\\T211 ESMR 5.0", b"ISk5\\2MT382-1000", b"KFM5KAIFA-METER")


def crc16(data):
    """CRC-16/ARC, bit by bit from a table that is made here."""
    crc = 0
    for byte in data:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc


def _row(value):
    for _ in range(8):
        value = (value >> 1) ^ (0xA001 if value & 1 else 0)
    return value


_TABLE = [_row(value) for value in range(256)]


class UtilityMeter:
    """UtilityMeter(head, serial, import_wh, export_wh): serial None is one that shows none; by_tariff: no totals."""

    def __init__(self, head, serial, import_wh, export_wh, by_tariff=False):
        self.head = head
        self.serial = serial
        self.start_wms = import_wh * WMS_PER_WH
        self.import_wms = self.start_wms
        self.export_wms = export_wh * WMS_PER_WH
        self.by_tariff = by_tariff
        self._low_wh = import_wh // 3

    def follow(self, flows):
        for watts, ms in flows:
            if watts >= 0:
                self.import_wms += watts * ms
            else:
                self.export_wms -= watts * ms

    @property
    def import_wh(self):
        return self.import_wms // WMS_PER_WH

    @property
    def export_wh(self):
        return self.export_wms // WMS_PER_WH

    def telegram(self, watts, text=b"", zeros=False):
        """One telegram as this meter sends it; `text` is in its message line, zeros: every register as 0."""
        imported, exported = (0, 0) if zeros else (self.import_wh, self.export_wh)
        lines = [b"/" + self.head, b"", b"1-3:0.2.8(50)"]
        if self.serial is not None:
            lines.append(b"0-0:96.1.1(%s)" % self.serial)
        if self.by_tariff:
            low_wh = min(self._low_wh, imported)
            lines += [_energy(b"1-0:1.8.1", low_wh), _energy(b"1-0:1.8.2", imported - low_wh)]
            lines += [_energy(b"1-0:2.8.1", 0), _energy(b"1-0:2.8.2", exported)]
        else:
            lines += [_energy(b"1-0:1.8.0", imported), _energy(b"1-0:2.8.0", exported)]
        lines.append(b"1-0:1.7.0(%02d.%03d*kW)" % divmod(max(0, watts), 1000))
        lines.append(b"1-0:2.7.0(%02d.%03d*kW)" % divmod(max(0, -watts), 1000))
        if text:
            lines.append(b"0-0:96.13.0(" + text + b")")
        body = b"\r\n".join(lines) + b"\r\n!"
        return body + b"%04X\r\n" % crc16(body)


def _energy(code, wh):
    return code + b"(%06d.%03d*kWh)" % divmod(wh, 1000)


def made(bits, import_wh, export_wh=0, like=None):
    """A meter as a seed has it; `like`: another of that meter's model, without a serial where that one shows none."""
    if like is not None:
        serial = None if like.serial is None else bits.bytes(6).hex().encode()
        return UtilityMeter(like.head, serial, import_wh, export_wh, like.by_tariff)
    serial = None if bits.below(3) == 0 else bits.bytes(6).hex().encode()
    return UtilityMeter(bits.choice(_HEADS), serial, import_wh, export_wh, bits.below(3) == 0)


class Line:
    """The serial line: what has come of what was sent, by the faults that are set. good: telegrams that came whole."""

    def __init__(self, bits, period_ms):
        self._bits = bits
        self.period_ms = period_ms
        self.next_ms = period_ms
        self.faults = []  # [kind, telegrams that it is for]
        self._under_way = []  # (ms, bytes)
        self._come = b""
        self.good = 0
        self.is_down = False

    def send(self, ms, meter, watts, has_mains):
        """The telegram of this moment."""
        self.next_ms = ms + self.period_ms
        if not has_mains:
            return
        kind = self._fault()
        if kind == "lost":
            return
        data = meter.telegram(watts, b"\xff\xfe3" if kind == "text" else b"", kind == "zeros")
        late_ms = 0
        if kind == "late":
            late_ms = 1 + self._bits.below(3 * self.period_ms)
        elif kind in ("flipped", "cut", "noise"):
            data = self._damaged(kind, data)
        elif kind is None and not self.is_down:
            self.good += 1
        self._under_way.append((ms + late_ms, data))

    def _fault(self):
        if not self.faults:
            return None
        fault = self.faults[0]
        fault[1] -= 1
        if fault[1] <= 0:
            self.faults.pop(0)
        return fault[0]

    def _damaged(self, kind, data):
        at = self._bits.below(len(data))
        if kind == "cut":
            return data[:at]
        if kind == "noise":
            return data[:at] + self._bits.bytes(1 + self._bits.below(20)) + data[at:]
        return data[:at] + bytes([data[at] ^ (1 << self._bits.below(8))]) + data[at + 1 :]

    def arrive(self, ms):
        """What is on the line by now may be read."""
        due = [row for row in self._under_way if row[0] <= ms]
        if due:
            self._under_way = [row for row in self._under_way if row[0] > ms]
            self._come += b"".join([data for _, data in sorted(due)])
            self._come = self._come[-4096:]

    def arrives_ms(self):
        """When the next byte is due."""
        return min([self.next_ms] + [row[0] for row in self._under_way])

    def forget(self):
        """The meter that reads it was reset."""
        self._come = b""

    def read(self):
        come, self._come = self._come, b""
        return come
