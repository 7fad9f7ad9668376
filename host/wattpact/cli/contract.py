"""`wattpact contract`: orders from owners to their meters, and the contracts that meters have made of them."""

import secrets
from typing import Any

import click
from wattpact_protocol.log import entry, kinds, roles
from wattpact_protocol.settlement.contracts import ACTIVE, ENDED, GRANTED, MATCHED, VOID, Contract

from wattpact.cli.frame import Hours, Price, Session, as_json, energy, moment, price, show_fields, show_json, show_table
from wattpact.keys import KeyFileError, Signer
from wattpact.market.grants import Grants
from wattpact.membership import members
from wattpact.node import data_directory
from wattpact.node.data_directory import DataDirectory
from wattpact.projections.unsealing import Unsealer
from wattpact.store.interface import Reader
from wattpact.store.publishing import publish

_MAX_U32 = (1 << 32) - 1
_KINDS = tuple(range(kinds.MANDATE, kinds.TERMINATE + 1))
_USED = (kinds.USAGE, kinds.USAGE_END)
_DAY_S = 86400
_STATES = (MATCHED, GRANTED, ACTIVE, ENDED, VOID)


class ContractError(ValueError):
    """A contract that is not there or cannot be ended so; the text says what to do."""


@click.group(short_help="Tell your meter to sell or buy, and see what came of it.")
def command() -> None:
    """Contracts: tell your meter to sell or buy, and see what came of it."""


def _terms(function: Any) -> Any:
    """The options that offering and asking share."""
    for option in reversed((
        click.option("--meter", required=True, metavar="METER", help="Your meter: its label or key id."),
        click.option("--wh", required=True, type=click.IntRange(1, _MAX_U32), help="How much energy, Wh."),
        click.option("--price", "limit", required=True, type=Price(), help="Per kWh: the least, or the most to pay."),
        click.option("--max-w", required=True, type=click.IntRange(1, _MAX_U32), help="The most power, watts."),
        click.option("--hours", required=True, type=Hours(), help="For how long from now."),
    )):  # fmt: skip
        function = option(function)
    return click.pass_obj(function)


@command.command()
@_terms
def offer(session: Session, **terms: Any) -> None:
    """Let your meter sell: it offers this energy and confirms whoever takes it."""
    _order(session, kinds.SELL, **terms)


@command.command()
@_terms
def ask(session: Session, **terms: Any) -> None:
    """Let your meter buy: it takes the cheapest offers up to this price."""
    _order(session, kinds.BUY, **terms)


def _order(session: Session, side: int, meter: str, wh: int, limit: int, max_w: int, hours: int) -> None:
    opened = session.data_directory()
    now_s = data_directory.clock()
    with opened.store() as store:
        known = members.find(store.certificates(), roles.METER, meter)
        owner = _key_of(opened, {known.body.get("owner", b"")}, f"the owner of {known.body['label']}")
        body = {
            "order_id": secrets.token_bytes(8), "expires_s": now_s + hours, "meter": known.kid, "side": side,
            "limit_micro_per_kwh": limit, "wh": wh, "max_w": max_w, "start_s": now_s, "end_s": now_s + hours,
        }  # fmt: skip
        made = publish(store, owner, kinds.MANDATE, body, now_s)
    verb = "sell" if side == kinds.SELL else "buy"
    bound = "or more" if side == kinds.SELL else "or less"
    click.echo(f"{known.body['label']} may {verb} {energy(wh)} at {price(limit)} per kWh {bound} until "
               f"{moment(now_s + hours)}. Order {made.id.hex()[:12]}.")  # fmt: skip


def _key_of(opened: DataDirectory, kids: set[bytes], who: str) -> Signer:
    found = [signer for signer in opened.keyring.people() if signer.kid in kids]
    if not found:
        raise KeyFileError(f"the key of {who} is not here")
    if len(found) > 1:
        names = " or ".join(signer.name for signer in found)
        raise ContractError(f"the keys of both sides are here; say for whom with --as {names}")
    return found[0]


class _Contracts:
    """All that was agreed, and of which contracts the use is sealed to this host."""

    def __init__(self, opened: DataDirectory, reader: Reader) -> None:
        self.grants = Grants()
        self.closed: set[bytes] = set()
        unsealer = Unsealer(reader, opened.readers())
        for row in reader.stream(of_kinds=(kinds.CERTIFICATE, *_KINDS)):
            if row.void_reason is None:
                new = unsealer.look(entry.decode(row.raw, reader.community))
                self.grants.apply(new)
                if new.is_sealed and new.kind in _USED:
                    self.closed.add(new.body["contract"])


def _find(market: Grants, text: str) -> Contract:
    found = [
        contract for contract in market.agreements.contracts.values() if contract.id.hex().startswith(text.lower())
    ]
    if len(text) < 4 or len(found) != 1:
        reason = "is more than one contract; write more of its id" if found and len(text) >= 4 else "is no contract"
        raise ContractError(f"{text!r} {reason}; see `wattpact contract list`")
    return found[0]


def _row(contract: Contract, is_closed: bool, labels: dict[bytes, str], now_s: int) -> dict[str, Any]:
    return {
        "id": contract.id.hex(), "state": contract.state(now_s), "wh": contract.wh,
        "attributed_wh": None if is_closed else contract.attributed_wh,
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
@click.option("--state", multiple=True, type=click.Choice(_STATES), help="Only those in this state; may be repeated.")
@as_json
@click.pass_obj
def list_contracts(session: Session, state: tuple[str, ...], as_json: bool) -> None:
    """List contracts, the newest first."""
    now_s = data_directory.clock()
    opened = session.data_directory()
    with opened.reader() as reader:
        labels, found = _labels(reader), _Contracts(opened, reader)
    contracts = sorted(found.grants.agreements.contracts.values(), key=lambda c: (-c.start_s, c.id))
    rows = [_row(contract, contract.id in found.closed, labels, now_s) for contract in contracts]
    rows = [row for row in rows if not state or row["state"] in state]
    if as_json:
        show_json(rows)
    elif rows:
        titles = ("contract", "state", "from", "to", "energy", "used", "price", "until")
        show_table(titles, [_cells(row) for row in rows])
    else:
        click.echo("There is no such contract." if state else "There is no contract yet.")


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["id"][:8], row["state"], row["supplier_label"] or row["supplier"], row["consumer_label"] or row["consumer"],
        energy(row["wh"]), _used(row["attributed_wh"]), price(row["price_micro_per_kwh"]), moment(row["end_s"])[5:16],
    )  # fmt: skip


def _used(wh: int | None) -> str:
    return "sealed" if wh is None else energy(wh)


@command.command()
@click.argument("contract")
@as_json
@click.pass_obj
def show(session: Session, contract: str, as_json: bool) -> None:
    """Show one contract; CONTRACT is the start of its id."""
    opened = session.data_directory()
    with opened.reader() as reader:
        known = _Contracts(opened, reader)
        found = _find(known.grants, contract)
        row = _row(found, found.id in known.closed, _labels(reader), data_directory.clock())
    if as_json:
        show_json(row)
        return
    ended = f"{moment(row['terminated_s'])}, by the {row['terminated_by']}" if row["terminated_s"] else None
    show_fields({
        "contract": row["id"], "state": row["state"], "from": row["supplier_label"], "to": row["consumer_label"],
        "energy": energy(row["wh"]), "used": _used(row["attributed_wh"]),
        "price": f"{price(row['price_micro_per_kwh'])} per kWh", "at most": f"{row['max_w']} W",
        "priority": row["priority"], "grant": row["grant_number"], "starts": moment(row["start_s"]),
        "ends": moment(row["end_s"]), "in use since": moment(row["used_from_s"]), "terminated": ended,
    })  # fmt: skip


@command.command()
@click.argument("contract")
@click.option("--reason", default="ended by its owner", show_default=True, metavar="TEXT", help="Why; all can read it.")
@click.option("--as", "party", metavar="NAME", help="For whom: a person, or `operator` for the community.")
@click.pass_obj
def terminate(session: Session, contract: str, reason: str, party: str | None) -> None:
    """End a contract now; CONTRACT is the start of its id. Leaving one early does not make it free."""
    opened = session.data_directory()
    now_s = data_directory.clock()
    with opened.store() as store:
        found = _find(_Contracts(opened, store).grants, contract)
        if found.terminated_s is not None or found.state(now_s) in (ENDED, VOID):
            raise ContractError(f"contract {found.id.hex()[:8]} has ended already")
        signer, body = _ending(opened, store, found, party, now_s)
        publish(store, signer, kinds.TERMINATE, {"contract": found.id, "reason": reason, **body}, now_s)
    click.echo(f"Contract {found.id.hex()[:8]} is terminated.")


def _ending(
    opened: DataDirectory, reader: Reader, contract: Contract, party: str | None, now_s: int
) -> tuple[Signer, dict[str, Any]]:
    """Who ends it, and what else its entry says."""
    if party == "operator":
        issuer = opened.issuer()
        if issuer is None:
            raise KeyFileError("the issuer's key is not here")
        return issuer, {}
    meters = (contract.supplier, contract.consumer)
    owners = {known.body.get("owner", b"") for known in reader.certificates() if known.kid in meters}
    if party is None:
        signer = _key_of(opened, owners, "either side")
    else:
        known = members.find_person(reader.certificates(), opened.keyring.people(), party)
        signer = _key_of(opened, {known.kid}, party)
    if signer.kid not in owners:
        raise ContractError(f"{party} is no side of contract {contract.id.hex()[:8]}")
    return signer, {"order_id": secrets.token_bytes(8), "expires_s": now_s + _DAY_S}
