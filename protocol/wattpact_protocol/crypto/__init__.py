"""Primitives, each with the backends that platforms have: signatures, key agreement, encryption, hashes."""
