"""What this meter seals with: the secret of an epoch, given to its readers, and the key of each key period.

    readers or owner changed -> KEY_EPOCH: a new secret, wrapped for each reader
    a new day, or enough sealed -> KEY_OPEN: the next key, committed to before anything is sealed with it

What always holds: a secret and a key's number are in flash before the entry that shows them is signed, and neither
serves for anything else after that. What has to be sealed is sealed or not published; a meter that has sealed never
publishes openly again. Secrets leave wrapped, or not at all.
Rules: docs/spec/sealing.md; docs/spec/meter.md, "Sealing".
"""

import hashlib

from wattpact_protocol.log import kinds
from wattpact_protocol.sealing import content, epochs, period_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

    from wattpact_protocol.log import entry

    from wattpact_meter.clock import Now
    from wattpact_meter.log.own_log import OwnLog
    from wattpact_meter.log.trust import Trust
    from wattpact_meter.storage.store import Store

    Readers = list[tuple[bytes, bytes]]

NAME = "sealing"
MAX_ENTRIES = 1_440  # of the log, under one key
MAX_READERS = kinds.MAX_WRAPS
DAY_S = 86_400
_NOBODY = bytes(8)


class Sealer:
    """Sealer(kid, trust, store, urandom), then `restore` once; `urandom(n)` gives n random bytes.

    lost: what was kept was damaged. key_no: the number of the newest key, 0 before the first."""

    def __init__(self, kid: bytes, trust: "Trust", store: "Store", urandom: "Callable[[int], bytes]") -> None:
        self._kid = kid
        self._trust = trust
        self._store = store
        self._urandom = urandom
        self._drawn = b""
        self._generation = 0
        self._made_for = b""  # what the newest epoch follows from
        self._epochs: list[list[Any]] = []  # [number, secret, its first key], newest first: two at the most
        self._day: int | None = None
        self._sequence = 0  # of the newest KEY_OPEN
        self._number = 0  # of the newest epoch that may have been published
        self._is_begun = False  # the newest epoch is in the journal
        self._unpublished: dict[str, Any] | None = None  # what begins the newest epoch, as long as it was not published
        self._kept: list[Any] = []
        self._key: bytes | None = None  # what is sealed with now
        self._unsealed_with = (0, b"")  # the key's number, and the key, that an entry was unsealed with last
        self._looked: int | None = None  # the state of trust that the next two come from
        self._wanted = b""
        self._readers: Readers = []
        self._hopeless = b""  # readers none of whom has a key
        self.key_no = 0
        self.lost = False

    def restore(self, log: "OwnLog", boot: int) -> None:
        """Go on from the store, with the newest key where the journal has its KEY_OPEN."""
        self._log = log
        saved = self._store.load(NAME)
        if _is_sound(saved):
            self._generation, self._made_for, self._epochs, self.key_no, self._day, self._sequence = saved
            self._number = self._epochs[0][0]
            self._is_begun = self._epochs[0][2] <= self.key_no and not log.is_state_old
            if self._is_begun and self._is_in_journal(log):
                self._key = self._period_key(self.key_no)
            if not log.is_state_old:
                return
        self.lost = saved is not None or NAME in self._store.corrupt
        if log.next_sequence:
            # A number costs an entry or, where power went before that, a boot: none was above this.
            self._number = self.key_no = log.next_sequence + boot

    def _is_in_journal(self, log: "OwnLog") -> bool:
        """Whether the KEY_OPEN that was being published when the state was stored is in the journal."""
        new = log.read(self._sequence)
        return (
            new is not None
            and new.kind == kinds.KEY_OPEN
            and new.body == self._opening(self.key_no, self._period_key(self.key_no))
        )

    # What must be published before anything can be sealed

    def due_steps(self, now: "Now") -> "Generator[None, None, tuple[int, dict[str, Any]] | None]":
        """(kind, body) of the entry about keys that is due, stored already and to be published at once; None where
        none is. Gives way while secrets are wrapped. Raises StateError, period_keys.SealError."""
        if not self._log.is_open:
            return None
        self._look()
        if self._must_begin():
            self._key = None
            if self._wanted == self._hopeless:
                return None
            body = yield from self._begin_steps()
            return kinds.KEY_EPOCH, body
        if self._must_open(now):
            self._key = None
            yield
            key_no = yield from self._open_steps(now)
            yield
            key = self._period_key(key_no)
            self._unsealed_with = (key_no, key)  # so that it is derived once
            yield
            return kinds.KEY_OPEN, self._opening(key_no, key)
        return None

    def published(self, new: "entry.Entry") -> None:
        """An entry of this meter about keys is in its journal."""
        if new.kind == kinds.KEY_EPOCH:
            self._number = new.body["number"]
            self._is_begun = True
            self._unpublished = None
        elif new.kind == kinds.KEY_OPEN:
            self.key_no = new.body["key_no"]
            number, key = self._unsealed_with
            self._key = key if number == self.key_no else self._period_key(self.key_no)

    def _look(self) -> None:
        """Who is to read, and what that follows from, by the certificates that are held."""
        if self._looked == self._trust.changes:
            return
        self._looked = self._trust.changes
        self._wanted, self._readers = b"", []
        own = self._trust.author(self._kid)
        found = [(kid, self._sealing_key(kid)) for kid in self._trust.issuers()]
        readers = [(kid, key) for kid, key in found if key]
        if own is None or not readers:
            return
        owner_key = self._sealing_key(own["owner"]) if own["owner"] else None
        if owner_key and own["owner"] not in self._trust.issuers():
            readers.insert(0, (own["owner"], owner_key))
        self._readers = readers[:MAX_READERS]
        follows = own["epoch"].to_bytes(4, "big") + (own["owner"] or _NOBODY)
        self._wanted = hashlib.sha256(follows + b"".join([kid + key for kid, key in self._readers])).digest()

    def _sealing_key(self, kid: bytes) -> "bytes | None":
        author = self._trust.author(kid)
        return author["sealing_key"] if author else None

    def _must_begin(self) -> bool:
        """Whether an epoch is to begin; while no readers are known, what was begun goes on."""
        is_made = self._is_begun and self._wanted == self._made_for and self._generation == self._log.generation
        return bool(self._wanted) and not is_made

    def _begin_steps(self) -> "Generator[None, None, dict[str, Any]]":
        """The body of a KEY_EPOCH; one that could not be published is published again."""
        if (
            self._unpublished is not None
            and self._wanted == self._made_for
            and self._generation == self._log.generation
        ):
            return self._unpublished
        number = self._number + 1
        secret, ephemeral = self._draw(), self._draw()
        place = (self._trust.community, self._kid)
        try:
            body = yield from epochs.wrap_steps(secret, ephemeral, number, place, self._readers)
        except period_keys.SealError:
            self._hopeless = self._wanted
            raise
        used = [row for row in self._epochs if row[2] <= self.key_no]
        self._epochs = [[number, secret, self.key_no + 1]] + used[:1]
        self._made_for, self._generation = self._wanted, self._log.generation
        self._is_begun = False
        self._unsealed_with = (0, b"")
        yield from self._keep_steps(self.key_no, None)
        self._unpublished = body
        return body

    def _draw(self) -> bytes:
        """32 random bytes; a broken source of randomness is found where it shows."""
        drawn = self._urandom(period_keys.SECRET_BYTES)
        broken = [bytes(period_keys.SECRET_BYTES), b"\xff" * period_keys.SECRET_BYTES, self._drawn]
        broken += [row[1] for row in self._epochs]
        if not isinstance(drawn, bytes) or len(drawn) != period_keys.SECRET_BYTES or drawn in broken:
            raise period_keys.SealError("randomness failed")
        self._drawn = drawn
        return drawn

    def _must_open(self, now: "Now") -> bool:
        if not self._is_begun:
            return False
        if self._key is None or self._log.next_sequence - self._sequence > MAX_ENTRIES:
            return True
        return now.unix_s is not None and now.unix_s // DAY_S != self._day

    def _open_steps(self, now: "Now") -> "Generator[None, None, int]":
        """The number of the next key; it is kept when this ends."""
        key_no = self.key_no + 1
        self._day = None if now.unix_s is None else now.unix_s // DAY_S
        self._sequence = self._log.next_sequence
        yield from self._keep_steps(key_no, self._day)
        return key_no

    def _opening(self, key_no: int, key: bytes) -> "dict[str, Any]":
        """The body of a KEY_OPEN."""
        return {"key_no": key_no, "epoch": self._epochs[0][0], "commitment": period_keys.commitment(key)}

    def _keep_steps(self, key_no: int, day: "int | None") -> "Generator[None, None, None]":
        """Durable when this ends: the epochs, and the number of the key that is to begin."""
        values = [self._generation, self._made_for, self._epochs, key_no, day, self._sequence]
        if values != self._kept:
            yield from self._store.save_steps(NAME, values)
            self._kept = values

    # Sealing and unsealing

    def seal_steps(self, kind: int, body: "dict[str, Any]") -> "Generator[None, None, dict[str, Any]]":
        """The body as it may be published, giving way while it is sealed. Raises NoKeyError while it has to be
        sealed and cannot be, SealError."""
        yield from kinds.load_steps(kind)
        yield
        if not _is_to_be_sealed(kind, body) or self._is_open_community():
            return body
        if self._key is None:
            raise period_keys.NoKeyError("no key is open")
        place = (self._trust.community, self._kid, self._generation)
        sealed = yield from content.seal_body_steps(self._key, self.key_no, place, kind, body)
        return sealed

    def _is_open_community(self) -> bool:
        """Whether nobody is there to seal for: this meter knows who certified it, and never sealed before."""
        return not self._epochs and not self._wanted and self._trust.author(self._kid) is not None

    def unseal(self, new: "entry.Entry") -> "entry.Entry":
        """An own entry with its body as it was measured; as it is where its secret is not held any more."""
        if not new.is_sealed:
            return new
        key_no = new.body[kinds.SEALED].key_no
        if self._unsealed_with[0] != key_no:
            if not [row for row in self._epochs if row[2] <= key_no]:
                return new
            self._unsealed_with = (key_no, self._period_key(key_no))
        place = (self._trust.community, self._kid, new.generation)
        try:
            return new.with_body(content.unseal_body(self._unsealed_with[1], place, new.kind, new.body))
        except period_keys.SealError:
            return new

    def _period_key(self, key_no: int) -> bytes:
        secret = [row[1] for row in self._epochs if row[2] <= key_no][0]
        return period_keys.period_key(secret, self._kid, key_no)

    def __repr__(self) -> str:
        return "<sealer of %s, key %d>" % (self._kid.hex(), self.key_no)


def _is_to_be_sealed(kind: int, body: "dict[str, Any]") -> bool:
    return kind == kinds.READING or any(name in body for name in kinds.sealable(kind))


def _is_sound(saved: object) -> bool:
    """Whether a kept value is what `_keep_steps` keeps."""
    if not isinstance(saved, list) or len(saved) != 6:
        return False
    generation, made_for, epochs, key_no, day, sequence = saved
    if not isinstance(made_for, bytes) or not isinstance(epochs, list) or not 1 <= len(epochs) <= 2:
        return False
    for row in epochs:
        if not isinstance(row, list) or len(row) != 3 or not _is_count(row[0]) or not _is_count(row[2]):
            return False
        if not isinstance(row[1], bytes) or len(row[1]) != period_keys.SECRET_BYTES:
            return False
    return _is_count(generation) and _is_count(key_no) and _is_count(sequence) and (day is None or _is_count(day))


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= kinds.MAX_U32
