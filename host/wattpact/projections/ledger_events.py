"""What meters report of the ledger, and what the ledger has noted of their logs."""

from typing import NamedTuple

from wattpact_protocol.log import event_codes, kind_texts
from wattpact_protocol.log.entry import Entry

from wattpact.ordering.noted import Noted, noted_of
from wattpact.store.interface import Reader, Store
from wattpact.store.records import Reported

CODES = (event_codes.LEDGER_HEAD, event_codes.LEDGER_FORKED, event_codes.NOT_NOTED)
_SAME_LOOK_S = 3600  # events of one daily look of a meter are no further apart


def apply(store: Store, new: Entry) -> None:
    """An event, inside a transaction of the caller's."""
    body = new.body
    if body["code"] in CODES:
        store.keep_reported(
            new.kid, body["code"], Reported(body.get("detail", 0), body.get("text", ""), new.stamp.unix_s)
        )


class Seen(NamedTuple):
    """Of a meter: `noted` of its log, entries that wait to be noted, the last head of the ledger that it reported, and
    what it reported to be wrong, if it still is: a sentence, and when."""

    noted: Noted | None
    waiting: int
    head: Reported | None
    problem: str | None
    problem_s: int | None


def seen_of(reader: Reader, meter: bytes, generation: int, next_sequence: int) -> Seen:
    """`generation` and `next_sequence` are the end of its log here."""
    noted, reported = noted_of(reader, meter), reader.reported(meter)
    count = noted.next_sequence if noted is not None and noted.generation == generation else 0
    head, missing = reported.get(event_codes.LEDGER_HEAD), reported.get(event_codes.NOT_NOTED)
    code = event_codes.LEDGER_FORKED
    if missing is not None and not _is_over(missing, head):
        code = event_codes.NOT_NOTED
    found = reported.get(code)
    text = None if found is None else kind_texts.of_ledger(code, found.detail, found.text)
    return Seen(noted, max(0, next_sequence - count), head, text, found and found.unix_s)


def _is_over(missing: Reported, head: Reported | None) -> bool:
    """Whether a later look of the meter found no entries that no block had noted."""
    return head is not None and (head.unix_s or 0) > (missing.unix_s or 0) + _SAME_LOOK_S
