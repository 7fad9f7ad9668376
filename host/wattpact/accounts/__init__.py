"""The accounts: who owes whom, folded from verified entries. They import the protocol and nothing else of the host."""

from wattpact.accounts.fold import Accounts as Accounts
from wattpact.accounts.fold import AccountsError as AccountsError
from wattpact.accounts.fold import Statements as Statements
from wattpact.accounts.postings import GRID as GRID
from wattpact.accounts.postings import Posting as Posting
from wattpact.accounts.postings import balances as balances
