"""The shapes of the HTTP API's answers: /openapi.json is made of them, and the page reads them.

What always holds: energy is whole Wh, power whole W, time Unix seconds, a price millionths of the currency per kWh,
an amount of money thousand-millionths of it; every name carries its unit. Keys and ids are lower-case hexadecimal.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Kid = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$", description="8 bytes that name an author, hexadecimal")]
EntryId = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 that names an entry, hexadecimal")]
Seconds = Annotated[int, Field(description="Unix time, seconds")]
Wh = Annotated[int, Field(description="energy, Wh")]
Price = Annotated[int, Field(description="price, millionths of the currency per kWh")]
Nano = Annotated[int, Field(description="money, thousand-millionths of the currency")]

Kind = Literal[
    "acceptance", "certificate", "community", "contract", "demand", "event", "grant", "key_epoch", "key_open",
    "mandate", "offer", "policy", "reading", "receipt", "statement", "tariff", "terminate", "usage", "usage_end",
    "usage_start",
]  # fmt: skip
ContractState = Literal["matched", "granted", "active", "ended", "void", "settled"]
Sealed = Annotated[
    Literal["viewer", "host"] | None,
    Field(description="why measured values are not shown: not for this viewer, or this host has no key; null if shown"),
]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Problem(Model):
    """Why a request was rejected."""

    detail: Annotated[str, Field(description="one sentence for a person")]


class Session(Model):
    """Who makes the request."""

    role: Literal["operator", "person", "nobody"]
    kid: Annotated[Kid | None, Field(description="the person's")]
    label: Annotated[str | None, Field(description="what the person is called")]
    expires_s: Annotated[int | None, Field(description="when the link ends, Unix seconds")]


class Tariff(Model):
    """The grid's prices now."""

    import_micro_per_kwh: Price
    export_micro_per_kwh: Price


class Counts(Model):
    entries: Annotated[int, Field(description="entries stored")]
    rejected: Annotated[dict[str, int], Field(description="entries and datagrams rejected, by reason")]
    rejected_text: Annotated[dict[str, str], Field(description="those reasons as plain sentences")]
    pending: Annotated[int, Field(description="meters that wait to be enrolled")]
    sealed: Annotated[int, Field(description="readings that this host has no key to")]


class Block(Model):
    """A block of the ledger, which gave an entry its place and time."""

    height: Annotated[int, Field(description="of the first block 0")]
    time_s: Annotated[int, Field(description="the block's time, Unix seconds: the entry counts from then on")]
    seen_by: Annotated[list[str], Field(description="names of the witnesses that cosigned a head with this block")]


Placed = Annotated[
    Block | None, Field(description="the block that ordered it; null where none did, or where its kind binds nobody")
]


class Witness(Model):
    """Who cosigns the ledger's head."""

    name: str
    blocks: Annotated[int, Field(description="how many blocks the last head had that it cosigned; it saw all of them")]


class RequiredCosignatures(Model):
    """What the community's entry requires of a head that somebody is shown."""

    cosigned: Annotated[int, Field(description="how many of the witnesses must have cosigned")]
    witnesses: Annotated[list[str], Field(description="their names")]
    have_cosigned: Annotated[int, Field(description="how many of them cosigned the newest head")]


class Ledger(Model):
    """How far the ledger is."""

    blocks: Annotated[int, Field(description="how many blocks there are")]
    time_s: Annotated[int, Field(description="time of the last block, Unix seconds")]
    witnesses: Annotated[list[Witness], Field(description="those that this node submits its head to")]
    required: Annotated[RequiredCosignatures | None, Field(description="null where the community names no witness")]
    waits: Annotated[
        str | None,
        Field(description="why nothing is ordered now: the node's clock has stepped; else null"),
    ]


class Community(Model):
    """The community this node serves."""

    name: str
    community_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", description="16 bytes of SHA-256(root public key)")]
    currency: str
    timezone: Annotated[str, Field(description="IANA name; months and days are counted in it")]
    slot_s: Annotated[int, Field(description="length of a settlement slot, seconds")]
    now_s: Seconds
    tariff: Tariff
    counts: Counts
    ledger: Annotated[Ledger | None, Field(description="null where nothing is ordered yet")]


class Relay(Model):
    """The relay as the meter last reported it; all null before its first report."""

    closed: bool | None
    reason: Annotated[str | None, Field(description="name of the guard's row or wait, such as grant or resting")]
    text: Annotated[str, Field(description="the reason as a plain sentence")]
    since_s: Annotated[int | None, Field(description="since when it is open or closed, Unix seconds")]
    wait_until_s: Annotated[int | None, Field(description="end of the wait the reason names, Unix seconds")]


class LogPlace(Model):
    generation: int
    next_sequence: Annotated[int, Field(description="sequence of the entry that comes next")]


class NotedLog(Model):
    generation: int
    next_sequence: Annotated[int, Field(description="the entries before this one are noted")]
    time_s: Annotated[int, Field(description="time of the block that noted them, Unix seconds")]


class ReportedHead(Model):
    """A head of the ledger, as the meter reported it."""

    blocks: int
    root: Annotated[
        str, Field(description="of the tree over these blocks, hex; anything, from a meter that is at fault")
    ]
    reported_s: Annotated[int | None, Field(description="when the meter reported it, Unix seconds")]


class MeterInLedger(Model):
    """What the ledger has noted of the meter's log, and what the meter reported of the ledger."""

    noted: NotedLog | None
    waiting: Annotated[int, Field(description="entries of its log here that no block has noted yet")]
    head: Annotated[ReportedHead | None, Field(description="the last head that it reported")]
    problem: Annotated[str | None, Field(description="what it reported to be wrong with the ledger, as a sentence")]
    problem_s: Annotated[int | None, Field(description="when it reported that, Unix seconds")]


class Meter(Model):
    """One meter: what it measures, its relay, and when it was last in contact. Registers, power and relay are null for
    others than its owner and the operator."""

    kid: Kid
    label: str
    supply_point: str | None
    owner: Kid | None
    owner_label: str | None
    assurance: Annotated[str, Field(description="how well its key is kept, from its certificate")]
    rated_w: int | None
    online: bool
    last_seen_s: Annotated[int | None, Field(description="when it was last in contact, Unix seconds")]
    clock_status: Annotated[int | None, Field(description="DLMS clock status of its last entry; 0 is a good clock")]
    import_wh: Annotated[int | None, Field(description="import register, Wh")]
    export_wh: Annotated[int | None, Field(description="export register, Wh")]
    power_w: Annotated[int | None, Field(description="power now, W; import positive, export negative")]
    relay: Relay | None
    log: LogPlace
    ledger: MeterInLedger
    register_time_s: Annotated[int | None, Field(description="when the registers were read, Unix seconds")]
    sealed: Sealed


class Point(Model):
    """A meter's registers at one time; null where nothing was measured, and for the time of another owner."""

    t_s: Seconds
    import_wh: Annotated[int | None, Field(description="import register, Wh; continues over a change of registers")]
    export_wh: Annotated[int | None, Field(description="export register, Wh; continues over a change of registers")]
    estimated: Annotated[bool, Field(description="whether it lies between two readings, and is not one")]


class Readings(Model):
    """Registers at evenly spaced times; the difference of two is the energy between them."""

    meter: Kid
    step_s: int
    from_s: Seconds
    to_s: Seconds
    points: list[Point]


class Contract(Model):
    """Energy that one meter sells to another. The terms are shown to everybody; energy delivered and money due are null
    for others than the owners of both meters and the operator."""

    id: EntryId
    supplier: Kid
    supplier_label: str
    consumer: Kid
    consumer_label: str
    state: ContractState
    wh: Annotated[int, Field(description="energy agreed, Wh")]
    carried_wh: Annotated[int | None, Field(description="energy delivered, by settlement of the registers, Wh")]
    short_wh: Annotated[int | None, Field(description="energy requested that the supplier did not export, Wh")]
    unused_wh: Annotated[int | None, Field(description="energy agreed and not taken that is due all the same, Wh")]
    attributed_wh: Annotated[int | None, Field(description="energy delivered, as the consumer's meter reports it, Wh")]
    price_micro_per_kwh: Price
    max_w: Annotated[int, Field(description="the most power that may be taken under it, W")]
    priority: Annotated[int, Field(description="of several contracts at once, 1 is used first")]
    start_s: Seconds
    end_s: Seconds
    used_from_s: Annotated[int | None, Field(description="when its use began, Unix seconds")]
    ended_s: Annotated[int | None, Field(description="when it ended, Unix seconds")]
    end_reason: Annotated[str | None, Field(description="why it ended: used up, expired, terminated or void")]
    due_nano: Annotated[int | None, Field(description="what is due for it so far, thousand-millionths of the currency")]
    flow_w: Annotated[int | None, Field(description="power delivered under it now, W")]
    block: Placed
    sealed: Sealed


class Step(Model):
    """A step of a contract's life, which the ledger ordered."""

    step: Literal["offered", "accepted", "agreed", "granted", "started", "ended", "terminated"]
    author: Kid
    author_label: str
    block: Block


class ContractLife(Contract):
    """A contract, and what became of it, step by step."""

    life: Annotated[list[Step], Field(description="in the order of the ledger")]


class LogRow(Model):
    """One entry of an author's log, in the order in which this node stored it."""

    cursor: Annotated[int, Field(description="place in the order of arrival; rises")]
    id: EntryId
    author: Kid
    author_label: str
    kind: Kind
    generation: int
    sequence: int
    time_s: Annotated[int | None, Field(description="the author's clock, Unix seconds; null when it had no time")]
    clock_status: Annotated[int, Field(description="DLMS clock status; 0 is a good clock")]
    text: Annotated[
        str,
        Field(description="its content in one sentence; of what is private to others, only its kind"),
    ]
    void_reason: Annotated[
        str | None, Field(description="why it has no effect; null where it has, or where that is sealed")
    ]
    void_text: Annotated[str | None, Field(description="`void_reason` as a plain sentence")]
    block: Placed
    sealed: Sealed


class Log(Model):
    """Entries, newest first."""

    entries: list[LogRow]
    next: Annotated[int | None, Field(description="`before` of the next page, null where there is none")]


class BillLine(Model):
    """A contract in a bill."""

    contract: EntryId
    role: Literal["bought", "sold"]
    with_kid: Annotated[str, Field(alias="with", pattern=r"^[0-9a-f]{16}$", description="the other party's meter")]
    with_label: str
    carried_wh: Wh
    price_micro_per_kwh: Price
    nano: Nano
    unused_wh: Annotated[int, Field(description="energy agreed and not taken, Wh")]
    unused_nano: Annotated[
        int, Field(description="for energy agreed and not taken, thousand-millionths of the currency")
    ]


class Backlog(Model):
    """A meter whose readings are still awaited."""

    meter: Kid
    label: str


class Bill(Model):
    """One owner's figures from from_s to settled_to_s; the month ends at to_s."""

    owner: Kid
    label: str
    month: Annotated[str, Field(description="YYYY-MM")]
    from_s: Seconds
    to_s: Seconds
    bought_wh: Wh
    bought_nano: Nano
    sold_wh: Wh
    sold_nano: Nano
    grid_import_wh: Wh
    grid_import_nano: Nano
    grid_export_wh: Wh
    grid_export_nano: Nano
    unused_nano: Annotated[int, Field(description="to pay for energy agreed and not taken")]
    unused_earned_nano: Annotated[int, Field(description="earned for energy agreed and not taken")]
    net_nano: Annotated[int, Field(description="the one figure: positive is to pay, negative to receive")]
    saved_nano: Annotated[int, Field(description="against the grid tariff alone; negative is a loss")]
    estimated_wh: Annotated[int, Field(description="of the energy, what was estimated, Wh")]
    settled_to_s: Annotated[int, Field(description="until when registers are known and settled, Unix seconds")]
    closes_s: Annotated[int, Field(description="from when on late readings make corrections, Unix seconds")]
    stated_s: Annotated[int | None, Field(description="when the month was stated last, Unix seconds; null: not yet")]
    stated_nano: Annotated[int | None, Field(description="net_nano as it was stated last; null: not stated yet")]
    closed_nano: Annotated[int | None, Field(description="net_nano as the month closed, or would if it did now")]
    corrections: Annotated[int, Field(description="how many corrections were stated since it closed")]
    closed: Annotated[bool, Field(description="whether the month is closed; net_nano less stated_nano is a correction")]
    waiting_for: Annotated[list[Backlog], Field(description="meters whose readings the rest of the month waits for")]
    lines: list[BillLine]
