"""The cases about sealing: keys, sealed bodies and wrapped secrets from known bytes, and sealed parts to reject."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from simulator import bodies
from wattpact_protocol import steps
from wattpact_protocol.crypto import x25519
from wattpact_protocol.encoding import cbor
from wattpact_protocol.log import kinds, sealed_part
from wattpact_protocol.sealing import content, epochs, period_keys

SEED = bytes([7]) * 32
SECRET = bytes(range(32))
COMMUNITY = bytes(range(16))
KID = bodies.KID
KEY_NO = 7
READING = bodies.reading(imported=120345, deltas=(12, 11, 12), instantaneous={64: [703, []]})


def sealing_cases() -> dict[str, Any]:
    own_secret = period_keys.sealing_secret(SEED)
    key = period_keys.period_key(SECRET, KID, KEY_NO)
    keys = {
        "clause": "sealing.md, 3 and 6", "seed": SEED.hex(), "sealing_secret": own_secret.hex(),
        "sealing_key": x25519.public_key(own_secret).hex(), "epoch_secret": SECRET.hex(), "kid": KID.hex(),
        "key_no": KEY_NO, "key": key.hex(), "commitment": period_keys.commitment(key).hex(),
    }  # fmt: skip
    return {
        "source": "checked against the cryptography package by tests/host/test_sealing_oracle.py",
        "community": COMMUNITY.hex(), "generation": 0, "keys": [keys], "bodies": _bodies(key),
        "wraps": [_wrap(own_secret)], "refused": _refused(key),
    }  # fmt: skip


def _bodies(key: bytes) -> list[dict[str, Any]]:
    found = []
    named = [(kinds.READING, READING)]
    named += [(kind, bodies.BODIES[kinds.NAMES[kind]]) for kind in sorted(kinds.SEALABLE) if kind != kinds.READING]
    for kind, body in named:
        shut = content.seal_body(key, KEY_NO, (COMMUNITY, KID, 0), kind, body)
        found.append({
            "clause": "sealing.md, 7 to 10", "kind": kind, "open": _hex(kind, body), "sealed": _hex(kind, shut),
            "nonce": shut["sealed"].nonce.hex(),
        })  # fmt: skip
    return found


def _hex(kind: int, body: dict[str, Any]) -> str:
    return cbor.encode(kinds.encode(kind, body)).hex()


def _wrap(own_secret: bytes) -> dict[str, Any]:
    ephemeral = bytes([9]) * 32
    readers = [(KID, x25519.public_key(own_secret))]
    body = _hex(kinds.KEY_EPOCH, steps.finish(epochs.wrap_steps(SECRET, ephemeral, 2, (COMMUNITY, KID), readers)))
    return {"clause": "sealing.md, 4", "ephemeral_secret": ephemeral.hex(), "reader": KID.hex(), "body": body}


def _seal(key: bytes, where: bytes, plain: bytes) -> sealed_part.Sealed:
    return steps.finish(content.seal_steps(key, where, KEY_NO, plain, 32))


def _refused(key: bytes) -> list[dict[str, Any]]:
    """Sealed parts of a usage entry that travel, and do not open under the key."""
    where = period_keys.context(COMMUNITY, KID, 0, KEY_NO, kinds.USAGE)
    plain = cbor.encode({2: 10, 3: 22})
    good = _seal(key, where, plain)
    other = period_keys.period_key(SECRET, KID, KEY_NO + 1)
    flipped = bytes([good.ciphertext[0] ^ 1]) + good.ciphertext[1:]
    cases = [
        ("another key of the same epoch", _seal(other, where, plain)),
        ("sealed for another kind", _seal(key, where[:-1] + b"\x0f", plain)),
        ("a bit of the ciphertext flipped", sealed_part.Sealed(KEY_NO, good.nonce, flipped)),
        ("a nonce of another content", sealed_part.Sealed(KEY_NO, bytes(13), good.ciphertext)),
        ("a field that is not sealed in this kind", _seal(key, where, cbor.encode({1: 1}))),
        ("a field out of range", _seal(key, where, cbor.encode({2: 10, 3: -1}))),
        ("no CBOR", _seal(key, where, b"\xff")),
        ("nothing", _seal(key, where, b"")),
    ]
    return [
        {"why": why, "clause": "sealing.md, 11", "part": cbor.encode(sealed_part.encode(part)).hex()}
        for why, part in cases
    ]
