"""The store's entries on their way into the ledger: all at once for a command, or as they come for a node.

What always holds: entries reach the ledger in the order of their arrival, void ones with the rest, since the ledger
judges for itself; a certificate that changed nothing does not.
"""

from collections.abc import Iterator

from wattpact_protocol import bodies, entry
from wattpact_protocol.entry import Entry
from wattpact_protocol.statement import Statement

from wattpact.bill import BillError
from wattpact.ledger import Ledger
from wattpact.reader import Reader

_IDLE = (bodies.RECEIPT, bodies.STATEMENT, bodies.POLICY)
_WORDS = [kind for kind in bodies.NAMES if kind != bodies.READING and kind not in _IDLE]


def entries(reader: Reader, after: int = 0) -> Iterator[tuple[int, Entry]]:
    """(cursor, entry) of everything that was stored after a cursor and that money may rest on."""
    community = reader.meta("community") or b""
    for row in reader.stream(after=after):
        if row.kind not in _IDLE and (row.kind != bodies.CERTIFICATE or row.void_reason is None):
            yield row.cursor, entry.decode(row.raw, community)


def evidence_for(reader: Reader, statement: Statement) -> Iterator[Entry]:
    """What a statement's evidence is picked from: every word, and the readings of the meters that it rests on."""
    community = reader.meta("community") or b""
    for row in reader.stream(kinds=_WORDS):
        yield entry.decode(row.raw, community)
    for kid in statement.closure:
        for row in reader.entries(author=kid, kinds=(bodies.READING,)):
            yield entry.decode(row.raw, community)


def ledger_of(reader: Reader, now_s: int) -> Ledger:
    """A ledger of all that is stored, settled as far as it can be by now; raises BillError, StoreError."""
    ledger = Following().refresh(reader, now_s)
    if ledger.facts.community is None:
        raise BillError("no community has been founded yet")
    return ledger


def timezone(ledger: Ledger) -> str:
    """The community's."""
    community = ledger.facts.community
    return str(community["timezone"]) if community else "UTC"


class Following:
    """A ledger that follows a store, for a program that goes on running; it belongs to one thread."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.cursor = 0

    def refresh(self, reader: Reader, now_s: int) -> Ledger:
        """Take in what is new and settle; raises StoreError."""
        self.ledger.apply(self._new(reader))
        if self.ledger.facts.community is not None:
            self.ledger.settle(now_s)
        return self.ledger

    def _new(self, reader: Reader) -> Iterator[Entry]:
        for cursor, new in entries(reader, self.cursor):
            self.cursor = cursor
            yield new
