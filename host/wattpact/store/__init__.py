"""Entries, durable; and what was derived from them. SQL is in `sqlite` and nowhere else."""
