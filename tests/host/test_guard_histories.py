"""Generated histories of the guard, tens of thousands of them, each step checked by tests/simulator/guard_history.py.

The chunks let them run on several cores; each names the history that failed by its seed. WATTPACT_HISTORIES sets how
many a chunk has.
"""

import os

import case
import pytest
from simulator import guard_history
from wattpact_protocol.guard import guard, table

CHUNKS = 10
HISTORIES = int(os.environ.get("WATTPACT_HISTORIES", case.cases(4000, 400)))
STEPS = 20


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_histories_are_as_the_rules_allow(chunk: int):
    policies = guard_history.some_policies(chunk, 60)
    seen: dict[str, int] = {}
    for seed in range(chunk * HISTORIES, (chunk + 1) * HISTORIES):
        try:
            for reason, times in guard_history.live(seed, policies, STEPS).items():
                seen[reason] = seen.get(reason, 0) + times
        except AssertionError as error:
            pytest.fail(f"history {seed}: {error!r}")
    assert set(seen) == {*table.names(), *guard.WAITS}
    assert sum(seen.values()) >= HISTORIES * STEPS


@pytest.mark.parametrize("seed", range(case.cases(20, 2)))
def test_long_histories_are_as_the_rules_allow(seed: int):
    guard_history.live(seed, guard_history.some_policies(seed, 3), 2_000)
