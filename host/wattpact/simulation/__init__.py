"""Replays: recorded input through the whole path, as fast as it goes, with every sum checked.

lockstep   one meter's firmware in virtual time, in a MicroPython process
simulator  a node and such meters on one virtual clock, with a network without loss
homes      a week of recorded homes as producers and consumers
p1         a recorded P1 port
waveform   a recorded voltage and current
"""

from typing import NamedTuple


class ReplayError(ValueError):
    """The input cannot be replayed; the text says which file and why."""


class Check(NamedTuple):
    """One thing a replay shows: what, whether it holds, and the figures."""

    what: str
    holds: bool
    figures: str
