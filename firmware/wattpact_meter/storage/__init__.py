"""What is in flash: the journal of entries, and the store of named state."""
