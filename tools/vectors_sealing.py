"""The cases about sealing: keys, sealed bodies and wrapped secrets from known bytes, and sealed parts to refuse."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import speaker
from wattpact_protocol import bodies, cbor, sealed, sealing, steps, x25519

SEED = bytes([7]) * 32
SECRET = bytes(range(32))
COMMUNITY = bytes(range(16))
KID = speaker.KID
KEY_NO = 7
READING = speaker.reading(imported=120345, deltas=(12, 11, 12), instantaneous={64: [703, []]})


def sealing_cases() -> dict[str, Any]:
    own_secret = sealing.sealing_secret(SEED)
    key = sealing.stretch_key(SECRET, KID, KEY_NO)
    keys = {
        "clause": "sealing.md, 3 and 6", "seed": SEED.hex(), "sealing_secret": own_secret.hex(),
        "sealing_key": x25519.public_key(own_secret).hex(), "epoch_secret": SECRET.hex(), "kid": KID.hex(),
        "key_no": KEY_NO, "key": key.hex(), "commitment": sealing.commitment(key).hex(),
    }  # fmt: skip
    return {
        "source": "checked against the cryptography package by tests/host/test_sealing_oracle.py",
        "community": COMMUNITY.hex(), "generation": 0, "keys": [keys], "bodies": _bodies(key),
        "wraps": [_wrap(own_secret)], "refused": _refused(key),
    }  # fmt: skip


def _bodies(key: bytes) -> list[dict[str, Any]]:
    found = []
    named = [(bodies.READING, READING)]
    named += [(kind, speaker.BODIES[bodies.NAMES[kind]]) for kind in sorted(bodies.SEALABLE)]
    for kind, body in named:
        shut = sealing.seal_body(key, KEY_NO, (COMMUNITY, KID, 0), kind, body)
        found.append({
            "clause": "sealing.md, 7 to 10", "kind": kind, "open": _hex(kind, body), "sealed": _hex(kind, shut),
            "nonce": shut["sealed"].nonce.hex(),
        })  # fmt: skip
    return found


def _hex(kind: int, body: dict[str, Any]) -> str:
    return cbor.encode(bodies.encode(kind, body)).hex()


def _wrap(own_secret: bytes) -> dict[str, Any]:
    ephemeral = bytes([9]) * 32
    readers = [(KID, x25519.public_key(own_secret))]
    body = _hex(bodies.KEY_EPOCH, steps.finish(sealing.wrap_steps(SECRET, ephemeral, 2, (COMMUNITY, KID), readers)))
    return {"clause": "sealing.md, 4", "ephemeral_secret": ephemeral.hex(), "reader": KID.hex(), "body": body}


def _refused(key: bytes) -> list[dict[str, Any]]:
    """Sealed parts of a usage entry that travel, and do not open under the key."""
    where = sealing.context(COMMUNITY, KID, 0, KEY_NO, bodies.USAGE)
    content = cbor.encode({2: 10, 3: 22})
    good = sealing.seal(key, where, KEY_NO, content, 32)
    other = sealing.stretch_key(SECRET, KID, KEY_NO + 1)
    flipped = bytes([good.ciphertext[0] ^ 1]) + good.ciphertext[1:]
    cases = [
        ("another key of the same epoch", sealing.seal(other, where, KEY_NO, content, 32)),
        ("sealed for another kind", sealing.seal(key, where[:-1] + b"\x0f", KEY_NO, content, 32)),
        ("a bit of the ciphertext flipped", sealed.Sealed(KEY_NO, good.nonce, flipped)),
        ("a nonce of another content", sealed.Sealed(KEY_NO, bytes(13), good.ciphertext)),
        ("a field that is not sealed in this kind", sealing.seal(key, where, KEY_NO, cbor.encode({1: 1}), 32)),
        ("a field out of range", sealing.seal(key, where, KEY_NO, cbor.encode({2: 10, 3: -1}), 32)),
        ("no CBOR", sealing.seal(key, where, KEY_NO, b"\xff", 32)),
        ("nothing", sealing.seal(key, where, KEY_NO, b"", 32)),
    ]
    return [
        {"why": why, "clause": "sealing.md, 11", "part": cbor.encode(sealed.encode(part)).hex()} for why, part in cases
    ]
