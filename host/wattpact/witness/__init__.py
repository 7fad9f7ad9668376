"""A witness: cosigns the head of one community's ledger while it only grows, and keeps what shows that it did not."""
