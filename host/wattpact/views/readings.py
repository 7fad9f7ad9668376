"""Registers of a meter at evenly spaced times."""

from typing import Any

from wattpact.projections.stored_accounts import StoredProfile
from wattpact.store.interface import Reader
from wattpact.views import BadRequest

MAX_POINTS = 2000
GOOD_POINTS = 300
DAY_S = 86400
STEPS_S = (1, 5, 10, 15, 30, 60, 300, 900, 1800, 3600, 7200, 14400, 21600, 43200, DAY_S)


def period(from_s: int | None, to_s: int | None, step_s: int | None, now_s: int) -> tuple[int, int, int]:
    """The requested period and step, with what was left out; raises BadRequest."""
    end_s = now_s if to_s is None else to_s
    start_s = max(0, end_s - DAY_S) if from_s is None else from_s
    if start_s >= end_s:
        raise BadRequest(f"from must be before to, and {start_s} is not before {end_s}.")
    length_s = end_s - start_s
    step_s = step_s or next((step for step in STEPS_S if length_s <= step * GOOD_POINTS), length_s // GOOD_POINTS)
    if length_s // step_s >= MAX_POINTS:
        least_s = -(-length_s // (MAX_POINTS - 1))
        raise BadRequest(f"That is more than {MAX_POINTS} points; choose a step of {least_s} s or more.")
    return start_s, end_s, step_s


def points(reader: Reader, meter: bytes, load: StoredProfile | None, times: range) -> list[dict[str, Any]]:
    """Registers at those times; up to a step before the first and after the last reading they do not change."""
    if load is None:
        return [{"t_s": t, "import_wh": None, "export_wh": None, "estimated": False} for t in times]
    first_s, last_s = load.begin_s - times.step, load.end_s + times.step
    measured = reader.measured_at(meter, times)
    found = []
    for t in times:
        known = first_s < t < last_s
        imported, exported = load.at(t) if known else (None, None)
        found.append({"t_s": t, "import_wh": imported, "export_wh": exported, "estimated": known and t not in measured})
    return found
