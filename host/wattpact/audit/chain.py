"""Links between the entries of a bundle: who is certified by whom, and one unbroken log where it matters.

What always holds after `Authors.admit`: the author has a certificate that leads to the pinned root, signed this entry,
and may publish it then. After `Links.add`: no place of a log is taken twice, entries that follow one another are
linked, and between two readings of a meter nothing is left out. docs/spec/bundle.md, "What an auditor checks".
"""

from typing import Any

from wattpact_protocol.crypto import ed25519
from wattpact_protocol.log import chain, entry, ids, kinds, roles
from wattpact_protocol.log.entry import Entry

from wattpact.audit.findings import name_of


class Author:
    """One key: its role, and all versions of its certificate by log generation."""

    def __init__(self, public_key: bytes, role: int) -> None:
        self.public_key = public_key
        self.role = role
        self.certificates: dict[int, list[dict[str, Any]]] = {}
        self.starts: dict[int, set[bytes]] = {}

    def add(self, certificate_id: bytes, body: dict[str, Any]) -> None:
        self.certificates.setdefault(body["generation"], []).append(body)
        self.starts.setdefault(body["generation"], set()).add(certificate_id)


class Authors:
    """All authors that the bundle's certificates name, starting from the pinned root."""

    def __init__(self, root_public_key: bytes) -> None:
        root = Author(root_public_key, roles.ROOT)
        root.certificates[0] = [{"role": roles.ROOT, "not_before_s": 0, "not_after_s": kinds.MAX_UINT}]
        root.starts[0] = {entry.NO_PREVIOUS}
        self.by_kid = {ids.kid_of(root_public_key): root}

    def admit(self, new: Entry) -> str | None:
        """Why the entry is not genuine; None if it is."""
        author = self.by_kid.get(new.kid)
        if author is None:
            hint = "; is this the root key of its community?" if len(self.by_kid) == 1 else ""
            return "no certificate before it names its author" + hint
        if not ed25519.verify(author.public_key, new.signed, new.signature):
            return "the signature is not its author's in this community"
        certificates = author.certificates.get(new.generation)
        if certificates is None:
            return "its author has no certificate for this generation of the log"
        if not roles.may_publish(certificates[0], new):
            return f"a {roles.NAMES[author.role]} may not publish this kind of entry"
        unix_s = new.stamp.unix_s
        if unix_s is not None and not any(roles.valid_at(body, unix_s) for body in certificates):
            return "its time is outside its author's certificates"
        if author.role == roles.PERSON and self._order_problem(author, new):
            return "it is not a valid order: its place, certificate, order id or expiry is wrong"
        return self._certify(new) if new.kind == kinds.CERTIFICATE else None

    def _order_problem(self, author: Author, new: Entry) -> bool:
        return all(chain.order_problem(name, new) for names in author.starts.values() for name in names)

    def _certify(self, new: Entry) -> str | None:
        body = new.body
        kid = ids.kid_of(body["public_key"])
        author = self.by_kid.setdefault(kid, Author(body["public_key"], body["role"]))
        if author.public_key != body["public_key"] or author.role != body["role"]:
            return "it gives a key that is certified already another role"
        if body["generation"] < max(author.certificates, default=0):
            return "it goes back to an earlier generation of the log"
        author.add(new.id, body)
        return None


class Run:
    """A meter's readings: the number of the first, places of first and last; `is_whole`: from the log's start."""

    def __init__(self, number: int, place: tuple[int, int], is_whole: bool) -> None:
        self.number = number
        self.first = self.last = place
        self.is_whole = is_whole
        self.readings = 1


class Links:
    """The places of all logs of the bundle, and for each meter the run of its readings."""

    def __init__(self, authors: Authors) -> None:
        self._directory = authors
        self._places: dict[tuple[bytes, int, int], tuple[Entry, dict[str, Any]]] = {}
        self._last: dict[bytes, Entry] = {}
        self._broken: set[bytes] = set()
        self._whole: set[bytes] = set()  # meters whose generation is shown from its first entry on, so far
        self.runs: dict[bytes, Run] = {}
        self.begun: dict[bytes, list[tuple[int, int | None]]] = {}  # later generations of a meter's log, and when

    def add(self, new: Entry, number: int, offset: int) -> str | None:
        """Why the entry cannot have the place that it claims; None if it can."""
        author = self._directory.by_kid[new.kid]
        if author.role == roles.PERSON:
            return None
        if new.sequence == 0 and new.previous not in author.starts[new.generation]:
            return "it is the first of a log and does not name its author's certificate"
        if author.role == roles.METER:
            return self._add_to_run(new, number, author)
        place = (new.kid, new.generation, new.sequence)
        if place in self._places:
            return "another entry has the same place in its author's log"
        self._places[place] = (new, name_of(new, number, offset))
        return None

    def end_of(self, kid: bytes) -> tuple[int, int] | None:
        """(generation, next sequence) after the last entry of a meter that is shown."""
        last = self._last.get(kid)
        return None if last is None else (last.generation, last.sequence + 1)

    def _add_to_run(self, new: Entry, number: int, author: Author) -> str | None:
        last = self._last.get(new.kid)
        follows = False
        if last is not None and last.generation == new.generation:
            follows = new.sequence == last.sequence + 1
            if follows and new.previous != last.id:
                return "it does not name the entry before it in its author's log"
        elif new.sequence == 0:
            follows = last is not None or new.generation == min(author.certificates)
        self._last[new.kid] = new
        if new.sequence == 0:
            self._whole.add(new.kid)
            if new.generation > min(author.certificates):
                self.begun.setdefault(new.kid, []).append((new.generation, new.stamp.unix_s))
        elif not follows:
            self._whole.discard(new.kid)
        if not follows:
            self._broken.add(new.kid)
        if new.kind == kinds.READING:
            return self._add_reading(new, number)
        return None

    def _add_reading(self, new: Entry, number: int) -> str | None:
        place = (new.generation, new.sequence)
        run = self.runs.get(new.kid)
        is_broken = new.kid in self._broken
        if run is None:
            self.runs[new.kid] = Run(number, place, not is_broken)
            self._broken.discard(new.kid)
        elif is_broken:
            return "entries are left out between this reading and the one before it"
        else:
            run.last = place
            run.readings += 1
        return None

    def is_shown_from_start(self, kid: bytes) -> bool:
        """Whether every entry of this generation of a meter's log up to its last one is in the bundle."""
        return kid in self._whole

    def unlinked(self) -> dict[str, Any] | None:
        """The first entry, of authors whose logs are shown in part, that does not name the one before it."""
        found = []
        for (kid, generation, sequence), (new, named) in self._places.items():
            before = self._places.get((kid, generation, sequence - 1))
            if before is not None and before[0].id != new.previous:
                found.append(named)
        return min(found, key=lambda named: int(named["number"]), default=None)

    def shown(self, kid: bytes) -> tuple[int, int]:
        """(entries shown, entries that its log has up to the last of them)."""
        places = [(generation, sequence) for author, generation, sequence in self._places if author == kid]
        last = dict(sorted(places))
        return len(places), sum(last.values()) + len(last)
