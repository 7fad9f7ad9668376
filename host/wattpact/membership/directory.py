"""Who may publish: the enrolled authors, each with certificate and end of log, as the store has them.

What always holds after `refresh`: every author's head is the last entry stored, whoever stored it. The root's key is
pinned from the start, so that its own certificate can be ingested. docs/spec/enrolment.md, docs/spec/log.md.
"""

from typing import Any

from wattpact_protocol.log import chain, entry, ids, kinds, reasons, roles

from wattpact.store.interface import Reader
from wattpact.store.records import Stored


class Author:
    """One author: its newest certificate and the head of its log."""

    def __init__(self, kid: bytes, certificate_id: bytes, certificate: dict[str, Any]) -> None:
        self.kid = kid
        self.public_key: bytes = certificate["public_key"]
        self.head = chain.start(kid, certificate["generation"], certificate_id)
        self.frozen = False
        self.is_ahead = False  # it has entries that its log does not reach yet
        self._of_generation: list[dict[str, Any]] = []
        self.certify(certificate_id, certificate)

    def certify(self, certificate_id: bytes, certificate: dict[str, Any]) -> None:
        """Take on a newer certificate; a new generation starts a new log."""
        self.certificate_id = certificate_id
        self.certificate = certificate
        self.chained = roles.is_chained(certificate)
        if certificate["generation"] > self.head.generation:
            self.head = chain.start(self.kid, certificate["generation"], certificate_id)
            self.frozen = False
            self._of_generation = []
        self._of_generation.append(certificate)

    def is_certified_at(self, unix_s: int | None) -> bool:
        """Whether any certificate of this generation of the log covers that time: a renewal takes nothing back."""
        for certificate in self._of_generation:  # no generator: this runs for every entry
            if roles.valid_at(certificate, unix_s):
                return True
        return False


class Directory:
    """All authors of the store, kept up to date from it."""

    def __init__(self, reader: Reader, root_public_key: bytes) -> None:
        self._reader = reader
        self._root_public_key = root_public_key
        self.rebuild()

    def rebuild(self) -> None:
        """Forget everything and read it anew."""
        root = Author(
            ids.kid_of(self._root_public_key),
            entry.NO_PREVIOUS,
            {"public_key": self._root_public_key, "role": roles.ROOT, "version": 0, "generation": 0,
             "not_before_s": 0, "not_after_s": kinds.MAX_UINT},
        )  # fmt: skip
        self._by_kid = {root.kid: root}
        self.cursor = self._reader.last_cursor()
        for newest in self._reader.certificates():
            for certified in self._reader.certificates_of(newest.kid):
                self._certify(certified.id, certified.body)
        for author in self._by_kid.values():
            head = self._reader.head(author.kid, author.head.generation)
            if head is not None:
                author.head.next_sequence, author.head.previous = head[0] + 1, head[1]
            author.is_ahead = self._reader.has_ahead(author.kid)
        for found in self._reader.forks():
            self._freeze(found.author, found.generation)

    def get(self, kid: bytes) -> Author | None:
        return self._by_kid.get(kid)

    def refresh(self) -> None:
        """Follow what others have stored since: another process, or this one's own logs."""
        for row in self._reader.stream(self.cursor):
            self._follow(row)
            self.cursor = row.cursor

    def _follow(self, row: Stored) -> None:
        author = self._by_kid.get(row.author)
        if author is not None and row.ahead:
            author.is_ahead = True
        elif author is not None and author.chained and row.generation == author.head.generation:
            # What was ahead of the log may follow the row, and came before it.
            head = self._reader.head(row.author, row.generation) if author.is_ahead else None
            author.head.next_sequence, author.head.previous = (
                (row.sequence + 1, row.id) if head is None else (head[0] + 1, head[1])
            )
        if row.kind == kinds.CERTIFICATE and row.void_reason is None:
            body = entry.decode(row.raw, self._reader.community).body
            self._certify(row.id, body)

    def _certify(self, certificate_id: bytes, body: dict[str, Any]) -> None:
        kid = ids.kid_of(body["public_key"])
        author = self._by_kid.get(kid)
        if author is None:
            self._by_kid[kid] = Author(kid, certificate_id, body)
        elif body["version"] > author.certificate["version"]:
            author.certify(certificate_id, body)

    def _freeze(self, kid: bytes, generation: int) -> None:
        author = self._by_kid.get(kid)
        if author is not None and author.head.generation == generation:
            author.frozen = True

    def certify(self, new: entry.Entry) -> None:
        """Follow a certificate that this program has itself just stored."""
        self._certify(new.id, new.body)

    def certificate_problem(self, body: dict[str, Any]) -> str | None:
        """Why a certificate changes nothing: versions rise, and a key keeps its role for good."""
        author = self._by_kid.get(ids.kid_of(body["public_key"]))
        if author is None:
            return None
        if author.public_key != body["public_key"] or author.certificate["role"] != body["role"]:
            return reasons.ROLE_CHANGED
        if body["version"] <= author.certificate["version"] or body["generation"] < author.certificate["generation"]:
            return reasons.STALE_VERSION
        return None

    def owns(self, person: bytes, meter: bytes) -> bool:
        """Whether a meter's certificate names that person as its owner."""
        author = self._by_kid.get(meter)
        return author is not None and bool(author.certificate.get("owner") == person)
