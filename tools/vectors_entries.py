"""The cases about entries: each kind signed by a known key, wrong ones with the rule they break, and mangled ones."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from simulator import bodies, damage
from simulator.authors import REAL, ROOT_SEED, Author, Key
from wattpact_protocol.encoding import cbor, cose
from wattpact_protocol.log import entry, kinds

PAYLOAD = [kinds.CONTRACT, 0, 0, bytes(32), [1, 5, 1000, 0], {1: bodies.ID}]

# (why, clause, place in the payload, value put there)
BROKEN = [
    ("a kind that is not in the table", "bodies.md", 0, 21),
    ("a kind that is a flag", "cbor.md", 0, True),
    ("a sequence beyond 63 bits", "entry.md", 2, 1 << 63),
    ("previous is not 32 bytes", "entry.md", 3, bytes(31)),
    ("a stamp of three", "entry.md", 4, [1, 5, 1000]),
    ("no time, yet the clock status is good", "entry.md", 4, [1, 5, None, 0]),
    ("a time, yet the clock is invalid", "entry.md", 4, [1, 5, 1000, 1]),
    ("an unknown clock status bit", "entry.md", 4, [1, 5, 1000, 0x10]),
    ("a body without a required field", "bodies.md", 5, {}),
    ("a body with an unknown key", "bodies.md", 5, {1: bodies.ID, 9: 0}),
    ("an id of 31 bytes", "bodies.md", 5, {1: bytes(31)}),
]


def _case(why: str, clause: str, verdict: str, raw: bytes, author: Any, **more: str) -> dict[str, Any]:
    return {
        "why": why, "clause": clause, "verdict": verdict, "community": author.community_id.hex(),
        "public_key": author.public_key.hex(), "entry": raw.hex(), **more,
    }  # fmt: skip


def entry_cases() -> dict[str, Any]:
    author = Author(Key(ROOT_SEED, REAL))
    cases = []
    for kind, body in bodies.all_bodies(author):
        said = author.publish(kind, body)
        why = f"a well-formed {said.name}"
        cases.append(_case(why, "entry.md", "verified", said.raw, author, id=said.id.hex(), kind=said.name))
    for why, clause, place, value in BROKEN:
        payload = list(PAYLOAD)
        payload[place] = value
        raw = cose.sign1(author.kid, cbor.encode(payload), entry.aad_of(author.community_id), author.sign)
        cases.append(_case(why, clause, "refused", raw, author))
    said = author.publish(kinds.CONTRACT, {"acceptance": bodies.ID})
    flipped = said.raw[:-1] + bytes([said.raw[-1] ^ 1])
    named = {"id": said.id.hex(), "kind": said.name}
    cases.append(_case("the last bit of S flipped", "ed25519.md", "forged", flipped, author, **named))
    elsewhere = cose.sign1(author.kid, cbor.encode(PAYLOAD), entry.aad_of(bytes(16)), author.sign)
    seen = entry.decode(elsewhere, author.community_id)
    named = {"id": seen.id.hex(), "kind": seen.name}
    cases.append(_case("signed for another community", "entry.md", "forged", elsewhere, author, **named))
    said = author.publish(kinds.POLICY, bodies.GENERATION_POLICY)
    why = "a policy that orders a register generation to begin"
    cases.append(_case(why, "bodies.md", "verified", said.raw, author, id=said.id.hex(), kind=said.name))
    return {"source": "seed 07 x 32; every signature by RFC 8032", "cases": cases}


def mangled_cases() -> dict[str, Any]:
    cases = []
    for entries, real, seed in ((100000, False, "rules"), (10000, False, "rules"), (1000, True, "signatures")):
        digest, counts = damage.verdicts(entries, real, seed)
        cases.append({"entries": entries, "real_signatures": real, "seed": seed, "verdicts": counts, "sha256": digest})
    return {"source": "SHA-256 over the verdicts in order, each as text", "cases": cases}
