"""What an entry from a host's inbox does to this meter: checked, cheapest first, then applied.

    wanted kind, meant for this meter, not known yet -> author, role, order, signature (`trust`) -> effect

What always holds: an entry has an effect only after its signature was verified, once; a receipt is verified when it is
needed. Nothing here raises on what an entry says. Rules: docs/spec/meter.md, "Inbox".
"""

from wattpact_protocol.log import entry, kinds, reasons, roles

from wattpact_meter.trade.orders import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

    from wattpact_meter.control.policies import Policies
    from wattpact_meter.log.trust import Trust
    from wattpact_meter.trade.trader import Trader
    from wattpact_meter.trade.usage import Usage


class Verdict:
    """moves: the inbox may go on behind this entry. reason: why it had no effect, None where it had, or was not meant
    to. proven: it is one that this meter knows, or its signature was verified. changed: trader or usage changed.
    receipt: the entry itself where it is a receipt for this meter, not verified."""

    def __init__(
        self, moves: bool, reason: "str | None" = None, proven: bool = False, changed: bool = False,
        receipt: "bytes | None" = None,
    ) -> None:  # fmt: skip
        self.moves = moves
        self.reason = reason
        self.proven = proven
        self.changed = changed
        self.receipt = receipt


class Inbox:
    """Inbox(kid, trust, trader, usage, policies): the parts that entries go to."""

    def __init__(self, kid: bytes, trust: "Trust", trader: "Trader", usage: "Usage", policies: "Policies") -> None:
        self._kid = kid
        self._trust = trust
        self._trader = trader
        self._usage = usage
        self._policies = policies
        self.not_before_s = 0  # grants and mandates older than this were known to a state that was lost

    def receive_steps(
        self, raw: bytes, now_s: "int | None", must_prove: bool = False
    ) -> "Generator[None, None, Verdict]":
        """Apply the entry in `raw`, giving way while it is verified. What was refused, and may be damaged or forged,
        does not move the inbox. must_prove: verify a certificate even where it changes nothing."""
        try:
            new = yield from entry.decode_steps(raw, self._trust.community)
        except entry.EntryError:
            return Verdict(False, reasons.ENTRY_MALFORMED)
        yield
        kind = new.kind
        if kind == kinds.CERTIFICATE:
            verdict = yield from self._learn_steps(new, now_s, must_prove)
            return verdict
        if kind == kinds.RECEIPT:
            return Verdict(True, receipt=raw if new.body["author"] == self._kid else None)
        if (kind not in _EFFECTS and kind != kinds.POLICY) or new.kid == self._kid:
            return Verdict(True)
        reason = self._unwanted(new)
        if reason:
            return Verdict(True, reason)
        reason = yield from self._trust.check_steps(new, now_s)
        if reason:
            return Verdict(False, reason)
        if kind == kinds.POLICY:
            reason = yield from self._policies.take_steps(new.body)
        else:
            reason = _EFFECTS[kind](self, new, now_s)
        return Verdict(True, reason, True, reason is None and kind != kinds.POLICY)

    def _learn_steps(self, new: entry.Entry, now_s: "int | None", must_prove: bool) -> "Generator[None, None, Verdict]":
        reason = yield from self._trust.learn_steps(new, now_s)
        if reason == reasons.STALE_VERSION:
            problem = (yield from self._trust.check_steps(new, now_s)) if must_prove else reasons.STALE_VERSION
            return Verdict(True, proven=problem is None)
        if reason == reasons.DUPLICATE:
            return Verdict(True, proven=True)
        is_genuine = reason in (None, reasons.AUTHORS_FULL)
        return Verdict(is_genuine, reason, is_genuine)

    def _unwanted(self, new: entry.Entry) -> "str | None":
        """Why this entry is nothing for this meter, by what it says and before anything costly."""
        kind, body = new.kind, new.body
        if kind in (kinds.MANDATE, kinds.GRANT):
            if body["meter"] != self._kid:
                return reasons.NOT_FOR_THIS_METER
            if self.not_before_s and (new.stamp.unix_s or 0) < self.not_before_s:
                return reasons.BEFORE_STATE_WAS_LOST
        if kind == kinds.POLICY:
            if not self._policies.is_for_me(body):
                return reasons.NOT_FOR_THIS_METER
            return None if self._policies.is_newer(body) else reasons.STALE_VERSION
        if kind == kinds.OFFER:
            return reasons.DUPLICATE if find(self._trader.offers, new.id) else None
        if kind == kinds.ACCEPTANCE:
            return None if find(self._trader.own_offers, body["offer"]) else reasons.UNKNOWN_OFFER
        if kind == kinds.CONTRACT:
            return None if find(self._trader.acceptances, body["acceptance"]) else reasons.UNKNOWN_ACCEPTANCE
        if kind == kinds.TERMINATE:
            return self._useless_end(new)
        return None

    def _useless_end(self, new: entry.Entry) -> "str | None":
        """Why a termination counts for nothing, here as in settlement."""
        grant = self._usage.find(new.body["contract"])
        if grant is None:
            return reasons.UNKNOWN_CONTRACT
        if new.stamp.unix_s is None:
            return reasons.NO_TIME
        return reasons.ENDED_BEFORE if new.stamp.unix_s >= grant.to_s else None

    def _mandate(self, new: entry.Entry, now_s: "int | None") -> "str | None":
        own = self._trust.author(self._kid)
        return self._trader.apply_mandate(new, own["owner"] if own else None, now_s)

    def _offer(self, new: entry.Entry, now_s: "int | None") -> "str | None":
        return self._trader.apply_offer(new)

    def _acceptance(self, new: entry.Entry, now_s: "int | None") -> "str | None":
        return self._trader.apply_acceptance(new, now_s)

    def _contract(self, new: entry.Entry, now_s: "int | None") -> "str | None":
        return self._trader.apply_contract(new)

    def _grant(self, new: entry.Entry, now_s: "int | None") -> "str | None":
        return self._usage.apply_grant(new, self._kid)

    def _terminate(self, new: entry.Entry, now_s: "int | None") -> "str | None":
        contract = new.body["contract"]
        if not self._may_terminate(new.kid, self._trader.supplier_of(contract)):
            return reasons.NOT_A_PARTY
        return self._usage.apply_termination(contract)

    def _may_terminate(self, kid: bytes, supplier: "bytes | None") -> bool:
        """The operator, the supplier's meter, and the owner of either meter; a meter itself has signed its own."""
        author = self._trust.author(kid)
        if author is None:
            return False
        if author["role"] == roles.ISSUER or kid == supplier:
            return True
        parties = [self._trust.author(party) for party in (self._kid, supplier) if party]
        return any(party is not None and party["owner"] == kid for party in parties)


_EFFECTS = {
    kinds.MANDATE: Inbox._mandate,
    kinds.OFFER: Inbox._offer,
    kinds.ACCEPTANCE: Inbox._acceptance,
    kinds.CONTRACT: Inbox._contract,
    kinds.GRANT: Inbox._grant,
    kinds.TERMINATE: Inbox._terminate,
}
