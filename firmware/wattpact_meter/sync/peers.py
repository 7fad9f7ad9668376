"""The host as a peer: when it was last seen, and when a digest and a request for a certificate are due.

    DIGEST  every 2 s, rarer while the host is silent, at once when something changed and when it is there again
    ENROL   every 5 s while there is no certificate

Time is an argument: uptime in ms.
"""

_DIGEST_MS = 2_000
SLOWEST_DIGEST_MS = 30_000
_ENROL_MS = 5_000
_SILENT_MS = 10_000  # a host from which nothing came for so long is not there


class Host:
    """One host."""

    def __init__(self) -> None:
        self.seen_ms: int | None = None
        self._digest_at_ms = 0
        self._digested_ms = 0
        self._digest_every_ms = _DIGEST_MS
        self._enrol_at_ms = 0

    def receive(self, now_ms: int) -> None:
        """A datagram of this community came: the host is there."""
        if not self.is_seen(now_ms):
            self.hasten_digest(max(now_ms, self._digested_ms + _DIGEST_MS))
        self._digest_every_ms = _DIGEST_MS
        self.seen_ms = now_ms

    def is_seen(self, now_ms: int) -> bool:
        return self.seen_ms is not None and now_ms - self.seen_ms < _SILENT_MS

    def hasten_digest(self, at_ms: int) -> None:
        """The next digest is due then, or earlier."""
        self._digest_at_ms = min(self._digest_at_ms, at_ms)

    def is_digest_due(self, now_ms: int) -> bool:
        return now_ms >= self._digest_at_ms

    def digested(self, now_ms: int) -> None:
        """A digest is on its way."""
        self._digested_ms = now_ms
        self._digest_at_ms = now_ms + self._digest_every_ms
        if not self.is_seen(now_ms):
            self._digest_every_ms = min(2 * self._digest_every_ms, SLOWEST_DIGEST_MS)

    def is_enrol_due(self, now_ms: int) -> bool:
        return now_ms >= self._enrol_at_ms

    def requested(self, now_ms: int) -> None:
        """A request for a certificate is on its way."""
        self._enrol_at_ms = now_ms + _ENROL_MS

    def next_at_ms(self, has_certificate: bool) -> int:
        """When something is due though nothing comes."""
        return self._digest_at_ms if has_certificate else min(self._digest_at_ms, self._enrol_at_ms)
