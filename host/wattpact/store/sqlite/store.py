"""The store: every entry received, in SQLite, durable before anyone is sent a receipt for it.

What always holds: a batch is stored whole or not at all, with all that later entries are checked against.
docs/spec/ingest.md explains the tables.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from wattpact_protocol.log import ids, kinds
from wattpact_protocol.log.entry import Entry

from wattpact.store.records import Accepted, Fork, Rejection
from wattpact.store.sqlite.projecting import Projecting

MAX_PENDING = 256
MAX_REJECTION_ROWS = 1000
MAX_EVIDENCE_PER_AUTHOR = 16

_INSERT_ENTRY = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class Store(Projecting):
    """Implements `interface.Store`."""

    def append(self, batch: Sequence[Accepted], received_s: int) -> int:
        with self.transaction():
            cursor = self.last_cursor()
            rows: list[tuple[Any, ...]] = []
            others: list[tuple[int, Entry, str | None]] = []
            for new, chained, void_reason, ahead in batch:
                cursor += 1
                order_id = None if chained else new.body["order_id"]
                rows.append((
                    cursor, new.id, new.kid, new.kind, new.generation, new.sequence, order_id,
                    new.stamp.unix_s, received_s, new.raw, void_reason, ahead,
                ))  # fmt: skip
                if new.kind != kinds.READING:
                    others.append((cursor, new, void_reason))
            self._db.executemany(_INSERT_ENTRY, rows)
            self._keep_what_others_rest_on(others)
        return cursor

    def reach(self, cursor: int) -> None:
        self.execute("UPDATE entries SET ahead = 0 WHERE cursor = ?", [(cursor,)])

    def count_anew(self, cursor: int, new: Entry, void_reason: str | None) -> None:
        with self.transaction():
            self.execute("UPDATE entries SET void_reason = ? WHERE cursor = ?", [(void_reason, cursor)])
            if new.kind == kinds.CERTIFICATE:
                self.execute("DELETE FROM certificates WHERE cursor = ?", [(cursor,)])
            self._keep_what_others_rest_on([(cursor, new, void_reason)])

    def _keep_what_others_rest_on(self, new_ones: Iterable[tuple[int, Entry, str | None]]) -> None:
        """Certificates, and key periods that were begun, by cursor."""
        for cursor, new, void_reason in new_ones:
            if void_reason is not None:
                continue
            if new.kind == kinds.CERTIFICATE:
                self._keep_certificate(cursor, new)
            elif new.kind == kinds.KEY_EPOCH:
                values = (new.kid, new.body["number"], new.generation, new.sequence, cursor)
                self._db.execute("INSERT INTO epochs VALUES (?, ?, ?, ?, ?)", values)
            elif new.kind == kinds.KEY_OPEN:
                body = new.body
                row = (new.kid, new.generation, body["key_no"], new.sequence, body["epoch"], body["commitment"])
                self._db.execute("INSERT OR IGNORE INTO key_periods VALUES (?, ?, ?, ?, ?, ?)", row)

    def _keep_certificate(self, cursor: int, new: Entry) -> None:
        body = new.body
        values = (cursor, new.id, ids.kid_of(body["public_key"]), body["version"], body["role"], body["label"])
        self._db.execute("INSERT INTO certificates VALUES (?, ?, ?, ?, ?, ?)", values)
        self._db.execute("DELETE FROM pending WHERE public_key = ?", (body["public_key"],))

    def keep_fork(self, found: Fork) -> None:
        with self.transaction():
            kept = self.value("SELECT count(*) FROM forks WHERE author = ?", found.author)
            if kept < MAX_EVIDENCE_PER_AUTHOR:
                self._db.execute("INSERT OR IGNORE INTO forks VALUES (?, ?, ?, ?, ?, ?)", found)

    def keep_pending(self, public_key: bytes, proof: bytes, source: str, now_s: int) -> None:
        with self.transaction():
            self._db.execute(
                "INSERT INTO pending VALUES (?, ?, ?, ?, ?) ON CONFLICT (public_key) DO UPDATE"
                " SET proof = excluded.proof, source = excluded.source, last_s = excluded.last_s",
                (public_key, proof, source, now_s, now_s),
            )
            self._db.execute(
                "DELETE FROM pending WHERE public_key IN"
                " (SELECT public_key FROM pending ORDER BY last_s DESC LIMIT -1 OFFSET ?)", (MAX_PENDING,),
            )  # fmt: skip

    def count_rejections(self, counted: Iterable[Rejection]) -> None:
        with self.transaction():
            left = MAX_REJECTION_ROWS - self.value("SELECT count(*) FROM rejections")
            for new in counted:
                known = self.rows("SELECT 1 FROM rejections WHERE (reason, author, source) = (?, ?, ?)", *new[:3])
                if not known:
                    new = new if left > 0 else new._replace(author=b"", source="")
                    left -= 1
                self._db.execute(
                    "INSERT INTO rejections VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
                    " SET times = times + excluded.times, last_s = excluded.last_s", new,
                )  # fmt: skip

    def inbox_add(self, meter: bytes, cursor: int) -> None:
        self.execute("INSERT OR IGNORE INTO inbox (meter, entry) VALUES (?, ?)", [(meter, cursor)])

    def keep_link(self, digest: bytes, person: bytes | None, label: str, now_s: int, expires_s: int) -> None:
        row = (digest, person, label, now_s, expires_s, None)
        self.execute("INSERT INTO access VALUES (?, ?, ?, ?, ?, ?)", [row])

    def remove_links(self, digests: Iterable[bytes]) -> None:
        self.execute("DELETE FROM access WHERE digest = ?", [(digest,) for digest in digests])

    def remove_links_expired(self, before_s: int) -> None:
        self.execute("DELETE FROM access WHERE expires_s < ?", [(before_s,)])

    def note_link_used(self, digest: bytes, now_s: int) -> None:
        self.execute("UPDATE access SET last_used_s = ? WHERE digest = ?", [(now_s, digest)])
