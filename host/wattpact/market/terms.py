"""What the community's issuer publishes after its founding: the grid's prices, the guards' policies, default supply,
and which witnesses must have cosigned the ledger's head.

What always holds: a new policy repeats every field of the one before it that was not changed, under the next version,
and so does a new version of the community's entry;
grant numbers rise over all programs that grant, since a number is chosen in the transaction that uses it.
docs/spec/guard.md, "Policy"; docs/spec/settlement.md, "The grid".
"""

import secrets
from collections.abc import Sequence
from typing import Any

from wattpact_protocol.guard.policy import Policy, PolicyError
from wattpact_protocol.ledger import records, witnesses
from wattpact_protocol.log import entry, kinds
from wattpact_protocol.log.entry import Entry, EntryError
from wattpact_protocol.log.kinds import BodyError
from wattpact_protocol.settlement.tariff import Tariff

from wattpact.keys import Signer
from wattpact.store import recorded
from wattpact.store.interface import Reader, Store
from wattpact.store.publishing import publish

_LAST = 65535  # the lowest priority: contracts come first
_ORDERED_WITHIN_S = 10  # a node orders within a second
_IDENTITY = ("version", "meter")


class GovernanceError(ValueError):
    """What the issuer cannot publish; the text says why."""


def _published(reader: Reader, kind: int) -> list[Entry]:
    community = reader.meta("community") or b""
    rows = reader.stream(of_kinds=(kind,))
    return [entry.decode(row.raw, community) for row in rows if row.void_reason is None]


def community(reader: Reader) -> dict[str, Any]:
    """The body of the community's first entry; raises GovernanceError."""
    first = _published(reader, kinds.COMMUNITY)
    if not first:
        raise GovernanceError("no community has been founded yet")
    return dict(first[0].body)


def newest_community(reader: Reader) -> dict[str, Any]:
    """The body of the community's newest entry that is ordered, of its first while none is; raises GovernanceError."""
    newest = recorded.ordered_community(reader)
    return community(reader) if newest is None else dict(newest.body)


def set_witnesses(store: Store, issuer: Signer, keys: Sequence[tuple[str, bytes]], least: int, now_s: int) -> int:
    """Name the witnesses (name, public key) of which so many must have cosigned a head that somebody is shown; none
    where there are no keys. Gives the version of the community's entry; raises GovernanceError."""
    with store.transaction():
        body = newest_community(store)
        for name in ("witnesses", "cosigned"):
            body.pop(name, None)
        body["version"] = 1 + max(new.body["version"] for new in _published(store, kinds.COMMUNITY))
        try:
            body.update(witnesses.encode(list(keys), least))
            publish(store, issuer, kinds.COMMUNITY, body, now_s)
        except witnesses.WitnessesError as error:
            raise GovernanceError(f"the community's entry cannot name these: {error}") from None
        except (BodyError, EntryError):
            raise GovernanceError(
                "the keys of these witnesses do not fit the community's entry; name fewer, or ones with shorter names"
            ) from None
    return int(body["version"])


def tariffs(reader: Reader) -> Tariff:
    """The grid's prices by time, as far as they are ordered."""
    prices = Tariff()
    for name, value in reader.ledger_values(records.prefix_of(records.TARIFFS, 1)):
        prices.follow(records.parts_of(name)[1][0], records.decode(records.TARIFFS, value)["rows"])
    return prices


def first_slot_s(reader: Reader, now_s: int) -> int:
    """When the first slot begins that will not have begun once what is published now is ordered."""
    slot_s = int(community(reader)["slot_s"])
    return -(-(now_s + _ORDERED_WITHIN_S) // slot_s) * slot_s


def set_tariff(store: Store, issuer: Signer, from_s: int, prices: tuple[int, int], now_s: int) -> None:
    """(import, export) in micro-units per kWh, from a time on that is not before `first_slot_s`."""
    body = {"from_s": from_s, "import_micro_per_kwh": prices[0], "export_micro_per_kwh": prices[1]}
    publish(store, issuer, kinds.TARIFF, body, now_s)


def policies(reader: Reader) -> dict[bytes | None, dict[str, Any]]:
    """The body of the newest policy for each meter that has one of its own, and under None for all others."""
    newest: dict[bytes | None, dict[str, Any]] = {}
    for new in _published(reader, kinds.POLICY):
        held = newest.get(new.body.get("meter"))
        if held is None or new.body["version"] > held["version"]:
            newest[new.body.get("meter")] = new.body
    return newest


def set_policy(
    store: Store, issuer: Signer, meter: bytes | None, changes: dict[str, Any], now_s: int
) -> dict[str, Any]:
    """Change fields of the policy of a meter, or of all meters without one of their own; None resets a field to its
    default. Gives the published body; raises GovernanceError."""
    with store.transaction():
        held = policies(store)
        old = held.get(meter) or held.get(None) or {}
        fields = {name: value for name, value in {**old, **changes}.items() if value is not None}
        try:
            Policy.from_fields(fields)
        except PolicyError as error:
            raise GovernanceError(f"this policy is not valid: {error}") from None
        version = held[meter]["version"] + 1 if meter in held else 1
        body = {name: value for name, value in fields.items() if name not in _IDENTITY}
        body.update({"version": version} if meter is None else {"version": version, "meter": meter})
        publish(store, issuer, kinds.POLICY, body, now_s)
    return body


def supply(store: Store, issuer: Signer, meter: bytes, max_w: int, to_s: int, now_s: int) -> int:
    """Grant default supply: until then the relay stays closed without a contract, and the energy is billed at the
    grid's price. Gives the grant's number."""
    with store.transaction():
        number = max((new.body["number"] for new in _published(store, kinds.GRANT)), default=0) + 1
        body = {
            "number": number, "meter": meter, "contract": secrets.token_bytes(32), "wh": 0, "max_w": max_w,
            "from_s": now_s, "to_s": to_s, "price_micro_per_kwh": 0, "priority": _LAST, "start_by_s": to_s,
            "default_supply": True,
        }  # fmt: skip
        publish(store, issuer, kinds.GRANT, body, now_s)
    return number


def supplied_until(reader: Reader) -> dict[bytes, int]:
    """The end of default supply, for each meter that was granted it."""
    ends: dict[bytes, int] = {}
    for new in _published(reader, kinds.GRANT):
        if new.body["default_supply"]:
            ends[new.body["meter"]] = max(new.body["to_s"], ends.get(new.body["meter"], 0))
    return ends
