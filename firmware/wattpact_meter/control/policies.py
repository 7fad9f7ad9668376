"""The policies that this meter was sent: the newest for it alone, else the newest for all.

What always holds: versions only rise, each for itself; a policy that the guard cannot use is not kept. Kept in the
store. Rules: docs/spec/meter.md, "Policy and relay".
"""

from wattpact_protocol.guard.guard import Policy, PolicyError
from wattpact_protocol.log import reasons

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from wattpact_meter.storage.store import Store

NAME = "policy"


class Policies:
    """Policies(store, kid)."""

    def __init__(self, store: "Store", kid: bytes) -> None:
        self._store = store
        self._kid = kid
        self._fields: list[dict[str, Any] | None] = [None, None]  # for this meter, for all
        saved = store.load(NAME)
        if isinstance(saved, list) and len(saved) == 2:
            self._fields = saved
        self.is_lost = NAME in store.corrupt
        self.changed: Policy | None = None  # what the guard is to follow from now on, until it does

    def is_for_me(self, body: "dict[str, Any]") -> bool:
        return bool(body.get("meter", self._kid) == self._kid)

    def is_newer(self, body: "dict[str, Any]") -> bool:
        held = self._fields[self._place(body)]
        if held is None:
            return True
        return bool(body["version"] > held["version"])

    def _place(self, body: "dict[str, Any]") -> int:
        return 0 if "meter" in body else 1

    def apply_steps(self, body: "dict[str, Any]") -> "Generator[None, None, str | None]":
        """Store a verified policy; durable when the value is None. Else why it is not stored."""
        if not self.is_newer(body):
            return reasons.STALE_VERSION
        try:
            policy = yield from Policy.from_fields_steps(body)
        except PolicyError:
            return reasons.POLICY_OUT_OF_RANGE
        yield
        fields = self._fields[:]
        fields[self._place(body)] = body
        yield from self._store.save_steps(NAME, fields)
        self._fields = fields  # not before: what flash did not take must be new when it comes again
        self.is_lost = False
        if self._current() is body:
            self.changed = policy
        return None

    def _current(self) -> "dict[str, Any]":
        return self._fields[0] or self._fields[1] or {}

    def current(self) -> "Policy | None":
        """What the guard follows: the defaults where there was never a policy, None where it is lost."""
        return None if self.is_lost else Policy.from_fields(self._current())

    @property
    def version(self) -> "int | None":
        return self._current().get("version")

    @property
    def operator_open_at_s(self) -> "int | None":
        return self._current().get("operator_open_at_s")

    @property
    def register_generation(self) -> int:
        """The register generation that this meter alone was ordered to begin; 0 where it was not."""
        return int((self._fields[0] or {}).get("register_generation", 0))
