"""The inputs of settlement: what money rests on, gathered by subject.

    the ledger's records -> contracts, tariff, who pays;  readings -> load profiles;  usage -> what was attributed

What always holds: what the ledger orders counts as its records have it; entries of one author are applied in the order
of its log; a reading that breaks the rules counts for nothing and is kept in `voids` with its reason; a sealed one that
nobody unsealed is counted alone. Specification: docs/spec/settlement.md, "What counts".
"""

from wattpact_protocol.ledger import members, records
from wattpact_protocol.log import entry, ids, kinds, readings, roles
from wattpact_protocol.settlement import register_rules
from wattpact_protocol.settlement.contracts import Contracts
from wattpact_protocol.settlement.load_profile import LoadProfile
from wattpact_protocol.settlement.slots import SILENCE_S
from wattpact_protocol.settlement.tariff import Tariff

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The records that money rests on.
RECORDS = (records.COMMUNITY, records.AUTHOR, records.TARIFFS, records.CONTRACT)
NOBODY = b""  # who answers for a meter before it was enrolled


class SettlementInputs:
    """Feed it records with `follow` and entries with `apply`; the community's record comes before the first reading."""

    def __init__(self) -> None:
        self.community: dict[str, Any] | None = None
        self.slot_s = 0
        self.silence_s = SILENCE_S
        self.load_profiles: dict[bytes, LoadProfile] = {}
        self.contracts = Contracts()
        self.tariff = Tariff()
        self.voids: list[tuple[bytes, str]] = []
        self.sealed: dict[bytes, int] = {}  # readings that could not be unsealed here, by meter
        self.certificates: dict[bytes, dict[str, Any]] = {}  # the newest of each author
        self.labels: dict[bytes, str] = {}
        self._authors: dict[bytes, dict[str, Any]] = {}
        self._registers: dict[bytes, register_rules.RegisterRules] = {}

    def follow(self, record: int, key: "list[Any]", fields: "dict[str, Any]") -> None:
        """A record of the ledger, as it is now; those that money does not rest on are ignored."""
        if record == records.COMMUNITY:
            self.slot_s, self.silence_s = fields["slot_s"], fields["silence_s"] or SILENCE_S
        elif record == records.AUTHOR:
            self._authors[key[0]] = fields
        elif record == records.TARIFFS and key:
            self.tariff.follow(key[0], fields["rows"])
        elif record == records.CONTRACT:
            self.contracts.follow(key[0], fields)

    def apply(self, new: entry.Entry) -> "str | None":
        """Fold one verified entry; why it counts for nothing, or None."""
        kind = new.kind
        if kind == kinds.READING:
            return self._read(new)
        if kind == kinds.CERTIFICATE:
            kid = ids.kid_of(new.body["public_key"])
            self.certificates[kid], self.labels[kid] = new.body, new.body["label"]
        elif kind == kinds.COMMUNITY:
            self.community = new.body
        elif kind in (kinds.USAGE, kinds.USAGE_END):
            self._attribute(new)
        return None

    @property
    def meters(self) -> "list[bytes]":
        return sorted([kid for kid, author in self._authors.items() if author["role"] == roles.METER])

    def ever_owned_by(self, person: bytes) -> "list[bytes]":
        """The meters that some certificate gives to that person."""
        return [
            kid for kid in self.meters
            if any(held["owner"] == person for held in members.certificates(self._authors[kid]))
        ]  # fmt: skip

    def payer_at(self, kid: bytes, unix_s: int) -> bytes:
        """Whose account a meter's energy goes to: its owner's; its own where its certificate names none; NOBODY before
        its first certificate."""
        author = self._authors[kid]
        held = members.certificate_at(author, unix_s)
        if unix_s < held["begin_s"]:
            return NOBODY
        return bytes(held["owner"]) or kid

    def payers(self, kid: bytes, from_s: int, to_s: int) -> "list[tuple[int, int, bytes]]":
        """(from, to, payer) that cover a window; a change takes effect with the next slot."""
        begins = {self.ceil(held["begin_s"]) for held in members.certificates(self._authors[kid])}
        cuts = sorted([cut for cut in begins if from_s < cut < to_s])
        spans: list[tuple[int, int, bytes]] = []
        for start_s, end_s in zip([from_s] + cuts, cuts + [to_s]):
            payer = self.payer_at(kid, start_s)
            if spans and spans[-1][2] == payer:
                spans[-1] = (spans[-1][0], end_s, payer)
            else:
                spans.append((start_s, end_s, payer))
        return [span for span in spans if span[2] != NOBODY]

    def ceil(self, unix_s: int) -> int:
        """The slot boundary at or after that time."""
        return -(-unix_s // self.slot_s) * self.slot_s

    def _attribute(self, new: entry.Entry) -> None:
        """What the consumer's meter reports; sealed to whoever folds this without the key, and no money rests on it."""
        contract = self.contracts.by_id.get(new.body["contract"])
        if contract is not None and contract.consumer == new.kid:
            contract.attributed_wh = max(contract.attributed_wh, new.body.get("attributed_wh", 0))
            if new.kind == kinds.USAGE_END and contract.end_reason is None:
                contract.end_reason = new.body["reason"]

    def _read(self, new: entry.Entry) -> "str | None":
        kid = new.kid
        if new.is_sealed:
            self.sealed[kid] = self.sealed.get(kid, 0) + 1
            return None
        registers = self._registers.get(kid)
        if registers is None:
            registers = self._registers[kid] = register_rules.RegisterRules(0)
            self.load_profiles[kid] = LoadProfile(self.slot_s)
        registers.rated_w = members.certificate_at(self._authors[kid], readings.end_s(new.body))["rated_w"]
        reason = registers.apply(new.body)
        if reason is None:
            self.load_profiles[kid].add(new.body)
        else:
            self.voids.append((new.id, reason))
        return reason
