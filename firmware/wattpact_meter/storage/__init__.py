"""What is in flash: the journal of the meter's entries, and the store of its named states."""
