"""The records of the ledger's state: what each holds, and the state itself as keys and values in CBOR.

    state = State(values)                           values: anything with get(key) and [key] = value, bytes
    state.get(CONTRACT, contract_id)                the record as a dict, or None
    state.put(CONTRACT, record, contract_id)
    state.changes                                   {key: value} that were put and are not kept yet
    state.keep(); state.forget()                    move them into `values`, or let go of them

What always holds: a record is put whole; its fields are those of its row, in that order, so that one content has one
encoding. Nothing here decides. The table in docs/spec/ledger.md is made from these rows.
"""

from wattpact_protocol.encoding import cbor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Values(Protocol):
        def get(self, key: bytes) -> bytes | None: ...
        def __setitem__(self, key: bytes, value: bytes) -> None: ...


MAX_BYTES = 1 << 20  # of one record

COMMUNITY, AUTHOR, HEAD, OWNED, TARIFFS, POLICY, ORDER = 1, 2, 3, 4, 5, 6, 7
MANDATE, OFFER, DEMAND, ACCEPTANCE, CONTRACT, CONTRACTS, HOLDS = 8, 9, 10, 11, 12, 13, 14
GRANTED, KEY, STATED, STATEMENT = 15, 16, 17, 18

# record: (name, what its key is besides the number, fields)
ROWS = {
    COMMUNITY: ("community", "", "id version slot_s silence_s founded_s"),
    AUTHOR: ("author", "kid", "public_key role generation ordered certificates"),
    HEAD: ("head", "kid", "generation next_sequence id anchored_s"),
    OWNED: ("owned", "kid of a person", "meters"),
    TARIFFS: ("tariffs", "period, or nothing", "before rows"),
    POLICY: ("policy", "kid of a meter, or empty", "id version"),
    ORDER: ("order", "kid of a person, order id", "id"),
    MANDATE: ("mandate", "id", "owner meter side limit_micro_per_kwh wh used_wh max_w start_s end_s expires_s "
        "unstarted"),
    OFFER: ("offer", "id", "meter mandate price_micro_per_kwh wh taken_wh max_w start_s end_s valid_until_s"),
    DEMAND: ("demand", "id", "meter mandate"),
    ACCEPTANCE: ("acceptance", "id", "meter offer mandate wh priority start_by_s lapses_s contract"),
    CONTRACT: (
        "contract", "id",
        "offer acceptance supplier consumer wh max_w price_micro_per_kwh start_s end_s priority start_by_s matched_s "
        "grant granted_s used_from_s terminated_s terminated_by ended_s",
    ),
    CONTRACTS: ("contracts", "kid of a meter, period", "ids"),
    HOLDS: ("holds", "id of an offer, or kid of a meter", "acceptances"),
    GRANTED: ("granted", "kid of a meter", "number"),
    KEY: ("key", "kid of a meter, generation, number", "id commitment"),
    STATED: ("stated", "kid of a host, kid of a person", "spans"),
    STATEMENT: (
        "statement", "kid of a host, kid of a person, begin of the period",
        "id to_s net_nano stated_s closed_nano closed_s corrections",
    ),
}  # fmt: skip


class State:
    def __init__(self, values: "Values") -> None:
        self._values = values
        self.changes: dict[bytes, bytes] = {}

    def get(self, record: int, *key: "bytes | int") -> "dict[str, Any] | None":
        """The record, a copy to change and put back."""
        name = key_of(record, *key)
        found = self.changes.get(name) or self._values.get(name)
        return None if found is None else decode(record, found)

    def need(self, record: int, *key: "bytes | int") -> "dict[str, Any]":
        """The record, which another one names, so that it is there."""
        found = self.get(record, *key)
        if found is None:
            raise ValueError("the state has no such %s" % ROWS[record][0])
        return found

    def put(self, record: int, fields: "dict[str, Any]", *key: "bytes | int") -> None:
        self.changes[key_of(record, *key)] = encode(record, fields)

    def keep(self) -> None:
        for name, value in self.changes.items():
            self._values[name] = value
        self.changes = {}

    def forget(self) -> None:
        self.changes = {}


def key_of(record: int, *key: "bytes | int") -> bytes:
    """The key as the map of the state hashes it."""
    return cbor.encode([record] + list(key))


def prefix_of(record: int, parts: int) -> bytes:
    """How the keys begin of all records of a kind that have so many parts besides its number: an array's head, and that
    number."""
    return bytes([0x80 + 1 + parts]) + cbor.encode(record)


def parts_of(name: bytes) -> "tuple[int, list[Any]]":
    """The number of the record, and the rest of its key."""
    record, *key = cbor.decode(name, limit=MAX_BYTES)
    return record, key


def encode(record: int, fields: "dict[str, Any]") -> bytes:
    names = ROWS[record][2].split()
    if len(fields) != len(names):
        raise ValueError("a %s has the fields %s" % (ROWS[record][0], ROWS[record][2]))
    return cbor.encode([fields[name] for name in names])


def decode(record: int, value: bytes) -> "dict[str, Any]":
    """The fields by name. Raises ValueError where they are not those of the record."""
    values = cbor.decode(value, limit=MAX_BYTES)
    names = ROWS[record][2].split()
    if not isinstance(values, list) or len(values) != len(names):
        raise ValueError("this is no %s" % ROWS[record][0])
    return dict(zip(names, values))
