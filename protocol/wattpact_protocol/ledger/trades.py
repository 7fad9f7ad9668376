"""What the ledger makes of entries about trade: mandates, offers, demands, acceptances, contracts, grants, use, ends.

    mandate (owner) <- offer, demand (meter) <- acceptance (consumer's meter) <- contract (supplier's meter)
    contract <- grant (issuer) <- usage start and end (consumer's meter);  contract <- terminate (a party)

What always holds: energy is committed only within the mandates of both owners; an acceptance reserves its Wh of the
offer and of its owner's mandate until it lapses, and binds when it is confirmed before that; what a block ordered
counts from that block's time on. Each function checks one entry, and either changes the state and gives None, or
changes nothing and gives the reason. docs/spec/ledger.md, "Trade".
"""

from wattpact_protocol.ledger import members, records
from wattpact_protocol.log import kinds, reasons, roles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from wattpact_protocol.ledger.records import State
    from wattpact_protocol.log.entry import Entry

LATE_S = 3600  # what it offers, orders or starts may have begun so long before its block
LAPSES_S = 600  # an acceptance that is not confirmed reserves so long
MAX_HELD = 16  # acceptances that reserve at once: of one offer, and of one consumer's meter
MAX_CONTRACTS = 4096  # of one meter that start within one period
MAX_WORTH_NANO = 1 << 50  # of one acceptance; so what a meter's contracts of a period amount to fits 63 bits
START_LATE_S = 3600  # a start that is ordered so long after it was due counts still: its meter had no link

BY_CONSUMER, BY_SUPPLIER, BY_OPERATOR = "consumer", "supplier", "operator"


def order(state: "State", new: "Entry", now_s: int) -> "str | None":
    """A mandate of the meter's owner."""
    body = new.body
    if members.owner_of(state, body["meter"]) != new.kid:
        return reasons.NOT_OWNER
    if body["end_s"] <= body["start_s"]:
        return reasons.NO_PERIOD
    if body["end_s"] <= now_s:
        return reasons.BEGUN_BEFORE
    state.put(records.MANDATE, {
        "owner": new.kid, "meter": body["meter"],
        "side": body["side"], "limit_micro_per_kwh": body["limit_micro_per_kwh"],
        "wh": body["wh"], "used_wh": 0, "max_w": body["max_w"], "start_s": body["start_s"], "end_s": body["end_s"],
        "expires_s": body["expires_s"], "unstarted": [],
    }, new.id)  # fmt: skip
    return None


def offer(state: "State", new: "Entry", now_s: int) -> "str | None":
    body = new.body
    problem = _period_problem(body, now_s)
    if problem:
        return problem
    if body["valid_until_s"] < now_s:
        return reasons.OFFER_EXPIRED
    mandate = _mandate(state, body["mandate"], new.kid, kinds.SELL, now_s)
    if mandate is None or body["price_micro_per_kwh"] < mandate["limit_micro_per_kwh"]:
        return reasons.NO_SELL_MANDATE
    if not _overlap(body, mandate) or body["wh"] > mandate["wh"]:
        return reasons.MANDATE_EXCEEDED
    if _above_rating(state, new.kid, body["max_w"], now_s):
        return reasons.ABOVE_RATING
    state.put(records.OFFER, {
        "meter": new.kid, "mandate": body["mandate"], "price_micro_per_kwh": body["price_micro_per_kwh"],
        "wh": body["wh"], "taken_wh": 0, "max_w": body["max_w"], "start_s": body["start_s"], "end_s": body["end_s"],
        "valid_until_s": body["valid_until_s"],
    }, new.id)  # fmt: skip
    return None


def demand(state: "State", new: "Entry", now_s: int) -> "str | None":
    body = new.body
    problem = _period_problem(body, now_s)
    if problem:
        return problem
    mandate = _mandate(state, body["mandate"], new.kid, kinds.BUY, now_s)
    if mandate is None or body["price_micro_per_kwh"] > mandate["limit_micro_per_kwh"]:
        return reasons.NO_BUY_MANDATE
    state.put(records.DEMAND, {"meter": new.kid, "mandate": body["mandate"]}, new.id)
    return None


def accept(state: "State", new: "Entry", now_s: int) -> "str | None":
    """Reserves Wh of the offer and of the consumer's mandate until it lapses."""
    body = new.body
    held = state.get(records.OFFER, body["offer"])
    if held is None:
        return reasons.UNKNOWN_OFFER
    if held["meter"] == new.kid:
        return reasons.SUPPLIER_IS_CONSUMER
    if now_s > held["valid_until_s"] or now_s >= held["end_s"]:
        return reasons.OFFER_EXPIRED
    mandate_id = _buying(state, new, held, now_s)
    if mandate_id is None:
        return reasons.NO_BUY_MANDATE
    mandate = state.need(records.MANDATE, mandate_id)
    of_offer = _release_lapsed(state, body["offer"], now_s)
    of_meter = _release_lapsed(state, new.kid, now_s)
    if len(of_offer) >= MAX_HELD or len(of_meter) >= MAX_HELD:
        return reasons.TOO_MANY_ACCEPTANCES
    if body["wh"] * held["price_micro_per_kwh"] > MAX_WORTH_NANO:
        return reasons.WORTH_TOO_MUCH
    if body["wh"] > held["wh"] - held["taken_wh"] - _reserved_wh(state, of_offer):
        return reasons.OFFER_EXCEEDED
    if body["wh"] > _left_wh(state, mandate, now_s) - _reserved_wh(state, of_meter, mandate_id):
        return reasons.MANDATE_EXCEEDED
    state.put(records.ACCEPTANCE, {
        "meter": new.kid, "offer": body["offer"], "mandate": mandate_id, "wh": body["wh"],
        "priority": body["priority"], "start_by_s": min(held["start_s"] + body["start_timeout_s"], held["end_s"]),
        "lapses_s": now_s + LAPSES_S, "contract": b"",
    }, new.id)  # fmt: skip
    state.put(records.HOLDS, {"acceptances": of_offer + [new.id]}, body["offer"])
    state.put(records.HOLDS, {"acceptances": of_meter + [new.id]}, new.kid)
    return None


def confirm(state: "State", new: "Entry", now_s: int) -> "str | None":
    """The supplier's confirmation makes the contract, within both mandates."""
    acceptance = state.get(records.ACCEPTANCE, new.body["acceptance"])
    if acceptance is None:
        return reasons.UNKNOWN_ACCEPTANCE
    held = state.need(records.OFFER, acceptance["offer"])
    if held["meter"] != new.kid:
        return reasons.NOT_THE_SUPPLIER
    if acceptance["contract"]:
        return reasons.CONFIRMED_TWICE
    if now_s > acceptance["lapses_s"]:
        return reasons.STALE_ACCEPTANCE
    sells = _mandate(state, held["mandate"], new.kid, kinds.SELL, now_s)
    buys = _mandate(state, acceptance["mandate"], acceptance["meter"], kinds.BUY, now_s)
    if sells is None:
        return reasons.NO_SELL_MANDATE
    if buys is None:
        return reasons.NO_BUY_MANDATE
    if acceptance["wh"] > min(_left_wh(state, sells, now_s), _left_wh(state, buys, now_s)):
        return reasons.MANDATE_EXCEEDED
    if max(len(sells["unstarted"]), len(buys["unstarted"])) >= MAX_HELD:
        return reasons.TOO_MANY_CONTRACTS
    period = members.period_of(held["start_s"])
    listed = {kid: _listed(state, kid, period) for kid in (new.kid, acceptance["meter"])}
    if max([len(ids) for ids in listed.values()]) >= MAX_CONTRACTS:
        return reasons.TOO_MANY_CONTRACTS
    _bind(state, new.id, new.body["acceptance"], acceptance, held, now_s)
    for kid, ids in listed.items():
        state.put(records.CONTRACTS, {"ids": ids + [new.id]}, kid, period)
    for mandate_id, mandate in ((held["mandate"], sells), (acceptance["mandate"], buys)):
        mandate["used_wh"] += acceptance["wh"]
        mandate["unstarted"].append(new.id)
        state.put(records.MANDATE, mandate, mandate_id)
    return None


def _bind(
    state: "State", name: bytes, accepted: bytes, acceptance: "dict[str, Any]", held: "dict[str, Any]", now_s: int
) -> None:
    acceptance["contract"] = name
    held["taken_wh"] += acceptance["wh"]
    state.put(records.ACCEPTANCE, acceptance, accepted)
    state.put(records.OFFER, held, acceptance["offer"])
    for place in (acceptance["offer"], acceptance["meter"]):
        ids = [one for one in _holds(state, place) if one != accepted]
        state.put(records.HOLDS, {"acceptances": ids}, place)
    state.put(records.CONTRACT, {
        "offer": acceptance["offer"], "acceptance": accepted, "supplier": held["meter"],
        "consumer": acceptance["meter"], "wh": acceptance["wh"], "max_w": held["max_w"],
        "price_micro_per_kwh": held["price_micro_per_kwh"], "start_s": held["start_s"], "end_s": held["end_s"],
        "priority": acceptance["priority"], "start_by_s": acceptance["start_by_s"], "matched_s": now_s,
        "grant": 0, "granted_s": None, "used_from_s": None, "terminated_s": None, "terminated_by": "", "ended_s": None,
    }, name)  # fmt: skip


def grant(state: "State", new: "Entry", now_s: int) -> "str | None":
    """The issuer's grant repeats the contract, once; one of default supply has no contract behind it."""
    body = new.body
    last = state.get(records.GRANTED, body["meter"])
    if last is not None and body["number"] <= last["number"]:
        return reasons.OLD_GRANT
    if not body["default_supply"]:
        contract = state.get(records.CONTRACT, body["contract"])
        if contract is None:
            return reasons.UNKNOWN_CONTRACT
        if contract["granted_s"] is not None:
            return reasons.OLD_GRANT
        if contract["terminated_s"] is not None:
            return reasons.TERMINATED
        if now_s > contract["start_by_s"] or now_s >= contract["end_s"]:
            return reasons.TOO_LATE
        terms = (
            ("meter", "consumer"), ("wh", "wh"), ("max_w", "max_w"), ("from_s", "start_s"), ("to_s", "end_s"),
            ("price_micro_per_kwh", "price_micro_per_kwh"), ("priority", "priority"), ("start_by_s", "start_by_s"),
        )  # fmt: skip
        if any(body[granted] != contract[agreed] for granted, agreed in terms):
            return reasons.OTHER_TERMS
        contract["grant"], contract["granted_s"] = body["number"], now_s
        state.put(records.CONTRACT, contract, body["contract"])
    state.put(records.GRANTED, {"number": body["number"]}, body["meter"])
    return None


def start(state: "State", new: "Entry", now_s: int) -> "str | None":
    """Use counts from its stamp, but never before the grant: what was used before was bought from the grid."""
    contract = state.get(records.CONTRACT, new.body["contract"])
    if contract is None:
        return reasons.UNKNOWN_CONTRACT
    if contract["consumer"] != new.kid:
        return reasons.NOT_THE_CONSUMER
    if contract["granted_s"] is None:
        return reasons.NOT_GRANTED
    if contract["used_from_s"] is not None:
        return reasons.STARTED_BEFORE
    if new.stamp.unix_s is None:
        return reasons.NO_TIME
    used_from_s = max(new.stamp.unix_s, contract["start_s"], contract["granted_s"])
    is_late = used_from_s > contract["start_by_s"] or used_from_s >= _over_s(contract)
    if is_late or _cannot_start(contract, now_s):
        return reasons.TOO_LATE
    contract["used_from_s"] = used_from_s
    state.put(records.CONTRACT, contract, new.body["contract"])
    for name in _mandates_of(state, contract):
        mandate = state.need(records.MANDATE, name)
        mandate["unstarted"] = [one for one in mandate["unstarted"] if one != new.body["contract"]]
        state.put(records.MANDATE, mandate, name)
    return None


def end(state: "State", new: "Entry", now_s: int) -> "str | None":
    """The consumer's report that it uses the contract no more; what is due does not depend on it."""
    contract = state.get(records.CONTRACT, new.body["contract"])
    if contract is None:
        return reasons.UNKNOWN_CONTRACT
    if contract["consumer"] != new.kid:
        return reasons.NOT_THE_CONSUMER
    if contract["ended_s"] is not None:
        return reasons.ENDED_BEFORE
    contract["ended_s"] = now_s
    state.put(records.CONTRACT, contract, new.body["contract"])
    return None


def terminate(state: "State", new: "Entry", now_s: int) -> "str | None":
    """The consumer's end counts from its block. The supplier's and the operator's count a slot later, and from a slot's
    start, so that a consumer's meter has received them by then."""
    contract = state.get(records.CONTRACT, new.body["contract"])
    if contract is None:
        return reasons.UNKNOWN_CONTRACT
    party = _party(state, contract, new.kid)
    if party is None:
        return reasons.NOT_A_PARTY
    slot_s = (state.get(records.COMMUNITY) or {"slot_s": 900})["slot_s"]
    end_s = now_s if party == BY_CONSUMER else -(-(now_s + slot_s) // slot_s) * slot_s
    over_s = _over_s(contract)
    if end_s >= over_s:
        return reasons.ENDED_BEFORE
    contract["terminated_s"], contract["terminated_by"] = end_s, party
    state.put(records.CONTRACT, contract, new.body["contract"])
    return None


def _party(state: "State", contract: "dict[str, Any]", kid: bytes) -> "str | None":
    """For whom that author may end the contract now; a former owner may not."""
    if kid in (contract["consumer"], members.owner_of(state, contract["consumer"])):
        return BY_CONSUMER
    if kid in (contract["supplier"], members.owner_of(state, contract["supplier"])):
        return BY_SUPPLIER
    author = state.get(records.AUTHOR, kid)
    return BY_OPERATOR if author is not None and author["role"] == roles.ISSUER else None


def _period_problem(body: "dict[str, Any]", now_s: int) -> "str | None":
    if body["end_s"] <= body["start_s"]:
        return reasons.NO_PERIOD
    if body["end_s"] - body["start_s"] > members.PERIOD_S:
        return reasons.PERIOD_TOO_LONG
    if body["start_s"] < now_s - LATE_S or body["end_s"] <= now_s:
        return reasons.BEGUN_BEFORE
    return None


def _overlap(body: "dict[str, Any]", mandate: "dict[str, Any]") -> bool:
    return bool(body["start_s"] < mandate["end_s"] and mandate["start_s"] < body["end_s"])


def _mandate(state: "State", name: bytes, meter: bytes, side: int, now_s: int) -> "dict[str, Any] | None":
    """The mandate of that id if it is for that meter and side, in force, and its author owns the meter still."""
    found = state.get(records.MANDATE, name)
    if found is None or found["meter"] != meter or found["side"] != side or found["expires_s"] < now_s:
        return None
    return found if found["owner"] == members.owner_of(state, meter) else None


def _over_s(contract: "dict[str, Any]") -> int:
    """When it ends, as far as is known now."""
    return int(contract["end_s"] if contract["terminated_s"] is None else contract["terminated_s"])


def _cannot_start(contract: "dict[str, Any]", now_s: int) -> bool:
    """Whether no start of it can be ordered any more: from then on its mandates have its Wh back."""
    return now_s > contract["start_by_s"] + START_LATE_S or now_s >= _over_s(contract) + START_LATE_S


def _mandates_of(state: "State", contract: "dict[str, Any]") -> "tuple[bytes, bytes]":
    """Those of the supplier's and the consumer's owner."""
    offered = state.need(records.OFFER, contract["offer"])
    return offered["mandate"], state.need(records.ACCEPTANCE, contract["acceptance"])["mandate"]


def _left_wh(state: "State", mandate: "dict[str, Any]", now_s: int) -> int:
    """What may still be bound under a mandate; contracts that became void without a start give their Wh back, and are
    struck from its list."""
    waiting = []
    for name in mandate["unstarted"]:
        contract = state.need(records.CONTRACT, name)
        if _cannot_start(contract, now_s):
            mandate["used_wh"] -= contract["wh"]
        else:
            waiting.append(name)
    mandate["unstarted"] = waiting
    return int(mandate["wh"] - mandate["used_wh"])


def _buying(state: "State", new: "Entry", held: "dict[str, Any]", now_s: int) -> "bytes | None":
    """The id of the mandate that an acceptance's demand names, if it covers the offer."""
    asked = state.get(records.DEMAND, new.body["demand"]) if "demand" in new.body else None
    if asked is None or asked["meter"] != new.kid:
        return None
    mandate = _mandate(state, asked["mandate"], new.kid, kinds.BUY, now_s)
    if mandate is None or held["price_micro_per_kwh"] > mandate["limit_micro_per_kwh"]:
        return None
    return bytes(asked["mandate"]) if _overlap(held, mandate) else None


def _above_rating(state: "State", meter: bytes, watts: int, now_s: int) -> bool:
    author = state.get(records.AUTHOR, meter)
    rated_w = members.newest(author)["rated_w"] if author else 0
    return bool(rated_w and watts > rated_w)


def _holds(state: "State", place: bytes) -> "list[bytes]":
    held = state.get(records.HOLDS, place)
    return held["acceptances"] if held else []


def _release_lapsed(state: "State", place: bytes, now_s: int) -> "list[bytes]":
    """The acceptances that still reserve, of an offer or a meter."""
    return [one for one in _holds(state, place) if state.need(records.ACCEPTANCE, one)["lapses_s"] >= now_s]


def _reserved_wh(state: "State", held: "list[bytes]", mandate: "bytes | None" = None) -> int:
    rows = [state.need(records.ACCEPTANCE, one) for one in held]
    return sum([row["wh"] for row in rows if mandate is None or row["mandate"] == mandate])


def _listed(state: "State", kid: bytes, period: int) -> "list[bytes]":
    found = state.get(records.CONTRACTS, kid, period)
    return found["ids"] if found else []
