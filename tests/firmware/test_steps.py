"""The core in steps: what comes between two of them changes nothing; given up at any of them, it has done nothing."""

import case
from simulator import flash
from simulator.board import Board
from simulator.community import START_S
from simulator.driving import power
from simulator.enrolled import ROUND_MS, EnrolledApp, driven
from wattpact_meter.clock import Now
from wattpact_meter.metering.measurement import Measurement
from wattpact_meter.storage.store import StateError, Store
from wattpact_protocol import steps
from wattpact_protocol.crypto import ed25519
from wattpact_protocol.log import entry, event_codes, readings, register_table

SERIAL = "HAS REGISTERS"


def arrivals(enrolled, bits, meters, energy):
    """What comes during a round: functions that let it come."""
    app, now = enrolled.app, Now((enrolled.round + 1) * ROUND_MS, START_S + (enrolled.round + 1) * ROUND_MS // 1000)
    came = []
    if meters == "samples":
        active_mw = bits.below(4_000_000) * 1000 - 1_000_000
        energy[active_mw > 0] += active_mw * ROUND_MS * 1000
        came.append(lambda: app.waiting.add(now, power(active_mw, ROUND_MS * 1000)))
    else:
        energy[1] += bits.below(3)
        registers_wh = {register_table.IMPORT_WH: 1000 + energy[1], register_table.EXPORT_WH: 7}
        came.append(lambda: app.waiting.add(now, Measurement((), 0, {}, 0, SERIAL, registers_wh)))
    if bits.below(5) == 0:
        enrolled.community.give(enrolled, 1 + bits.below(50))
    if bits.below(6) == 0:
        app.meter.events.note(event_codes.SOURCE_REJECTED, {"text": "x%d" % bits.below(100)})
    told, enrolled.answers = enrolled.answers[:8], enrolled.answers[8:]
    came += [lambda data=data: app.waiting.datagrams.append(data) for data in told if bits.below(10)]
    return came


def live(meters, rounds, seed, in_steps):
    """A life of so many rounds; the journal, the registers and what was measured. in_steps: it comes between steps."""
    with flash.Folder() as folder:
        enrolled, bits, where, energy = EnrolledApp(folder), case.Bits(seed), case.Bits("%s where" % seed), [0, 0]
        for _ in range(rounds):
            came = arrivals(enrolled, bits, meters, energy)

            def between(work, came=came):
                for _ in work:
                    while in_steps and came and where.below(3) == 0:
                        came.pop(0)()
                for one in came:
                    one()

            enrolled.turn(between)
        steps.finish(enrolled.app.waiting.apply_steps(enrolled.app.meter))
        enrolled.check_log()
        assert not enrolled.app.meter.rejected.get("bad_signature"), enrolled.app.meter.rejected
        said, registers = enrolled.published(), enrolled.app.meter.registers()
        enrolled.app.journal.close()
        return said, registers, energy


def test_what_comes_between_two_steps_is_taken_as_if_it_came_after_them():
    for meters in ("samples", "registers"):
        for seed in range(case.scale(4, 1)):
            rounds = case.scale(120, 60)
            said, registers, energy = live(meters, rounds, seed, False)
            assert live(meters, rounds, seed, True) == (said, registers, energy)
            assert len(said) > 20, len(said)
            if meters == "samples":
                wh = energy[1] // 3_600_000_000_000, -energy[0] // 3_600_000_000_000
            else:
                wh = 1000 + energy[1], 7
            assert (registers[readings.IMPORT_WH], registers[readings.EXPORT_WH]) == wh, (registers, energy)


def test_given_up_at_any_step_nothing_was_published_and_the_flash_is_sound():
    with flash.Folder() as folder:
        enrolled = EnrolledApp(folder)
        enrolled.rest()
        count, steps = enrolled.app.journal.next_sequence, 0
        for at in range(1000):
            enrolled.app.meter.events.note(event_codes.SOURCE_REJECTED, {"text": "%d" % at})
            enrolled.app._has_input = True
            steps, is_given_up = 0, False

            def abandon(work, at=at):
                nonlocal steps, is_given_up
                for _ in work:
                    steps += 1
                    if steps > at and not enrolled.app.meter.must_end:
                        is_given_up = True
                        return

            enrolled.turn(abandon)
            if steps <= at:
                break
            was_said = enrolled.app.journal.next_sequence > count
            assert was_said or is_given_up, (at, steps)
            assert len(enrolled.published()) == enrolled.app.journal.next_sequence
            enrolled.rest()
            assert enrolled.app.journal.next_sequence == count + 1
            assert enrolled.check_log().next_sequence == count + 1
            count += 1
        assert steps > case.scale(2, 40), steps
        before = enrolled.app.meter.registers()
        enrolled.app.journal.close()
        enrolled.start()  # as after a cut
        assert enrolled.app.journal.next_sequence >= count and not enrolled.app.journal.missing
        assert enrolled.app.meter.registers() == before and not enrolled.app.meter.state_corrupt
        enrolled.rest()
        enrolled.check_log()


def test_a_datagram_that_was_given_up_is_received_again():
    with flash.Folder() as folder:
        enrolled = EnrolledApp(folder)
        enrolled.rest()
        authors = len(enrolled.app.meter.trust)
        enrolled.community.person("newcomer")
        told = enrolled.community.sink.inbox_after(
            enrolled.kid, enrolled.app.meter.inbox.id, enrolled.app.meter.inbox.cursor
        )
        assert len(told) == 1
        enrolled.app.waiting.datagrams += told
        cursor = enrolled.app.meter.inbox.cursor
        for at in range(1, case.scale(2, 30)):

            def abandon(work, at=at):
                for _ in range(at):
                    next(work)

            while not enrolled.app.waiting.datagrams:
                enrolled.turn(driven)
            enrolled.app._has_received = False
            enrolled.turn(abandon)
            assert enrolled.app.waiting.datagrams == told, at
            assert len(enrolled.app.meter.trust) == authors and enrolled.app.meter.inbox.cursor == cursor
        enrolled.app._has_received = False
        enrolled.rest()
        assert len(enrolled.app.meter.trust) == authors + 1 and enrolled.app.meter.inbox.cursor > cursor


def test_a_disturbed_signature_is_counted_and_the_entry_published_once_it_is_not():
    with flash.Folder() as folder:
        enrolled = EnrolledApp(folder)
        enrolled.rest()
        count, sign_steps, disturbed = enrolled.app.journal.next_sequence, enrolled.app.identity.sign_steps, [3]

        def sometimes(message):
            yield
            if disturbed[0]:
                disturbed[0] -= 1
                raise ed25519.FaultError("the signature does not verify")
            signature = yield from sign_steps(message)
            return signature

        enrolled.app.identity.sign_steps = sometimes
        enrolled.app.meter.events.note(event_codes.SOURCE_REJECTED, {"text": "published once"})
        enrolled.app._has_input = True
        enrolled.rest()
        assert enrolled.app.meter.rejected["signature_disturbed"] == 3 and not enrolled.app.errors
        assert enrolled.app.journal.next_sequence == count + 1
        enrolled.check_log()
        assert entry.decode(enrolled.published()[-1], enrolled.community.id).body["text"] == "published once"


def kept(folder):
    """What a start would find of it."""
    store = Store(folder + "/state")
    return [store.load(name) for name in ("trader", "usage", "trust", "policy", "inbox")]


def known(app):
    """Of what the core has received: contracts, how many authors, the version of its policy, the place in the inbox."""
    meter = app.meter
    contracts = [grant.contract for grant in meter.usage.grants]
    return [contracts, len(meter.trust), meter.policies.version, meter.inbox.cursor]


def known_to(enrolled, round_no):
    """A round in which a grant, a certificate, a policy and a boundary with consumption come."""
    community = enrolled.community
    if not round_no:
        community.give(enrolled, 500)
        community.person("newcomer")
        community.quick_policy(version=2)
    now = Now((enrolled.round + 1) * ROUND_MS, START_S + (enrolled.round + 1) * ROUND_MS // 1000)
    enrolled.app.waiting.add(now, power(7_200_000, ROUND_MS * 1000))


def test_what_had_its_effect_is_in_flash_before_urgent_work_begins():
    """Urgent at every step: the work is given up, and what the core knows then is what a start would know."""
    given_up = driven_on = 0
    with flash.Folder() as folder:
        enrolled = EnrolledApp(folder, Unhurried)
        enrolled.rest()
        app, bits = enrolled.app, case.Bits("urgent")
        for round_no in range(case.scale(400, 60)):
            known_to(enrolled, round_no % 20)
            while enrolled.answers and app.waiting.has_room:
                app.waiting.datagrams.append(enrolled.answers.pop(0))
            enrolled.round += 1
            enrolled.board.uptime_ms = enrolled.round * ROUND_MS
            enrolled.community.now_s = START_S + enrolled.board.uptime_ms // 1000
            left = bits.below(case.scale(120, 400))  # a verification has more steps there

            def hurry():
                nonlocal left, driven_on
                left -= 1
                if left < 0 or (app.meter.must_end and bits.below(4) == 0):
                    app._urgent = True
                    driven_on += app.meter.must_end

            enrolled.board.between = hurry
            finished(app._drive(app.tick_steps(enrolled.board.now())))
            given_up += app._urgent
            app._urgent = False
            assert not app.meter.must_end
            usage, authors, policy, inbox = kept(folder)[1:]
            contracts, trusted, version, cursor = known(app)
            if usage is not None:
                assert usage[-1][1] + sum([row[12] for row in usage[-1][3]]) == usage[-1][0]
                assert not set(contracts) - {row[0] for row in usage[-1][3]}
            assert (len(authors), version, cursor) == (trusted, policy[1]["version"], inbox[1])
            for data in app.meter.pop_datagrams():
                enrolled.answers += enrolled.community.sink.receive_datagram(data, enrolled.kid)
        assert not app.errors and given_up > case.scale(100, 8) and driven_on > case.scale(20, 2), (given_up, driven_on)
        enrolled.rest()
        enrolled.check_log()


class Unhurried(Board):
    """Between two steps of the core, what a test does."""

    def between(self):
        pass

    def sleep_ms(self, pause_ms):
        self.between()
        return Pause()


class Pause:
    def __iter__(self):
        yield 0

    __await__ = __iter__


def finished(coroutine):
    try:
        while True:
            coroutine.send(None)
    except StopIteration:
        pass


def crashed(at):
    """A life that ends at that step and goes on from flash: how many steps it had, and what is known at its end."""
    with flash.Folder() as folder:
        enrolled, steps = EnrolledApp(folder), 0
        enrolled.rest()
        before = enrolled.app.journal.next_sequence
        for round_no in range(14):
            known_to(enrolled, round_no)
            while enrolled.answers and enrolled.app.waiting.has_room:
                enrolled.app.waiting.datagrams.append(enrolled.answers.pop(0))

            def until(work):
                nonlocal steps
                for _ in work:
                    steps += 1
                    if steps == at:
                        return

            enrolled.turn(until)
            if steps == at:
                enrolled.app.journal.close()
                enrolled.start()
                steps += 1
        for _ in range(3):
            enrolled.round += 8  # the host is sent a digest again
            enrolled.rest()
        head, app = enrolled.check_log(), enrolled.app
        usage = app.meter.usage
        assert usage.beyond_wh + sum([grant.attributed_wh for grant in usage.grants]) == usage.base_wh
        assert usage.base_wh <= app.meter.recorder.import_wh and not app.meter.state_corrupt and not app.errors
        assert app.journal.next_sequence == head.next_sequence > before
        app.journal.close()
        return steps, known(app)


def test_power_lost_at_any_step_loses_nothing_that_was_received():
    steps, whole = crashed(0)
    assert whole[0] and whole[2] == 2
    for at in range(1, steps, case.scale(max(1, steps // 60), max(1, steps // 3))):
        assert crashed(at)[1] == whole, at


def test_a_flash_that_fails_in_between_is_counted_and_the_core_goes_on():
    with flash.Folder() as folder:
        enrolled = EnrolledApp(folder)
        enrolled.rest()
        app, failing = enrolled.app, [True]
        write = app.meter._store._write

        def fail(name, body):
            if failing[0]:
                raise StateError(name)
            write(name, body)

        app.meter._store._write = fail
        known_to(enrolled, 0)
        for _ in range(12):
            while enrolled.answers and app.waiting.has_room:
                app.waiting.datagrams.append(enrolled.answers.pop(0))
            enrolled.turn(driven)
        assert app.meter.rejected["flash_failed"] and not app.meter.must_end and not app.errors
        failing[0] = False
        for _ in range(3):
            enrolled.round += 8
            enrolled.rest()
        assert kept(folder)[4][1] == app.meter.inbox.cursor and len(kept(folder)[2]) == len(app.meter.trust)
        enrolled.check_log()
