"""Access: links that let the operator, or one person, see what is measured.

    http://localhost:8080/#code=mzxw6ytboi...        16 random bytes in base32; who has the link sees what it is for

What always holds: a code is given out once, when it is made, and stored as its SHA-256 alone; it is in no message,
log or repr. It is looked up by that hash, so the time of a wrong guess reveals nothing about a right one. A link ends
at its time, or when it is revoked. Reasons: docs/decisions/access-links.md.
"""

import base64
import binascii
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from wattpact_protocol.log import ids

from wattpact.store import open_reader, open_store
from wattpact.store.interface import Reader, Store
from wattpact.store.records import Link, StoreError

CODE_BYTES = 16
DAY_S = 86400
USE_STORED_EVERY_S = 3600
ID_DIGITS = 8
_MAX_TEXT = 64

UNKNOWN = "This link is not known here; it may have been revoked. The operator can give you a new one."
EXPIRED = "This link has expired. The operator can give you a new one."


class BadCode(ValueError):
    """A code that is not valid; the text is a sentence for a person and does not hold the code."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.is_guess = sentence == UNKNOWN


class AccessError(ValueError):
    """A link that is not there or cannot be made; the text says why."""


class Pass(Link):
    """What a link is for: everything (`person` is None, the operator's), or what is a person's own."""

    @property
    def id(self) -> str:
        """Names it in lists; nobody can sign in by it."""
        return self.digest.hex()[:ID_DIGITS]


def text_of(code: bytes) -> str:
    """As a link carries it: 26 lower-case letters and digits."""
    return base64.b32encode(code).decode().rstrip("=").lower()


def _digest(text: str) -> bytes:
    """The hash that a code is stored as; raises BadCode for text that is no code."""
    try:
        code = base64.b32decode(text.strip().upper() + "======") if len(text) <= _MAX_TEXT else b""
    except (binascii.Error, ValueError):
        code = b""
    if len(code) != CODE_BYTES:
        raise BadCode(UNKNOWN)
    return ids.sha256(code)


def link(url: str, text: str) -> str:
    """The address that a person opens. A fragment stays in the browser: no server and no proxy is sent the code."""
    return f"{url.rstrip('/')}/#code={text}"


def issue(store: Store, code: bytes, person: bytes | None, label: str, now_s: int, for_s: int) -> str:
    """Store a new code of 16 random bytes, and give its text; links that expired a day ago are deleted."""
    if len(code) != CODE_BYTES:
        raise AccessError(f"a code has {CODE_BYTES} bytes")
    with store.transaction():
        store.remove_links_expired(now_s - DAY_S)
        store.keep_link(ids.sha256(code), person, label, now_s, now_s + for_s)
    return text_of(code)


def listed(reader: Reader) -> list[Pass]:
    """Every link, the newest last."""
    return [Pass(*row) for row in reader.links()]


def revoke(store: Store, digests: Iterable[bytes]) -> None:
    store.remove_links(digests)


class Access:
    """The links of one database, for whoever answers requests. Safe from any thread.

    `count_guess(source)` counts a code that is not known. A use is stored at most once an hour."""

    def __init__(
        self, path: Path, clock: Callable[[], int], count_guess: Callable[[str], None] = lambda source: None
    ) -> None:
        self._path = path
        self.clock = clock
        self.count_guess = count_guess
        self._local = threading.local()
        self._used_s: dict[bytes, int] = {}

    def _reader(self) -> Reader:
        """This thread's own connection."""
        found: Reader | None = getattr(self._local, "reader", None)
        if found is None:
            found = self._local.reader = open_reader(self._path)
        return found

    @property
    def community(self) -> bytes:
        return self._reader().community

    def enter(self, text: str) -> Pass:
        """The link of a code; raises BadCode, StoreError."""
        digest, now_s = _digest(text), self.clock()
        found = self._reader().links(digest)
        if not found:
            raise BadCode(UNKNOWN)
        known = Pass(*found[0])
        if known.expires_s <= now_s:
            raise BadCode(EXPIRED)
        self._store_use(known, now_s)
        return known

    def is_valid(self, digest: bytes) -> bool:
        """Whether a link that was used still opens the page: neither expired nor revoked."""
        return any(known.expires_s > self.clock() for known in self._reader().links(digest))

    def _store_use(self, known: Pass, now_s: int) -> None:
        """When it was last used, for the list; a disk that is busy or full locks nobody out."""
        last_s = max(known.last_used_s or 0, self._used_s.get(known.digest, 0))
        if now_s - last_s < USE_STORED_EVERY_S:
            return
        self._used_s[known.digest] = now_s
        try:
            with open_store(self._path) as store:
                store.note_link_used(known.digest, now_s)
        except StoreError:
            pass
