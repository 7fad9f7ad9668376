"""A person's bill for a month: one figure, what it is made of, and how far it is settled.

    month in the community's time zone -> statement of account -> Bill -> text, JSON, or a signed bundle

What always holds: a bill's figures are its statement's, to the last Wh and nano-unit; rounding is for display.
docs/spec/settlement.md says how they come about, docs/spec/bundle.md what an export holds.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from wattpact_protocol.ledger import records, statements
from wattpact_protocol.log import kinds, roles
from wattpact_protocol.log.entry import Entry
from wattpact_protocol.settlement.statement import Statement

from wattpact.accounts import Statements
from wattpact.billing import collect, proofs
from wattpact.billing.proofs import Proven
from wattpact.bundle import format, money
from wattpact.store.interface import Reader
from wattpact.store.recorded import record_of

FIGURES = (
    "bought_wh", "bought_nano", "sold_wh", "sold_nano", "grid_import_wh", "grid_import_nano", "grid_export_wh",
    "grid_export_nano", "unused_nano", "unused_earned_nano", "net_nano", "saved_nano", "estimated_wh", "settled_to_s",
)  # fmt: skip


Sign = Callable[[int, dict[str, Any]], Entry]  # of a kind and a body


class BillError(ValueError):
    """No bill can be made of this; the text says why, for a person."""


class Stated(NamedTuple):
    """What the ledger has of the last statement about a month, and of the one with which it closed, or would by now."""

    id: bytes
    net_nano: int
    stated_s: int
    closed_nano: int
    corrections: int
    is_closed: bool


StatedIn = Callable[[bytes, int, int], Stated | None]  # of subject, from_s and to_s


def stated_in(reader: Reader, now_s: int, host: bytes) -> StatedIn:
    """What the ledger's last block has of a subject's month by that host; whether it is closed by `now_s`."""

    def look(subject: bytes, from_s: int, to_s: int) -> Stated | None:
        held = record_of(reader, records.STATEMENT, host, subject, from_s)
        if held is None or held["to_s"] != to_s:
            return None
        return Stated(
            held["id"], held["net_nano"], held["stated_s"], held["closed_nano"], held["corrections"],
            statements.is_closed(held, now_s),
        )  # fmt: skip

    return look


@dataclass(frozen=True)
class Bill:
    """A statement with the names a person knows; `stated` is the last that was ordered about its month."""

    month: str
    statement: Statement
    fields: dict[str, Any]
    community: dict[str, Any]
    labels: dict[bytes, str]
    stated: Stated | None = None

    @property
    def closes_s(self) -> int:
        """From then on, late readings make corrections of this month."""
        return self.statement.to_s + statements.CLOSES_AFTER_S

    @property
    def currency(self) -> str:
        return str(self.community["currency"])

    @property
    def label(self) -> str:
        return self.labels.get(self.statement.subject, self.statement.subject.hex())

    def as_json(self) -> dict[str, Any]:
        """As the HTTP API gives it; keys and ids are hex."""
        made = self.statement
        return {
            "owner": made.subject.hex(), "label": self.label, "month": self.month,
            "from_s": made.from_s, "to_s": made.to_s,
            **{name: self.fields[name] for name in FIGURES},
            "closes_s": self.closes_s,
            "stated_s": None if self.stated is None else self.stated.stated_s,
            "stated_nano": None if self.stated is None else self.stated.net_nano,
            "closed_nano": None if self.stated is None else self.stated.closed_nano,
            "corrections": 0 if self.stated is None else self.stated.corrections,
            "closed": self.stated is not None and self.stated.is_closed,
            "waiting_for": [{"meter": kid.hex(), "label": self.labels.get(kid)} for kid in made.unsettled],
            "lines": [self._line(line) for line in made.lines],
        }  # fmt: skip

    def _line(self, line: Any) -> dict[str, Any]:
        bought = line.side == kinds.BUY
        other = line.contract.supplier if bought else line.contract.consumer
        return {
            "contract": line.contract.id.hex(), "role": "bought" if bought else "sold", "with": other.hex(),
            "with_label": self.labels.get(other), "carried_wh": line.carried_wh,
            "price_micro_per_kwh": line.contract.price_micro_per_kwh, "nano": line.carried_nano,
            "unused_wh": line.unused_wh, "unused_nano": line.unused_nano,
        }  # fmt: skip


def month_window(month: str, timezone: str) -> tuple[int, int]:
    """Unix seconds from the first midnight of YYYY-MM to that of the next month, in a time zone."""
    match = re.fullmatch(r"([0-9]{4})-([0-9]{2})", month)
    if match is None or not 1 <= int(match[2]) <= 12 or not 1970 <= int(match[1]) <= 9998:
        raise BillError(f"{month!r} is no month; write it like 2026-11")
    year, number = int(match[1]), int(match[2])
    try:
        zone = ZoneInfo(timezone)
    except (KeyError, OSError, ValueError):
        raise BillError(f"the community's time zone {timezone!r} is not known to this machine") from None
    following = (year, number + 1) if number < 12 else (year + 1, 1)
    start_s = int(datetime(year, number, 1, tzinfo=zone).timestamp())
    return max(0, start_s), int(datetime(*following, 1, tzinfo=zone).timestamp())


def month_of(unix_s: int, timezone: str) -> str:
    """The month of a time, in a time zone."""
    return datetime.fromtimestamp(unix_s, UTC).astimezone(ZoneInfo(timezone)).strftime("%Y-%m")


def find_owner(accounts: Statements, name: str) -> bytes:
    """The person, else the meter, enrolled under a label or a kid's hex digits; raises BillError."""
    inputs = accounts.inputs
    found = [kid for kid, label in inputs.labels.items() if name in (label, kid.hex())]
    people = [kid for kid in found if inputs.certificates[kid]["role"] == roles.PERSON]
    meters = [kid for kid in found if inputs.certificates[kid]["role"] == roles.METER]
    for choice in (people, meters):
        if len(choice) > 1:
            raise BillError(f"{name!r} is the name of several; give one of {', '.join(kid.hex() for kid in choice)}")
        if choice:
            return choice[0]
    raise BillError(f"no person or meter here is called {name!r}")


def make(accounts: Statements, subject: bytes, month: str, stated: StatedIn | None = None) -> Bill:
    """The bill as far as the accounts are settled; raises BillError, AccountsError."""
    community = founded(accounts)
    made = accounts.statement(subject, *month_window(month, community["timezone"]))
    _check_readable(accounts, made)
    figures = made.figures()
    if any(type(figure) is int and abs(figure) > kinds.MAX_UINT for figure in figures.values()):
        raise BillError(
            "the readings of this month amount to more than a statement can hold; see `wattpact meter show`"
        )
    held = None if stated is None else stated(subject, made.from_s, made.to_s)
    return Bill(month, made, figures, community, dict(accounts.inputs.labels), held)


def founded(accounts: Statements) -> dict[str, Any]:
    """The community's settings; raises BillError where there are none."""
    if accounts.inputs.community is None:
        raise BillError("no community has been founded yet")
    return accounts.inputs.community


def _check_readable(accounts: Statements, made: Statement) -> None:
    """No bill is made of readings that this host has no key to; raises BillError."""
    inputs = accounts.inputs
    unreadable = sorted(inputs.labels.get(kid, kid.hex()) for kid in made.closure if inputs.sealed.get(kid))
    if unreadable:
        names = " and ".join([", ".join(unreadable[:-1]), unreadable[-1]] if unreadable[1:] else unreadable)
        raise BillError(
            f"readings of {names} are sealed, and this host has no key to them: put issuer.key back, or make the bill "
            "where it is"
        )


def payers(accounts: Statements, month: str) -> list[bytes]:
    """Who has a bill for that month."""
    return accounts.payers(*month_window(month, founded(accounts)["timezone"]))


def make_all(accounts: Statements, month: str, stated: StatedIn | None = None) -> list[Bill]:
    """A bill for each payer of that month."""
    return [make(accounts, subject, month, stated) for subject in payers(accounts, month)]


def export(
    made: Bill, accounts: Statements, entries: Iterable[Entry], host: bytes, proven: Proven, sign: Sign
) -> bytes:
    """The bundle of a bill. `entries` are all that the host holds; `proven` is the ledger that the bill rests on;
    `sign(kind, body)` signs the statement as `host`.

    The statement's stamp is the time the accounts were settled for: an auditor settles for the same."""
    picked = collect.collect(entries, accounts.inputs, made.statement, host)
    found = proofs.records_of(proven, made.statement, picked, host)
    head = proven.head()
    return format.write(head, found, picked, sign(kinds.STATEMENT, _body(made, picked, proven)))


def state(made: Bill, accounts: Statements, entries: Iterable[Entry], host: bytes, proven: Proven, sign: Sign) -> Entry:
    """The statement of a bill alone; the arguments are those of `export`."""
    picked = collect.collect(entries, accounts.inputs, made.statement, host)
    return sign(kinds.STATEMENT, _body(made, picked, proven))


def _body(made: Bill, picked: list[Entry], proven: Proven) -> dict[str, Any]:
    """A correction where the month is closed, by the time of the block that it rests on, as an auditor has it."""
    body = made.statement.fields([new.id for new in picked], proven.header)
    if made.stated is not None and proven.header.time_s >= made.closes_s:
        body["corrects"] = made.stated.id
    return body


def text(made: Bill) -> str:
    """The bill as a text of several lines."""
    fields, currency = made.fields, made.currency
    paid = (
        ("Bought from neighbours", fields["bought_wh"], fields["bought_nano"]),
        ("Agreed with neighbours, not used", None, fields["unused_nano"]),
        ("Bought from the grid", fields["grid_import_wh"], fields["grid_import_nano"]),
        ("Sold to neighbours", fields["sold_wh"], -fields["sold_nano"]),
        ("Sold to neighbours, not used", None, -fields["unused_earned_nano"]),
        ("Sold to the grid", fields["grid_export_wh"], -fields["grid_export_nano"]),
    )
    rows = [f"{made.label}, {made.month}, {made.community['name']}", ""]
    rows += [_row(what, wh, nano, currency) for what, wh, nano in paid]
    net = fields["net_nano"]
    rows += [_row("Total", None, net, currency), ""]
    due = "To pay" if net >= 0 else "To receive"
    rows.append(f"{due}: {money.rounded(abs(net), currency)}, {_saved(fields, currency)}.")
    rows += ["", *_contracts(made), *_state(made)]
    return "\n".join(rows)


def _row(what: str, wh: int | None, nano: int, currency: str) -> str:
    quantity = "" if wh is None else money.energy(wh)
    return f"{what:<36}{quantity:>16}{money.exact(nano, currency):>24}"


def _saved(fields: dict[str, Any], currency: str) -> str:
    saved = fields["saved_nano"]
    return f"{money.rounded(abs(saved), currency)} {'less' if saved >= 0 else 'more'} than with the grid alone"


def _contracts(made: Bill) -> list[str]:
    rows = []
    for line in made.as_json()["lines"]:
        verb = "bought from" if line["role"] == "bought" else "sold to"
        at = money.price(line["price_micro_per_kwh"], made.currency)
        who = line["with_label"] or line["with"]
        unused = f", {money.energy(line['unused_wh'])} unused" if line["unused_wh"] else ""
        amount = money.exact(line["nano"] + line["unused_nano"], made.currency)
        energy = money.energy(line["carried_wh"])
        rows.append(f"{line['contract'][:12]}  {energy} {verb} {who} at {at}{unused}: {amount}")
    return ["Contracts:", *rows, ""] if rows else ["No contracts.", ""]


def _state(made: Bill) -> list[str]:
    statement = made.statement
    rows = _stated(made)
    if made.fields["estimated_wh"]:
        energy = money.energy(made.fields["estimated_wh"])
        rows.append(f"Estimated between readings: {energy}. Contracts carry measured energy only; this is the grid's.")
    if statement.settled_to_s >= statement.to_s:
        return [*rows, "Settled until the end of the month."]
    until = _local(statement.settled_to_s, made)
    rows.append(f"Settled until {until:%Y-%m-%d %H:%M:%S %Z}; the rest waits for readings.")
    return rows


def _local(unix_s: int, made: Bill) -> datetime:
    return datetime.fromtimestamp(unix_s, UTC).astimezone(ZoneInfo(made.community["timezone"]))


def _stated(made: Bill) -> list[str]:
    """When the month was stated, whether that is final, and what late readings change."""
    last = made.stated
    if last is None:
        return []
    stated, closes = f"{_local(last.stated_s, made):%Y-%m-%d}", f"{_local(made.closes_s, made):%Y-%m-%d}"
    change = made.fields["net_nano"] - last.net_nano
    if not last.is_closed:
        was = "" if change == 0 else f" with {money.due(last.net_nano, made.currency)}"
        return [f"Stated on {stated}{was}; late readings can change it until it closes on {closes}."]
    rows = [f"Closed on {closes} with {money.due(last.closed_nano, made.currency)}; late readings make corrections."]
    if last.corrections:
        times = "once" if last.corrections == 1 else f"{last.corrections} times"
        rows.append(f"Corrected {times}, last on {stated}: {money.due(last.net_nano, made.currency)} in all.")
    if change:
        rows.append(f"Readings that came since change it: a correction follows, {money.due(change, made.currency)}.")
    return rows
