"""`wattpact contract`: owners' orders to their meters, and the contracts that the meters have made."""

import secrets
from collections.abc import Callable
from typing import Any

import click
from wattpact_protocol.log import kinds, roles
from wattpact_protocol.settlement.contracts import ACTIVE, ENDED, GRANTED, MATCHED, VOID, Contract

from wattpact.cli import times
from wattpact.cli.frame import Hours, Price, Session, as_json, energy, price, show_fields, show_json, show_table
from wattpact.keys import KeyFileError, Signer
from wattpact.membership import members
from wattpact.node import data_directory
from wattpact.node.data_directory import DataDirectory
from wattpact.projections.contracts import StoredContract
from wattpact.store.interface import Reader
from wattpact.store.publishing import publish
from wattpact.views import blocks

_MAX_U32 = (1 << 32) - 1
_DAY_S = 86400
_STATES = (MATCHED, GRANTED, ACTIVE, ENDED, VOID)


class ContractError(ValueError):
    """A contract that does not exist or cannot be ended; the text says what to do."""


@click.group(short_help="Order a meter to sell or buy, and show the contracts.")
def command() -> None:
    """Contracts: order your meter to sell or buy, and show the contracts that it has made."""


def _terms(limit_help: str) -> Callable[[Any], Any]:
    """The options that both orders share."""
    options = (
        click.option("--meter", required=True, metavar="METER", help="Your meter: its label or key id."),
        click.option("--wh", required=True, type=click.IntRange(1, _MAX_U32), help="How much energy, Wh."),
        click.option("--price", "limit", required=True, type=Price(), help=limit_help),
        click.option("--max-w", required=True, type=click.IntRange(1, _MAX_U32), help="The highest power, watts."),
        click.option("--hours", required=True, type=Hours(), help="How many hours the order is valid, from now."),
    )  # fmt: skip

    def add(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return click.pass_obj(function)

    return add


@command.command()
@_terms("The lowest price per kWh to sell at.")
def offer(session: Session, **terms: Any) -> None:
    """Order your meter to sell: it offers this energy, and confirms those who accept."""
    _order(session, kinds.SELL, **terms)


@command.command()
@_terms("The highest price per kWh to buy at.")
def ask(session: Session, **terms: Any) -> None:
    """Order your meter to buy: it accepts the cheapest offers up to this price."""
    _order(session, kinds.BUY, **terms)


def _order(session: Session, side: int, meter: str, wh: int, limit: int, max_w: int, hours: int) -> None:
    directory = session.data_directory()
    now_s = data_directory.clock()
    with directory.store() as store:
        known = members.find(store.certificates(), roles.METER, meter)
        owner = _key_of(directory, {known.body.get("owner", b"")}, f"the owner of {known.body['label']}")
        body = {
            "order_id": secrets.token_bytes(8), "expires_s": now_s + hours, "meter": known.kid, "side": side,
            "limit_micro_per_kwh": limit, "wh": wh, "max_w": max_w, "start_s": now_s, "end_s": now_s + hours,
        }  # fmt: skip
        made = publish(store, owner, kinds.MANDATE, body, now_s)
        until = times.shown(now_s + hours, times.zone_of(store))
    verb = "sell" if side == kinds.SELL else "buy"
    bound = "at least" if side == kinds.SELL else "no more than"
    click.echo(f"{known.body['label']} may {verb} up to {energy(wh)} for {bound} {price(limit)} per kWh until "
               f"{until}. Order {made.id.hex()[:12]}.")  # fmt: skip


def _key_of(directory: DataDirectory, kids: set[bytes], who: str) -> Signer:
    found = [signer for signer in directory.keyring.people() if signer.kid in kids]
    if not found:
        raise KeyFileError(f"the key of {who} is not in this data directory")
    if len(found) > 1:
        names = " or ".join(signer.name for signer in found)
        raise ContractError(f"the keys of both owners are here; choose one with --as {names}")
    return found[0]


def _contracts(reader: Reader) -> list[Contract]:
    """The newest first, as they are stored."""
    return [StoredContract(row) for row, _ in reader.contracts()]


def _find(contracts: list[Contract], text: str) -> Contract:
    found = [contract for contract in contracts if contract.id.hex().startswith(text.lower())]
    if len(text) < 4 or len(found) != 1:
        reason = "is more than one contract; write more of its id" if found and len(text) >= 4 else "is no contract"
        raise ContractError(f"{text!r} {reason}; see `wattpact contract list`")
    return found[0]


def _row(contract: Contract, labels: dict[bytes, str], unread: set[bytes], now_s: int) -> dict[str, Any]:
    """`attributed_wh` is None where nothing of it is known, of a meter with readings that this host has no key to."""
    is_sealed = contract.consumer in unread and not contract.attributed_wh
    return {
        "id": contract.id.hex(), "state": contract.state(now_s), "wh": contract.wh,
        "attributed_wh": None if is_sealed else contract.attributed_wh,
        "price_micro_per_kwh": contract.price_micro_per_kwh, "max_w": contract.max_w,
        "priority": contract.priority, "supplier": contract.supplier.hex(),
        "supplier_label": labels.get(contract.supplier), "consumer": contract.consumer.hex(),
        "consumer_label": labels.get(contract.consumer), "start_s": contract.start_s, "end_s": contract.end_s,
        "used_from_s": contract.used_from_s, "terminated_s": contract.terminated_s,
        "terminated_by": contract.terminated_by, "grant_number": contract.grant_number,
    }  # fmt: skip


def _labels(reader: Reader) -> dict[bytes, str]:
    return {known.kid: known.body["label"] for known in reader.certificates()}


@command.command("list")
@click.option(
    "--state", multiple=True, type=click.Choice(_STATES), help="Only contracts in this state; may be repeated."
)
@as_json
@click.pass_obj
def list_contracts(session: Session, state: tuple[str, ...], as_json: bool) -> None:
    """List contracts, the newest first."""
    now_s = data_directory.clock()
    directory = session.data_directory()
    directory.bring_up(now_s)
    with directory.reader() as reader:
        contracts, labels = _contracts(reader), _labels(reader)
        unread, zone = set(reader.unread()), times.zone_of(reader)
    rows = [_row(contract, labels, unread, now_s) for contract in contracts]
    rows = [row for row in rows if not state or row["state"] in state]
    if as_json:
        show_json(rows)
    elif rows:
        titles = ("contract", "state", "from", "to", "energy", "used", "price", "until")
        show_table(titles, [_cells(row, zone) for row in rows])
    else:
        click.echo("No contract is in this state." if state else "No contracts yet.")


def _cells(row: dict[str, Any], zone: str) -> tuple[str, ...]:
    return (
        row["id"][:8], row["state"], row["supplier_label"] or row["supplier"], row["consumer_label"] or row["consumer"],
        energy(row["wh"]), _used(row["attributed_wh"]), price(row["price_micro_per_kwh"]),
        times.minute(row["end_s"], zone)[5:],
    )  # fmt: skip


def _used(wh: int | None) -> str:
    return "sealed" if wh is None else energy(wh)


@command.command()
@click.argument("contract")
@as_json
@click.pass_obj
def show(session: Session, contract: str, as_json: bool) -> None:
    """Show one contract, and the steps of its life: the block of the ledger that ordered each, and the witnesses that
    saw it. CONTRACT is the start of its id."""
    directory, now_s = session.data_directory(), data_directory.clock()
    directory.bring_up(now_s)
    with directory.reader() as reader:
        found, zone, labels = _find(_contracts(reader), contract), times.zone_of(reader), _labels(reader)
        row = _row(found, labels, set(reader.unread()), now_s)
        life = blocks.life(reader, found.id, lambda kid: labels.get(kid, kid.hex()))
    if as_json:
        show_json({**row, "life": life})
        return
    ended = f"{times.shown(row['terminated_s'], zone)}, by the {row['terminated_by']}" if row["terminated_s"] else None
    used = None if row["used_from_s"] is None else times.shown(row["used_from_s"], zone)
    show_fields({
        "contract": row["id"], "state": row["state"], "from": row["supplier_label"], "to": row["consumer_label"],
        "energy": energy(row["wh"]), "used": _used(row["attributed_wh"]),
        "price": f"{price(row['price_micro_per_kwh'])} per kWh", "at most": f"{row['max_w']} W",
        "priority": row["priority"], "grant": row["grant_number"], "starts": times.shown(row["start_s"], zone),
        "ends": times.shown(row["end_s"], zone), "in use since": used, "ended early": ended,
    })  # fmt: skip
    click.echo()
    for step in life:
        block = step["block"]
        click.echo(f"{step['step']} by {step['author_label']}: block {block['height']}, "
                   f"{times.shown(block['time_s'], zone)}, {_seen(block['seen_by'])}")  # fmt: skip


def _seen(names: list[str]) -> str:
    """Which witnesses saw a block."""
    if not names:
        return "no witness yet"
    return f"seen by {len(names)} {'witness' if len(names) == 1 else 'witnesses'}: {', '.join(names)}"


@command.command()
@click.argument("contract")
@click.option(
    "--reason",
    default="ended by its owner",
    show_default=True,
    metavar="TEXT",
    help="The reason, which everybody can read.",
)
@click.option("--as", "party", metavar="NAME", help="Who ends it: a person, or `operator` for the community.")
@click.pass_obj
def terminate(session: Session, contract: str, reason: str, party: str | None) -> None:
    """End a contract now; CONTRACT is the start of its id.

    If the consumer's owner ends it, the energy agreed and not taken is due all the same."""
    directory = session.data_directory()
    now_s = data_directory.clock()
    directory.bring_up(now_s)
    with directory.store() as store:
        found = _find(_contracts(store), contract)
        if found.terminated_s is not None or found.state(now_s) in (ENDED, VOID):
            raise ContractError(f"contract {found.id.hex()[:8]} has ended already")
        signer, body = _ending(directory, store, found, party, now_s)
        publish(store, signer, kinds.TERMINATE, {"contract": found.id, "reason": reason, **body}, now_s)
    click.echo(f"Contract {found.id.hex()[:8]} is ended.")


def _ending(
    directory: DataDirectory, reader: Reader, contract: Contract, party: str | None, now_s: int
) -> tuple[Signer, dict[str, Any]]:
    """Who ends it, and further fields of the entry."""
    if party == "operator":
        return directory.needed_issuer(), {}
    meters = (contract.supplier, contract.consumer)
    owners = {known.body.get("owner", b"") for known in reader.certificates() if known.kid in meters}
    if party is None:
        signer = _key_of(directory, owners, "either owner")
    else:
        known = members.find_person(reader.certificates(), directory.keyring.people(), party)
        signer = _key_of(directory, {known.kid}, party)
    if signer.kid not in owners:
        raise ContractError(f"{party} owns neither meter of contract {contract.id.hex()[:8]}")
    return signer, {"order_id": secrets.token_bytes(8), "expires_s": now_s + _DAY_S}
