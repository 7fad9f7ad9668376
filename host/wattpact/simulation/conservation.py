"""Every Wh and every nano-unit of a replay accounted for: meters, contracts, grid account, bills, and their audits."""

import io
from typing import Any

from wattpact import audit, keys
from wattpact.accounts import GRID, Statements, balances
from wattpact.billing import bill, disclose
from wattpact.ordering.proven import Proven
from wattpact.ordering.writer import Writer
from wattpact.projections import stored_accounts
from wattpact.simulation import Check
from wattpact.simulation.simulator import Simulator
from wattpact.store.publishing import publish


def settle(simulator: Simulator) -> Statements:
    """The accounts of all that the node has stored, settled until now."""
    return stored_accounts.accounts_of(simulator.store, simulator.now_s)


def check(simulator: Simulator, from_s: int, to_s: int) -> list[Check]:
    """What must hold between registers, contracts, grid and bills over a window that holds the whole replay."""
    accounts = settle(simulator)
    statements = {name: accounts.statement(person.kid, from_s, to_s) for name, person in simulator.people.items()}
    fields = {name: made.figures() for name, made in statements.items()}
    taken = sum(one["bought_wh"] + one["grid_import_wh"] for one in fields.values())
    given = sum(one["sold_wh"] + one["grid_export_wh"] for one in fields.values())
    imported = sum(meter.registers[1] for meter in simulator.meters.values())
    exported = sum(meter.registers[2] for meter in simulator.meters.values())
    bought = sum(one["bought_wh"] for one in fields.values())
    sold = sum(one["sold_wh"] for one in fields.values())
    carried = sum(accounts.fill(contract).carried_wh for contract in accounts.inputs.contracts.by_id)
    postings = accounts.postings(from_s, to_s)
    sums = balances(postings)
    nets = sum(one["net_nano"] for one in fields.values())
    return [
        Check("import = bought + grid", imported == taken, f"{imported:,} Wh, {taken:,} Wh"),
        Check("export = sold + grid", exported == given, f"{exported:,} Wh, {given:,} Wh"),
        Check("bought = sold = delivered", bought == sold == carried > 0, f"{bought:,}, {sold:,}, {carried:,} Wh"),
        Check("all accounts sum to zero", sum(sums.values()) == 0, f"{len(postings):,} postings"),
        Check("bills = the grid's account", nets == sums.get(GRID, 0), f"{nets:,} nano-units"),
    ]


def audit_bills(simulator: Simulator, months: list[str]) -> tuple[list[Check], list[dict[str, Any]]]:
    """Every person's bill for each month, exported and audited with the keys that the audit needs; and their fields."""
    checks, fields = [], []
    for month in months:
        for name in simulator.people:
            check, made = _audit_bill(simulator, name, month)
            checks.append(check)
            fields.append(made)
    return checks, fields


def _audit_bill(simulator: Simulator, name: str, month: str) -> tuple[Check, dict[str, Any]]:
    host = simulator.data.keyring.load(keys.HOST)
    accounts = settle(simulator)
    made = bill.make(accounts, simulator.people[name].kid, month)
    held = stored_accounts.entries_for(simulator.store, made.statement, simulator.unsealer)
    Writer(simulator.store, host, lambda: simulator.now_s).refresh()
    data = bill.export(
        made, accounts, held, host.kid, Proven(simulator.store),
        lambda kind, body: publish(simulator.store, host, kind, body, simulator.now_s),
    )  # fmt: skip
    try:
        shown, _ = disclose.for_bundle(simulator.store, simulator.unsealer, data)
        keys_of = [disclose.disclose(simulator.store, simulator.unsealer, shown)]
        report = audit.audit(io.BytesIO(data), simulator.data.root_public_key, keys_of)
        agrees = made.fields.items() <= report.fields.items()
        figures = f"{report.fields['evidence']:,} entries, {len(data):,} bytes"
    except (audit.Refuted, audit.Undecided) as found:
        agrees, figures = False, found.sentence()
    return Check(f"audit of {name}'s bill, {month}", agrees, figures), made.fields
