"""How communities and authors are named: by the SHA-256 of a public key. docs/spec/entry.md."""

import hashlib


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def community_id(root_public_key: bytes) -> bytes:
    """16 bytes that name a community: the start of SHA-256(root public key)."""
    return sha256(root_public_key)[:16]


def kid_of(public_key: bytes) -> bytes:
    """8 bytes that name an author within a community: the start of SHA-256(public key)."""
    return sha256(public_key)[:8]
