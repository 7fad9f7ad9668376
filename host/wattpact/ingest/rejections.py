"""What was rejected, by reason, author and source: counted always, named in the log once a burst.

What always holds: memory is bounded whatever arrives; every rejection is in a count; a burst of one reason from one
author writes one line when it begins and one with its number when it is over. docs/spec/ingest.md lists the reasons.
"""

import logging

from wattpact_protocol.log import reasons

from wattpact.store.records import Rejection

_LOG = logging.getLogger("wattpact.ingest")

BURST_S = 60
MAX_HELD = 500
# A lost or repeated datagram is how UDP works, not news.
_EVERYDAY = {reasons.DUPLICATE, reasons.GAP}


class Rejections:
    """Counts since the last `drain`, and the bursts that are under way."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, bytes, str], list[int]] = {}
        self._bursts: dict[tuple[str, bytes], list[int]] = {}

    def count(self, reason: str, author: bytes, source: str, now_s: int, place: str = "") -> None:
        """One more rejection; `author` is the one that the entry names, empty where it names none. `place` is the
        entry's in its author's log, where it was rejected only after it was stored."""
        key = (reason, author, source)
        if key not in self._counts and len(self._counts) >= MAX_HELD:
            key = (reason, b"", "")
        row = self._counts.setdefault(key, [0, now_s, now_s])
        row[0] += 1
        row[2] = now_s
        self._name(reason, author, f"its entry {place}" if place else source or "this machine", now_s)

    def _name(self, reason: str, author: bytes, where: str, now_s: int) -> None:
        key = (reason, author if len(self._bursts) < MAX_HELD else b"")
        burst = self._bursts.get(key)
        if burst is None:
            self._bursts[key] = [0, now_s]
            _LOG.log(_level(reason), "rejected: %s, author %s, from %s", reason, _named(author), where)
        else:
            burst[0] += 1
            burst[1] = now_s

    def drain(self, now_s: int) -> list[Rejection]:
        """The counts since the last drain, to be stored; bursts that have gone quiet are summed up in the log."""
        rows = [Rejection(*key, *row) for key, row in self._counts.items()]
        self._counts = {}
        for (reason, author), (more, last_s) in list(self._bursts.items()):
            if now_s - last_s >= BURST_S:
                del self._bursts[reason, author]
                if more:
                    _LOG.log(_level(reason), "rejected: %s, author %s, %d more", reason, _named(author), more)
        return rows


def _level(reason: str) -> int:
    return logging.INFO if reason in _EVERYDAY else logging.WARNING


def _named(author: bytes) -> str:
    return author.hex() or "unknown"
