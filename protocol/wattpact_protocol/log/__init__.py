"""Entries and logs: kinds and their fields, roles, the chain of one author's entries, reasons of rejection."""
