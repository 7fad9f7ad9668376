"""What the views of one moment are made of: the stored accounts, and what projections hold besides.

What always holds: everything is read once it is wanted, at most once a moment; it belongs to the reader's thread.
"""

from functools import cached_property

from wattpact_protocol.ledger import records
from wattpact_protocol.settlement.inputs import SettlementInputs

from wattpact.projections.stored_accounts import StoredAccounts
from wattpact.store.interface import Reader
from wattpact.store.recorded import record_of
from wattpact.store.records import Registers, RelayState
from wattpact.views import contracts, meters
from wattpact.views.contracts import Shown


class Held:
    """One moment of a store."""

    def __init__(self, reader: Reader, now_s: int, founding: SettlementInputs) -> None:
        self.reader = reader
        self.now_s = now_s
        self.accounts = StoredAccounts(reader, now_s, founding)
        self.inputs = self.accounts.inputs

    def offer(self, offer_id: bytes) -> dict[str, object] | None:
        """The ledger's record of an offer."""
        return record_of(self.reader, records.OFFER, offer_id)

    def label(self, kid: bytes) -> str:
        return self.inputs.labels.get(kid, kid.hex())

    @cached_property
    def registers(self) -> dict[bytes, Registers]:
        return {row.meter: row for row in self.reader.registers()}

    @cached_property
    def relays(self) -> dict[bytes, RelayState]:
        return self.reader.relays()

    @cached_property
    def powers(self) -> dict[bytes, int | None]:
        """W now by meter, below 0 what is exported; None where it is too long ago."""
        return {kid: meters.power_w(self.reader, row, self.now_s) for kid, row in self.registers.items()}

    @cached_property
    def live(self) -> list[Shown]:
        """The contracts whose time is not over."""
        return list(contracts.shown(self.reader.contracts(ends_after_s=self.now_s)))

    @cached_property
    def unread(self) -> set[bytes]:
        """Meters of which this host has sealed readings and could unseal none."""
        return {kid for kid in self.inputs.sealed if kid not in self.registers}

    def parties(self, kids: "tuple[bytes, ...]", from_s: int, to_s: int) -> set[bytes]:
        """Everyone who answered for one of the meters in that time."""
        return {span[2] for kid in kids for span in self.inputs.payers(kid, from_s, max(to_s, from_s + 1))}
