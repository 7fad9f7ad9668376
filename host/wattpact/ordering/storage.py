"""A ledger's storage over a store: what was read stays in memory, what is written waits for the block it belongs to.

What always holds: memory is never older than the store, which has one writer; `take` gives all that was written since
the last one, and who calls it stores that in the same transaction, or lets go of this storage.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from wattpact_protocol.ledger.ledger import Storage

from wattpact.store.interface import Reader
from wattpact.store.records import Written

_MAX_HELD = 50_000  # records and nodes in memory

Key = TypeVar("Key")


class Part(Generic[Key]):
    """A mapping that reads through, and remembers apart what was put into it; None is what was taken out."""

    def __init__(self, read: Callable[[Key], bytes | None]) -> None:
        self._read = read
        self._held: dict[Key, bytes | None] = {}
        self._written: dict[Key, bytes | None] = {}

    def get(self, key: Key) -> bytes | None:
        if key not in self._held:
            if len(self._held) >= _MAX_HELD:
                self._held = dict(self._written)
            self._held[key] = self._read(key)
        return self._held[key]

    def __setitem__(self, key: Key, value: bytes) -> None:
        self._held[key] = self._written[key] = value

    def pop(self, key: Key, default: None = None) -> bytes | None:
        found = self.get(key)
        self._held[key] = self._written[key] = None
        return found

    def take_written(self) -> dict[Key, bytes | None]:
        written, self._written = self._written, {}
        return written


class StoredLedger(Storage):
    """The three parts that a Ledger reads and writes."""

    def __init__(self, reader: Reader) -> None:
        self._values: Part[bytes] = Part(reader.ledger_value)
        self._map: Part[tuple[int, int]] = Part(lambda place: reader.ledger_node(*place))
        self._tree: Part[tuple[int, int]] = Part(lambda place: reader.tree_node(*place))
        super().__init__(self._values, self._map, self._tree)

    def take(self) -> Written:
        """What was written since the last call."""
        return Written(self._values.take_written(), self._map.take_written(), self._tree.take_written())
