"""The state root after generated transactions, on whichever Python this runs."""

from wattpact_protocol.ledger.ledger import Ledger, Storage

from simulator.transactions import Transactions


def run(seed, count):
    """Of about so many transactions."""
    generated = Transactions(seed)
    ledger = Ledger(Storage({}, {}, {}), generated.community.id)
    while count > 0:
        now_s, entries, heads = generated.block()
        generated.rejected(ledger.propose(entries, heads, now_s)[1])
        count -= len(entries)
    return ledger.last.state_root
