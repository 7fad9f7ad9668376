"""The tree over blocks: roots as RFC 9162's, proofs that hold and proofs that do not."""

import case
from wattpact_protocol.crypto import merkle
from wattpact_protocol.ledger import tree
from wattpact_protocol.ledger.tree import ProofError, Tree, leaf_hash, verify_consistency, verify_inclusion

SIZES = case.scale(70, 20)


def grown(size):
    """A tree, and the leaves' data."""
    data = [b"block %d" % number for number in range(size)]
    made = Tree({})
    for each in data:
        made.append(leaf_hash(each))
    return made, data


def test_every_earlier_root_is_rfc_9162s():
    made, data = grown(SIZES)
    for size in range(SIZES + 1):
        assert made.root(size) == merkle.root(data[:size]), size
    assert made.root() == made.root(SIZES)


def test_a_proof_shows_each_leaf_and_no_other():
    made, data = grown(SIZES)
    for size in range(1, SIZES + 1):
        root = made.root(size)
        for index in range(size):
            proof = made.inclusion(index, size)
            verify_inclusion(leaf_hash(data[index]), index, size, proof, root)
            case.raises(ProofError, verify_inclusion, leaf_hash(b"another"), index, size, proof, root)
            other = (index + 1) % size
            if other != index:
                case.raises(ProofError, verify_inclusion, leaf_hash(data[index]), other, size, proof, root)


def test_a_proof_shows_that_a_tree_grew_and_no_other_did():
    made, _ = grown(SIZES)
    for size in range(SIZES + 1):
        for old_size in range(size + 1):
            proof = made.consistency(old_size, size)
            old_root, root = made.root(old_size), made.root(size)
            verify_consistency(old_size, old_root, size, root, proof)
            if old_size:
                case.raises(ProofError, verify_consistency, old_size, leaf_hash(b""), size, root, proof)
                case.raises(ProofError, verify_consistency, old_size, old_root, size, leaf_hash(b""), proof)


def test_a_proof_that_is_changed_in_any_hash_or_in_length_fails():
    made, data = grown(23)
    bits = case.Bits("changed proofs")
    for old_size, size in ((7, 23), (8, 23), (1, 2), (22, 23), (16, 20)):
        old_root, root = made.root(old_size), made.root(size)
        proof = made.consistency(old_size, size)
        for changed in damaged(proof, bits):
            case.raises(ProofError, verify_consistency, old_size, old_root, size, root, changed)
        index = bits.below(size)
        proof = made.inclusion(index, size)
        for changed in damaged(proof, bits):
            case.raises(ProofError, verify_inclusion, leaf_hash(data[index]), index, size, changed, root)


def test_a_proof_has_as_many_hashes_as_the_largest_tree_needs_and_no_more():
    bits = case.Bits("longest proof")
    root, proof = leaf_hash(b"block"), []
    for levels in range(1, 66):
        proof.append(bits.bytes(32))
        root = merkle.node_hash(root, proof[-1])
        if levels <= 64:
            verify_inclusion(leaf_hash(b"block"), 0, 1 << levels, proof, root)
    error = case.raises(ProofError, verify_inclusion, leaf_hash(b"block"), 0, 1 << 65, proof, root)
    assert "at most 64 hashes" in str(error)


def damaged(proof, bits):
    yield proof + [bits.bytes(32)]
    yield proof[:-1]
    yield proof[:-1] + [proof[-1][:31]]
    yield proof * 70
    for at in range(len(proof)):
        flipped = bytearray(proof[at])
        flipped[bits.below(32)] ^= 1 << bits.below(8)
        yield proof[:at] + [bytes(flipped)] + proof[at + 1 :]


def test_what_is_not_in_the_tree_has_no_proof():
    made, _ = grown(5)
    case.raises(ValueError, made.root, 6)
    case.raises(ValueError, made.inclusion, 5, 5)
    case.raises(ValueError, made.inclusion, -1, 5)
    case.raises(ValueError, made.consistency, 6, 5)
    case.raises(ProofError, verify_inclusion, bytes(32), 5, 5, [], bytes(32))
    case.raises(ProofError, verify_consistency, 6, bytes(32), 5, bytes(32), [])
    case.raises(ProofError, verify_consistency, 0, bytes(32), 5, bytes(32), [])
    case.raises(ProofError, verify_consistency, 2, made.root(2), 5, made.root(5), [])


def test_a_tree_goes_on_from_the_nodes_that_were_kept():
    nodes = {}
    made = Tree(nodes)
    for number in range(11):
        made.append(leaf_hash(b"%d" % number))
        made = Tree(nodes, made.size)
    assert made.root() == merkle.root([b"%d" % number for number in range(11)])
    del nodes[3, 0]
    case.raises(ValueError, made.root)


def test_an_empty_tree_has_a_root():
    assert Tree({}).root() == tree.EMPTY_ROOT == merkle.root([])
