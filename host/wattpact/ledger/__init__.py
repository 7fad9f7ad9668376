"""The ledger: who owes whom, folded from verified entries. It imports the protocol and nothing else of the host."""

from wattpact.ledger.accounts import GRID as GRID
from wattpact.ledger.accounts import Posting as Posting
from wattpact.ledger.accounts import balances as balances
from wattpact.ledger.fold import Ledger as Ledger
from wattpact.ledger.fold import LedgerError as LedgerError
from wattpact.ledger.fold import Statements as Statements
