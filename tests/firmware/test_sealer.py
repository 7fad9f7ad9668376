"""Sealing on the meter: what is measured leaves it sealed, whatever changes, breaks, is lost or is set back."""

import json

import case
from simulator import flash
from simulator.community import BY_THEMSELVES, NEVER, START_S
from simulator.driving import measure, power, tick
from simulator.enrolled import EnrolledApp
from simulator.household import Household
from simulator.memory_flash import Flash, PowerCut, Store
from simulator.network import World
from simulator.peer import with_peer
from simulator.unsealing import Unsealer
from wattpact_meter import status
from wattpact_meter.clock import Now
from wattpact_meter.log import sealer
from wattpact_meter.log.trust import Trust
from wattpact_meter.metering import intervals
from wattpact_protocol import steps
from wattpact_protocol.encoding import cbor
from wattpact_protocol.log import entry, event_codes, kinds, roles
from wattpact_protocol.sealing import content, period_keys
from wattpact_protocol.settlement import register_rules

MEASURED = (kinds.READING, kinds.USAGE_START, kinds.USAGE, kinds.USAGE_END)
KEYS = (kinds.KEY_EPOCH, kinds.KEY_OPEN)
EPOCH, OPEN = KEYS


def alone(load=lambda ms, closed: 3600, sealed=True, step_ms=250, **settings):
    """One enrolled household with an owner."""
    community = with_peer(seals=BY_THEMSELVES if sealed else NEVER)
    household = Household(community, "alone", load, **settings)
    world = World(community, [household], step_ms=step_ms)
    world.owner = community.person("owner")
    community.enrol(household, world.owner)
    community.quick_policy()
    return world, community, household


def raw_entries(household):
    """What the meter holds, as it travels."""
    journal = household.journal
    held = [journal.read(sequence) for sequence in range(journal.first, journal.next_sequence)]
    return [entry.decode(raw, household.community.id) for raw in held]


def keys_of(household):
    """(kind, number) of its entries about keys."""
    return [
        (new.kind, new.body.get("key_no") or new.body["number"]) for new in raw_entries(household) if new.kind in KEYS
    ]


def check_sealed(household, since=0):
    """Nothing that was measured is open, and the operator opens all of it."""
    count = 0
    for new in raw_entries(household)[since:]:
        if new.kind in MEASURED or "registers" in new.body:
            assert new.is_sealed, new
        count += new.is_sealed
    assert not [new for new in household.entries() if new.is_sealed]
    return count


def check_readings(household):
    registers = register_rules.RegisterRules(10_000)
    for new in household.community.entries:
        if new.kid == household.kid and new.kind == kinds.READING and not new.is_sealed:
            assert registers.apply(new.body) is None, (new, new.body)


def seen_by(household, reader):
    """The meter's sealed entries that one reader can open, and those it cannot."""
    unsealer, seen, hidden = Unsealer(household.community.id, [reader]), [], []
    for new in raw_entries(household):
        assert unsealer.follow(new)
        if new.is_sealed:
            (hidden if unsealer.unseal(new).is_sealed else seen).append(new.sequence)
    return seen, hidden


def test_what_is_measured_is_sealed_and_opens_to_what_it_was():
    world, community, household = alone(lambda ms, closed: 3600 if closed else 0)
    measured, seal_steps = [], household.meter.sealer.seal_steps

    def note(kind, body):
        sealed = yield from seal_steps(kind, body)
        if sealed is not body:
            measured.append((kind, dict(body)))
        return sealed

    household.meter.sealer.seal_steps = note
    world.run(4)
    community.give(household, 20)
    world.run(40)
    assert [new.kind for new in raw_entries(household)[:3]] == [EPOCH, OPEN, kinds.EVENT]
    assert keys_of(household) == [(EPOCH, 1), (OPEN, 1)]
    assert check_sealed(household) == len(measured) > 15
    raws = raw_entries(household)
    opened = [(new.kind, new.body) for new, raw in zip(household.entries(), raws) if raw.is_sealed]
    assert opened == measured
    for kind in MEASURED:
        assert kind in [kind for kind, _ in opened]
    held = [new for new in community.entries if new.kid == household.kid]
    assert [new.body for new in held] == [new.body for new in household.entries()][: len(held)]
    assert seen_by(household, world.owner)[1] == [] and len(seen_by(household, world.owner)[0]) == len(measured)
    assert seen_by(household, community.person("neighbour"))[0] == []


def test_without_a_sealing_key_in_the_community_readings_are_open():
    world, community, household = alone(sealed=False)
    world.run(20)
    held = raw_entries(household)
    assert not [new for new in held if new.is_sealed or new.kind in KEYS] and len(held) > 3
    community.seals = BY_THEMSELVES
    community.certify(community.issuer, community.root, roles.ISSUER, 2)
    world.run(20)
    assert keys_of(household) == [(EPOCH, 1), (OPEN, 1)]
    later = [new for new in raw_entries(household) if new.kind == kinds.READING][-2:]
    assert later[0].is_sealed and later[1].is_sealed
    community.seals = NEVER  # the key is withdrawn: nobody else can read, so nothing is opened to all
    community.certify(community.issuer, community.root, roles.ISSUER, 3)
    world.run(20)
    household.boot(world.ms)
    world.run(20)
    assert [new for new in raw_entries(household) if new.kind == kinds.READING][-1].is_sealed
    check_readings(household)


def test_a_new_owner_and_the_one_before_do_not_read_each_other():
    world, community, household = alone()
    world.run(12)
    moved_in = community.person("moved in")
    world.run(2)
    before = household.journal.next_sequence
    community.enrol_again(household, moved_in)
    world.run(12)
    old, new = seen_by(household, world.owner), seen_by(household, moved_in)
    assert old[0] and new[0] and old[0] == new[1] and new[0] == old[1]
    assert max(old[0]) < min(new[0]) and min(new[0]) >= before
    assert keys_of(household) == [(EPOCH, 1), (OPEN, 1), (EPOCH, 2), (OPEN, 2)]
    community.enrol_again(household, moved_in, epoch=1)  # the same owner in another tenancy
    world.run(12)
    assert keys_of(household)[4:] == [(EPOCH, 3), (OPEN, 3)] and check_sealed(household)
    community.certify(moved_in, community.issuer, roles.PERSON, 2, sealing_key=world.owner.key.sealing_secret)
    world.run(12)
    assert keys_of(household)[6:] == [(EPOCH, 4), (OPEN, 4)]
    community.certify(community.host, community.issuer, roles.HOST, 2)
    community.person("somebody else")
    world.run(12)
    assert len(keys_of(household)) == 8, "an epoch begins only with its readers"
    check_readings(household)


def test_an_epoch_goes_on_over_a_restart():
    world, community, household = alone()
    world.run(12)
    for _ in range(3):
        household.boot(world.ms)
        world.run(8)
    assert keys_of(household) == [(EPOCH, 1), (OPEN, 1)] and check_sealed(household) > 8
    household.clock_known = False  # as after most starts: the day comes later
    household.boot(world.ms)
    world.run(4)
    household.clock_known = True
    world.run(12)
    assert keys_of(household) == [(EPOCH, 1), (OPEN, 1)]
    check_readings(household)


def test_each_day_has_its_key():
    world, community, household = alone(step_ms=60_000, step_s=3600)
    world.run(3 * 86_400)
    assert keys_of(household) == [(EPOCH, 1)] + [(OPEN, number) for number in range(1, 5)]
    opened = [new for new in raw_entries(household) if new.kind == OPEN]
    assert [new.stamp.unix_s // 86_400 - START_S // 86_400 for new in opened] == [0, 1, 2, 3]
    for new in raw_entries(household):
        if new.is_sealed:
            day = new.stamp.unix_s // 86_400 - START_S // 86_400
            assert new.body["sealed"].key_no == day + 1
    check_sealed(household)


def test_without_a_clock_entries_are_counted():
    before, sealer.MAX_ENTRIES = sealer.MAX_ENTRIES, 20
    try:
        world, community, household = alone()
        household.clock_known = False
        world.run(5)
        for number in range(70):
            household.meter.events.note(event_codes.TAMPER, {"registers": {1: number}})
            world.run(1)
            if number == 30:
                household.boot(world.ms)
        places = [new.sequence for new in raw_entries(household) if new.kind == OPEN]
        assert len(places) == 4
        assert [later - place for place, later in zip(places, places[1:])] == [21] * 3  # itself, and 20 under it
        check_sealed(household)
    finally:
        sealer.MAX_ENTRIES = before


def test_a_cut_at_any_write_uses_no_number_twice():
    """Cuts from the first entry of the host on: between what is kept and the entry that shows it, and elsewhere."""
    boots = 0
    for after in (False, True):
        for first in range(1, case.scale(40, 12)):
            world, community, household = alone(step_ms=500)
            heir = community.person("heir")
            cuts = [first, 1, 2, 3]

            def cut(household, world=world, cuts=cuts, after=after):
                while True:
                    household.flash.cut_in, household.flash.cut_after = (cuts.pop(0) if cuts else None), after
                    try:
                        return household.boot(world.ms)
                    except PowerCut:
                        pass

            world.on_cut = cut
            cut(household)
            world.run(8)
            community.enrol_again(household, heir)
            world.run(12)
            assert household.boots > 1 and check_sealed(household), (after, first)
            assert seen_by(household, heir)[0]
            boots += household.boots
            numbers = [number for kind, number in keys_of(household) if kind == OPEN]
            assert numbers == sorted(set(numbers))
            check_readings(household)
    assert boots > case.scale(200, 60), boots


def test_lost_secrets_begin_anew_above_all_that_was_used():
    for damaged in (None, b"\x80", cbor.encode([0, bytes(32), [], 1, 1, 1])):
        world, community, household = alone(lambda ms, closed: 720 if closed else 0)
        world.run(4)
        grant = community.give(household, 500)
        world.run(20)
        held, kept_wh = household.journal.next_sequence, household.meter.registers()[1]
        household.flash.values["sealing"] = damaged
        household.flash.values["registers"] = None
        household.boot(world.ms)
        world.run(20)
        published = [new.kind for new in raw_entries(household)[held:]]
        assert published[:2] == [EPOCH, OPEN] and check_sealed(household)
        (_, epoch), (_, key_no) = keys_of(household)[-2:]
        assert epoch > held and key_no > held, "a number of the past may have been used"
        said = [new.body for new in household.entries() if new.kind == kinds.EVENT]
        assert "sealing" in [body["text"] for body in said if body["code"] == event_codes.STATE_CORRUPT][0]
        assert not household.meter.checkpoint.lost == [] and household.meter.sealer.lost
        # Of what is sealed with the lost secret only the open part is known, which is enough not to publish it again.
        assert published.count(kinds.USAGE_START) == 0 and household.closed
        assert household.meter.usage.grants[0].contract == grant.body["contract"]
        assert household.meter.usage.grants[0].used_from_s and kept_wh
        ends = [new.body["t0_s"] for new in household.entries(kinds.READING)]
        assert ends == sorted(ends)


def test_nothing_is_published_plain_by_a_meter_that_forgot_whom_to_trust():
    for names in (("trust",), ("trust", "sealing")):
        world, community, household = alone()
        world.run(12)
        world.network.up = False
        for name in names:
            household.flash.values[name] = None
        household.boot(world.ms)
        world.run(20)
        since = [new for new in raw_entries(household) if new.stamp.boot == 2]
        if "sealing" in names:
            assert not [new for new in since if new.is_sealed or new.kind == kinds.READING]
        else:
            assert [new for new in since if new.kind == kinds.READING]
        world.network.up = True
        world.run(30)
        assert len(raw_entries(household)) > len(since) + 4 and check_sealed(household)
        assert len(keys_of(household)) == 2 * len(names)
        check_readings(household)


def test_own_entries_are_opened_again_after_a_restart():
    world, community, household = alone(lambda ms, closed: 7200 if closed else 0)
    heir = community.person("heir")
    world.run(4)
    kept = {name: household.flash.values.get(name) for name in ("trader", "usage", "registers")}
    community.give(household, 200)
    world.run(8)
    community.enrol_again(household, heir)  # some of it is sealed with the secret before
    world.run(12)
    usage, registers = household.meter.usage, household.meter.registers()
    before = [(grant.contract, grant.attributed_wh, grant.used_from_s) for grant in usage.grants]
    assert before and before[0][1] > 20
    household.flash.values["registers"] = None
    household.boot(world.ms)
    again = household.meter.registers()
    said = max([new.body["import_wh"] for new in household.entries(kinds.USAGE)])
    assert said <= again[1] <= registers[1]
    household.flash.values["usage"] = household.flash.values["inbox"] = None
    household.flash.values.update({name: data for name, data in kept.items() if data is not None})
    for name in ("usage", "trader"):
        if kept[name] is None:
            household.flash.values.pop(name, None)
    sealed = [new for new in raw_entries(household) if new.kind == kinds.USAGE]
    opened = [household.meter.sealer.unseal(new) for new in sealed]
    assert [new.body for new in opened] == [new.body for new in household.entries(kinds.USAGE)]
    assert len({new.body["sealed"].key_no for new in sealed}) == 2
    household.boot(world.ms)
    assert household.meter.registers()[1] >= said


class Log:
    """A log as far as a sealer looks at it."""

    def __init__(self, generation=0):
        self.generation = generation
        self.is_open = True
        self.is_state_old = False
        self.entries = []

    @property
    def next_sequence(self):
        return len(self.entries)

    def read(self, sequence):
        return self.entries[sequence] if 0 <= sequence < len(self.entries) else None


class Published:
    is_sealed = False

    def __init__(self, kind, body):
        self.kind = kind
        self.body = body


class Bench:
    """A sealer by itself, with the certificates of a community."""

    def __init__(self, log=None, store=None, urandom=None, boot=1):
        self.community = with_peer()
        self.owner = self.community.person("owner")
        self.meter = self.community.author("meter")
        self.community.certify(self.meter, self.community.issuer, roles.METER, owner=self.owner.kid)
        self.store = store or Store(Flash())
        other = Store(Flash())
        trust = Trust(self.community.root.public_key, other, self.community.crypto.verify_steps)
        for new in self.community.certificates:
            steps.finish(trust.learn_steps(new, START_S))
        self.log = log or Log()
        self.sealer = sealer.Sealer(self.meter.kid, trust, self.store, urandom or case.Bits("bench").bytes)
        self.sealer.restore(self.log, boot)

    def due(self, unix_s=START_S, is_said=True):
        """The entry that is due, published at once or not at all."""
        found = None
        steps = self.sealer.due_steps(Now(1000, unix_s))
        while True:
            try:
                next(steps)
            except StopIteration as done:
                found = done.value
                break
        if found is not None and is_said:
            self.log.entries.append(Published(found[0], found[1]))
            self.sealer.published(self.log.entries[-1])
        return found

    def numbers(self):
        """(kind, number) of all that is due until nothing is."""
        found = []
        while True:
            due = self.due()
            if due is None:
                return found
            found.append((due[0], due[1].get("key_no") or due[1]["number"]))


READING = {
    "register_generation": 1, "t0_s": START_S, "step_s": 900, "quality": 0, "calibration": None,
    "registers": {1: [7, [2]], 2: [0, [0]]}, "bad_mask": 0,
}  # fmt: skip


def test_a_new_generation_of_the_log_begins_an_epoch():
    first = Bench()
    assert first.numbers() == [(EPOCH, 1), (OPEN, 1)]
    later = Bench(Log(1), first.store, case.Bits("later").bytes, 2)
    case.raises(period_keys.NoKeyError, steps.finish, later.sealer.seal_steps(kinds.READING, READING))
    assert later.numbers() == [(EPOCH, 2), (OPEN, 2)]
    assert steps.finish(later.sealer.seal_steps(kinds.READING, READING))["sealed"].key_no == 2


def test_what_was_not_published_is_prepared_again():
    bench = Bench()
    first = bench.due(is_said=False)
    writes = bench.store._flash.writes
    again = bench.due(is_said=False)
    assert first == again and first[1]["number"] == 1 and bench.store._flash.writes == writes
    case.raises(period_keys.NoKeyError, steps.finish, bench.sealer.seal_steps(kinds.READING, READING))
    after_cut = Bench(bench.log, bench.store, case.Bits("x").bytes, 2)
    assert after_cut.due()[1]["number"] == 2, "the first may have been published"
    first = after_cut.due(is_said=False)
    writes = bench.store._flash.writes
    assert first == after_cut.due(is_said=False) and bench.store._flash.writes == writes
    after_cut = Bench(bench.log, bench.store, case.Bits("y").bytes, 3)
    assert after_cut.numbers() == [(OPEN, 2)]
    assert Bench(bench.log, bench.store, case.Bits("z").bytes, 4).numbers() == []


def test_broken_randomness_is_rejected_and_nothing_published():
    good = case.Bits("good")
    stuck = good.bytes(32)
    for chance in (lambda n: bytes(n), lambda n: b"\xff" * n, lambda n: stuck[:n], lambda n: b"", lambda n: None):
        bench = Bench(urandom=chance)
        for _ in range(3):
            error = case.raises(period_keys.SealError, bench.due)
            assert str(error) == "randomness failed"
        assert not bench.store._flash.values and not bench.log.entries
        case.raises(period_keys.NoKeyError, steps.finish, bench.sealer.seal_steps(kinds.READING, READING))
        bench.sealer._urandom = good.bytes
        assert bench.numbers() == [(EPOCH, 1), (OPEN, 1)]
    kept = Bench(urandom=good.bytes)
    kept.numbers()
    secret = cbor.decode(kept.store._flash.values["sealing"])[2][0][1]
    after = Bench(Log(1), kept.store, lambda n: secret, 2)
    case.raises(period_keys.SealError, after.due)


def test_a_meter_with_broken_randomness_goes_on_but_for_what_is_sealed():
    world, community, household = alone(lambda ms, closed: 3600 if closed else 0)
    household.meter.sealer._urandom = lambda n: bytes(n)
    world.run(5)
    community.give(household, 50)
    world.run(20)
    assert not household.flash.entries and household.meter.registers()[1] > 10 and household.closed
    assert household.meter.rejected["not_sealed"] > 5
    household.meter.sealer._urandom = case.Bits("mended").bytes
    world.run(60)
    assert check_sealed(household) and len(household.entries(kinds.USAGE_END)) == 1 and not household.closed


def test_readers_without_a_key_that_works_are_not_tried_again():
    world, community, household = alone()
    community.certify(community.issuer, community.root, roles.ISSUER, 2, sealing_key=bytes(32))
    community.certify(world.owner, community.issuer, roles.PERSON, 2, sealing_key=bytes(32))
    world.run(20)
    assert not household.flash.entries and household.meter.rejected["not_sealed"] <= 3
    assert "sealing" not in household.flash.values
    community.certify(community.issuer, community.root, roles.ISSUER, 3)
    world.run(10)
    assert check_sealed(household) and seen_by(household, world.owner)[0] == []


def test_the_operator_may_own_a_meter():
    world, community, household = alone()
    world.run(8)
    community.enrol_again(household, community.issuer)
    world.run(12)
    assert [len(new.body["wraps"]) for new in raw_entries(household) if new.kind == EPOCH] == [2, 1]
    assert check_sealed(household) and raw_entries(household)[-1].body["sealed"].key_no == 2


def test_a_new_owner_is_not_read_by_the_one_before_while_no_key_works():
    world, community, household = alone()
    world.run(12)
    heir = community.author("heir")
    community.certify(community.issuer, community.root, roles.ISSUER, 2, sealing_key=bytes(32))
    community.certify(heir, community.issuer, roles.PERSON, sealing_key=bytes(32))
    community.enrol_again(household, heir)
    world.run(2)
    held = household.journal.next_sequence
    world.run(20)
    assert household.journal.next_sequence == held and household.meter.rejected["not_sealed"] <= 3
    community.certify(heir, community.issuer, roles.PERSON, 2)
    world.run(12)
    assert seen_by(household, heir)[0] and max(seen_by(household, world.owner)[0]) < held


def test_a_reading_too_long_to_be_sealed_is_published_by_its_totals():
    """By what it might need, not by what it does: what does not fit would show a busy household."""
    world, community, household = alone(step_s=900)
    world.run(4)
    household.meter.recorder.saved = dict.fromkeys(range(9), 1 << 62)
    sizes = set()
    for count, wh in enumerate((0, 60_000), 1):
        body = dict(READING, registers={number: [1, [wh] * 60] for number in (1, 2, 3, 4, 5)}, step_s=60)
        household.meter.recorder.intervals._waiting.append(body)
        world.run(2)
        said, raw = household.entries(kinds.READING)[-1], raw_entries(household)[-1]
        assert said.body == intervals.slim(body) and raw.is_sealed
        assert household.meter.rejected == {"not_sealed": count}
        sizes.add(len(raw.raw))
    assert len(sizes) == 1


class Watched:
    """AES-CCM that keeps what it was given: rows of (key, nonce, plaintext)."""

    def __init__(self, ccm):
        self._ccm = ccm
        self.used = set()
        self.open = ccm.open

    def seal(self, key, nonce, aad, plaintext):
        self.used.add((key, nonce, plaintext))
        return self._ccm.seal(key, nonce, aad, plaintext)


def history(household, image, bits):
    """What is sealed from one image of the flash on, in a life of its own."""
    watched = content.ccm = Watched(content.ccm)
    try:
        household.flash.entries, household.flash.values = list(image[0]), dict(image[1])
        household.community.sink.forget_keys()
        household.urandom = bits.bytes
        household.boot(20_000)
        for second in range(1, case.scale(60, 25)):
            now = Now(second * 1000, START_S + 20 + second)
            measure(household.meter, now, power(bits.below(9000) * 1_000_000, 1_000_000))
            for _ in range(4):
                tick(household.meter, now)
        assert len(household.entries(kinds.READING)) > case.scale(40, 15)
        return watched.used
    finally:
        content.ccm = watched._ccm


def test_a_flash_that_was_set_back_repeats_no_nonce_with_other_content():
    world, community, household = alone(lambda ms, closed: 1000, step_s=1)
    world.run(10)
    image = list(household.flash.entries), dict(household.flash.values)
    lives = [history(household, image, case.Bits("history %d" % number)) for number in range(2)]
    keys = [{key for key, _, _ in life} for life in lives]
    assert keys[0] & keys[1], "both seal with one key, or this test tests nothing"
    both = lives[0] | lives[1]
    assert len(both) > len(lives[0]) + case.scale(30, 15), "both publish the same"
    contents = {}
    for key, nonce, plaintext in both:
        assert contents.setdefault((key, nonce), plaintext) == plaintext, "a nonce served twice"


def test_given_up_at_any_step_no_number_serves_twice():
    for seed in range(case.scale(6, 3)):
        bits = case.Bits("given up %d" % seed)
        with flash.Folder() as folder:
            enrolled = EnrolledApp(folder)

            def some(work, enrolled=enrolled, bits=bits):
                left = bits.below(case.scale(24, 240))
                for _ in work:
                    left -= 1
                    if left < 0 and not enrolled.app.meter.must_end:
                        return

            for turn in range(60):
                while enrolled.answers and enrolled.app.waiting.has_room:
                    enrolled.app.waiting.datagrams.append(enrolled.answers.pop(0))
                at_ms = (enrolled.round + 1) * 250
                now = Now(at_ms, START_S + at_ms // 1000)
                enrolled.app.waiting.add(now, power(bits.below(9_000_000), 250_000))
                enrolled.turn(some)
                if turn == 30:
                    enrolled.app.journal.close()
                    enrolled.start()
            enrolled.rest()
            enrolled.check_log()
            unsealer, opened = Unsealer(enrolled.community.id, [enrolled.community.issuer]), 0
            for raw in enrolled.published():
                new = entry.decode(raw, enrolled.community.id)
                assert unsealer.follow(new)
                assert not unsealer.unseal(new).is_sealed
                opened += new.is_sealed
            assert opened > 3, opened
            enrolled.app.journal.close()


def test_no_secret_is_shown():
    with flash.Folder() as folder:
        enrolled = EnrolledApp(folder)
        enrolled.rest()
        for unix_s in range(3):
            steps.finish(enrolled.app.report_status_steps(Now(enrolled.board.uptime_ms, START_S + unix_s)))
        meter = enrolled.app.meter
        saved = meter._store.load(sealer.NAME)
        secrets = [row[1] for row in saved[2]] + [meter.sealer._key]
        assert len(secrets) == 2
        told = (
            json.dumps(enrolled.board.events)
            + json.dumps(status.of(meter))
            + repr(meter.sealer)
            + repr(enrolled.app.errors)
        )
        told += repr(enrolled.community.entries[-1]) + repr(raw_body(enrolled))
        long = dict(READING, registers={number: [1 << 40, [60_000] * 60] for number in (1, 2, 3, 4, 5)})
        errors = [case.raises(period_keys.SealError, steps.finish, meter.sealer.seal_steps(kinds.READING, long))]
        told += "".join([repr(error) for error in errors])
        for secret in secrets:
            assert secret.hex() not in told and repr(secret)[2:-1] not in told and repr(secret[:8])[2:-1] not in told
        assert '"key_no": 1' in told
        enrolled.app.journal.close()


def raw_body(enrolled):
    """A sealed body as somebody might print it."""
    for raw in enrolled.published():
        new = entry.decode(raw, enrolled.community.id)
        if new.is_sealed:
            return new.body
    raise AssertionError("nothing is sealed")
