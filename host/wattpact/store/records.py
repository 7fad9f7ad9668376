"""What a store holds, as rows of plain values; and its one error."""

from typing import Any, NamedTuple

from wattpact_protocol.log.entry import Entry


class StoreError(Exception):
    """The database cannot do what was asked: absent, in use, full, damaged, too new; nothing was half done."""


class Stored(NamedTuple):
    """One row of the log; `cursor` rises in the order of arrival."""

    cursor: int
    id: bytes
    author: bytes
    kind: int
    generation: int
    sequence: int
    unix_s: int | None
    received_s: int
    raw: bytes
    void_reason: str | None


class Certified(NamedTuple):
    """An author's newest certificate; `body` by the names of kinds.CERTIFICATE."""

    kid: bytes
    id: bytes
    cursor: int
    body: dict[str, Any]


class Point(NamedTuple):
    """A meter's registers at one time, in one register generation."""

    generation: int
    unix_s: int
    import_wh: int
    export_wh: int
    estimated: bool


class Registers(NamedTuple):
    """The last good registers of a meter, by register id."""

    meter: bytes
    generation: int
    end_s: int
    received_s: int
    energy: dict[int, int]
    instantaneous: dict[int, int]


class Rejection(NamedTuple):
    reason: str
    author: bytes
    source: str
    times: int
    first_s: int
    last_s: int


class Pending(NamedTuple):
    """A meter that asks to be enrolled."""

    public_key: bytes
    proof: bytes
    source: str
    first_s: int
    last_s: int


class Evidence(NamedTuple):
    """Two validly signed entries of one author and place; `held` came first."""

    author: bytes
    generation: int
    sequence: int
    held: bytes
    other: bytes
    seen_s: int


class Accepted(NamedTuple):
    """A verified entry to store. Outside a chain it is a person's order; a void one holds its place and no more."""

    entry: Entry
    chained: bool = True
    void_reason: str | None = None
    goes_on: bool = False  # a reading that begins at the time at which the last one ended
    deferred: bool = False  # a reading whose registers are judged when those sealed before it are
