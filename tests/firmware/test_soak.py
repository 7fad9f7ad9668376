"""Meters in the field for hours of virtual time: whatever happens to them, the rules hold; and the rules see defects.

`python -m tools.soak` runs as long as one likes, and prints the seed of what it finds.
"""

import case
from simulator.field import events
from simulator.field.flash import Folder
from simulator.field.life import Life
from simulator.field.rules import Violation
from wattpact_meter.control.relay import Relay
from wattpact_meter.core.keeping import Keeping
from wattpact_meter.log.own_log import OwnLog
from wattpact_meter.log.sealer import Sealer
from wattpact_meter.metering.recorder import Recorder
from wattpact_meter.metering.registers import Bank
from wattpact_meter.trade.usage import Usage


def live(seed, count, kinds=events.ALL, has_p1=None):
    """The rule that a life breaks, with what happened before; None where every rule holds."""
    with Folder() as folder:
        life = Life(seed, folder, has_p1)
        try:
            life.run(count, kinds)
        except Violation as violation:
            print("\n".join(life.log[-15:]))
            return violation
    return None


# Lives of so many EVENTS that break a rule still, each a finding that is not mended: seed -> the rule. They are lived
# through too: one that keeps all rules, since it was mended or now goes another way, is to be taken out.
OPEN = {}
EVENTS = 150


def test_every_rule_holds_whatever_happens():
    if case.MICROPYTHON:
        check("soak/0", EVENTS // 3, None)
        return
    for seed in sorted(set(range(case.cases(12, 8))) | set(OPEN)):
        check("soak/%d" % seed, EVENTS, OPEN.get(seed))


def check(seed, count, open_rule):
    """Every rule holds in that life, or the one breaks that is known to."""
    violation = live(seed, count)
    broken = violation.rule if violation else None
    assert broken == open_rule, "seed %s: %s, but by OPEN %s" % (seed, violation or "every rule holds", open_rule)


# Each rule sees a defect that breaks it, in a life in which it holds without that defect.

POWER = (events.reset, events.brown_out, events.grant)


def nothing(_):
    return lambda *_: None


def no_steps(_):
    return lambda *_: iter(())


def thrice(real):
    return lambda bank, phases_nj: real(bank, [3 * nj for nj in phases_nj])


def allot_twice(real):
    def end_step(usage, boundary_s, import_wh):
        real(usage, boundary_s, import_wh)
        for grant in usage.grants:
            if grant.used_from_s is not None and grant.attributed_wh:
                grant.attributed_wh = min(grant.wh, 2 * grant.attributed_wh)

    return end_step


def repeat_the_last(real):
    def follow(log, saved):
        real(log, saved)
        if log.is_open and log.next_sequence > log._journal.first + 1:
            log._journal._segments[-1].end -= 1
            log._previous = log.read(log.next_sequence - 1).id

    return follow


def forget_keys(_):
    return lambda sealer, log, boot: setattr(sealer, "_log", log)


def count_nothing(real):
    return lambda usage, until_s, import_wh: [(grant, 0) for grant, _ in real(usage, until_s, import_wh)]


def never_open(real):
    def apply(relay, decision, now_ms):
        return decision.closed and real(relay, decision, now_ms)

    return apply


def fail(_):
    def idle(recorder, now):
        raise ValueError("a defect")

    return idle


# rules of which it breaks one, where, what is replaced, by what (made of the real one), events, P1
DEFECTS = (
    ("register", Recorder, "restore", nothing, POWER, False),
    ("charged", Bank, "add_energy", thrice, POWER, False),
    ("lost relay", Recorder, "keep_up_steps", no_steps, POWER, False),
    ("attributed", Usage, "end_step", allot_twice, POWER, False),
    ("sequence", OwnLog, "_follow", repeat_the_last, POWER, False),
    ("keys", Sealer, "restore", forget_keys, POWER, False),
    ("relay", Usage, "shares", count_nothing, POWER, True),
    ("relay", Relay, "apply", never_open, POWER, False),
    ("task", Recorder, "idle", fail, POWER, False),
    ("recovery", OwnLog, "open_steps", no_steps, POWER[:2], True),  # with a grant, nothing is counted against it
    ("start", Keeping, "__init__", nothing, POWER, False),
)


def test_each_rule_sees_a_defect():
    """In one of eight lives, since in the others its case may not come; without the defect that life breaks no rule."""
    if case.MICROPYTHON:
        raise case.Elsewhere("the rules are those of the tests, and the same on both Pythons")
    whole = set()
    for rule, where, name, made, kinds, has_p1 in DEFECTS:
        real, found = getattr(where, name), []
        setattr(where, name, made(real))
        try:
            while len(found) < 8 and not (found and found[-1] in rule.split()):
                violation = live("defect/%d" % len(found), 60, kinds, has_p1)
                found.append(violation and violation.rule)
        finally:
            setattr(where, name, real)
        assert found[-1] in rule.split(), (name, found)
        life = ("defect/%d" % (len(found) - 1), 60, kinds, has_p1)
        if life not in whole:
            violation = live(*life)
            assert violation is None, "seed %s: %s" % (life[0], violation)
            whole.add(life)
