"""The inputs of settlement: what money rests on in verified entries, gathered by subject.

    readings -> load profiles;  offers ... terminations -> agreements;  tariffs -> tariff;  certificates -> who pays

What always holds: entries of one author are applied in the order of its log; what breaks the rules counts for nothing
and is kept in `voids` or `agreements.refused` with its reason; a sealed reading that nobody unsealed is counted alone.
Specification: docs/spec/settlement.md, "What counts".
"""

from wattpact_protocol.log import entry, ids, kinds, readings, reasons, roles
from wattpact_protocol.settlement import register_rules
from wattpact_protocol.settlement.contracts import Agreements
from wattpact_protocol.settlement.load_profile import LoadProfile
from wattpact_protocol.settlement.slots import SILENCE_S
from wattpact_protocol.settlement.tariff import Tariff

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The kinds that contracts rest on: all that `Agreements.apply` has a use for.
AGREED = (
    kinds.CERTIFICATE, kinds.MANDATE, kinds.OFFER, kinds.DEMAND, kinds.ACCEPTANCE, kinds.CONTRACT, kinds.GRANT,
    kinds.USAGE_START, kinds.USAGE, kinds.USAGE_END, kinds.TERMINATE,
)  # fmt: skip


class SettlementInputs:
    """Feed it entries with `apply`; the community's entry comes before the first reading."""

    def __init__(self) -> None:
        self.community: dict[str, Any] | None = None
        self.slot_s = 0
        self.silence_s = SILENCE_S
        self.load_profiles: dict[bytes, LoadProfile] = {}
        self.agreements = Agreements()
        self.tariff = Tariff()
        self.voids: list[tuple[bytes, str]] = []
        self.sealed: dict[bytes, int] = {}  # readings that could not be unsealed here, by meter
        self.labels: dict[bytes, str] = {}
        self._certificates: dict[bytes, list[tuple[int, int, dict[str, Any]]]] = {}
        self._registers: dict[bytes, register_rules.RegisterRules] = {}

    def apply(self, new: entry.Entry) -> "str | None":
        """Fold one verified entry; why it counts for nothing, or None."""
        kind = new.kind
        if kind == kinds.READING:
            return self._read(new)
        if kind == kinds.CERTIFICATE:
            reason = self._enrol(new)
            if reason:
                self.voids.append((new.id, reason))
                return reason
        elif kind == kinds.COMMUNITY:
            self._found(new.body)
        elif kind == kinds.TARIFF:
            self.tariff.apply(new)
        self.agreements.apply(new)
        return self.agreements.refused.get(new.id)

    @property
    def meters(self) -> "list[bytes]":
        return sorted([kid for kid, rows in self._certificates.items() if rows[0][2]["role"] == roles.METER])

    def certificate_at(self, kid: bytes, unix_s: int) -> "dict[str, Any]":
        """The certificate that holds for an author at a time: of those that have begun the highest version."""
        rows = self._certificates[kid]
        begun = [row for row in rows if row[0] <= unix_s] or rows[:1]
        return max(begun, key=_version_of)[2]

    def payer_at(self, kid: bytes, unix_s: int) -> bytes:
        """Whose account a meter's energy goes to: its owner's; its own where its certificate names none."""
        return bytes(self.certificate_at(kid, unix_s).get("owner", kid))

    def payers(self, kid: bytes, from_s: int, to_s: int) -> "list[tuple[int, int, bytes]]":
        """(from, to, payer) that cover a window; a change takes effect with the next slot."""
        cuts = [self.ceil(row[0]) for row in self._certificates[kid]]
        cuts = sorted({cut for cut in cuts if from_s < cut < to_s})
        spans: list[tuple[int, int, bytes]] = []
        for start_s, end_s in zip([from_s] + cuts, cuts + [to_s]):
            payer = self.payer_at(kid, start_s)
            if spans and spans[-1][2] == payer:
                spans[-1] = (spans[-1][0], end_s, payer)
            else:
                spans.append((start_s, end_s, payer))
        return spans

    def ceil(self, unix_s: int) -> int:
        """The slot boundary at or after that time."""
        return -(-unix_s // self.slot_s) * self.slot_s

    def _found(self, body: "dict[str, Any]") -> None:
        """A later version may rename the community; slot length and silence stay those of the first."""
        if self.community is None:
            self.slot_s = body["slot_s"]
            self.silence_s = body.get("silence_s", SILENCE_S)
        if self.community is None or body["version"] >= self.community["version"]:
            self.community = body

    def _enrol(self, new: entry.Entry) -> "str | None":
        """Versions rise, and a key keeps its role for good."""
        kid, version = ids.kid_of(new.body["public_key"]), new.body["version"]
        rows = self._certificates.setdefault(kid, [])
        for name in ("role", "public_key"):
            if rows and rows[0][2][name] != new.body[name]:
                return reasons.ROLE_CHANGED
        for row in rows:
            if version <= row[1] or new.body["generation"] < row[2]["generation"]:
                return reasons.STALE_VERSION
        rows.append((new.body["not_before_s"], version, new.body))
        rows.sort(key=_begin_of)
        self.labels[kid] = new.body["label"]
        return None

    def _read(self, new: entry.Entry) -> "str | None":
        kid = new.kid
        if new.is_sealed:
            self.sealed[kid] = self.sealed.get(kid, 0) + 1
            return None
        registers = self._registers.get(kid)
        if registers is None:
            registers = self._registers[kid] = register_rules.RegisterRules(0)
            self.load_profiles[kid] = LoadProfile(self.slot_s)
        registers.rated_w = self.certificate_at(kid, readings.end_s(new.body)).get("rated_w", 0)
        reason = registers.apply(new.body)
        if reason is None:
            self.load_profiles[kid].add(new.body)
        else:
            self.voids.append((new.id, reason))
        return reason


def _begin_of(row: "tuple[int, int, dict[str, Any]]") -> "tuple[int, int]":
    return row[:2]


def _version_of(row: "tuple[int, int, dict[str, Any]]") -> "tuple[int, int]":
    return (row[1], row[0])
