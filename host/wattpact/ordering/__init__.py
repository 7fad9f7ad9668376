"""The order of what binds others: the ledger's one writer on this machine, its signed head, and proofs from it."""
