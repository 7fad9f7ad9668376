"""The host's inbox for this meter: how far it was followed, and what an entry in it does, checked, cheapest first.

    wanted kind, meant for this meter, not known yet -> author, role, order, signature (`trust`) -> effect

What always holds: an entry is applied only where it follows the cursor; it has an effect only after its signature was
verified, once; a receipt is verified when it is needed; the cursor is in flash before it counts. Nothing here raises on
the content of an entry. Rules: docs/spec/meter.md, "Inbox"; docs/spec/datagrams.md.
"""

from wattpact_protocol.log import entry, kinds, reasons, roles

from wattpact_meter.trade.orders import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from wattpact_meter.control.policies import Policies
    from wattpact_meter.log.ledger_watch import LedgerWatch
    from wattpact_meter.log.trust import Trust
    from wattpact_meter.storage.store import Store
    from wattpact_meter.trade.trader import Trader
    from wattpact_meter.trade.usage import Usage

NAME, RECEIPT = "inbox", "receipt"
NO_INBOX = bytes(8)
INSISTS = 3  # how often a host must repeat what was rejected or surprising before it is followed


class Verdict:
    """moves: the inbox may go on behind this entry. reason: why it had no effect, None where it had, or was not meant
    to. proven: it is one that this meter knows, or its signature was verified. receipt: the entry itself where it is a
    receipt for this meter, not verified."""

    def __init__(
        self, moves: bool, reason: "str | None" = None, proven: bool = False, receipt: "bytes | None" = None
    ) -> None:
        self.moves = moves
        self.reason = reason
        self.proven = proven
        self.receipt = receipt


class Inbox:
    """Inbox(kid, store, trust, trader, usage, policies, ledger_watch): `id` is the host's name for it, `cursor` the
    place of the last entry that was applied; the others are the parts that entries go to. changed: trader or usage are
    not in flash as entries left them, and must be before it moves. has_receipt: flash may have a receipt
    for this log that was not used yet."""

    def __init__(
        self, kid: bytes, store: "Store", trust: "Trust", trader: "Trader", usage: "Usage", policies: "Policies",
        ledger_watch: "LedgerWatch",
    ) -> None:  # fmt: skip
        self._kid = kid
        self._store = store
        self._trust = trust
        self._trader = trader
        self._usage = usage
        self._policies = policies
        self.ledger_watch = ledger_watch
        self.not_before_s = 0  # grants and mandates older than this were known to a state that was lost
        self.id = NO_INBOX
        self.cursor = 0
        self.has_receipt = True
        self.changed = False
        self._repeated: bytes | None = None
        self._repeats = 0
        self._restore(store.load(NAME))

    def _restore(self, saved: object) -> None:
        if isinstance(saved, list) and len(saved) == 2 and isinstance(saved[0], bytes) and isinstance(saved[1], int):
            self.id, self.cursor = saved

    # Its place

    def problem(self, inbox: bytes, after: int, cursor: int) -> "str | None":
        """None where the entry at `cursor`, which comes behind the one at `after`, is the next one; else why not."""
        if inbox != self.id:
            return None if after == 0 else reasons.INBOX_GAP
        if after == self.cursor and cursor > after:
            return None
        return reasons.INBOX_GAP if after and cursor > self.cursor else reasons.INBOX_DUPLICATE

    def admit(self, body: "list[Any]") -> "str | None":
        """As `problem`, but a host that insists may begin again; counts how often it did."""
        inbox, after, cursor, _ = body
        reason = self.problem(inbox, after, cursor)
        is_new_start = reason == reasons.INBOX_DUPLICATE and not after
        return None if is_new_start and self.count_repeat(inbox + cursor.to_bytes(8, "big")) else reason

    def count_repeat(self, what: bytes) -> bool:
        """Count what came once more; whether it came INSISTS times with nothing else between, and is meant so."""
        self._repeats = self._repeats + 1 if what == self._repeated else 1
        self._repeated = what
        return self._repeats >= INSISTS

    def move_steps(self, inbox: bytes, cursor: int, receipt: "bytes | None" = None) -> "Generator[None, None, None]":
        """The entry at that cursor has had its effect, or is that receipt; durable when this ends."""
        if receipt:
            yield from self._store.save_steps(RECEIPT, receipt)
            self.has_receipt = True
        yield from self._store.save_steps(NAME, [inbox, cursor])
        self.id = inbox
        self.cursor = cursor
        self._repeats = 0

    def forget(self) -> None:
        """What came of it was lost: let the host send all of it again."""
        self.id = NO_INBOX
        self.cursor = 0

    # Its entries

    def apply_steps(
        self, raw: bytes, now_s: "int | None", must_prove: bool = False
    ) -> "Generator[None, None, Verdict]":
        """Apply the entry in `raw`, giving way while it is verified. What was rejected, and may be damaged or forged,
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
            if new.body["author"] != self._kid:
                return Verdict(True)
            if new.body["sequence"] > self.ledger_watch.sequence:
                self.ledger_watch.claim = new.body["blocks"]
            return Verdict(True, receipt=raw)
        if (kind not in _EFFECTS and kind != kinds.POLICY) or new.kid == self._kid:
            return Verdict(True)
        reason = self._unwanted(new)
        if reason:
            return Verdict(True, reason)
        reason = yield from self._trust.check_steps(new, now_s)
        if reason:
            return Verdict(False, reason)
        if kind == kinds.POLICY:
            reason = yield from self._policies.apply_steps(new.body)
        else:
            before, self.changed = self.changed, True  # whatever ends it early
            reason = _EFFECTS[kind](self, new, now_s)
            self.changed = before or reason is None
        return Verdict(True, reason, True)

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
        """Why this entry is nothing for this meter, by its content and before anything costly."""
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
