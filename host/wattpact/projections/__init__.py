"""What stored entries come to, derived once and stored."""
