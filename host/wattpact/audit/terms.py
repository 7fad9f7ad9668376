"""What the ledger's records have of contracts, mandates and the community, against what their authors signed.

What always holds of a contract that `wrong_of` finds nothing wrong with: its terms are its offer's and acceptance's;
the owners of both meters at that time ordered it, at that price and for that much; it was granted, used and ended by
whom the record names, and no end is dated back. docs/spec/bundle.md, "What an auditor checks".
"""

from collections.abc import Container, Iterator
from typing import Any

from wattpact_protocol.ledger import members, trades
from wattpact_protocol.log import chain, kinds
from wattpact_protocol.log.entry import Entry

Row = dict[str, Any]


class ProofProblem(ValueError):
    """What is wrong with the ledger's part of a bundle."""


class Named:
    """The entries of a bundle but its readings, by id and by the contract that they are about."""

    def __init__(self) -> None:
        self._by_id: dict[bytes, Entry] = {}
        self._about: dict[tuple[bytes, int], list[Entry]] = {}

    def add(self, new: Entry) -> None:
        self._by_id[new.id] = new
        if "contract" in new.body:
            self._about.setdefault((new.body["contract"], new.kind), []).append(new)

    def named(self, name: bytes, kind: int, what: str) -> Entry:
        found = self._by_id.get(name)
        if found is None or found.kind != kind:
            raise ProofProblem(f"{what} is left out of the bundle")
        return found

    def of_kind(self, kind: int) -> list[Entry]:
        return [new for new in self._by_id.values() if new.kind == kind]

    def about(self, contract: bytes, kind: int) -> list[Entry]:
        return self._about.get((contract, kind), [])


class Contract:
    """The record of a contract, and those of its meters as authors; `issuers` are the operator's kids."""

    def __init__(self, name: bytes, fields: Row, supplier: Row, consumer: Row, issuers: Container[bytes]) -> None:
        self.name, self.fields = name, fields
        self.shown = f"contract {name.hex()[:16]}"
        self.issuers = issuers
        self._authors = {kinds.SELL: supplier, kinds.BUY: consumer}

    def owner_at(self, side: int, unix_s: int) -> bytes:
        return bytes(members.certificate_at(self._authors[side], unix_s)["owner"])


def wrong_of(contract: Contract, entries: Named) -> list[str]:
    """What of the record is not as it was signed; raises ProofProblem where an entry is left out."""
    return [what for what, good in _signed(contract, entries) if not good]


def mandates_of(contract: Contract, entries: Named) -> tuple[Entry, Entry]:
    """Those of the supplier's and the consumer's owner; raises ProofProblem."""
    fields, shown = contract.fields, contract.shown
    offer = entries.named(fields["offer"], kinds.OFFER, f"the offer of {shown}")
    acceptance = entries.named(fields["acceptance"], kinds.ACCEPTANCE, f"the acceptance of {shown}")
    demand = entries.named(acceptance.body.get("demand", b""), kinds.DEMAND, f"the demand of {shown}")
    return (
        entries.named(offer.body["mandate"], kinds.MANDATE, f"the supplier's mandate of {shown}"),
        entries.named(demand.body["mandate"], kinds.MANDATE, f"the consumer's mandate of {shown}"),
    )


def _signed(contract: Contract, entries: Named) -> Iterator[tuple[str, bool]]:
    """(what, whether the record has it as it was signed)."""
    fields, shown = contract.fields, contract.shown
    bound = entries.named(contract.name, kinds.CONTRACT, shown)
    acceptance = entries.named(bound.body["acceptance"], kinds.ACCEPTANCE, f"the acceptance of {shown}")
    offer = entries.named(acceptance.body["offer"], kinds.OFFER, f"the offer of {shown}")
    terms, accepted = offer.body, acceptance.body
    yield "parties", (fields["supplier"], fields["consumer"]) == (offer.kid, acceptance.kid) and bound.kid == offer.kid
    yield "names", (fields["offer"], fields["acceptance"]) == (offer.id, acceptance.id)
    for field in ("price_micro_per_kwh", "max_w", "start_s", "end_s"):
        yield field, fields[field] == terms[field]
    yield "wh", fields["wh"] == accepted["wh"] <= terms["wh"]
    yield "priority", fields["priority"] == accepted["priority"]
    yield "start_by_s", fields["start_by_s"] == min(terms["start_s"] + accepted["start_timeout_s"], terms["end_s"])
    yield from _bought(contract, entries)
    yield from _lived(contract, entries)


def _bought(contract: Contract, entries: Named) -> Iterator[tuple[str, bool]]:
    """The mandates of both owners."""
    fields = contract.fields
    sells, buys = mandates_of(contract, entries)
    rows = (("supplier", sells, kinds.SELL), ("consumer", buys, kinds.BUY))
    for party, mandate, side in rows:
        body, price = mandate.body, fields["price_micro_per_kwh"]
        limit = body["limit_micro_per_kwh"]
        within = price >= limit if side == kinds.SELL else price <= limit
        covers = (body["meter"], body["side"]) == (fields[party], side) and within and fields["wh"] <= body["wh"]
        yield f"{party}'s mandate", covers and body["expires_s"] >= fields["matched_s"]
        yield f"{party}'s owner", mandate.kid == contract.owner_at(side, fields["matched_s"])


def _lived(contract: Contract, entries: Named) -> Iterator[tuple[str, bool]]:
    """Grant, start and end."""
    fields, name = contract.fields, contract.name
    yield "grant", (fields["granted_s"] is None) == (fields["grant"] == 0)
    if fields["granted_s"] is not None:
        grants = entries.about(name, kinds.GRANT)
        yield "grant", any(new.body["number"] == fields["grant"] for new in grants)
        yield "time of the grant", fields["granted_s"] >= fields["matched_s"]
    if fields["used_from_s"] is not None:
        yield "start", fields["granted_s"] is not None and fields["used_from_s"] <= fields["start_by_s"]
        first_s = max(fields["start_s"], fields["granted_s"] or 0)
        starts = [new for new in entries.about(name, kinds.USAGE_START) if new.kid == fields["consumer"]]
        yield "time of the start", any(fields["used_from_s"] == max(new.stamp.unix_s or 0, first_s) for new in starts)
    yield "end", (fields["terminated_s"] is None) == (fields["terminated_by"] == "")
    if fields["terminated_s"] is not None:
        yield "end", any(_is_end(contract, new) for new in entries.about(name, kinds.TERMINATE))


def _is_end(contract: Contract, new: Entry) -> bool:
    """Whether the record can have its end from that entry: by the party that it names, and no earlier than it was
    signed, give or take a clock."""
    fields = contract.fields
    by, end_s = fields["terminated_by"], fields["terminated_s"]
    sides = {trades.BY_CONSUMER: kinds.BUY, trades.BY_SUPPLIER: kinds.SELL}
    if by in sides:
        # The end of a supplier counts up to two slots after it was ordered, so its owner of either time may have it.
        meter = fields["consumer" if by == trades.BY_CONSUMER else "supplier"]
        owners = {contract.owner_at(sides[by], unix_s) for unix_s in (end_s, new.stamp.unix_s or end_s)}
        if new.kid not in {meter, *owners}:
            return False
    elif by != trades.BY_OPERATOR or new.kid not in contract.issuers:
        return False
    return bool(end_s >= max(fields["matched_s"], (new.stamp.unix_s or 0) - chain.MAX_AHEAD_S))
