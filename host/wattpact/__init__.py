"""Wattpact's host: ingests and stores entries, settles contracts, makes bills and serves the page.

See docs/architecture.md.
"""
