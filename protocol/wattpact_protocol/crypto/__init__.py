"""Signatures, key agreement, encryption and hashes, each with a backend for every platform."""
