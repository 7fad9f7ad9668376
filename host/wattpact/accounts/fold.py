"""Accounts: entries in, and out of it a statement, postings or a contract's progress for any window.

What always holds: the same entries give the same figures whether they come at once or one by one, and a late entry
changes what it would have changed had it been in time. docs/spec/settlement.md has the rules, the protocol the code.
"""

from collections.abc import Iterable

from wattpact_protocol.log.entry import Entry
from wattpact_protocol.settlement import statement
from wattpact_protocol.settlement.folding import Folding
from wattpact_protocol.settlement.inputs import SettlementInputs
from wattpact_protocol.settlement.slots import Fill, Settlement
from wattpact_protocol.settlement.statement import Statement

from wattpact.accounts import postings
from wattpact.accounts.postings import Posting


class AccountsError(ValueError):
    """A window or a payer of which no statement can be made; the text says why."""


class Statements:
    """What can be stated from inputs of settlement and what is settled of them, wherever both come from."""

    def __init__(self, inputs: SettlementInputs, settlement: Settlement | None) -> None:
        self.inputs = inputs
        self._settlement = settlement

    @property
    def settlement(self) -> Settlement:
        if self._settlement is None:
            raise AccountsError("no community has been founded yet")
        return self._settlement

    def fill(self, contract_id: bytes) -> Fill:
        """What a contract has carried, lacked and left unused so far; zero where nothing is settled yet."""
        contract = self.inputs.contracts.by_id.get(contract_id)
        if contract is None:
            raise AccountsError(f"there is no contract {contract_id.hex()}")
        return self.settlement.fills.get(contract_id) or Fill(contract)

    def payers(self, from_s: int, to_s: int) -> list[bytes]:
        """Everyone who answers for a meter at some time of a window."""
        spans = [self.inputs.payers(kid, from_s, to_s) for kid in self.inputs.meters]
        return sorted({span[2] for rows in spans for span in rows})

    def window(self, from_s: int, to_s: int) -> tuple[int, int]:
        """The slots that start in a window, as slot boundaries."""
        if self._settlement is None:
            raise AccountsError("no community has been founded yet")
        start_s, end_s = self.inputs.ceil(from_s), self.inputs.ceil(to_s)
        if start_s >= end_s:
            raise AccountsError("the period holds no slot")
        return start_s, end_s

    def statement(self, subject: bytes, from_s: int, to_s: int) -> Statement:
        """What one payer's meters amount to in the slots that start in a window."""
        start_s, end_s = self.window(from_s, to_s)
        return statement.state(self.inputs, self.settlement, subject, start_s, end_s)

    def postings(self, from_s: int, to_s: int) -> list[Posting]:
        """Every payment of a window, each from one account to another."""
        start_s, end_s = self.window(from_s, to_s)
        return postings.post(self.inputs, self.settlement, start_s, end_s)


class Accounts(Statements):
    """In memory: fed with verified entries in the order of each author's log, those that a block orders at its time."""

    def __init__(self) -> None:
        self._folding = Folding()
        super().__init__(self._folding.inputs, None)

    @property
    def rejected(self) -> dict[bytes, str]:
        """What was not ordered, by id, and why."""
        return self._folding.rejected

    def apply(self, entries: Iterable[Entry], ordered_s: int | None = None) -> None:
        """`ordered_s`: the time of the block that orders them; their stamps, where it is not given."""
        for new in entries:
            self._folding.apply(new, ordered_s)
        inputs = self.inputs
        if self._settlement is None and inputs.slot_s:
            self._settlement = Settlement(inputs.slot_s, inputs.silence_s, inputs.load_profiles, inputs.contracts)

    def settle(self, now_s: int) -> None:
        """Settle all that can be settled by now."""
        self.settlement.advance(now_s, now_s)
