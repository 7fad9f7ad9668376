"""What the community's issuer says after its founding: the grid's prices, what guards go by, and default supply.

What always holds: a policy says everything that the one before it said and was not changed, under the next version;
grant numbers rise over all programs that grant, since a number is chosen in the transaction that uses it.
docs/spec/guard.md, "Policy"; docs/spec/settlement.md, "The grid".
"""

import secrets
from typing import Any

from wattpact_protocol.guard.policy import Policy, PolicyError
from wattpact_protocol.log import entry, kinds
from wattpact_protocol.log.entry import Entry
from wattpact_protocol.settlement.tariff import Tariff

from wattpact.keys import Signer
from wattpact.store.interface import Reader, Store
from wattpact.store.publishing import publish

_LAST = 65535  # the lowest priority: contracts come first
_IDENTITY = ("version", "meter")


class GovernanceError(ValueError):
    """A word that the issuer cannot say; the text says why."""


def _said(reader: Reader, kind: int) -> list[Entry]:
    community = reader.meta("community") or b""
    rows = reader.stream(of_kinds=(kind,))
    return [entry.decode(row.raw, community) for row in rows if row.void_reason is None]


def community(reader: Reader) -> dict[str, Any]:
    """The body of the community's founding word; raises GovernanceError."""
    found = _said(reader, kinds.COMMUNITY)
    if not found:
        raise GovernanceError("no community has been founded yet")
    return dict(found[0].body)


def tariffs(reader: Reader) -> Tariff:
    """The grid's prices by time."""
    prices = Tariff()
    for said in _said(reader, kinds.TARIFF):
        prices.apply(said)
    return prices


def set_tariff(store: Store, issuer: Signer, from_s: int, prices: tuple[int, int], now_s: int) -> None:
    """(import, export) in micro-units per kWh, from a time on."""
    body = {"from_s": from_s, "import_micro_per_kwh": prices[0], "export_micro_per_kwh": prices[1]}
    publish(store, issuer, kinds.TARIFF, body, now_s)


def policies(reader: Reader) -> dict[bytes | None, dict[str, Any]]:
    """The body of the newest policy for each meter that has one of its own, and under None for all others."""
    newest: dict[bytes | None, dict[str, Any]] = {}
    for said in _said(reader, kinds.POLICY):
        held = newest.get(said.body.get("meter"))
        if held is None or said.body["version"] > held["version"]:
            newest[said.body.get("meter")] = said.body
    return newest


def set_policy(
    store: Store, issuer: Signer, meter: bytes | None, changes: dict[str, Any], now_s: int
) -> dict[str, Any]:
    """Change fields of what a meter goes by, or all meters without a policy of their own; None puts a field back to
    its default. Gives the body said; raises GovernanceError."""
    with store.transaction():
        held = policies(store)
        old = held.get(meter) or held.get(None) or {}
        fields = {name: value for name, value in {**old, **changes}.items() if value is not None}
        try:
            Policy.from_fields(fields)
        except PolicyError as error:
            raise GovernanceError(f"no guard could follow this: {error}") from None
        version = held[meter]["version"] + 1 if meter in held else 1
        body = {name: value for name, value in fields.items() if name not in _IDENTITY}
        body.update({"version": version} if meter is None else {"version": version, "meter": meter})
        publish(store, issuer, kinds.POLICY, body, now_s)
    return body


def supply(store: Store, issuer: Signer, meter: bytes, max_w: int, to_s: int, now_s: int) -> int:
    """Grant default supply: until then the relay stays closed where no contract carries what flows, at the grid's
    price. Gives the grant's number."""
    with store.transaction():
        number = max((said.body["number"] for said in _said(store, kinds.GRANT)), default=0) + 1
        body = {
            "number": number, "meter": meter, "contract": secrets.token_bytes(32), "wh": 0, "max_w": max_w,
            "from_s": now_s, "to_s": to_s, "price_micro_per_kwh": 0, "priority": _LAST, "start_by_s": to_s,
            "default_supply": True,
        }  # fmt: skip
        publish(store, issuer, kinds.GRANT, body, now_s)
    return number


def supplied_until(reader: Reader) -> dict[bytes, int]:
    """Until when each meter that was granted default supply has it."""
    ends: dict[bytes, int] = {}
    for said in _said(reader, kinds.GRANT):
        if said.body["default_supply"]:
            ends[said.body["meter"]] = max(said.body["to_s"], ends.get(said.body["meter"], 0))
    return ends
