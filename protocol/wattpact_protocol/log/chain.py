"""A log: one author's entries, hash-linked and gap-free, and what may follow in it.

What always holds: a Head moves by `accept` only, one entry at a time, each naming the one before. Two validly signed
entries of one author and place with different ids prove fraud, whoever carries them.
Specification: docs/spec/log.md.
"""

from wattpact_protocol.log import entry, kinds
from wattpact_protocol.log.reasons import (
    BROKEN_CHAIN,
    DUPLICATE,
    FORK,
    FUTURE_TIME,
    GAP,
    NO_ORDER_ID,
    STALE_GENERATION,
)  # fmt: skip

# The verdict on an entry whose place is right; any other is a reason. After GAP, what is between is worth a request.
NEXT = "next"

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
    """FUTURE_TIME where the stamp, or a plain reading's last value, is further ahead than two honest clocks differ."""
    latest_s = new.stamp.unix_s
    if new.kind == kinds.READING and not new.is_sealed:
        end_s = new.body["t0_s"] + new.body["step_s"] * len(new.body["registers"][1][1])
        latest_s = end_s if latest_s is None or end_s > latest_s else latest_s
    return FUTURE_TIME if latest_s is not None and latest_s > now_s + MAX_AHEAD_S else None


def order_problem(certificate_id: bytes, new: entry.Entry) -> "str | None":
    """Why a person's entry is no order: an order's place is fixed, and it has an order id and an expiry."""
    if new.sequence != 0 or new.previous != certificate_id:
        return BROKEN_CHAIN
    if "order_id" not in new.body or "expires_s" not in new.body:
        return NO_ORDER_ID
    return None
