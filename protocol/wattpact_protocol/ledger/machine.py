"""The ledger's state machine: what an entry changes when a block orders it, and why it is rejected.

    machine = Machine(State(values), community)
    machine.apply(entry, now_s)                     None, and the state has changed; or the reason why not
    machine.anchor(kid, place, now_s)               the head of a log; likewise

What always holds: an entry takes effect only here, by the time of its block; its author is known and its newest
certificate in force at that time; entries of one log are ordered as the log has them, an order of a person once. A
rejection changes nothing. The same entries, times and order give the same state on every machine. Signatures are
verified before: see `author_key`. docs/spec/ledger.md.
"""

from wattpact_protocol.ledger import members, records, statements, trades
from wattpact_protocol.ledger.records import State
from wattpact_protocol.log import chain, ids, kinds, reasons, roles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from wattpact_protocol.log.entry import Entry

    Rule = Callable[[State, Entry, int], str | None]


def _no_effect(state: State, new: "Entry", now_s: int) -> "str | None":
    return None


# What a block may order. Readings, events, usage and receipts bind nobody else: they stay in their logs.
RULES: "dict[int, Rule]" = {
    kinds.CERTIFICATE: members.certify, kinds.COMMUNITY: members.found, kinds.TARIFF: members.price,
    kinds.POLICY: members.set_policy, kinds.MANDATE: trades.order, kinds.OFFER: trades.offer,
    kinds.DEMAND: trades.demand, kinds.ACCEPTANCE: trades.accept, kinds.CONTRACT: trades.confirm,
    kinds.GRANT: trades.grant, kinds.USAGE_START: trades.start, kinds.USAGE_END: trades.end,
    kinds.TERMINATE: trades.terminate, kinds.STATEMENT: statements.state_account, kinds.KEY_EPOCH: _no_effect,
    kinds.KEY_OPEN: members.open_key,
}  # fmt: skip


class Machine:
    def __init__(self, state: State, community: bytes) -> None:
        self.state = state
        self.community = community

    def author_key(self, new: "Entry") -> "bytes | None":
        """The public key that must have signed it: the author's, or the root's own in its first certificate. None for
        an author that is not known."""
        author = self.state.get(records.AUTHOR, new.kid)
        if author is not None:
            return bytes(author["public_key"])
        return bytes(new.body["public_key"]) if self._is_root(new) else None

    def apply(self, new: "Entry", now_s: int) -> "str | None":
        """Order a verified entry in a block of that time; the reason where it cannot be."""
        rule = RULES.get(new.kind)
        if rule is None:
            return reasons.NOT_ORDERED
        author = self.state.get(records.AUTHOR, new.kid)
        reason = self._author_problem(author, new, now_s)
        if reason is None:
            reason = rule(self.state, new, now_s)
        if reason is None:
            self._note(new)
        return reason

    def anchor(self, kid: bytes, place: "tuple[int, int, bytes]", now_s: int) -> "str | None":
        """Note the head of a log: (generation, next sequence, id of the last entry)."""
        return members.anchor(self.state, kid, place, now_s)

    def _is_root(self, new: "Entry") -> bool:
        """Whether it is the certificate that the root gives itself, by which the community is named."""
        if new.kind != kinds.CERTIFICATE or new.body["role"] != roles.ROOT:
            return False
        public_key = new.body["public_key"]
        return ids.community_id(public_key) == self.community and ids.kid_of(public_key) == new.kid

    def _author_problem(self, author: "dict[str, Any] | None", new: "Entry", now_s: int) -> "str | None":
        if author is None:
            return None if self._is_root(new) else reasons.UNKNOWN_AUTHOR
        if not roles.may_publish(author, new):
            return reasons.NOT_ALLOWED
        held = members.newest(author)
        if not held["begin_s"] <= now_s <= held["end_s"]:
            return reasons.CERTIFICATE_EXPIRED
        if new.stamp.unix_s is not None and new.stamp.unix_s > now_s + chain.MAX_AHEAD_S:
            return reasons.FUTURE_TIME
        if author["role"] == roles.PERSON:
            return self._order_problem(new, now_s)
        if new.generation != author["generation"]:
            return reasons.STALE_GENERATION
        return reasons.DUPLICATE if new.sequence <= author["ordered"] else None

    def _order_problem(self, new: "Entry", now_s: int) -> "str | None":
        if "order_id" not in new.body or "expires_s" not in new.body:
            return reasons.NO_ORDER_ID
        if new.body["expires_s"] < now_s:
            return reasons.ORDER_EXPIRED
        return reasons.DUPLICATE if self.state.get(records.ORDER, new.kid, new.body["order_id"]) else None

    def _note(self, new: "Entry") -> None:
        """That it was ordered, so that it never is again."""
        author = self.state.need(records.AUTHOR, new.kid)
        if author["role"] == roles.PERSON:
            self.state.put(records.ORDER, {"id": new.id}, new.kid, new.body["order_id"])
        elif author["generation"] == new.generation:
            author["ordered"] = new.sequence
            self.state.put(records.AUTHOR, author, new.kid)
