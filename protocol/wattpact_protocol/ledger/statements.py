"""What the ledger makes of statements: each time is stated once, and when a period closes.

    problem(spans, last, body, now_s)    why a statement has no place, or None
    state_account(state, new, now_s)     the same, and its records

What always holds: of what one host states of a person no time is stated twice, and each period has one statement that
counts. A period that is closed keeps what it was closed with: what readings that came later change is a correction of
its own. What another host states changes nothing of it. docs/spec/ledger.md, "Members".
"""

from wattpact_protocol.ledger import records
from wattpact_protocol.log import reasons

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from wattpact_protocol.ledger.records import State
    from wattpact_protocol.log.entry import Entry

    Fields = dict[str, Any]

CLOSES_AFTER_S = 14 * 86400  # after a period's end its statement takes no other's place
LONGEST_S = 32 * 86400
MAX_SPANS = 64  # of one host's statements of a person, between which there is time that is not stated


def is_closed(last: "Fields", now_s: int) -> bool:
    """Whether a period that was stated is closed; `last` is its record."""
    return bool(now_s >= last["to_s"] + CLOSES_AFTER_S)


def problem(spans: "list[Any]", last: "Fields | None", body: "Fields", now_s: int) -> "str | None":
    """Why a statement has no place: `spans` are the times [from_s, to_s] that its host stated of its subject, `last` is
    the record of the period that begins where this one does."""
    from_s, to_s, corrects = body["from_s"], body["to_s"], body.get("corrects")
    if from_s >= to_s:
        return reasons.NO_PERIOD
    if to_s - from_s > LONGEST_S:
        return reasons.PERIOD_TOO_LONG
    if last is None or last["to_s"] != to_s:
        if corrects is not None:
            return reasons.CORRECTS_NOTHING
        is_stated = [span for span in spans if from_s < span[1] and span[0] < to_s]
        is_full = len(spans) >= MAX_SPANS and len(_joined(spans, from_s, to_s)) > MAX_SPANS
        return reasons.STATED_BEFORE if is_stated or is_full else None
    if corrects is None:
        return reasons.PERIOD_CLOSED if is_closed(last, now_s) else None
    return None if corrects == last["id"] and is_closed(last, now_s) else reasons.CORRECTS_NOTHING


def _joined(spans: "list[Any]", from_s: int, to_s: int) -> "list[list[int]]":
    """The spans and one more, in their order; those that meet are one."""
    made: list[list[int]] = []
    for begin_s, end_s in sorted([list(span) for span in spans] + [[from_s, to_s]]):
        if made and begin_s <= made[-1][1]:
            made[-1][1] = max(made[-1][1], end_s)
        else:
            made.append([begin_s, end_s])
    return made


def state_account(state: "State", new: "Entry", now_s: int) -> "str | None":
    body, place = new.body, (new.kid, new.body["subject"])
    from_s, to_s, net_nano = body["from_s"], body["to_s"], body["net_nano"]
    held, last = state.get(records.STATED, *place), state.get(records.STATEMENT, *place, from_s)
    spans = held["spans"] if held is not None else []
    reason = problem(spans, last, body, now_s)
    if reason is not None:
        return reason
    closed_nano, closed_s, corrections = net_nano, now_s, 0
    if last is not None and "corrects" in body:
        closed_nano, closed_s, corrections = last["closed_nano"], last["closed_s"], last["corrections"] + 1
    state.put(records.STATEMENT, {
        "id": new.id, "to_s": to_s, "net_nano": net_nano, "stated_s": now_s, "closed_nano": closed_nano,
        "closed_s": closed_s, "corrections": corrections,
    }, *place, from_s)  # fmt: skip
    state.put(records.STATED, {"spans": _joined(spans, from_s, to_s)}, *place)
    return None
