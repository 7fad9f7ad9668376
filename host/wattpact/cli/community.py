"""`wattpact community`: the grid's prices, what meters' guards go by, and who is supplied without a contract."""

import datetime
from collections.abc import Callable
from typing import Any

import click
from wattpact_protocol.guard.policy import MAX_HOLIDAYS, NUMBERS, SWITCHES, Policy
from wattpact_protocol.log import kinds, roles

from wattpact.cli import times
from wattpact.cli.frame import Price, Session, as_json, price, show_fields, show_json
from wattpact.keys import KeyFileError, Signer
from wattpact.market import terms
from wattpact.membership import members
from wattpact.node import data_directory
from wattpact.node.data_directory import DataDirectory
from wattpact.store.interface import Reader
from wattpact.store.records import Certified

_EPOCH = datetime.date(1970, 1, 1)
_ORDER = "operator_open_at_s"
_EXPLAINED = {
    "emergency_credit_wh": "What a household may draw without a contract.",
    "quiet_start_min": "Quiet hours begin at this minute of the day.",
    "quiet_end_min": "The first minute that is not quiet.",
    "utc_offset_min": "Local time less UTC, minutes; quiet hours and weekends go by it.",
    "warn_wait_max_s": "The longest warning before the relay opens.",
    "reconnect_wait_max_s": "The longest wait after a power failure.",
    "rest_s": "How long the relay stays open at least.",
    "hold_budget_s": "How long supply goes on while time or registers are not known.",
    "hold_budget_wh": "How much energy may flow meanwhile.",
    "reassert_s": "How often the relay is driven again to where it is.",
    "operator_order_fresh_s": "How long an order to open stands.",
    "quiet_hours": "Cut nobody off in quiet hours.",
    "quiet_weekends": "Cut nobody off on Saturday and Sunday.",
    "consent_required": "Close only after somebody on site agreed.",
    "protected": "Never cut off; what no contract carries is owed.",
}


@click.group(short_help="Prices of the grid, and what meters go by.")
def command() -> None:
    """The community: prices of the grid, what meters go by, who is supplied without a contract."""


def _issuer(opened: DataDirectory) -> Signer:
    issuer = opened.issuer()
    if issuer is None:
        raise KeyFileError("the issuer's key is not here, and only it may say this")
    return issuer


def _find_meter(reader: Reader, text: str) -> Certified:
    return members.find(reader.certificates(), roles.METER, text)


# show


def _tariff_rows(reader: Reader, now_s: int) -> list[dict[str, Any]]:
    """The prices that hold, and those to come."""
    tariff = terms.tariffs(reader)
    times = [now_s, *tariff.changes(now_s, kinds.MAX_UINT)]
    return [
        {"from_s": unix_s, "import_micro_per_kwh": tariff.at(unix_s)[0], "export_micro_per_kwh": tariff.at(unix_s)[1]}
        for unix_s in times
    ]


def _policy_row(label: str | None, body: dict[str, Any]) -> dict[str, Any]:
    return {"meter": label, **Policy.from_fields(body).fields(), "version": body.get("version", 0),
            _ORDER: body.get(_ORDER)}  # fmt: skip


def _everything(opened: DataDirectory, reader: Reader, now_s: int) -> dict[str, Any]:
    labels = {known.kid: known.body["label"] for known in reader.certificates()}
    held = terms.policies(reader)
    own = sorted((labels.get(meter, meter.hex()), body) for meter, body in held.items() if meter is not None)
    supplied = sorted((labels.get(meter, meter.hex()), to_s) for meter, to_s in
                      terms.supplied_until(reader).items() if to_s > now_s)  # fmt: skip
    body = terms.community(reader)
    return {
        "name": body["name"], "community_id": opened.community.hex(),
        "root_public_key": opened.root_public_key.hex(), "currency": body["currency"], "timezone": body["timezone"],
        "slot_s": body["slot_s"], "tariffs": _tariff_rows(reader, now_s),
        "policies": [_policy_row(None, held.get(None, {})), *(_policy_row(*row) for row in own)],
        "default_supply": [{"meter": label, "to_s": to_s} for label, to_s in supplied],
    }  # fmt: skip


@command.command()
@as_json
@click.pass_obj
def show(session: Session, as_json: bool) -> None:
    """Show the community's terms: root key, prices, policies, default supply."""
    opened = session.data_directory()
    with opened.reader() as reader:
        found = _everything(opened, reader, data_directory.clock())
    if as_json:
        show_json(found)
        return
    zone = found["timezone"]
    show_fields({
        "community": found["name"], "id": found["community_id"], "root key": found["root_public_key"],
        "currency": found["currency"], "time zone": found["timezone"], "slot": f"{found['slot_s']} s",
    })  # fmt: skip
    for number, row in enumerate(found["tariffs"]):
        when = f"from {times.shown(row['from_s'], zone)}" if number else "now"
        click.echo(f"grid prices {when}: {_prices(row, found['currency'])}")
    for row in found["policies"]:
        whose = f"of {row['meter']}" if row["meter"] else "of all meters without their own"
        click.echo(f"policy {whose}, version {row['version']}:")
        for line in _differences(row, zone):
            click.echo(f"  {line}")
    for row in found["default_supply"]:
        click.echo(f"default supply of {row['meter']} until {times.shown(row['to_s'], zone)}")


def _prices(row: dict[str, Any], currency: str) -> str:
    taken, given = price(row["import_micro_per_kwh"]), price(row["export_micro_per_kwh"])
    return f"{taken} {currency} per kWh taken, {given} given"


def _differences(row: dict[str, Any], zone: str) -> list[str]:
    """What a policy says that the defaults do not."""
    plain = Policy().fields()
    lines = [f"{name} {_shown(name, row[name])}" for name in plain if row[name] != plain[name]]
    if row[_ORDER] is not None:
        lines.append(f"ordered to open at {times.shown(row[_ORDER], zone)}")
    return lines or ["the defaults"]


def _shown(name: str, value: Any) -> str:
    if name == "holidays":
        return ", ".join(str(_EPOCH + datetime.timedelta(days=day)) for day in value)
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


# tariff


@command.command()
@click.option("--import", "taken", required=True, type=Price(), help="The grid's price per kWh taken.")
@click.option("--export", "given", required=True, type=Price(), help="The grid's price per kWh given.")
@click.option("--from", "since", metavar="TIME", help="From when, in the community's time zone; now if not said.")
@click.pass_obj
def tariff(session: Session, taken: int, given: int, since: str | None) -> None:
    """Set the grid's prices, for all slots that start at or after a time."""
    opened = session.data_directory()
    issuer, now_s = _issuer(opened), data_directory.clock()
    with opened.store() as store:
        body = terms.community(store)
        from_s = now_s if since is None else times.unix_s(since, body["timezone"])
        terms.set_tariff(store, issuer, from_s, (taken, given), now_s)
    row = {"import_micro_per_kwh": taken, "export_micro_per_kwh": given}
    click.echo(f"From {times.shown(from_s, body['timezone'])}: {_prices(row, body['currency'])}.")
    if from_s < now_s:
        click.echo("That is in the past: bills that cover it come out differently from now on.")


# policy


def _policy_options(function: Callable[..., None]) -> Callable[..., None]:
    for name, standard in reversed(SWITCHES):
        word = name.replace("_", "-")
        help_text = f"{_EXPLAINED[name]}  [default: {'yes' if standard else 'no'}]"
        function = click.option(f"--{word}/--no-{word}", name, default=None, help=help_text)(function)
    for name, number, lowest, highest in reversed(NUMBERS):
        help_text = f"{_EXPLAINED[name]}  [default: {number}]"
        kind = click.IntRange(lowest, highest)
        function = click.option(f"--{name.replace('_', '-')}", name, type=kind, metavar="N", help=help_text)(function)
    return function


@command.command()
@click.option("--meter", metavar="METER", help="Of this meter alone; if not said, of all that have none of their own.")
@_policy_options
@click.option("--holiday", "holidays", multiple=True, metavar="DATE", help="Cut nobody off that day; may be repeated.")
@click.option("--open/--no-open", "order", default=None, help="Order the relay to open, or take the order back.")
@click.option("--defaults", is_flag=True, help="Put back to its default what no other option names.")
@click.pass_obj
def policy(
    session: Session, /, meter: str | None, holidays: tuple[str, ...], order: bool | None, defaults: bool, **named: Any
) -> None:
    """Change what meters' guards go by; what is not named stays as it was.

    What each field does is in docs/spec/guard.md. A meter with a policy of its own goes by that alone."""
    opened = session.data_directory()
    issuer, now_s = _issuer(opened), data_directory.clock()
    changes: dict[str, Any] = dict.fromkeys((*named, "holidays")) if defaults else {}
    changes.update({name: value for name, value in named.items() if value is not None})
    if holidays:
        changes["holidays"] = _days(holidays)
    if order is not None:
        changes[_ORDER] = now_s if order else None
    if not changes:
        raise click.UsageError("nothing to change: name a field, or see `wattpact community show`")
    with opened.store() as store:
        known = _find_meter(store, meter) if meter else None
        zone = terms.community(store)["timezone"]
        body = terms.set_policy(store, issuer, known.kid if known else None, changes, now_s)
    whose = known.body["label"] if known else "all meters that have none of their own"
    said = "; ".join(_differences(_policy_row(None, body), zone))
    click.echo(f"Policy of {whose}, version {body['version']}: {said}.")


def _days(texts: tuple[str, ...]) -> list[int]:
    if len(texts) > MAX_HOLIDAYS:
        raise click.BadParameter(f"at most {MAX_HOLIDAYS} holidays fit into a policy")
    try:
        return sorted({(datetime.date.fromisoformat(text) - _EPOCH).days for text in texts})
    except ValueError:
        raise click.BadParameter("a holiday is a date like 2026-12-25") from None


# default supply


@command.command("default-supply")
@click.option("--meter", required=True, metavar="METER", help="Whose: its label or key id.")
@click.option("--until", required=True, metavar="TIME", help="Until when, in the community's time zone.")
@click.pass_obj
def default_supply(session: Session, meter: str, until: str) -> None:
    """Keep a meter supplied by the grid, at its price, where no contract carries what flows.

    It cannot be taken back before its time; `community policy --meter METER --open` opens the relay all the same."""
    opened = session.data_directory()
    issuer, now_s = _issuer(opened), data_directory.clock()
    with opened.store() as store:
        known = _find_meter(store, meter)
        zone = terms.community(store)["timezone"]
        to_s = times.unix_s(until, zone)
        if to_s <= now_s:
            raise click.BadParameter(f"{until!r} is past")
        max_w = known.body.get("rated_w") or kinds.MAX_U32
        number = terms.supply(store, issuer, known.kid, max_w, to_s, now_s)
    click.echo(f"{known.body['label']} is supplied by the grid until {times.shown(to_s, zone)}, grant {number}.")
