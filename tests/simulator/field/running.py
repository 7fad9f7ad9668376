"""The application as it is, run by a schedule of this simulator's: its tasks get their turn when something happens.

Signatures are stand-ins, which cost nothing; files are those of the field's flash. A task that would be called again
after some ms sleeps until the next moment at which anything happens, so that months pass in minutes.
"""

import sys

from wattpact_meter import load_order

load_order.load()  # from the bottom up: nested imports take more stack than MicroPython has

import wattpact_meter.app  # noqa: E402, F401

from simulator.authors import StandIn  # noqa: E402
from simulator.field.flash import PowerCut  # noqa: E402

_APP, _BOOT, _IDENTITY = "wattpact_meter.app", "wattpact_meter.core.boot", "wattpact_meter.log.identity"
_STORAGE = "wattpact_meter.storage."
_MOST_TURNS = 100  # of the core in one moment
_MOST_AT_ONCE = 16  # pieces of work between two turns
_STATUS_EVERY = 20  # moments


class Pause:
    """What a task awaits: gives its pause to the schedule, or none and goes on at once."""

    def __init__(self, *pauses_ms):
        self._pauses_ms = pauses_ms

    def __await__(self):
        return iter(self._pauses_ms)

    __iter__ = __await__


class Turns:
    """When a task that gives way is really interrupted: every so many times, beginning anywhere."""

    def __init__(self, bits):
        self._bits = bits
        self._left = 0
        self._go_on, self._interrupt = Pause(), Pause(0)

    def pause(self, ms):
        if ms:
            return Pause(ms)
        self._left -= 1
        if self._left >= 0:
            return self._go_on
        self._left = self._bits.below(_MOST_AT_ONCE)
        return self._interrupt


class _Gather:
    """Instead of asyncio, for the application: keeps its tasks for the schedule."""

    def __init__(self):
        self.tasks = []

    def gather(self, *tasks):
        self.tasks = list(tasks)
        return Pause(0)


class StandIns:
    """A context in which firmware signs by stand-ins and stores in `flash`."""

    def __init__(self, flash):
        self._flash = flash
        self._kept = []

    def __enter__(self):
        real = sys.modules[_BOOT].Meter
        self._put(_IDENTITY, "ed25519", StandIn)
        self._put(_BOOT, "Meter", lambda *parts: real(*parts, StandIn.verify_steps))
        for name in sorted(sys.modules):
            if name.startswith(_STORAGE):
                self._put(name, "open", self._flash.open)
                if hasattr(sys.modules[name], "os"):
                    self._put(name, "os", self._flash.os)
        return self

    def _put(self, name, attribute, value):
        module = sys.modules[name]
        self._kept.append((module, attribute, getattr(module, attribute, None)))
        setattr(module, attribute, value)

    def __exit__(self, *_):
        for module, attribute, value in self._kept:
            if value is None:
                delattr(module, attribute)
            else:
                setattr(module, attribute, value)


class Running:
    """Running(board): a started application; raises what its start raises. restarts: it ended by itself."""

    def __init__(self, board):
        self.restarts = False
        self._moments = 0
        module = sys.modules[_APP]
        gather, asyncio = _Gather(), module.asyncio
        self.app = module.App(board)
        module.asyncio = gather
        try:
            self._main = self.app.run()
            self._main.send(None)
        finally:
            module.asyncio = asyncio
        self._sample, self._network, self._tick, self._status = gather.tasks

    def moment(self):
        """Each task has its turn until nothing is left to do at this moment; the core gives way to the others."""
        self._moments += 1
        try:
            for _ in range(_MOST_TURNS):
                self._sample.send(None)
                self._network.send(None)
                if self._tick.send(None):
                    break
            self._network.send(None)
            if self._moments % _STATUS_EVERY == 1:
                self._status.send(None)
        except StopIteration:
            self.restarts = True

    def cut(self, flash):
        """The power is gone: what the tasks would still do has no effect."""
        flash.is_off = True
        for task in (self._sample, self._network, self._tick, self._status, self._main):
            try:
                task.close()
            except (PowerCut, RuntimeError):
                pass
