"""What the views stand on: the ledger, and the last word of each author, folded from the store as it grows.

What always holds: after `follow` everything stored is in, each entry once, in the order of arrival, opened where the
key is here. The ledger judges for itself which readings are void. One thread at a time: the caller holds `lock`.
"""

import threading
from collections.abc import Sequence
from typing import NamedTuple

from wattpact_protocol.log import entry, event_codes, kinds
from wattpact_protocol.log.entry import Entry

from wattpact.keys import Signer
from wattpact.ledger import Ledger
from wattpact.projections import ledger_feed
from wattpact.projections.unsealing import Unsealer
from wattpact.store.interface import Reader

REST_S = 60  # what the guard's policy says unless told otherwise


class Said(NamedTuple):
    """The newest entry of an author."""

    unix_s: int | None
    clock_status: int
    received_s: int
    generation: int
    next_sequence: int


class RelayWord(NamedTuple):
    """What a meter last said of its relay. `reason` is the guard's."""

    closed: bool
    reason: str
    since_s: int | None
    contract: bytes | None
    wait_until_s: int | None


class Fold:
    """`signers` are those whose keys may open what is sealed."""

    def __init__(self, signers: Sequence[Signer] = ()) -> None:
        self._signers = tuple(signers)
        self._unsealer: Unsealer | None = None
        self.lock = threading.RLock()
        self.ledger = Ledger()
        self.cursor = 0
        self.said: dict[bytes, Said] = {}
        self.relays: dict[bytes, RelayWord] = {}
        self.ended_s: dict[bytes, int | None] = {}
        self._rest_s: dict[bytes | None, tuple[int, int]] = {}

    def unsealer(self, reader: Reader) -> Unsealer:
        """Opens entries of that reader's."""
        self._unsealer = Unsealer(reader, self._signers) if self._unsealer is None else self._unsealer.on(reader)
        return self._unsealer

    def follow(self, reader: Reader, now_s: int) -> None:
        """Take in what is new in the store, and settle what can be settled."""
        community, unsealer = reader.meta("community") or b"", self.unsealer(reader)
        if reader.last_cursor() > self.cursor:
            for row in reader.stream(after=self.cursor):
                new = entry.decode(row.raw, community)
                self._receive(new, row.received_s)
                if row.kind != kinds.CERTIFICATE or row.void_reason is None:
                    self._take(new, unsealer)
                self.cursor = row.cursor
        if self.ledger.inputs.community is not None:
            self.ledger.settle(now_s)

    def rest_s(self, meter: bytes) -> int:
        """How long the relay of a meter stays open at least, by its policy."""
        return self._rest_s.get(meter, self._rest_s.get(None, (0, REST_S)))[1]

    def _receive(self, new: Entry, received_s: int) -> None:
        stamp = new.stamp
        self.said[new.kid] = Said(stamp.unix_s, stamp.clock_status, received_s, new.generation, new.sequence + 1)

    def _take(self, new: Entry, unsealer: Unsealer) -> None:
        ledger_feed.feed(self.ledger, unsealer, new)
        if new.kind == kinds.EVENT:
            self._note_event(new)
        elif new.kind == kinds.USAGE_END:
            self.ended_s.setdefault(new.body["contract"], new.stamp.unix_s)
        elif new.kind == kinds.POLICY:
            version, meter = new.body["version"], new.body.get("meter")
            if version >= self._rest_s.get(meter, (0, 0))[0]:
                self._rest_s[meter] = (version, new.body.get("rest_s", REST_S))

    def _note_event(self, new: Entry) -> None:
        code, body, unix_s = new.body["code"], new.body, new.stamp.unix_s
        if code in (event_codes.RELAY_CLOSED, event_codes.RELAY_OPENED):
            closed = code == event_codes.RELAY_CLOSED
            rested_s = None if closed or unix_s is None else unix_s + self.rest_s(new.kid)
            self.relays[new.kid] = RelayWord(closed, body.get("text", ""), unix_s, body.get("contract"), rested_s)
        elif code in (event_codes.WARNING, event_codes.WELD) and new.kid in self.relays:
            wait_s = body.get("detail", 0)
            until_s = unix_s + wait_s if unix_s is not None and wait_s > 0 else None
            self.relays[new.kid] = self.relays[new.kid]._replace(reason=body.get("text", ""), wait_until_s=until_s)
