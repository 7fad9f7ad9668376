"""What a log is made of: entries of the kinds that there are, in a chain, by authors with roles."""
