"""Who belongs to the community, and who may look."""
