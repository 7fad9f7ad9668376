"""The ledger's records as of a store's last block."""

from typing import Any

from wattpact_protocol.ledger import records
from wattpact_protocol.log import entry
from wattpact_protocol.log.entry import Entry

from wattpact.store.interface import Reader


def record_of(reader: Reader, record: int, *key: bytes | int) -> dict[str, Any] | None:
    """The fields of a record; None where there is none."""
    found = reader.ledger_value(records.key_of(record, *key))
    return None if found is None else records.decode(record, found)


def ordered_community(reader: Reader) -> Entry | None:
    """The newest of the community's entries that is ordered; None while none is."""
    held = record_of(reader, records.COMMUNITY)
    row = None if held is None else reader.entry_with_id(held["id"])
    return None if row is None else entry.decode(row.raw, reader.community)
