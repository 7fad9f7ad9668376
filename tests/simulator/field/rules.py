"""What must always hold of what a meter publishes: one entry a sequence, registers that rise, energy as it was used."""

from wattpact_protocol.log import entry, event_codes, kinds, readings
from wattpact_protocol.sealing import epochs, period_keys, unsealing

from simulator.field.truth import MOST_W, WMS_PER_WH

LATE_MS = 12_000  # a reading is published so long after its end, at most
LEAST_WH = 10  # lost or charged too much, over all resets; or a hundredth of the energy


class Violation(BaseException):
    """A rule does not hold; rule: its name. No task of the application catches it."""

    def __init__(self, rule, text):
        super().__init__(rule + ": " + text)
        self.rule = rule


class Sequences:
    """No two entries in one place of the log. unsent_again: places of entries that nobody had received."""

    def __init__(self):
        self._written = {}
        self._sent = {}
        self.unsent_again = 0

    def written(self, new):
        place = (new.generation, new.sequence)
        if self._sent.get(place, new.id) != new.id:
            raise Violation("sequence", "%d/%d is signed twice, and the first was sent" % place)
        if self._written.get(place, new.id) != new.id:
            self.unsent_again += 1
        self._written[place] = new.id

    def sent(self, new):
        place = (new.generation, new.sequence)
        if self._sent.setdefault(place, new.id) != new.id:
            raise Violation("sequence", "%d/%d is sent with two contents" % place)

    def __len__(self):
        return len(self._written)


class Unsealer:
    """Unseals what the meter sealed, with the issuer's key."""

    def __init__(self, host):
        self._host = host
        self._secrets = {}
        self._epochs = {}
        self._opening = unsealing.Unsealing(host.community, self._key_of)

    def unseal(self, new):
        place = (self._host.community, new.kid)
        if new.kind == kinds.KEY_EPOCH:
            secret = epochs.unwrap(self._host.issuer.key.sealing_secret, self._host.issuer.kid, place, new.body)
            self._once(self._secrets, (new.generation, new.body["number"]), secret)
        elif new.kind == kinds.KEY_OPEN:
            self._once(self._epochs, (new.generation, new.body["key_no"]), new.body["epoch"])
            if not self._opening.follow(new):
                raise Violation("keys", "key %d is opened with two commitments" % new.body["key_no"])
        return self._opening.unseal(new)

    @staticmethod
    def _once(held, place, value):
        if held.setdefault(place, value) != value:
            raise Violation("keys", "number %r is used twice" % (place,))

    def _key_of(self, kid, generation, key_no):
        secret = self._secrets[generation, self._epochs[generation, key_no]]
        return period_keys.period_key(secret, kid, key_no)


class Registers:
    """Registers as published: none falls within a generation; and what they charge. spans: generation -> register ->
    [lowest, by the newest reading, highest]; events are ahead of the reading that runs."""

    def __init__(self):
        self.spans = {}
        self._shown = (0, {})  # what the running meter shows: (generation, registers)

    def published(self, generation, values_wh, in_reading=True):
        span = self.spans.setdefault(generation, {})
        for number, wh in values_wh.items():
            if number >= readings.FIRST_INSTANTANEOUS:
                continue
            held = span.setdefault(number, [wh, wh, wh])
            if wh < held[1]:
                raise Violation("register", "%d of generation %d fell: %d, %d" % (number, generation, held[1], wh))
            held[1] = wh if in_reading else held[1]
            held[2] = max(held[2], wh)

    def shown(self, generation, values_wh):
        """By the running meter, between two starts."""
        held_generation, held = self._shown
        if generation < held_generation:
            raise Violation("register", "generation %d follows %d" % (generation, held_generation))
        if generation == held_generation:
            for number, wh in held.items():
                if values_wh.get(number, wh) < wh:
                    raise Violation("register", "%d shows %d after %d" % (number, values_wh[number], wh))
        self._shown = (generation, values_wh)

    def restarted(self):
        self._shown = (0, {})

    def charged_wh(self, number):
        return sum([span[number][2] - span[number][0] for span in self.spans.values() if number in span])


class Ledger:
    """Everything a meter publishes, entry by entry, against the truth."""

    def __init__(self, host, truth):
        self._host = host
        self._truth = truth
        self._unsealer = Unsealer(host)
        self.sequences = Sequences()
        self.registers = Registers()
        self.attributed = {}  # contract -> Wh
        self.counts = {}  # kind -> entries
        self.more_wms = {readings.IMPORT_WH: 0, readings.EXPORT_WH: 0}  # that may be missing
        self.seen_wms = [0, 0]  # imported and exported when a reading was published last
        self._closing = {}  # registers of a generation that ended, until the next is known

    def written(self, raw):
        """An entry is in the journal."""
        new = entry.decode(raw, self._host.community)
        self.sequences.written(new)
        new = self._unsealer.unseal(new)
        self.counts[new.kind] = self.counts.get(new.kind, 0) + 1
        body = new.body
        if new.kind == kinds.READING:
            self._read(body)
        elif new.kind == kinds.EVENT and body["code"] == event_codes.REGISTER_CLOSE:
            self._closing = body["registers"]
        elif new.kind == kinds.EVENT and body["code"] == event_codes.REGISTER_OPEN:
            self.registers.published(body["detail"] - 1, self._closing, False)
            self._closing = {}
            self.registers.published(body["detail"], body["registers"], False)
        elif new.kind in (kinds.USAGE, kinds.USAGE_END):
            self._attribute(body)

    def _read(self, body):
        generation = body["register_generation"]
        values = body["registers"]
        self.registers.published(generation, {number: row[0] for number, row in values.items()})
        self.registers.published(generation, {number: readings.end_value(body, number) for number in values})
        if readings.intervals(body):  # else it shows where a generation ended or began, maybe long ago
            self.seen_wms = [self._truth.import_wms, self._truth.export_wms]
        self.check_most()

    def _attribute(self, body):
        contract, wh = body["contract"], body["attributed_wh"]
        grant = self._host.grants.get(contract)
        if grant is None:
            raise Violation("attributed", "contract %s was never granted" % contract.hex()[-4:])
        if not self.attributed.get(contract, 0) <= wh <= grant["wh"]:
            before = self.attributed.get(contract, 0)
            raise Violation("attributed", "%d Wh after %d of %d Wh" % (wh, before, grant["wh"]))
        self.attributed[contract] = wh
        self._most("attributed", sum(self.attributed.values()), self._truth.import_wms)

    def _used(self):
        return (readings.IMPORT_WH, self._truth.import_wms), (readings.EXPORT_WH, self._truth.export_wms)

    def check_most(self):
        """No more is charged than was used."""
        for number, used_wms in self._used():
            self._most("charged", self.registers.charged_wh(number), used_wms)

    def _most(self, rule, wh, used_wms):
        most_wh = used_wms // WMS_PER_WH + self.bound_wh(used_wms) + 2 * len(self.registers.spans)
        if wh > most_wh:
            raise Violation(rule, "%d Wh, of %d Wh used" % (wh, used_wms // WMS_PER_WH))

    def check_least(self):
        """No less is charged than was used, up to the newest reading."""
        for number, used_wms in ((readings.IMPORT_WH, self.seen_wms[0]), (readings.EXPORT_WH, self.seen_wms[1])):
            wh = self.registers.charged_wh(number)
            least_wh = (used_wms - self.more_wms[number] - MOST_W * LATE_MS) // WMS_PER_WH
            if wh < least_wh - self.bound_wh(used_wms) - 2 * len(self.registers.spans):
                text = "register %d: %d Wh, of %d Wh used, of which %d Wh could be missing"
                missing_wh = self.more_wms[number] // WMS_PER_WH
                raise Violation("lost", text % (number, wh, used_wms // WMS_PER_WH, missing_wh))

    def excuse(self, import_wms, export_wms):
        """Energy that nobody could have measured."""
        self.more_wms[readings.IMPORT_WH] += import_wms
        self.more_wms[readings.EXPORT_WH] += export_wms

    @staticmethod
    def bound_wh(used_wms):
        return max(LEAST_WH, used_wms // WMS_PER_WH // 100)
