"""The cases about the ledger: tree over blocks, map of the state, blocks that follow each other, and a signed head.

Roots of the tree and of the map are computed here from their definitions (RFC 9162, 2.1.1; docs/spec/ledger.md,
rule 9), not by the code under test.
"""

import base64
import hashlib
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from simulator import bodies
from simulator.authors import REAL
from simulator.community import START_S, Community
from simulator.ordered import Ordered
from wattpact_protocol.ledger import blocks, checkpoints, records, witnesses
from wattpact_protocol.ledger.state_map import StateMap
from wattpact_protocol.ledger.tree import Tree
from wattpact_protocol.log import kinds

LEAVES = 7


def _sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def _tree_root(leaves: list[bytes]) -> bytes:
    if len(leaves) < 2:
        return _sha256(b"\x00", leaves[0]) if leaves else _sha256()
    split = 1
    while 2 * split < len(leaves):
        split *= 2
    return _sha256(b"\x01", _tree_root(leaves[:split]), _tree_root(leaves[split:]))


def _map_root(rows: dict[bytes, bytes], depth: int = 0) -> bytes:
    """Of values by the hash of their key; all keys agree in the first `depth` bits."""
    if len(rows) < 2:
        return _sha256(b"\x00", *rows, *(_sha256(value) for value in rows.values())) if rows else bytes(32)
    sides: tuple[dict[bytes, bytes], dict[bytes, bytes]] = ({}, {})
    for name, value in rows.items():
        sides[name[depth // 8] >> (7 - depth % 8) & 1][name] = value
    return _sha256(b"\x01", *(_map_root(side, depth + 1) for side in sides))


def _tree_cases() -> list[dict[str, Any]]:
    tree, leaves = Tree({}), [b"block %d" % number for number in range(LEAVES)]
    cases = []
    for size in range(LEAVES + 1):
        if size:
            tree.append(_sha256(b"\x00", leaves[size - 1]))
        index, old_size = size // 2, (size + 1) // 2
        case: dict[str, Any] = {
            "leaves": [leaf.hex() for leaf in leaves[:size]],
            "root": _tree_root(leaves[:size]).hex(),
        }
        if size:
            case["inclusion"] = [index, [one.hex() for one in tree.inclusion(index)]]
            case["consistency"] = [
                old_size, _tree_root(leaves[:old_size]).hex(), [one.hex() for one in tree.consistency(old_size)]
            ]  # fmt: skip
        cases.append(case)
    return cases


def _map_cases() -> list[dict[str, Any]]:
    values = {records.key_of(records.OFFER, bytes([number])): b"offer %d" % number for number in range(9)}
    cases = []
    for count in (0, 1, 2, 9):
        held = dict(list(values.items())[:count])
        state = StateMap({})
        state.update(held)
        proofs = []
        for key in list(values)[:1] + [list(values)[-1], records.key_of(records.COMMUNITY)]:
            proof = state.prove(key)
            value = held.get(key)
            proofs.append({
                "key": key.hex(), "value": None if value is None else value.hex(),
                "siblings": [one.hex() for one in proof.siblings],
                "other": None if proof.other is None else proof.other.hex(),
            })  # fmt: skip
        cases.append({
            "values": [[key.hex(), value.hex()] for key, value in held.items()],
            "root": _map_root({_sha256(key): value for key, value in held.items()}).hex(), "proofs": proofs,
        })  # fmt: skip
    return cases


def _ledger() -> Community:
    """A few blocks of a community, one with a contract and one with the head of a log alone."""
    community = Community(crypto=REAL, prices=(300_000, 80_000), sink=Ordered, name="vectors")
    roof = community.meter("roof", community.person("east"))
    wallbox = community.meter("wallbox", community.person("west"))
    contract = community.agree(roof, wallbox, 180_000, 400, 4000, START_S, START_S + 3600)
    community.now_s += 60
    community.terminate(roof, contract)
    community.publish(roof, kinds.EVENT, {"code": 1})
    named = witnesses.encode(_WITNESSES, 1)
    community.publish(community.issuer, kinds.COMMUNITY, bodies.community(version=2, **named))
    community.sink.order([], [(roof.kid, 0, roof.sequence, roof.previous)])
    return community


_WITNESSES = [("pi.example/house-4", bytes(range(32))), ("omni.example/w1", bytes(range(1, 33)))]


def _key(name: str, public_key: bytes, kind: int = 4) -> str:
    """A verifier key, made by the words of C2SP's signed-note."""
    hashed = hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public_key).hexdigest()[:8]
    return f"{name}+{hashed}+{base64.b64encode(bytes([kind]) + public_key).decode()}"


def _witness_cases() -> list[dict[str, Any]]:
    """What a community's entry may name: rule 11."""
    one, two = (_key(*known) for known in _WITNESSES)
    names = [name for name, _ in _WITNESSES]
    rows: list[tuple[str, str, int, list[str] | None]] = [
        ("one", one, 1, names[:1]), ("two of two", f"{one}\n{two}", 2, names),
        ("none of two", f"{one}\n{two}", 0, names),
        ("more than there are", one, 2, None), ("one twice", f"{one}\n{one}", 1, None),
        ("one name, two keys", f"{one}\n{_key(names[0], bytes(32))}", 1, None),
        ("one key, two names", f"{one}\n{_key('other.example', _WITNESSES[0][1])}", 1, None),
        ("a log's key", _key(*_WITNESSES[0], kind=1), 1, None),
        ("another's hash", one.replace(one.split("+")[1], two.split("+")[1]), 1, None),
        ("a key that is cut", one[:-4], 1, None), ("a line without a key", f"{one}\n", 1, None),
        ("a name with a space", _key("pi example", bytes(32)), 1, None),
        ("a name of 65 bytes", _key("n" * 65, bytes(32)), 1, None),
        ("seventeen", "\n".join(_key(f"w{number}", bytes([number]) * 32) for number in range(17)), 1, None),
    ]  # fmt: skip
    return [{"why": why, "witnesses": text, "cosigned": least, "names": found} for why, text, least, found in rows]


def ledger_cases() -> dict[str, Any]:
    community = _ledger()
    ledger, host = community.sink.ledger, community.host
    point = checkpoints.Checkpoint(checkpoints.origin_of(community.id), ledger.size, ledger.root())
    checkpoints.sign(point, host.public_key, host.sign)
    checkpoints.cosign(point, "witness", host.public_key, START_S + 90, host.sign)
    followed = []
    for raw in community.sink.blocks:
        header, entries, anchors = blocks.decode(raw)
        followed.append({
            "block": raw.hex(), "header": header.raw.hex(), "id": _sha256(b"\x00", header.raw).hex(),
            "height": header.height, "time_s": header.time_s, "entries": len(entries), "heads": len(anchors),
            "state_root": header.state_root.hex(),
        })  # fmt: skip
    assert ledger.root() == _tree_root([bytes.fromhex(one["header"]) for one in followed])
    rows = {_sha256(key): value for key, value in community.sink.storage.values.items()}
    assert followed[-1]["state_root"] == _map_root(rows).hex()
    return {
        "source": "RFC 9162, 2.1; docs/spec/ledger.md, rules 3 to 9 and 22; C2SP tlog-checkpoint and tlog-cosignature",
        "tree": _tree_cases(), "map": _map_cases(), "witnesses": _witness_cases(),
        "community": community.id.hex(), "blocks": followed,
        "state": [[key.hex(), value.hex()] for key, value in sorted(community.sink.storage.values.items())],
        "checkpoint": [{
            "text": point.text, "size": point.size, "root": point.root.hex(), "public_key": host.public_key.hex(),
            "witness": "witness", "cosigned_s": START_S + 90,
        }],
    }  # fmt: skip
