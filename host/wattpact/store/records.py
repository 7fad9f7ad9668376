"""What a store holds, as rows of plain values; and its one error."""

from typing import Any, NamedTuple

from wattpact_protocol.log.entry import Entry

QUORUM_BLOCKS = "quorum_blocks"  # a number: how many blocks one host wrote before a quorum did; 0 where it still does
JOINED_S = "joined_s"  # a number: when this store was made of blocks that others wrote; 0 where it was not
WAITS = "ordering_waits"  # the name of the text that gives why nothing is ordered now; empty where it is


class StoreError(Exception):
    """The database cannot do what was requested: absent, in use, full, damaged, too new; nothing was half done."""


class Stored(NamedTuple):
    """One row of the log; `cursor` rises in the order of arrival. `ahead`: its log does not reach it yet."""

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
    ahead: bool  # or 0 and 1, as it is stored


class Certified(NamedTuple):
    """An author's newest certificate; `body` by the names of kinds.CERTIFICATE."""

    kid: bytes
    id: bytes
    cursor: int
    body: dict[str, Any]


class Point(NamedTuple):
    """A meter's registers at one time, running on through its register generations; `measured_wh` sums up what was
    known exactly, slot by slot, until then."""

    unix_s: int
    import_wh: int
    export_wh: int
    measured_wh: int
    estimated: bool  # or 0 and 1, as it is stored


class Registers(NamedTuple):
    """The last good registers of a meter, by register id; `profile` is what its next reading continues."""

    meter: bytes
    generation: int
    end_s: int
    received_s: int
    energy: dict[int, int]
    instantaneous: dict[int, int]
    profile: list[int]


class Reported(NamedTuple):
    """An event of a meter: its `detail`, `text` and time, as far as it has them."""

    detail: int
    text: str
    unix_s: int | None


class RelayState(NamedTuple):
    """What a meter last reported of its relay; `reason` is the guard's."""

    is_closed: bool
    reason: str
    since_s: int | None
    contract: bytes | None
    wait_until_s: int | None


class Agreed(NamedTuple):
    """A contract as the ledger has it, and what its consumer's meter reported of its use."""

    id: bytes
    offer: bytes
    acceptance: bytes
    supplier: bytes
    consumer: bytes
    wh: int
    max_w: int
    price_micro_per_kwh: int
    start_s: int
    end_s: int
    priority: int
    start_by_s: int
    matched_s: int | None
    grant_number: int | None
    used_from_s: int | None
    terminated_s: int | None
    terminated_by: str | None
    attributed_wh: int
    end_reason: int | None
    ended_s: int | None


class Totals(NamedTuple):
    """What settlement made of a contract so far; `closed_s` is the start of the slot in which it ended."""

    carried_wh: int
    short_wh: int
    spare_wh: int
    closed_s: int | None
    unused_wh: int


class Progress(NamedTuple):
    """How far settlement is: slots before `frontier_s` were looked at, as of `now_s`; contracts changed since from
    `changed_s` on."""

    frontier_s: int
    now_s: int
    changed_s: int | None


class Waiting(NamedTuple):
    """A meter that holds up slots from `slot_s` on (STUCK; LATE: for its own points), or that they were settled without
    (SILENT); `known_s` is the time of its last point then, -1 where there was none."""

    meter: bytes
    what: int
    slot_s: int
    known_s: int


STUCK, LATE, SILENT = 0, 1, 2


class Link(NamedTuple):
    """A link that opens the page; `name` is the person's, by the newest certificate."""

    digest: bytes
    person: bytes | None
    label: str
    created_s: int
    expires_s: int
    last_used_s: int | None
    name: str | None


class Rejection(NamedTuple):
    reason: str
    author: bytes
    source: str
    times: int
    first_s: int
    last_s: int


class Pending(NamedTuple):
    """A meter that requests enrolment."""

    public_key: bytes
    proof: bytes
    source: str
    first_s: int
    last_s: int


class Fork(NamedTuple):
    """Two validly signed entries of one author and place; `held` came first."""

    author: bytes
    generation: int
    sequence: int
    held: bytes
    other: bytes
    seen_s: int


class Accepted(NamedTuple):
    """A verified entry to store. Outside a chain it is a person's order; a void one holds its place and no more; one
    that is `ahead` came with a block, and its log here does not reach it."""

    entry: Entry
    chained: bool = True
    void_reason: str | None = None
    ahead: bool = False


class Block(NamedTuple):
    """A block of the ledger: `header` and `anchors` as they travel; its entries are in the log."""

    height: int
    time_s: int
    header: bytes
    anchors: bytes


class Place(NamedTuple):
    """What the ledger made of an entry: its place in a block, or why it is in none."""

    cursor: int
    height: int | None
    position: int | None
    reason: str | None


class Ordered(NamedTuple):
    """What the ledger made of an entry, for people: the block that it is in and that block's time, both None with the
    reason where it was rejected."""

    height: int | None
    time_s: int | None
    reason: str | None


class Step(NamedTuple):
    """An entry in a contract's life: its kind and author, and the block that it is in."""

    kind: int
    author: bytes
    height: int
    time_s: int


class Witness(NamedTuple):
    """Who cosigns the ledger's head at `url`: how many blocks the last head had that it cosigned, and since its last
    cosignature, when the last try was and why it failed. `conflict`: it answered that it saw another history."""

    name: str
    public_key: bytes
    url: str
    added_s: int
    blocks: int
    tried_s: int | None
    problem: str | None
    conflict: str | None


class Written(NamedTuple):
    """What a block changed: values of the state by key, nodes of its map (None: gone) and of the tree over blocks."""

    values: dict[bytes, bytes | None]
    state_nodes: dict[tuple[int, int], bytes | None]
    tree_nodes: dict[tuple[int, int], bytes | None]
