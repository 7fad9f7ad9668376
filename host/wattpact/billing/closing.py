"""Months that are over: which statements are due, so that each is stated once settled, closes, and is corrected after.

    not stated yet                 due once it is settled, or at the latest when it would close
    stated, and other figures now  due again: it takes the other's place until the month closes, and corrects it later

What always holds: once what was signed is ordered, whoever runs this again finds nothing due.
docs/spec/settlement.md, "A statement".
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from wattpact_protocol.ledger import records, statements
from wattpact_protocol.log import entry, reason_texts

from wattpact.billing import bill
from wattpact.billing.bill import Bill, BillError, Sign, Stated
from wattpact.billing.proofs import Proven
from wattpact.projections import stored_accounts
from wattpact.projections.unsealing import Unsealer
from wattpact.store.interface import Reader
from wattpact.store.recorded import record_of

MONTHS = 3  # that are over, and are looked at
CORRECTS_EVERY_S = 86400


class Failed(NamedTuple):
    """A bill that cannot be stated: whose, of which month, and why."""

    label: str
    month: str
    reason: str


def months_over(now_s: int, timezone: str, count: int = MONTHS) -> list[str]:
    """The last months before this one, the earliest first."""
    found = [bill.month_of(now_s, timezone)]
    for _ in range(count):
        start_s, _ = bill.month_window(found[0], timezone)
        if start_s == 0:
            break
        found.insert(0, bill.month_of(start_s - 1, timezone))
    return found[:-1]


def state_due(
    reader: Reader, unsealer: Unsealer, months: list[str], now_s: int, host: bytes, proven: Proven, sign: Sign
) -> Iterator[Bill | Failed]:
    """Sign each statement that is due, and give its bill, or why there is none; the last three arguments are those of
    `bill.export`. Raises AccountsError, StoreError."""
    accounts = stored_accounts.accounts_of(reader, now_s)
    stated = bill.stated_in(reader, now_s, host)
    for month in months:
        for payer in bill.payers(accounts, month):
            try:
                made = bill.make(accounts, payer, month, stated)
            except BillError as error:
                yield Failed(accounts.inputs.labels.get(payer, payer.hex()), month, str(error))
                continue
            if not is_due(reader, made, now_s):
                continue
            problem = _problem(reader, made, proven.header.time_s, host)
            if problem is not None:
                yield Failed(made.label, month, problem)
                continue
            held = stored_accounts.entries_for(reader, made.statement, unsealer)
            bill.state(made, accounts, held, host, proven, sign)
            yield made


def _problem(reader: Reader, made: Bill, block_s: int, host: bytes) -> str | None:
    """Why the ledger would not order the statement, which is not signed then: nobody would see it rejected."""
    if made.stated is not None:
        return None  # in the place of the last, or its correction
    body = {"from_s": made.statement.from_s, "to_s": made.statement.to_s}
    held = record_of(reader, records.STATED, host, made.statement.subject)
    last = record_of(reader, records.STATEMENT, host, made.statement.subject, made.statement.from_s)
    reason = statements.problem(held["spans"] if held else [], last, body, block_s)
    return None if reason is None else reason_texts.text(reason)


def is_due(reader: Reader, made: Bill, now_s: int) -> bool:
    statement, last = made.statement, made.stated
    if now_s < statement.to_s:
        return False
    if last is None:
        is_settled = statement.settled_to_s >= statement.to_s and not statement.unsettled
        return is_settled or now_s >= statement.to_s + statements.CLOSES_AFTER_S
    if last.is_closed and now_s < last.stated_s + CORRECTS_EVERY_S:
        return False
    return _figures_of(reader, last) != {name: made.fields[name] for name in bill.FIGURES}


def _figures_of(reader: Reader, last: Stated) -> dict[str, Any]:
    row = reader.entry_with_id(last.id)
    if row is None:
        return {}
    body = entry.decode(row.raw, reader.community).body
    return {name: body[name] for name in bill.FIGURES}
