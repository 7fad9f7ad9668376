"""The ledger against its vectors: tree, map, blocks that follow each other, and the signed head."""

import case
from simulator.authors import REAL
from wattpact_protocol.ledger import checkpoints, state_map, tree
from wattpact_protocol.ledger.ledger import Ledger, Storage

CASES = case.vectors("ledger")


def unhex(values):
    return [bytes.fromhex(value) for value in values]


def maybe(value):
    return None if value is None else bytes.fromhex(value)


def test_the_tree():
    for vector in CASES["tree"]:
        leaves, root, built = unhex(vector["leaves"]), bytes.fromhex(vector["root"]), tree.Tree({})
        for leaf in leaves:
            built.append(tree.leaf_hash(leaf))
        assert built.root() == root
        if not leaves:
            continue
        index, path = vector["inclusion"]
        assert built.inclusion(index) == unhex(path)
        tree.verify_inclusion(tree.leaf_hash(leaves[index]), index, len(leaves), unhex(path), root)
        old_size, old_root, path = vector["consistency"]
        assert built.consistency(old_size) == unhex(path)
        tree.verify_consistency(old_size, bytes.fromhex(old_root), len(leaves), root, unhex(path))


def test_the_map_of_the_state():
    for vector in CASES["map"]:
        root, built = bytes.fromhex(vector["root"]), state_map.StateMap({})
        built.update({bytes.fromhex(key): bytes.fromhex(value) for key, value in vector["values"]})
        assert built.root() == root
        for shown in vector["proofs"]:
            key, proof = bytes.fromhex(shown["key"]), state_map.Proof(unhex(shown["siblings"]), maybe(shown["other"]))
            made = built.prove(key)
            assert (made.siblings, made.other) == (proof.siblings, proof.other)
            state_map.verify(root, key, maybe(shown["value"]), proof)


def test_blocks_and_their_head():
    storage = Storage({}, {}, {})
    ledger = Ledger(storage, bytes.fromhex(CASES["community"]))
    for vector in CASES["blocks"]:
        header = ledger.append(bytes.fromhex(vector["block"]), REAL.verify)
        assert (header.raw, header.id) == (bytes.fromhex(vector["header"]), bytes.fromhex(vector["id"]))
        assert (header.height, header.time_s) == (vector["height"], vector["time_s"])
        assert header.state_root == bytes.fromhex(vector["state_root"])
    assert sorted(storage.values.items()) == [tuple(unhex(row)) for row in CASES["state"]]
    (vector,) = CASES["checkpoint"]
    point, public_key = checkpoints.decode(vector["text"]), bytes.fromhex(vector["public_key"])
    assert (point.size, point.root) == (ledger.size, ledger.root())
    assert (vector["size"], bytes.fromhex(vector["root"])) == (point.size, point.root)
    assert checkpoints.is_signed(point, public_key, REAL.verify)
    assert checkpoints.cosigned_s(point, vector["witness"], public_key, REAL.verify) == vector["cosigned_s"]
