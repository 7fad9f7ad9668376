"""The meter as an author: its key, its log, publishing, sealing, and the authors it trusts."""
