"""What stored entries amount to, folded once and stored."""
