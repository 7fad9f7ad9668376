"""`wattpact community`: the grid's prices, the policies that meters' guards follow, default supply, and witnesses."""

import datetime
from collections.abc import Callable
from typing import Any

import click
from wattpact_protocol.guard.policy import MAX_HOLIDAYS, Policy, numbers, switches
from wattpact_protocol.log import kinds, roles

from wattpact.bundle import cosigned
from wattpact.cli import times
from wattpact.cli.frame import Price, Session, as_json, price, show_fields, show_json
from wattpact.market import terms
from wattpact.membership import members
from wattpact.node import data_directory
from wattpact.node.data_directory import DataDirectory
from wattpact.ordering import cosigning
from wattpact.store.interface import Reader
from wattpact.store.records import Certified

_EPOCH = datetime.date(1970, 1, 1)
_ORDER = "operator_open_at_s"
_EXPLAINED = {
    "emergency_credit_wh": "Energy that a household may use without a contract, Wh.",
    "quiet_start_min": "First minute of the quiet hours, counted from midnight.",
    "quiet_end_min": "First minute after the quiet hours, counted from midnight.",
    "utc_offset_min": "Local time minus UTC, in minutes, for quiet hours and weekends.",
    "warn_wait_max_s": "Longest time between the warning and the opening of the relay, seconds.",
    "reconnect_wait_max_s": "Longest wait before the relay closes after a power failure, seconds.",
    "rest_s": "Shortest time that the relay stays open, seconds.",
    "hold_budget_s": "How long supply continues without a known time or register, seconds.",
    "hold_budget_wh": "How much energy may flow during that time, Wh.",
    "reassert_s": "How often the relay is driven to its position again, seconds.",
    "operator_order_fresh_s": "How long an order to open the relay is valid, seconds.",
    "quiet_hours": "Supply in quiet hours also without a contract.",
    "quiet_weekends": "Supply on Saturdays and Sundays also without a contract.",
    "consent_required": "Close the relay only after somebody at the meter has agreed.",
    "protected": "Always supply; energy that no contract covers is owed.",
}


@click.group(short_help="Set the grid's prices, the meters' policies, default supply and witnesses.")
def command() -> None:
    """The community: the grid's prices, the policies that meters follow, default supply, and which witnesses must have
    cosigned the ledger's head."""


def _find_meter(reader: Reader, text: str) -> Certified:
    return members.find(reader.certificates(), roles.METER, text)


# show


def _tariff_rows(reader: Reader, now_s: int) -> list[dict[str, Any]]:
    """The prices now, and those that apply later."""
    tariff = terms.tariffs(reader)
    times = [now_s, *tariff.changes(now_s, kinds.MAX_UINT)]
    return [
        {"from_s": unix_s, "import_micro_per_kwh": tariff.at(unix_s)[0], "export_micro_per_kwh": tariff.at(unix_s)[1]}
        for unix_s in times
    ]


def _policy_row(label: str | None, body: dict[str, Any]) -> dict[str, Any]:
    return {"meter": label, **Policy.from_fields(body).fields(), "version": body.get("version", 0),
            _ORDER: body.get(_ORDER)}  # fmt: skip


def _everything(directory: DataDirectory, reader: Reader, now_s: int) -> dict[str, Any]:
    labels = {known.kid: known.body["label"] for known in reader.certificates()}
    held = terms.policies(reader)
    own = sorted((labels.get(meter, meter.hex()), body) for meter, body in held.items() if meter is not None)
    supplied = sorted((labels.get(meter, meter.hex()), to_s) for meter, to_s in
                      terms.supplied_until(reader).items() if to_s > now_s)  # fmt: skip
    body, newest = terms.community(reader), terms.newest_community(reader)
    required = cosigned.promised(newest)
    return {
        "name": body["name"], "community_id": directory.community.hex(),
        "root_public_key": directory.root_public_key.hex(), "currency": body["currency"], "timezone": body["timezone"],
        "slot_s": body["slot_s"], "tariffs": _tariff_rows(reader, now_s),
        "policies": [_policy_row(None, held.get(None, {})), *(_policy_row(*row) for row in own)],
        "default_supply": [{"meter": label, "to_s": to_s} for label, to_s in supplied],
        "version": newest["version"], "cosigned": required.least,
        "witnesses": [one.text for one in required.witnesses],
    }  # fmt: skip


@command.command()
@as_json
@click.pass_obj
def show(session: Session, as_json: bool) -> None:
    """Show the community's terms: root key, prices, policies, default supply, witnesses."""
    directory = session.data_directory()
    directory.bring_up(data_directory.clock())
    with directory.reader() as reader:
        found = _everything(directory, reader, data_directory.clock())
    if as_json:
        show_json(found)
        return
    zone = found["timezone"]
    show_fields({
        "community": found["name"], "id": found["community_id"], "root key": found["root_public_key"],
        "currency": found["currency"], "time zone": found["timezone"], "slot": f"{found['slot_s']} s",
        "witnesses": _witnesses(found),
    })  # fmt: skip
    for number, row in enumerate(found["tariffs"]):
        when = f"from {times.shown(row['from_s'], zone)}" if number else "now"
        click.echo(f"grid prices {when}: {_prices(row, found['currency'])}")
    for row in found["policies"]:
        whose = f"of {row['meter']}" if row["meter"] else "of all meters without one of their own"
        click.echo(f"policy {whose}, version {row['version']}:")
        for line in _differences(row, zone):
            click.echo(f"  {line}")
    for row in found["default_supply"]:
        click.echo(f"default supply of {row['meter']} until {times.shown(row['to_s'], zone)}")


def _prices(row: dict[str, Any], currency: str) -> str:
    taken, given = price(row["import_micro_per_kwh"]), price(row["export_micro_per_kwh"])
    return f"import {taken} {currency}/kWh, export {given} {currency}/kWh"


def _witnesses(found: dict[str, Any]) -> str | None:
    named = tuple(cosigned.read_key(text) for text in found["witnesses"])
    return cosigned.Required(named, found["cosigned"]).sentence if named else None


def _differences(row: dict[str, Any], zone: str) -> list[str]:
    """The fields of a policy that differ from the defaults."""
    plain = Policy().fields()
    lines = [f"{name} {_shown(name, row[name])}" for name in plain if row[name] != plain[name]]
    if row[_ORDER] is not None:
        lines.append(f"relay ordered open at {times.shown(row[_ORDER], zone)}")
    return lines or ["the defaults"]


def _shown(name: str, value: Any) -> str:
    if name == "holidays":
        return ", ".join(str(_EPOCH + datetime.timedelta(days=day)) for day in value)
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


# tariff


@command.command()
@click.option("--import", "taken", required=True, type=Price(), help="Price of a kWh bought from the grid.")
@click.option("--export", "given", required=True, type=Price(), help="Price of a kWh sold to the grid.")
@click.option(
    "--from", "since", metavar="TIME", help="From when, in the community's time zone; the next slot if omitted."
)
@click.pass_obj
def tariff(session: Session, taken: int, given: int, since: str | None) -> None:
    """Set the grid's prices, for all slots that start at or after a time."""
    directory = session.data_directory()
    issuer, now_s = directory.needed_issuer(), data_directory.clock()
    directory.bring_up(now_s)
    with directory.store() as store:
        body = terms.community(store)
        first_s = terms.first_slot_s(store, now_s)
        from_s = first_s if since is None else times.unix_s(since, body["timezone"])
        if from_s < first_s:
            shown_first = times.shown(first_s, body["timezone"])
            raise terms.GovernanceError(
                f"prices hold from a slot that has not begun: from {shown_first} at the earliest"
            )
        terms.set_tariff(store, issuer, from_s, (taken, given), now_s)
    directory.bring_up(now_s)
    row = {"import_micro_per_kwh": taken, "export_micro_per_kwh": given}
    click.echo(f"From {times.shown(from_s, body['timezone'])}: {_prices(row, body['currency'])}.")


# policy


def _policy_options(function: Callable[..., None]) -> Callable[..., None]:
    for name, standard in reversed(switches()):
        flag = name.replace("_", "-")
        help_text = f"{_EXPLAINED[name]}  [default: {'yes' if standard else 'no'}]"
        function = click.option(f"--{flag}/--no-{flag}", name, default=None, help=help_text)(function)
    for name, number, lowest, highest in reversed(numbers()):
        help_text = f"{_EXPLAINED[name]}  [default: {number}]"
        kind = click.IntRange(lowest, highest)
        function = click.option(f"--{name.replace('_', '-')}", name, type=kind, metavar="N", help=help_text)(function)
    return function


@command.command()
@click.option(
    "--meter", metavar="METER", help="For this meter alone; if omitted, for all meters without a policy of their own."
)
@_policy_options
@click.option(
    "--holiday",
    "holidays",
    multiple=True,
    metavar="DATE",
    help="Supply on this day also without a contract; may be repeated.",
)
@click.option("--open/--no-open", "order", default=None, help="Order the relay to open, or withdraw the order.")
@click.option("--defaults", is_flag=True, help="Reset to its default every field that no other option sets.")
@click.pass_obj
def policy(
    session: Session, /, meter: str | None, holidays: tuple[str, ...], order: bool | None, defaults: bool, **named: Any
) -> None:
    """Change the policy that meters' guards follow; all other fields stay as they are.

    docs/spec/guard.md describes each field. A meter with a policy of its own follows that one alone."""
    directory = session.data_directory()
    issuer, now_s = directory.needed_issuer(), data_directory.clock()
    changes: dict[str, Any] = dict.fromkeys((*named, "holidays")) if defaults else {}
    changes.update({name: value for name, value in named.items() if value is not None})
    if holidays:
        changes["holidays"] = _days(holidays)
    if order is not None:
        changes[_ORDER] = now_s if order else None
    if not changes:
        raise click.UsageError("nothing to change: give an option, or see the policies with `wattpact community show`")
    with directory.store() as store:
        known = _find_meter(store, meter) if meter else None
        zone = times.zone_of(store)
        body = terms.set_policy(store, issuer, known.kid if known else None, changes, now_s)
    whose = known.body["label"] if known else "all meters without one of their own"
    fields = "; ".join(_differences(_policy_row(None, body), zone))
    click.echo(f"Policy of {whose}, version {body['version']}: {fields}.")


def _days(texts: tuple[str, ...]) -> list[int]:
    if len(texts) > MAX_HOLIDAYS:
        raise click.BadParameter(f"a policy has room for at most {MAX_HOLIDAYS} holidays")
    try:
        return sorted({(datetime.date.fromisoformat(text) - _EPOCH).days for text in texts})
    except ValueError:
        raise click.BadParameter("a holiday is a date like 2026-12-25") from None


# default supply


@command.command("default-supply")
@click.option("--meter", required=True, metavar="METER", help="The meter: its label or key id.")
@click.option("--until", required=True, metavar="TIME", help="When it ends, in the community's time zone.")
@click.pass_obj
def default_supply(session: Session, meter: str, until: str) -> None:
    """Supply a meter from the grid, at the grid's price, whenever it has no contract.

    It cannot be withdrawn before its end; `community policy --meter METER --open` opens the relay all the same."""
    directory = session.data_directory()
    issuer, now_s = directory.needed_issuer(), data_directory.clock()
    with directory.store() as store:
        known = _find_meter(store, meter)
        zone = times.zone_of(store)
        to_s = times.unix_s(until, zone)
        if to_s <= now_s:
            raise click.BadParameter(f"{until!r} is in the past")
        max_w = known.body.get("rated_w") or kinds.MAX_U32
        number = terms.supply(store, issuer, known.kid, max_w, to_s, now_s)
    click.echo(
        f"{known.body['label']} has default supply from the grid until {times.shown(to_s, zone)} (grant {number})."
    )


# witnesses


@command.command("witnesses")
@click.option("--witness", "texts", multiple=True, metavar="KEY", help="A witness, as it shows its key: NAME+HASH+KEY; "
              "may be repeated, and replaces all that were named before.")  # fmt: skip
@click.option("--cosigned", "least", type=click.IntRange(0), metavar="N",
              help="How many of them must have cosigned; if omitted, all of them.")  # fmt: skip
@click.option("--none", "is_none", is_flag=True, help="Name no witness any more.")
@click.pass_obj
def set_witnesses(session: Session, texts: tuple[str, ...], least: int | None, is_none: bool) -> None:
    """Name the witnesses that must have cosigned the ledger's head in whatever somebody checks: a bundle, a proof, or
    the blocks.

    The community's entry has them, so everybody sees them, and each change of them has its place in the ledger. The
    node submits its head to those that `wattpact ledger witness add` gave it, as before."""
    if is_none == bool(texts) or (is_none and least is not None):
        raise click.UsageError("give --witness for each witness, or --none alone")
    required = cosigned.required(texts, least) or cosigned.NOBODY
    directory = session.data_directory()
    issuer, now_s = directory.needed_issuer(), data_directory.clock()
    with directory.store() as store:
        version = terms.set_witnesses(store, issuer, required.witnesses, required.least, now_s)
        away = [one.name for one in required.witnesses if one not in cosigning.submitted_to(store)]
    directory.bring_up(now_s)
    who = required.sentence if required.witnesses else "no witness is named any more"
    click.echo(f"Version {version} of the community's entry: {who}.")
    if away:
        click.echo(
            f"The node does not submit its head to {', '.join(away)} yet; `wattpact ledger witness add` does that."
        )
