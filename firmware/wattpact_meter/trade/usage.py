"""Usage: which grant carries what this meter's import register counts.

Consumption fills the grants in use in order of (priority, contract id), each capped by what is left of it and by its
rate, counted cumulatively from its first second as settlement does (`settlement.most_wh`). What no grant carries in a
step is counted as beyond all contracts.

What always holds: all import up to `base_wh` has been allotted, once: the sum of what is attributed and what is beyond
rises by exactly as much as `base_wh`. So a state that was kept and a register that never falls lose and double nothing.
Rules: docs/spec/meter.md, "Usage".
"""

from wattpact_protocol.log import kinds, reasons

from wattpact_meter.trade.orders import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from wattpact_protocol.log import entry

_MAX_GRANTS = 16
_MAX_ISSUERS = 4
_NOT_PUBLISHED = -1


class Grant(Record):
    """A grant and what was used of it; start_wh: the register when its use began, until that is published. `number` of
    `issuer` is never accepted twice."""

    FIELDS = (
        "contract", "number", "wh", "max_w", "from_s", "to_s", "price_micro_per_kwh", "priority", "start_by_s",
        "default_supply", "used_from_s", "counted_to_s", "attributed_wh", "published_wh", "terminated", "start_wh",
    )  # fmt: skip
    contract: bytes
    number: int
    wh: int
    max_w: int
    from_s: int
    to_s: int
    price_micro_per_kwh: int
    priority: int
    start_by_s: int
    default_supply: bool
    used_from_s: "int | None"
    counted_to_s: int
    attributed_wh: int
    published_wh: int
    terminated: bool
    start_wh: "int | None"

    def __init__(self, values: "list[Any]") -> None:
        super().__init__(values)
        self.id = self.contract

    def is_too_late(self, now_s: "int | None") -> bool:
        """Whether it may not begin any more."""
        return self.used_from_s is None and now_s is not None and now_s > self.start_by_s

    def left_wh(self) -> int:
        return self.wh - self.attributed_wh

    def most_wh(self, until_s: "int | None") -> int:
        """What it may carry of the consumption since it was counted last; without a clock the rate is not known."""
        if self.used_from_s is None:
            return 0
        if until_s is None:
            return self.left_wh()
        end_s = min(until_s, self.to_s)
        by_rate = self._rated_wh(end_s) - self._rated_wh(self.counted_to_s)
        return max(0, min(self.left_wh(), by_rate))

    def _rated_wh(self, unix_s: int) -> int:
        return self.max_w * max(0, unix_s - (self.used_from_s or 0)) // 3600


class Usage:
    """All grants of this meter that have not ended."""

    def __init__(self) -> None:
        self.grants: list[Grant] = []
        self.base_wh = 0
        self.beyond_wh = 0
        self.dropped = 0
        self.numbers: list[list[Any]] = []  # [issuer, newest grant number]

    # What is received

    def apply_grant(self, new: "entry.Entry", kid: bytes) -> "str | None":
        """A verified grant; None, and it is held, or why it is not."""
        body = new.body
        if body["meter"] != kid:
            return reasons.NOT_FOR_THIS_METER
        for row in self.numbers:
            if row[0] == new.kid:
                if body["number"] <= row[1]:
                    return reasons.OLD_GRANT
                self.numbers.remove(row)
                break
        self.numbers = self.numbers[-(_MAX_ISSUERS - 1) :] + [[new.kid, body["number"]]]
        if self.find(body["contract"]) is not None:
            return reasons.OLD_GRANT
        values = [body[name] for name in Grant.FIELDS[:10]]
        self.grants.append(Grant(values + [None, 0, 0, 0, False, None]))
        self._sort()
        return self._make_room(body["contract"])

    def _sort(self) -> None:
        """As by `contracts.order_of`, which would load all of settlement's contracts."""
        self.grants.sort(key=lambda grant: (grant.priority, grant.id))

    def _make_room(self, newest: bytes) -> "str | None":
        """Past the limit the grant that is used last goes, of those that are not in use."""
        if len(self.grants) <= _MAX_GRANTS:
            return None
        idle = [grant for grant in self.grants if grant.used_from_s is None]
        victim = idle[-1] if idle else self.find(newest)
        self.grants = [grant for grant in self.grants if grant is not victim]
        self.dropped += 1
        return reasons.GRANTS_FULL if self.find(newest) is None else None

    def apply_termination(self, contract: bytes) -> "str | None":
        """A verified termination by one who may."""
        grant = self.find(contract)
        if grant is None:
            return reasons.UNKNOWN_CONTRACT
        grant.terminated = True
        return None

    def find(self, contract: bytes) -> "Grant | None":
        for grant in self.grants:
            if grant.contract == contract:
                return grant
        return None

    # What is counted

    def shares(self, until_s: "int | None", import_wh: int) -> "list[tuple[Grant, int]]":
        """How the consumption that is not allotted yet fills the grants in use, if the step ends at until_s."""
        open_wh = import_wh - self.base_wh
        shares: list[tuple[Grant, int]] = []
        for grant in self.grants:
            if grant.used_from_s is None:
                continue
            wh = max(0, min(open_wh, grant.most_wh(until_s)))
            open_wh -= wh
            shares.append((grant, wh))
        return shares

    def _running_wh(self, now_s: "int | None", import_wh: int) -> "dict[bytes, int]":
        """Contract -> Wh since the last boundary; the second that runs counts whole, since its energy has begun."""
        until_s = None if now_s is None else now_s + 1
        return {grant.contract: wh for grant, wh in self.shares(until_s, import_wh)}

    def end_step(self, boundary_s: int, import_wh: int) -> None:
        """Allot all up to a boundary; a boundary before the last moment of a restart is behind it."""
        shares = self.shares(boundary_s, import_wh)
        rest_wh = import_wh - self.base_wh
        if rest_wh < 0:
            return
        for grant, wh in shares:
            grant.attributed_wh += wh
            grant.counted_to_s = max(grant.counted_to_s, boundary_s)
            rest_wh -= wh
        for grant in self.grants:
            if grant.used_from_s is not None and grant.wh:
                grant.published_wh = _NOT_PUBLISHED
        self.base_wh = import_wh
        self.beyond_wh += rest_wh

    def settle(self, import_wh: int) -> None:
        """What was counted while no grant was in use is no grant's."""
        if not self.in_use():
            self.beyond_wh += max(0, import_wh - self.base_wh)
            self.base_wh = max(self.base_wh, import_wh)

    def rebase(self, closing_wh: int, opening_wh: int) -> None:
        """A register generation ended and another began: what is not allotted yet stays so."""
        self.base_wh += opening_wh - closing_wh
        for grant in self.grants:
            if grant.start_wh is not None:
                grant.start_wh = opening_wh  # or what is published next would be of the generation that ended

    def follow_clock(self, now_s: int) -> None:
        """A clock that was ahead is not any more: what is used from now on counts, at the rate from now on."""
        for grant in self.grants:
            if grant.used_from_s is not None and grant.counted_to_s > now_s:
                grant.counted_to_s = now_s
                grant.used_from_s = min(grant.used_from_s, now_s)

    def begin(self, contract: "bytes | None", now_s: "int | None", import_wh: int) -> bool:
        """The relay is closed for it, or those in use carry no more: it is used from now on, whether or not that can be
        published; whether it was not before."""
        grant = self.find(contract) if contract else None
        if grant is None or grant.used_from_s is not None or now_s is None:
            return False
        if not grant.from_s <= now_s <= min(grant.to_s, grant.start_by_s):
            return False
        self.settle(import_wh)
        grant.used_from_s = grant.counted_to_s = now_s
        grant.start_wh = import_wh
        return True

    def in_use(self) -> bool:
        return any(grant.used_from_s is not None for grant in self.grants)

    def guard_grants(self, now_s: "int | None", import_wh: int) -> "list[tuple[bytes, int, int, int, bool]]":
        """What the guard knows of grants: (contract, Wh left, from, to, default supply) in order."""
        return [
            (grant.contract, left_wh, grant.from_s, grant.to_s, grant.default_supply)
            for grant, left_wh in self.running(now_s, import_wh)
        ]

    def running(self, now_s: "int | None", import_wh: int) -> "list[tuple[Grant, int]]":
        """The grants that may still be used, in order, and the Wh left of each."""
        running = self._running_wh(now_s, import_wh)
        return [
            (grant, grant.left_wh() - running.get(grant.contract, 0))
            for grant in self.grants
            if not grant.terminated and not grant.is_too_late(now_s)
        ]

    # What is to be published. `published` gets every such entry, and those of the journal after a restart.

    def start(self) -> "dict[str, Any] | None":
        """The body of the next USAGE_START: a grant whose use began."""
        for grant in self.grants:
            if grant.start_wh is not None:
                return {"contract": grant.contract, "grant": grant.number, "import_wh": grant.start_wh}
        return None

    def overflow(self, now_s: "int | None", boundary_wh: int) -> "bytes | None":
        """The next grant to begin, where those in use cannot carry what was consumed."""
        shares = self.shares(now_s, boundary_wh)
        if not shares or now_s is None or boundary_wh - self.base_wh <= sum([wh for _, wh in shares]):
            return None
        for grant in self.grants:
            if grant.used_from_s is None and not grant.terminated and grant.from_s <= now_s < grant.to_s:
                return grant.contract
        return None

    def report(self) -> "dict[str, Any] | None":
        """The body of the next USAGE: a grant whose Wh, attributed up to the last boundary, were not published yet.
        What was not used is published too, or the entries by themselves would show when nobody is at home."""
        for grant in self.grants:
            if grant.attributed_wh != grant.published_wh:
                return {"contract": grant.contract, "attributed_wh": grant.attributed_wh, "import_wh": self.base_wh}
        return None

    def end(self, now_s: "int | None", import_wh: int) -> "dict[str, Any] | None":
        """The body of the next USAGE_END: a grant that is used up, out of time, terminated or void."""
        running = self._running_wh(now_s, import_wh)
        for grant in self.grants:
            wh = grant.attributed_wh + running.get(grant.contract, 0)
            reason = _end_reason(grant, wh, now_s)
            if reason and grant.start_wh is None:
                return {
                    "contract": grant.contract, "attributed_wh": wh, "import_wh": import_wh, "reason": reason,
                }  # fmt: skip
        return None

    def published(self, new: "entry.Entry") -> None:
        """An entry of this meter is in its journal."""
        if new.kind not in (kinds.USAGE_START, kinds.USAGE, kinds.USAGE_END):
            return
        body = new.body
        grant = self.find(body["contract"])
        if grant is None:
            return
        attributed_wh = body.get("attributed_wh", grant.attributed_wh)  # sealed with what was lost: what was kept
        if new.kind == kinds.USAGE_START:
            self._began(grant, new)
        elif new.kind == kinds.USAGE:
            self._count(grant, attributed_wh, new.stamp.unix_s)
            grant.published_wh = attributed_wh
        else:
            self._count(grant, attributed_wh, new.stamp.unix_s)
            self.grants = [other for other in self.grants if other is not grant]

    def _began(self, grant: Grant, new: "entry.Entry") -> None:
        grant.start_wh = None
        if grant.used_from_s is None and new.stamp.unix_s is not None:
            self.settle(new.body.get("import_wh", self.base_wh))
            grant.used_from_s = grant.counted_to_s = max(new.stamp.unix_s, grant.from_s)

    def _count(self, grant: Grant, attributed_wh: int, unix_s: "int | None") -> None:
        """Attribute up to what was published: nothing where the state knows it, what is missing after a restart."""
        missing_wh = attributed_wh - grant.attributed_wh
        if missing_wh > 0:
            grant.attributed_wh = attributed_wh
            self.base_wh += missing_wh
            if unix_s is not None:
                grant.counted_to_s = max(grant.counted_to_s, unix_s)

    # What is kept

    def to_list(self) -> "list[Any]":
        """What counts, and the grants, which are encoded one by one as they are kept."""
        return [self.base_wh, self.beyond_wh, self.numbers, self.grants]

    def restore(self, saved: "list[Any]") -> None:
        self.base_wh, self.beyond_wh, self.numbers, grants = saved
        self.grants = [Grant(values) for values in grants]
        self._sort()


def _end_reason(grant: Grant, attributed_wh: int, now_s: "int | None") -> int:
    """Why the grant is over, 0 while it is not."""
    if grant.terminated:
        return kinds.END_TERMINATED
    if grant.used_from_s is None:
        if grant.is_too_late(now_s) or (now_s is not None and now_s >= grant.to_s):
            return kinds.END_VOID
        return 0
    if attributed_wh >= grant.wh and not grant.default_supply:
        return kinds.END_USED_UP
    if now_s is not None and now_s >= grant.to_s:
        return kinds.END_EXPIRED
    return 0
