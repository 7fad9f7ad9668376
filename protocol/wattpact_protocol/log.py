"""A log: one author's entries, hash-linked and gap-free, and who may write one.

What always holds: a Head moves by `accept` only, one entry at a time, each naming the one before. Two validly signed
entries of one author and place with different ids are evidence of fraud, whoever carries them.
Specification: docs/spec/log.md.
"""

from wattpact_protocol import bodies, entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Verdicts on an entry's place. Only NEXT may be accepted; GAP is worth asking for what is between.
NEXT = "next"
DUPLICATE = "duplicate"
GAP = "gap"
FORK = "fork"
BROKEN_CHAIN = "broken_chain"
STALE_GENERATION = "stale_generation"
FUTURE = "future_time"

MAX_AHEAD_S = 300


class Head:
    """The end of a log: what the next entry must name."""

    def __init__(self, kid: bytes, generation: int, next_sequence: int, previous: bytes) -> None:
        self.kid = kid
        self.generation = generation
        self.next_sequence = next_sequence
        self.previous = previous

    def accept(self, new: entry.Entry) -> None:
        self.next_sequence = new.sequence + 1
        self.previous = new.id


def start(kid: bytes, generation: int, certificate_id: bytes) -> Head:
    """The head of a log with no entry: its first names the author's certificate (the root's own: 32 zero bytes)."""
    return Head(kid, generation, 0, certificate_id)


def judge(head: Head, new: entry.Entry, known_id: "bytes | None") -> str:
    """The verdict on the place of `new`; `known_id` is the id held for that place, None where none is."""
    if new.generation != head.generation:
        return STALE_GENERATION
    if new.sequence < head.next_sequence:
        return DUPLICATE if known_id == new.id else FORK
    if new.sequence > head.next_sequence:
        return GAP
    return NEXT if new.previous == head.previous else BROKEN_CHAIN


def judge_time(new: entry.Entry, now_s: int) -> "str | None":
    """FUTURE where the stamp, or an open reading's last value, lies beyond what two honest clocks differ by."""
    latest_s = new.stamp.unix_s
    if new.kind == bodies.READING and not new.is_sealed:
        end_s = new.body["t0_s"] + new.body["step_s"] * len(new.body["registers"][1][1])
        latest_s = end_s if latest_s is None or end_s > latest_s else latest_s
    return FUTURE if latest_s is not None and latest_s > now_s + MAX_AHEAD_S else None


# Which role may say what. A person's entries stand outside a chain: an order id and an expiry take its place.
MAY_SAY = {
    bodies.ROLE_ROOT: (bodies.CERTIFICATE,),
    bodies.ROLE_ISSUER: (
        bodies.CERTIFICATE, bodies.COMMUNITY, bodies.TARIFF, bodies.POLICY, bodies.GRANT, bodies.TERMINATE,
    ),
    bodies.ROLE_HOST: (bodies.RECEIPT, bodies.STATEMENT),
    bodies.ROLE_METER: (
        bodies.READING, bodies.EVENT, bodies.OFFER, bodies.DEMAND, bodies.ACCEPTANCE, bodies.CONTRACT,
        bodies.USAGE_START, bodies.USAGE, bodies.USAGE_END, bodies.TERMINATE, bodies.KEY_EPOCH, bodies.KEY_OPEN,
    ),
    bodies.ROLE_PERSON: (bodies.MANDATE, bodies.TERMINATE),
    bodies.ROLE_AUDITOR: (),
}  # fmt: skip

# Whose certificate a role may sign: the root makes itself and issuers, an issuer everyone else.
MAY_CERTIFY = {bodies.ROLE_ROOT: (bodies.ROLE_ROOT, bodies.ROLE_ISSUER), bodies.ROLE_ISSUER: (3, 4, 5, 6)}


def may_say(certificate: "dict[str, Any]", new: entry.Entry) -> bool:
    """Whether the certificate's role allows this kind, and for a certificate, the role that it gives."""
    role = certificate["role"]
    if new.kind not in MAY_SAY[role]:
        return False
    if new.kind != bodies.CERTIFICATE:
        return True
    gives = new.body["role"]
    is_own = gives != bodies.ROLE_ROOT or entry.kid_of(new.body["public_key"]) == new.kid
    return is_own and gives in MAY_CERTIFY[role]


def is_chained(certificate: "dict[str, Any]") -> bool:
    """Persons sign orders, not a log."""
    return bool(certificate["role"] != bodies.ROLE_PERSON)


def valid_at(certificate: "dict[str, Any]", unix_s: "int | None") -> bool:
    """Whether the certificate covers that time; an entry without a time is covered by its chain."""
    return unix_s is None or bool(certificate["not_before_s"] <= unix_s <= certificate["not_after_s"])


def order_problem(certificate_id: bytes, new: entry.Entry) -> "str | None":
    """Why a person's entry is no order: its place is fixed, and it says its id and until when it holds."""
    if new.sequence != 0 or new.previous != certificate_id:
        return BROKEN_CHAIN
    if "order_id" not in new.body or "expires_s" not in new.body:
        return "no_order_id"
    return None
