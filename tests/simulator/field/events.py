"""What happens to a meter in the field: each kind with its weight, and what it does. A draw chooses among them."""

from simulator.field import utility
from simulator.field.supply import DEFAULTS
from simulator.field.truth import WMS_PER_WH

_DAY_S = 86_400
_KEPT_FILES = ("identity",)  # the key: a meter that lost it is another meter
_GUARD_FILES = ("state/guard", "state/log")  # without them the guard has lost its memory
_MOST_FAULTS = 2  # that wait on a line, or no telegram ever comes whole
_AGREE = 12  # good telegrams of a new meter within which its registers must be accepted
_WRONG_S = (
    -400, -3_000, -40_000, -30 * _DAY_S, -11 * 365 * _DAY_S, 3, 90, 3_700, _DAY_S, 40 * _DAY_S, 2_000_000_000,
)  # fmt: skip


# Power


def reset(life):
    """The chip starts again, at once."""
    life.cut("reset")
    life.go_on(life.truth.ms + 200 + life.draw.below(2_500))
    life.start(False)


def outage(life):
    """No mains for a while."""
    life.truth.has_mains = False
    life.go_on(life.truth.ms + 500 + life.draw.choice((0, 3_000, 60_000, 1_800_000)))
    life.truth.has_mains = True
    life.start(True)


def brown_out(life):
    life.cut("brown-out")
    outage(life)


def reset_again_and_again(life):
    """Every 20 to 60 s, for a while."""
    for _ in range(5 + life.draw.below(30)):
        life.go_on(life.truth.ms + 20_000 + life.draw.below(40_000))
        reset(life)


def cut_in_a_write(life):
    """The power goes in one of the next writes; what is written then is there by half."""
    life.flash.writes_left = 1 + life.draw.below(12)
    life.note("power cut at write %d from now" % life.flash.writes_left)


def brown_out_at_closing(life):
    life.relay.brown_outs = 1 + life.draw.below(3)
    life.note("brown-outs at the next %d closings" % life.relay.brown_outs)


# Flash


def damaged_block(life):
    """A block of a file is found damaged at a start."""
    life.cut("reset")
    found = life.flash.damage(life.draw, _KEPT_FILES)
    life.note("damaged: %s, block %d, %s" % found if found else "nothing to damage")
    unpublished = life.truth.used_since(life.ledger.seen_wms)
    if found and not life.has_p1:
        life.ledger.excuse(*unpublished)
    life.supply.unseen_wms += unpublished[0]
    if found and found[0].endswith("/policy"):
        life.supply.policy = DEFAULTS
    if found and found[0] in _GUARD_FILES:
        life.supply.forgotten()
    life.start(False)


def failing_flash(life):
    life.flash.failing = 1 + life.draw.below(6)
    life.note("%d writes fail" % life.flash.failing)


# The P1 line


def _fault(life, kind, most):
    if life.has_p1 and len(life.line.faults) < _MOST_FAULTS:
        count = 1 + life.draw.below(most)
        life.line.faults.append([kind, count])
        life.note("%d telegrams: %s" % (count, kind))


def lost_telegrams(life):
    _fault(life, "lost", 8)


def late_telegram(life):
    _fault(life, "late", 3)


def damaged_telegrams(life):
    _fault(life, life.draw.choice(("flipped", "cut", "noise")), 4)


def zero_registers(life):
    _fault(life, "zeros", 2)


def foreign_text(life):
    _fault(life, "text", 8)


def swapped_meter(life):
    """Another meter in its place, or its registers begin anew; its first telegrams may be disturbed too."""
    if not life.has_p1:
        return
    old, how = life.meter, life.draw.choice(("lower", "higher", "zero", "anew"))
    wh = {
        "lower": old.import_wh // 2,
        "higher": old.import_wh + 400_000 + life.draw.below(1 << 20),
        "zero": 0,
        "anew": 7,
    }
    fresh = utility.made(life.draw, wh[how], old.export_wh // 2, old if life.draw.below(3) else None)
    if how == "anew":
        fresh.serial, fresh.head = old.serial, old.head
    before_wms = life.shown_wms
    life.note("swapped, %s: %d -> %d Wh, %r -> %r" % (how, old.import_wh, fresh.import_wh, old.serial, fresh.serial))
    restarts = life.draw.below(2) == 0
    if restarts and life.running is not None:
        life.cut("with the power off")
    life.truth.has_mains = False
    life.go_on(life.truth.ms + 60_000 + life.draw.below(300_000))
    life.truth.has_mains = True
    life.meter = fresh
    if life.running is None:
        life.start(True)
    _let_agree(life, before_wms)


def _let_agree(life, before_wms):
    """Until enough telegrams came whole in a row; what was used since the old one was seen may be nobody's."""
    first, faults = life.line.good, life.line.faults
    life.line.faults = []
    for _ in range(10 * _AGREE):
        if life.line.good - first >= _AGREE:
            break
        life.go_on(life.truth.ms + life.line.period_ms)
        if life.running is None:
            life.start(False)
    life.line.faults = faults
    missed = [wms + WMS_PER_WH for wms in life.truth.used_since(before_wms)]
    life.ledger.excuse(*missed)
    life.supply.unseen_wms += missed[0]


# Time


def wrong_time(life):
    life.clock.off_s = life.draw.choice(_WRONG_S) + life.draw.below(60)
    life.clock.is_known = True
    life.note("the clock is %d s off" % life.clock.off_s)


def right_time(life):
    life.clock.off_s, life.clock.is_known, life.clock.is_doubtful = 0, True, False
    life.note("the clock is right")


def no_time(life):
    life.clock.is_known = False
    life.note("no time")


def doubtful_time(life):
    life.clock.is_doubtful = True


# The link


def no_wifi(life):
    life.link.is_up = False
    life.note("no Wi-Fi")


def wifi(life):
    life.link.is_up = True
    life.link.lose = life.link.repeat = life.link.damage = 0
    life.note("Wi-Fi is good")


def bad_wifi(life):
    life.link.is_up = True
    life.link.lose, life.link.repeat, life.link.damage = (life.draw.below(400) for _ in range(3))
    life.note("bad Wi-Fi: %d, %d, %d permille" % (life.link.lose, life.link.repeat, life.link.damage))


def radio_raises(life):
    life.link.raises = 1 + life.draw.below(25)
    life.injected += 1
    life.note("the radio raises %d times" % life.link.raises)


# The operator


def grant(life):
    if life.host.kid is not None:
        wh = life.draw.choice((50, 300, 1_000, 4_000))
        contract = life.host.grant(wh, life.draw.choice((600, 3_600, 6 * 3_600)))
        life.note("grant %s of %d Wh" % (contract.hex()[-4:], wh))


def termination(life):
    if life.host.grants:
        life.host.terminate(len(life.host.grants).to_bytes(32, "big"))
        life.note("the newest grant is terminated")


def other_inbox(life):
    """The host begins a new store."""
    life.host.store_id = life.draw.bytes(8)
    life.note("the host has a new store")


WEIGHTS = (
    (lost_telegrams, 14), (late_telegram, 8), (damaged_telegrams, 12), (zero_registers, 3), (foreign_text, 2),
    (swapped_meter, 1), (reset, 8), (brown_out, 3), (reset_again_and_again, 1), (cut_in_a_write, 6),
    (brown_out_at_closing, 2), (damaged_block, 2), (failing_flash, 2), (wrong_time, 3), (right_time, 8), (no_time, 4),
    (doubtful_time, 1), (no_wifi, 4), (wifi, 6), (bad_wifi, 4), (radio_raises, 2), (grant, 16), (termination, 1),
    (other_inbox, 1),
)  # fmt: skip
ALL = [kind for kind, weight in WEIGHTS for _ in range(weight)]


def name_of(kind):
    return kind.__name__.replace("_", " ")


def happen(life, kinds):
    """The next event, one of these."""
    kind = life.draw.choice(kinds)
    life.counts[name_of(kind)] = life.counts.get(name_of(kind), 0) + 1
    kind(life)


def heal(life):
    """Whatever is out of order is in order from now on."""
    right_time(life)
    wifi(life)
    life.link.raises = life.injected = 0
    life.relay.brown_outs = 0
    life.flash.failing = 0
    life.flash.writes_left = None
    if life.has_p1:
        life.line.faults = []
