"""Whole-Wh registers that only rise, with what is below one Wh carried in nanojoules.

What always holds: no register falls within one (source serial, generation); every nanojoule added is in a register or
in its remainder, exactly; registers of a meter that has its own are adopted only as far as rated power and time allow,
and every rejection is counted by its reason. A step that was rejected is no energy, however much time passes: registers
that insist on it begin a new generation. Time is an argument. Rules: docs/spec/registers.md.
"""

from wattpact_protocol.log.reasons import FALL as FALL
from wattpact_protocol.log.reasons import JUMP as JUMP
from wattpact_protocol.log.reasons import MALFORMED as MALFORMED
from wattpact_protocol.log.reasons import MISSING as MISSING
from wattpact_protocol.log.reasons import ZERO as ZERO
from wattpact_protocol.log.register_table import EXPORT_WH, IMPORT_WH, MAX_WH, is_cumulative, phase_ids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

NANOJOULES_PER_WH = 3600 * 10**9  # 1 mW for 1 µs is 1 nJ

# What `adopt` returns, or else a reason.
ADOPTED = "adopted"
PENDING = "pending"  # plausible, and adopted when a second reading agrees
OPENED = "opened"  # adopted, and a new register generation began

# A rise must have been affordable: rated power for the time, a fifth more (IEC 62052-11 has meters stand 120 % of their
# maximum current), and a minute in hand because a meter may show its registers late.
_HEADROOM_PERCENT = 120
_LAG_S = 60
_ROUNDING_WH = 2
LONGEST_OUTAGE_S = 30 * 86400  # where nobody knows better
_COARSE_S = 4_000  # some meters move their registers once an hour, and then by all that was used
_COARSE_WH = (1000, 100, 10)  # and some have registers of whole kWh
_DOUBTS = 3  # consecutive contradictions after which a pending reading is dropped
_STEP_READINGS = 5  # so many rejected readings that agree with each other begin a new generation
_STEP_S = 4  # in no less time
_MOST_DOUBLED = 4  # twice as many for each that began so, so often, until nothing was rejected for ten minutes
_QUIET_S = 600  # nothing but zeros must insist for ten minutes
_FROZEN_WS = 2_000 * 3600  # shown to have flowed since the registers moved last
_FORMAT = 1


class RegisterError(ValueError):
    """A checkpoint or a start value is not one."""


class Register:
    """One cumulative register: wh and the remainder below one Wh."""

    def __init__(self, wh: int = 0, remainder_nj: int = 0) -> None:
        if not 0 <= wh <= MAX_WH or not 0 <= remainder_nj < NANOJOULES_PER_WH:
            raise RegisterError("a register is 0 to 2^63 - 1 Wh and a remainder below 1 Wh")
        self.wh = wh
        self.remainder_nj = remainder_nj


class Bank:
    """The registers of one source. Measured energy is added; a meter's own registers are adopted: one or the other."""

    def __init__(self, rated_w: int, outage_s: "int | None" = LONGEST_OUTAGE_S) -> None:
        """outage_s: how long this meter may have been without power or sight of its source; bounds how much
        the first registers after a restart may have risen. None while that is not known: they then wait."""
        if rated_w <= 0 or (outage_s or 0) < 0:
            raise ValueError("rated_w must be positive and outage_s not negative")
        self.rated_w = rated_w
        self.outage_s = outage_s
        self.serial = ""
        self.generation = 0  # 0 until a source is known
        self.closing_wh: dict[int, int] = {}  # last values of the generation before
        self.verdicts: dict[str, int] = {}  # every answer of adopt, counted
        self._registers: dict[int, Register] = {}
        self._adopted_s: int | None = None  # None: not since the start
        self._watched_s = 0  # when the newest reading came
        self._moved_s = 0  # when a register rose last
        self._credit_ws = 0  # what may have been used and was not seen yet at _adopted_s, watt-seconds
        self._unseen_ws = 0  # what may have been used since _moved_s
        self._shown_ws = 0  # what was by the power that the meter showed
        self._pending: _Pending | None = None
        self._step: _Pending | None = None  # the newest rejected registers, that only a new generation can have
        self._steps = self._rejected_s = 0
        self._is_anew = False

    def open_generation(self, serial: str, start_wh: "dict[int, int]") -> None:
        """Begin a register generation: at first, or because the source or its registers were replaced.

        Import and export always exist. Raises RegisterError for an id or a value that no register has.
        """
        values = {IMPORT_WH: 0, EXPORT_WH: 0}
        values.update(start_wh)
        if not all(is_cumulative(number) for number in values):
            raise RegisterError("not a cumulative register id")
        fresh = {number: Register(wh) for number, wh in values.items()}
        self.closing_wh = self.snapshot()
        self._registers = fresh
        self.serial = serial
        self.generation += 1
        self._adopted_s = None
        self._pending = self._step = None
        self._is_anew = False

    def begin_anew(self) -> None:
        """Somebody knows that the source or its registers were replaced: whatever it shows next, two readings that
        agree, begins a new generation."""
        self._is_anew = True

    def snapshot(self) -> "dict[int, int]":
        """Register id -> whole Wh."""
        return {number: register.wh for number, register in self._registers.items()}

    def remainders_nj(self) -> "dict[int, int]":
        """Register id -> what it holds below one Wh."""
        return {number: register.remainder_nj for number, register in self._registers.items()}

    def add_energy(self, phases_nj: "Sequence[int]") -> None:
        """Count the energy of each phase since the last call; positive is import.

        Import and export count the sum of the phases, as a three-phase meter does; the phases' own registers, where
        the generation has them, count each by itself. Raises RegisterError before the first generation is open.
        """
        if not self.generation:
            raise RegisterError("no register generation is open")
        after = [self._after(IMPORT_WH, EXPORT_WH, sum(phases_nj))]
        for index in range(len(phases_nj)):
            imported, exported = phase_ids(index + 1)
            if imported in self._registers and exported in self._registers:
                after.append(self._after(imported, exported, phases_nj[index]))
        for register, wh, remainder_nj in after:  # this needs no memory: where that runs out nothing is counted
            register.wh = wh
            register.remainder_nj = remainder_nj

    def _after(self, imported: int, exported: int, nanojoules: int) -> "tuple[Register, int, int]":
        """The register that counts this energy, and what it holds then."""
        register = self._registers[imported if nanojoules >= 0 else exported]
        whole, remainder_nj = divmod(register.remainder_nj + abs(nanojoules), NANOJOULES_PER_WH)
        return register, register.wh + whole, remainder_nj

    def adopt(self, serial: str, values_wh: "dict[int, int]", now_s: int, power_w: "int | None" = None) -> str:
        """Follow the registers of a meter, all of them or none: one of the verdicts above.

        now_s: any clock in seconds that does not run back while this object lives. power_w: what the meter shows, of
        those directions that its registers count. The first registers after a start, and those of another serial, wait
        for a second reading that agrees: PENDING, then ADOPTED or OPENED. Registers that cannot follow those held are
        rejected until several readings agree: then OPENED, and nothing is counted for the step.
        """
        verdict = self._check(serial, values_wh, now_s, power_w)
        self.verdicts[verdict] = self.verdicts.get(verdict, 0) + 1
        return verdict

    def is_frozen(self, now_s: int) -> bool:
        """Whether the meter shows power and its registers do not move, for longer than any meter lets them rest."""
        return self._shown_ws > _FROZEN_WS and now_s - self._moved_s > _COARSE_S

    def _check(self, serial: str, values_wh: "dict[int, int]", now_s: int, power_w: "int | None") -> str:
        if IMPORT_WH not in values_wh or not all(
            is_cumulative(number) and 0 <= wh <= MAX_WH for number, wh in values_wh.items()
        ):
            return MALFORMED
        known = self.generation > 0 and serial == self.serial and not self._is_anew
        self._watch(now_s, power_w)
        if known:
            if self._pending and self._pending.serial != serial:
                self._pending = None  # the old source is still there
            problem = self._problem(values_wh, now_s)
            if problem == JUMP and self._adopted_s is None and self.outage_s is None:
                return PENDING
            if problem and not self._insists(problem, serial, values_wh, now_s):
                return problem
            known = problem is None
            self._steps += not known
        else:
            problem = None
        if not problem:
            self._step = None
            if not known or self._adopted_s is None:
                verdict = self._confirm(serial, values_wh, now_s)
                if verdict:
                    return verdict
        self._take(serial, values_wh, now_s, known)
        return ADOPTED if known else OPENED

    def _take(self, serial: str, values_wh: "dict[int, int]", now_s: int, known: bool) -> None:
        """Hold them; `known`: as the next ones of the generation."""
        credit_ws = self._credit_at(now_s) if known else self._power_ws(_LAG_S)
        if not known:
            self.open_generation(serial, values_wh)
        held = self.snapshot()
        risen_wh = max(wh - held.get(number, wh) for number, wh in values_wh.items())
        if risen_wh or not known:
            self._moved_s = now_s
            self._unseen_ws = self._shown_ws = 0
        self._credit_ws = credit_ws - 3600 * risen_wh
        self._adopted_s = now_s
        self._pending = None
        for number, wh in values_wh.items():
            if number in self._registers:
                self._registers[number].wh = wh
            else:
                self._registers[number] = Register(wh)

    def _watch(self, now_s: int, power_w: "int | None") -> None:
        """What may have been used since the last reading: as much again as is shown, since power is shown for a moment
        alone."""
        duration_s, self._watched_s = max(0, now_s - self._watched_s), now_s
        if self._adopted_s is None:
            return
        most_ws = self._power_ws(duration_s)
        if power_w is not None:
            self._shown_ws += abs(power_w) * duration_s
            most_ws = min(most_ws, 2 * abs(power_w) * duration_s)
        self._unseen_ws = min(self._unseen_ws + most_ws, self._power_ws(_COARSE_S))

    def _problem(self, values_wh: "dict[int, int]", now_s: int) -> "str | None":
        """Why they cannot follow what is held, or None."""
        problem, step = self._contradiction(self.snapshot(), values_wh, self._credit_at(now_s)), self._step
        if not problem and step and step.problem == JUMP and self._agrees(step, values_wh, now_s):
            return JUMP  # time alone made it affordable
        return problem

    def _agrees(self, before: "_Pending", values_wh: "dict[int, int]", now_s: int) -> bool:
        """Whether they can follow those that were not adopted."""
        credit_ws = self._power_ws(now_s - before.at_s + _LAG_S)
        return not self._contradiction(before.values_wh, values_wh, credit_ws)

    def _insists(self, problem: str, serial: str, values_wh: "dict[int, int]", now_s: int) -> bool:
        """Count a rejected reading; whether it and those before it agree for long enough to be what there is now."""
        step = self._step
        if problem == ZERO and step and any(step.values_wh.values()):
            return False  # a bogus zero in between
        if now_s - self._rejected_s > _QUIET_S:
            self._steps = 0
        self._rejected_s = now_s
        if step is None or not self._agrees(step, values_wh, now_s):
            step = self._step = _Pending(serial, values_wh, now_s)
        step.problem = problem
        step.values_wh = dict(values_wh)
        step.at_s = now_s
        step.count += 1
        least = _STEP_READINGS << min(self._steps, _MOST_DOUBLED)
        return step.count >= least and now_s - step.first_s >= (_QUIET_S if problem == ZERO else _STEP_S)

    def _power_ws(self, duration_s: int) -> int:
        return self.rated_w * max(0, duration_s) * _HEADROOM_PERCENT // 100

    def _credit_at(self, now_s: int) -> int:
        """How much may have been used by now and was not seen, watt-seconds."""
        if self._adopted_s is None:
            return self._power_ws((self.outage_s or 0) + _LAG_S)
        silent_ws = self._power_ws(now_s - self._adopted_s)
        most_ws = self._power_ws(_LAG_S) + max(silent_ws, self._unseen_ws)
        return min(self._credit_ws + silent_ws, most_ws)

    def _confirm(self, serial: str, values_wh: "dict[int, int]", now_s: int) -> "str | None":
        """None when an earlier reading agrees with this one; else what becomes of it."""
        pending = self._pending
        if pending is None or pending.serial != serial:
            self._pending = _Pending(serial, values_wh, now_s)
            return PENDING
        problem = self._contradiction(pending.values_wh, values_wh, self._power_ws(now_s - pending.at_s + _LAG_S))
        if not problem:
            return None
        pending.doubts += 1
        # A rise may mean that the one before was the bogus one; a fall means that of this one, until it insists.
        if problem == JUMP or pending.doubts >= _DOUBTS:
            self._pending = _Pending(serial, values_wh, now_s)
        return problem

    @staticmethod
    def _contradiction(held_wh: "dict[int, int]", values_wh: "dict[int, int]", credit_ws: int) -> "str | None":
        """Why values_wh cannot follow held_wh, or None."""
        if any(held_wh.values()) and not any(values_wh.values()):
            return ZERO  # some meters send every register as 0 in between
        for number, held in held_wh.items():
            if number not in values_wh:
                if held:
                    return MISSING
                continue
            if values_wh[number] < held:
                return FALL
            if values_wh[number] - held > credit_ws // 3600 + _rounding_wh(held, values_wh[number]):
                return JUMP
        return None

    def checkpoint(self) -> "list[object]":
        """Everything that must survive a restart, as lists, integers and text."""
        rows = [[n, r.wh, r.remainder_nj] for n, r in sorted(self._registers.items())]
        return [_FORMAT, self.generation, self.serial, rows]

    def restore(self, checkpoint: object) -> None:
        """Go on from a checkpoint. Raises RegisterError, changing nothing, if it is none or a register would fall."""
        generation, serial, registers = _decode_checkpoint(checkpoint)
        if generation < self.generation:
            raise RegisterError("the checkpoint is of an older generation")
        if generation == self.generation:
            for number, held in self._registers.items():
                fresh = registers.get(number)
                if fresh is None or (fresh.wh, fresh.remainder_nj) < (held.wh, held.remainder_nj):
                    raise RegisterError("register %d would fall" % number)
        self.generation = generation
        self.serial = serial
        self._registers = registers
        self._adopted_s = None
        self._pending = self._step = None


def _rounding_wh(*values_wh: int) -> int:
    """By how much a register may be ahead of what was used: whole kWh show by their zeros."""
    for step_wh in _COARSE_WH:
        if not any(wh % step_wh for wh in values_wh):
            return step_wh
    return _ROUNDING_WH


class _Pending:
    """Registers that nothing has confirmed yet, or that were rejected: the newest, and for how long they agree."""

    def __init__(self, serial: str, values_wh: "dict[int, int]", at_s: int) -> None:
        self.serial = serial
        self.values_wh = dict(values_wh)
        self.at_s = self.first_s = at_s
        self.doubts = self.count = 0
        self.problem = ""


def _decode_checkpoint(raw: object) -> "tuple[int, str, dict[int, Register]]":
    if not isinstance(raw, (list, tuple)) or len(raw) != 4 or raw[0] != _FORMAT:
        raise RegisterError("not a checkpoint of format %d" % _FORMAT)
    _, generation, serial, rows = raw
    if type(generation) is not int or generation < 0 or not isinstance(serial, str):
        raise RegisterError("checkpoint: bad generation or serial")
    if not isinstance(rows, (list, tuple)):
        raise RegisterError("checkpoint: bad registers")
    registers = {}
    for row in rows:
        if not isinstance(row, (list, tuple)) or len(row) != 3 or not all(type(part) is int for part in row):
            raise RegisterError("checkpoint: bad register")
        number, wh, remainder_nj = row
        if not is_cumulative(number) or number in registers:
            raise RegisterError("checkpoint: bad register id")
        registers[number] = Register(wh, remainder_nj)
    return generation, serial, registers
