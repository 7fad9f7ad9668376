"""The contract trader: what this meter may commit to by mandate, and what it has committed to.

As a supplier it answers a mandate to sell with an offer and confirms acceptances while energy is left. As a consumer
it answers a mandate to buy with a demand and accepts the cheapest offers within its limit, until the mandate is
covered; with supply running it waits until that is low.

`apply_*` get verified entries, `next` is what is to be signed, `published` gets what is in the journal, now or again
after a restart. What always holds: what is committed under a mandate never exceeds its Wh, less the reserve, nor its
Wh a day; nothing is accepted or confirmed twice. Rules: docs/spec/meter.md, "Contracts".
"""

from wattpact_protocol.log import kinds, reasons

from wattpact_meter.trade.orders import LOW_STEPS, Acceptance, Mandate, Offer, OwnOffer, Supply, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from wattpact_protocol.log import entry

MAX_MANDATES = 8
MAX_OFFERS = 16
MAX_ACCEPTANCES = 16
MAX_CONFIRMED = 3  # acceptances of one offer that are remembered
CONFIRM_WITHIN_S = 60  # an acceptance older than this is not confirmed any more
GIVE_UP_S = 90  # so the consumer, whose clock may differ a little, is free to accept another after this
LONGEST_RETRY_S = 600
GATHER_S = 2  # offers are awaited this long before the first is accepted
START_TIMEOUT_S = 600


class Trader:
    """Trader(kid, step_s): kid is this meter's."""

    def __init__(self, kid: bytes, step_s: int) -> None:
        self._kid = kid
        self._step_s = step_s
        self.mandates: list[Mandate] = []
        self.own_offers: list[OwnOffer] = []
        self.offers: list[Offer] = []
        self.acceptances: list[Acceptance] = []
        self.dropped = 0
        self.given_up = 0

    # What is received: None, and it is in the trader; or why not.

    def apply_mandate(self, new: "entry.Entry", owner: "bytes | None", now_s: "int | None") -> "str | None":
        body = new.body
        if new.kid != owner:
            return reasons.NOT_OWNER
        if body["meter"] != self._kid:
            return reasons.NOT_FOR_THIS_METER
        if now_s is not None and now_s > body["expires_s"]:
            return reasons.ORDER_EXPIRED
        if find(self.mandates, new.id) is not None:
            return reasons.DUPLICATE
        if len(self.mandates) >= MAX_MANDATES:
            self.dropped += 1
            return (
                reasons.TRADER_FULL
            )  # none goes before it expires: it might be sent again, and would be answered again
        wh = max(0, body["wh"] - body.get("reserve_wh", 0))
        self.mandates.append(Mandate([
            new.id, body["expires_s"], body["side"], body["limit_micro_per_kwh"], wh, body["max_w"], body["start_s"],
            body["end_s"], body.get("preferred", []), body.get("wh_per_day"), None, 0, 0, 0, 0,
        ]))  # fmt: skip
        return None

    def apply_offer(self, new: "entry.Entry") -> "str | None":
        body = new.body
        if new.kid == self._kid:
            return reasons.OWN_ENTRY
        if find(self.offers, new.id) is not None:
            return reasons.DUPLICATE
        self.offers.append(Offer([
            new.id, new.kid, body["price_micro_per_kwh"], body["wh"], body["max_w"], body["start_s"], body["end_s"],
            body["valid_until_s"], 0, 0, 0,
        ]))  # fmt: skip
        if len(self.offers) > MAX_OFFERS:
            worst = max(self.offers, key=lambda offer: (offer.price_micro_per_kwh, offer.id))
            self.offers.remove(worst)
            self.dropped += 1
        return None

    def apply_acceptance(self, new: "entry.Entry", now_s: "int | None") -> "str | None":
        """An acceptance of an own offer: None, and it will be confirmed."""
        offer = find(self.own_offers, new.body["offer"])
        if offer is None:
            return reasons.UNKNOWN_OFFER
        if new.kid == self._kid:
            return reasons.OWN_ENTRY
        if [row for row in offer.confirmed if row[0] == new.id]:
            return reasons.DUPLICATE
        mandate = find(self.mandates, offer.mandate)
        wh, signed_s = new.body["wh"], new.stamp.unix_s
        if now_s is None or signed_s is None:
            return reasons.NO_TIME
        if max(now_s, signed_s) > offer.valid_until_s or mandate is None or not mandate.is_open(now_s):
            return reasons.OFFER_EXPIRED
        if not -CONFIRM_WITHIN_S <= now_s - signed_s <= CONFIRM_WITHIN_S:
            return reasons.STALE_ACCEPTANCE
        if offer.accepted_wh + wh > offer.wh:
            return reasons.OFFER_EXCEEDED
        if len(offer.confirmed) >= MAX_CONFIRMED and not offer.confirmed[0][1]:
            return reasons.TRADER_FULL
        if wh > mandate.free_wh(now_s):
            return reasons.MANDATE_EXCEEDED
        offer.accepted_wh += wh
        mandate.commit(wh, now_s)
        offer.confirmed.append([new.id, False, wh, signed_s])
        if len(offer.confirmed) > MAX_CONFIRMED:
            del offer.confirmed[0]
        return None

    def apply_contract(self, new: "entry.Entry") -> "str | None":
        """A confirmation of an own acceptance."""
        acceptance = find(self.acceptances, new.body["acceptance"])
        if acceptance is None:
            return reasons.UNKNOWN_ACCEPTANCE
        if new.kid != acceptance.supplier:
            return reasons.NOT_A_PARTY
        if acceptance.contract is not None:
            return reasons.DUPLICATE
        acceptance.contract = new.id
        return None

    def supplier_of(self, contract: bytes) -> "bytes | None":
        """The supplier of a contract in which this meter is the consumer."""
        for acceptance in self.acceptances:
            if acceptance.contract == contract:
                return acceptance.supplier
        return None

    # What is to be signed next

    def next(self, now_s: int, supply: Supply, may_buy: bool) -> "tuple[int, dict[str, Any]] | None":
        """(kind, body) of the next entry, None where none is due. may_buy: a host is there to pass an acceptance on."""
        self._tidy(now_s)
        return (
            self._next_contract(now_s)
            or self._next_answer(now_s)
            or (self._next_acceptance(now_s, supply) if may_buy else None)
        )

    def _next_contract(self, now_s: int) -> "tuple[int, dict[str, Any]] | None":
        for offer in self.own_offers:
            for row in list(offer.confirmed):
                acceptance, is_published, wh, accepted_s = row
                if is_published:
                    continue
                if now_s - accepted_s <= CONFIRM_WITHIN_S:
                    return kinds.CONTRACT, {"acceptance": acceptance}
                offer.confirmed.remove(row)  # power was gone for too long
                offer.accepted_wh -= wh
                mandate = find(self.mandates, offer.mandate)
                if mandate is not None:
                    mandate.commit(-wh, accepted_s)
        return None

    def _next_answer(self, now_s: int) -> "tuple[int, dict[str, Any]] | None":
        """The offer or demand for a mandate that has none."""
        for mandate in self.mandates:
            if mandate.answer is None and mandate.wh > 0 and mandate.is_open(now_s):
                kind = kinds.OFFER if mandate.side == kinds.SELL else kinds.DEMAND
                return kind, {
                    "price_micro_per_kwh": mandate.limit_micro_per_kwh, "wh": mandate.wh, "max_w": mandate.max_w,
                    "start_s": mandate.start_s, "end_s": mandate.end_s,
                    "valid_until_s": min(mandate.end_s, mandate.expires_s), "mandate": mandate.id,
                }  # fmt: skip
        return None

    def _next_acceptance(self, now_s: int, supply: Supply) -> "tuple[int, dict[str, Any]] | None":
        if len(self.acceptances) >= MAX_ACCEPTANCES:
            return None
        for mandate in self.mandates:
            if mandate.side == kinds.BUY and self._is_looking(mandate, now_s, supply):
                offer = self._best_offer(mandate, now_s)
                if offer is not None:
                    return kinds.ACCEPTANCE, self._acceptance(mandate, offer, now_s, supply)
        return None

    def _is_looking(self, mandate: Mandate, now_s: int, supply: Supply) -> bool:
        """Whether more is wanted now: the mandate is not covered, and what runs is low."""
        if mandate.answer is None or now_s < mandate.answered_s + GATHER_S:
            return False
        if not mandate.is_open(now_s) or not mandate.free_wh(now_s):
            return False
        return supply.is_low(now_s, self._step_s)

    def _best_offer(self, mandate: Mandate, now_s: int) -> "Offer | None":
        fit = [offer for offer in self.offers if self._fits(mandate, offer, now_s)]
        if not fit:
            return None
        preferred = mandate.preferred
        return min(
            fit,
            key=lambda offer: (offer.failures, offer.supplier not in preferred, offer.price_micro_per_kwh, offer.id),
        )

    def _fits(self, mandate: Mandate, offer: Offer, now_s: int) -> bool:
        return (
            offer.price_micro_per_kwh <= mandate.limit_micro_per_kwh
            and offer.start_s < mandate.end_s
            and offer.end_s > max(now_s + LOW_STEPS * self._step_s, mandate.start_s)
            and now_s + CONFIRM_WITHIN_S <= offer.valid_until_s
            and now_s >= offer.retry_s
            and offer.wh > offer.accepted_wh
            and not self._awaits(offer)
        )

    def _acceptance(self, mandate: Mandate, offer: Offer, now_s: int, supply: Supply) -> "dict[str, Any]":
        """Priorities rise from 1 over what runs and what was accepted; a later one may wait its turn to the end."""
        wh = min(mandate.free_wh(now_s), offer.wh - offer.accepted_wh)
        wh = max(1, wh >> max(0, offer.failures - 1))  # others may have accepted a part of the offer
        priority = 1 + max([supply.priority] + [row.priority for row in self.acceptances])
        last_s = offer.end_s if priority > 1 else min(offer.end_s, max(now_s, offer.start_s) + START_TIMEOUT_S)
        return {
            "offer": offer.id, "wh": wh, "priority": min(priority, 65535),
            "start_timeout_s": max(0, min(last_s - offer.start_s, kinds.MAX_U32)), "demand": mandate.answer,
        }  # fmt: skip

    # What was published

    def published(self, new: "entry.Entry") -> None:
        """An entry of this meter is in its journal."""
        if new.kind == kinds.CONTRACT:
            for offer in self.own_offers:
                for row in offer.confirmed:
                    if row[0] == new.body["acceptance"]:
                        row[1] = True
        elif new.kind == kinds.ACCEPTANCE:
            self._accepted(new)
        elif new.kind in (kinds.OFFER, kinds.DEMAND):
            self._answered(new)
        elif new.kind == kinds.USAGE_END:
            self._ended(new.body["contract"], new.body["reason"])

    def _answered(self, new: "entry.Entry") -> None:
        mandate = find(self.mandates, new.body["mandate"])
        if mandate is None or mandate.answer is not None:
            return
        mandate.answer = new.id
        mandate.answered_s = new.stamp.unix_s or 0
        if new.kind == kinds.OFFER:
            self.own_offers.append(OwnOffer([new.id, mandate.id, new.body["wh"], 0, new.body["valid_until_s"], []]))

    def _accepted(self, new: "entry.Entry") -> None:
        body = new.body
        mandates = [mandate for mandate in self.mandates if mandate.answer == body.get("demand")]
        offer = find(self.offers, body["offer"])
        if not mandates or offer is None or find(self.acceptances, new.id) is not None:
            return
        signed_s = new.stamp.unix_s or 0
        mandates[0].commit(body["wh"], signed_s)
        offer.accepted_wh += body["wh"]
        self.acceptances.append(Acceptance([
            new.id, offer.id, offer.supplier, mandates[0].id, body["wh"], body["priority"], signed_s, offer.end_s, None,
        ]))  # fmt: skip

    # Acceptances that no contract followed, and what is over

    def _ended(self, contract: bytes, reason: int) -> None:
        """A contract of this consumer ended; one that never began leaves its Wh to the mandate."""
        for acceptance in list(self.acceptances):
            if acceptance.contract == contract:
                self.acceptances.remove(acceptance)
                if reason == kinds.END_VOID:
                    self._release(acceptance)

    def _release(self, acceptance: Acceptance) -> None:
        mandate = find(self.mandates, acceptance.mandate)
        if mandate is not None:
            mandate.commit(-acceptance.wh, acceptance.accepted_s)

    def _tidy(self, now_s: int) -> None:
        for acceptance in list(self.acceptances):
            if acceptance.contract is None and now_s - acceptance.accepted_s > GIVE_UP_S:
                self._give_up(acceptance, now_s)
            elif now_s > acceptance.end_s:
                self.acceptances.remove(acceptance)
        self.offers = [o for o in self.offers if now_s <= min(o.valid_until_s, o.end_s) or self._awaits(o)]
        self.mandates = [m for m in self.mandates if now_s <= m.expires_s]
        self.own_offers = [o for o in self.own_offers if now_s <= o.valid_until_s or not _all_published(o)]

    def _awaits(self, offer: Offer) -> bool:
        return any(row.contract is None and row.offer == offer.id for row in self.acceptances)

    def _give_up(self, acceptance: Acceptance, now_s: int) -> None:
        """No confirmation came: its Wh are free again, and its offer comes after all others, later and later."""
        self.acceptances.remove(acceptance)
        self._release(acceptance)
        self.given_up += 1
        offer = find(self.offers, acceptance.offer)
        if offer is not None:
            offer.accepted_wh -= acceptance.wh
            offer.failures += 1
            offer.retry_s = now_s + min(GIVE_UP_S << min(offer.failures - 1, 5), LONGEST_RETRY_S)

    # What is kept

    def to_list(self) -> "list[Any]":
        """The tables, whose rows are encoded one by one as they are kept."""
        return [self.mandates, self.own_offers, self.offers, self.acceptances]

    def restore(self, saved: "list[Any]") -> None:
        mandates, own_offers, offers, acceptances = saved
        self.mandates = [Mandate(values) for values in mandates]
        self.own_offers = [OwnOffer(values) for values in own_offers]
        self.offers = [Offer(values) for values in offers]
        self.acceptances = [Acceptance(values) for values in acceptances]


def _all_published(offer: OwnOffer) -> bool:
    return all(row[1] for row in offer.confirmed)
