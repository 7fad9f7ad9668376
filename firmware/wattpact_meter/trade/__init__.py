"""Mandates, orders and contracts, and the use of grants."""
