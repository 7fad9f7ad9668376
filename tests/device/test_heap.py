"""The bare profile: a meter starts and lives under contracts in the heap of a chip without PSRAM, code in an image."""

import os

from tools.bench import budget, heap

THOROUGH = os.environ.get("WATTPACT_THOROUGH") == "1"
# A simulated week costs minutes, so it goes on in fewer steps.
MINUTES, PACE_S = (7 * 24 * 60, 900) if THOROUGH else (4 * 60, heap.MINUTE_S)


def test_a_meter_lives_under_contracts_in_112_kib() -> None:
    assert heap.BARE_BYTES == 112 * 1024
    (bare,) = heap.measure(MINUTES, {heap.BARE: heap.BARE_BYTES}, PACE_S)  # an allocation that fails is a LockstepError
    # 1.5 kW behind a relay that is closed under contracts, but for moments between them.
    assert bare.bought_wh > 0.75 * 1500 * MINUTES / 60
    assert bare.entries > 2 * MINUTES / 15  # two for each quarter hour at least
    assert bare.rejected.keys() <= {"inbox_duplicate"}
    assert bare.heap <= heap.LIVE_BAR_BYTES, f"{bare.heap:,} bytes live"


def test_one_that_is_too_small_is_found_out() -> None:
    assert not heap.lives(64 * heap.KIB, minutes=1)


def test_no_module_takes_more_than_it_is_given() -> None:
    taken = budget.measure()
    grown = budget.grown(taken, budget.given())
    assert not grown, "\n".join([*grown, "if that is meant: python -m tools.bench.budget --write"])
    assert taken.keys() == budget.given().keys(), "python -m tools.bench.budget --write"


def test_who_has_grown_is_named_with_how_much() -> None:
    taken = {"a": 1_000, "b": 140, "c": 2_300}
    assert budget.grown(taken, {"a": 1_000, "b": 100, "c": 1_200}) == ["c takes 2,300 bytes, 1,100 more than its 1,200"]
    assert budget.grown(taken, {"a": 1_000, "b": 100}) == ["c takes 2,300 bytes, 2,300 more than its 0"]
    moved = {"a": 800, "b": 500, "c": 1_400, "d": 600, "e": 600}
    assert budget.grown(moved, {"a": 1_000, "b": 500, "c": 1_200, "d": 600, "e": 400}) == [
        "e takes 600 bytes, 200 more than its 400"
    ]
