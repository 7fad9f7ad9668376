"""What the ledger makes of statements: each time is stated once, and when a period closes.

    problem(span, last, body, now_s)     why a statement has no place, or None
    state_account(state, new, now_s)     the same, and its records

What always holds: what was stated of a person is one span of time without a hole; each period of it has one statement
that counts. A period that is closed keeps what it was closed with: what readings that came later change is a correction
of its own. docs/spec/ledger.md, "Members".
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


def is_closed(last: "Fields", now_s: int) -> bool:
    """Whether a period that was stated is closed; `last` is its record."""
    return bool(now_s >= last["to_s"] + CLOSES_AFTER_S)


def problem(span: "Fields | None", last: "Fields | None", body: "Fields", now_s: int) -> "str | None":
    """Why a statement has no place: `span` is the record of all that was stated of its subject, `last` that of the
    period which begins where this one does."""
    from_s, to_s, corrects = body["from_s"], body["to_s"], body.get("corrects")
    if from_s >= to_s:
        return reasons.NO_PERIOD
    if corrects is not None:
        is_last = last is not None and (last["id"], last["to_s"]) == (corrects, to_s)
        return None if last is not None and is_last and is_closed(last, now_s) else reasons.CORRECTS_NOTHING
    if span is None:
        return None
    if last is None:
        return None if from_s == span["to_s"] or to_s == span["from_s"] else reasons.STATED_BEFORE
    if is_closed(last, now_s):
        return reasons.PERIOD_CLOSED
    return None if to_s == last["to_s"] or last["to_s"] == span["to_s"] else reasons.STATED_BEFORE


def state_account(state: "State", new: "Entry", now_s: int) -> "str | None":
    body, subject = new.body, new.body["subject"]
    from_s, to_s = body["from_s"], body["to_s"]
    span, last = state.get(records.STATED, subject), state.get(records.STATEMENT, subject, from_s)
    reason = problem(span, last, body, now_s)
    if reason is not None:
        return reason
    held = {"id": new.id, "to_s": to_s, "net_nano": body["net_nano"], "stated_s": now_s}
    state.put(records.STATEMENT, held, subject, from_s)
    if span is None:
        span = {"from_s": from_s, "to_s": to_s}
    elif last is None:
        span = {"from_s": min(from_s, span["from_s"]), "to_s": max(to_s, span["to_s"])}
    elif last["to_s"] == span["to_s"]:
        span["to_s"] = to_s
    state.put(records.STATED, span, subject)
    return None
