"""The ledger of several hosts: the same blocks, ordered by a quorum of them instead of by one writer."""
