"""The store's entries on their way into the ledger: all at once for a command, or as they come for a node.

What always holds: entries reach the ledger in the order of their arrival, void ones with the rest, since the ledger
judges for itself; a certificate that changed nothing does not. What is sealed reaches it opened, as far as there is a
key; a reading that no honest meter sealed so is void, of any other word what is open still counts.
"""

from collections.abc import Iterator

from wattpact_protocol.log import entry, kinds
from wattpact_protocol.log.entry import Entry
from wattpact_protocol.log.reasons import BAD_SEAL
from wattpact_protocol.sealing.period_keys import NoKeyError, SealError
from wattpact_protocol.settlement.statement import Statement

from wattpact.ledger import Ledger, LedgerError
from wattpact.projections.unsealing import Unsealer
from wattpact.store.sqlite.reader import Reader

_IDLE = (kinds.RECEIPT, kinds.STATEMENT, kinds.POLICY)
_KEYS = (kinds.KEY_EPOCH, kinds.KEY_OPEN)  # links of a meter's log that say nothing of money
_WORDS = [kind for kind in kinds.NAMES if kind != kinds.READING and kind not in _IDLE]


def entries(reader: Reader, after: int = 0) -> Iterator[tuple[int, Entry]]:
    """(cursor, entry) of everything that was stored after a cursor and that money may rest on, sealed as it came."""
    community = reader.meta("community") or b""
    for row in reader.stream(after=after):
        if row.kind not in (*_IDLE, *_KEYS) and (row.kind != kinds.CERTIFICATE or row.void_reason is None):
            yield row.cursor, entry.decode(row.raw, community)


def feed(ledger: Ledger, unsealer: Unsealer, new: Entry) -> None:
    """One entry, opened if there is a key; a reading without one is counted in `inputs.sealed`."""
    try:
        new = unsealer.unseal(new)
    except NoKeyError:
        pass
    except SealError:
        if new.kind == kinds.READING:
            ledger.inputs.voids.append((new.id, BAD_SEAL))
            return
    ledger.apply([new])


def evidence_for(reader: Reader, statement: Statement, unsealer: Unsealer | None = None) -> Iterator[Entry]:
    """What a statement's evidence is picked from: every word, and the readings of the meters that it rests on, opened;
    each keeps the bytes in which it was signed."""
    community = reader.meta("community") or b""
    unsealer = unsealer or Unsealer(reader)
    for row in reader.stream(of_kinds=_WORDS):
        yield unsealer.look(entry.decode(row.raw, community))
    for kid in statement.closure:
        for row in reader.entries(author=kid, of_kinds=(kinds.READING,)):
            yield unsealer.look(entry.decode(row.raw, community))


def ledger_of(reader: Reader, now_s: int, unsealer: Unsealer | None = None) -> Ledger:
    """A ledger of all that is stored, settled as far as it can be by now; raises LedgerError, StoreError.

    Without an `unsealer` of that reader, what is sealed stays so."""
    ledger = Following().refresh(reader, now_s, unsealer)
    if ledger.inputs.community is None:
        raise LedgerError("no community has been founded yet")
    return ledger


def timezone(ledger: Ledger) -> str:
    """The community's."""
    community = ledger.inputs.community
    return str(community["timezone"]) if community else "UTC"


class Following:
    """A ledger that follows a store, for a program that goes on running; it belongs to one thread."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.cursor = 0

    def refresh(self, reader: Reader, now_s: int, unsealer: Unsealer | None = None) -> Ledger:
        """Take in what is new and settle; raises StoreError."""
        unsealer = unsealer or Unsealer(reader)
        for cursor, new in entries(reader, self.cursor):
            feed(self.ledger, unsealer, new)
            self.cursor = cursor
        if self.ledger.inputs.community is not None:
            self.ledger.settle(now_s)
        return self.ledger
