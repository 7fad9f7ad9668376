"""Wattpact's host: takes in what meters sign, stores it, matches, bills and shows it. See docs/architecture.md."""
