"""The state's map: one root for one content, proofs of what is there and of what is not."""

import hashlib

import case
from wattpact_protocol.ledger import state_map
from wattpact_protocol.ledger.state_map import EMPTY, Proof, ProofError, StateMap, verify

KEYS = case.scale(300, 60)


def plain_root(content):
    """The root as docs/spec/ledger.md defines it, by another way: from all leaves at once."""
    leaves = sorted((hashlib.sha256(key).digest(), hashlib.sha256(value).digest()) for key, value in content.items())

    def part(rows, depth):
        if not rows:
            return bytes(32)
        if len(rows) == 1:
            return hashlib.sha256(b"\x00" + rows[0][0] + rows[0][1]).digest()
        middle = [row for row in rows if not int.from_bytes(row[0], "big") >> (255 - depth) & 1]
        return hashlib.sha256(b"\x01" + part(middle, depth + 1) + part(rows[len(middle) :], depth + 1)).digest()

    return part(leaves, 0)


def test_the_root_follows_from_the_content_alone():
    bits = case.Bits("contents")
    content, nodes = {}, {}
    made = StateMap(nodes)
    assert made.root() == EMPTY == plain_root({})
    while len(content) < KEYS or bits.below(4):
        changes = {}
        for _ in range(1 + bits.below(9)):
            key = b"key %d" % bits.below(KEYS * 2)
            changes[key] = None if bits.below(3) == 0 else b"%d" % bits.below(5)
        made.update(changes)
        for key, value in changes.items():
            if value is None:
                content.pop(key, None)
            else:
                content[key] = value
        assert made.root() == plain_root(content)
    at_once = {}
    StateMap(at_once).update(content)
    assert at_once == nodes, "what is kept is what the content needs, and nothing older"
    made.update(dict.fromkeys(content))
    assert nodes == {}


def filled(count=40):
    content = {b"key %d" % number: b"value %d" % number for number in range(count)}
    made = StateMap({})
    made.update(content)
    return made, content


def test_a_proof_shows_the_value_and_no_other():
    made, content = filled()
    root = made.root()
    for key, value in content.items():
        proof = made.prove(key)
        verify(root, key, value, proof)
        case.raises(ProofError, verify, root, key, b"another", proof)
        case.raises(ProofError, verify, root, key, None, proof)
        case.raises(ProofError, verify, root, b"absent", value, proof)
        case.raises(ProofError, verify, EMPTY, key, value, proof)


def test_a_proof_shows_that_there_is_none():
    made, content = filled()
    root = made.root()
    for number in range(100):
        key = b"absent %d" % number
        proof = made.prove(key)
        verify(root, key, None, proof)
        case.raises(ProofError, verify, root, key, b"", proof)
        for present in content:
            case.raises(ProofError, verify, root, present, None, proof)
    verify(EMPTY, b"anything", None, StateMap({}).prove(b"anything"))


def test_no_leaf_can_be_hidden_behind_another():
    """Neither an empty place nor a stranger's leaf in the place of a key that is there."""
    made, content = filled(2)
    root = made.root()
    for key in content:
        proof = made.prove(key)
        (other,) = [one for one in content if one != key]
        stranger = hashlib.sha256(other).digest() + hashlib.sha256(content[other]).digest()
        own = hashlib.sha256(key).digest() + hashlib.sha256(content[key]).digest()
        for siblings in (proof.siblings, proof.siblings[:-1], proof.siblings + [EMPTY], []):
            for hidden in (None, stranger, own, b"", bytes(64)):
                case.raises(ProofError, verify, root, key, None, Proof(siblings, hidden))


def test_a_proof_that_is_no_proof():
    made, content = filled()
    root, key = made.root(), b"key 7"
    siblings = made.prove(key).siblings
    case.raises(ProofError, verify, root, key, content[key], Proof(siblings, bytes(64)))
    case.raises(ProofError, verify, root, key, content[key], Proof([bytes(31)] + siblings[1:]))
    case.raises(ProofError, verify, root, key, content[key], Proof(siblings * 60))
    case.raises(ProofError, verify, root, key, None, Proof([EMPTY] * (state_map.DEPTH + 1)))
    bits = case.Bits("siblings")
    for at in range(len(siblings)):
        flipped = bytearray(siblings[at])
        flipped[bits.below(32)] ^= 1 << bits.below(8)
        changed = siblings[:at] + [bytes(flipped)] + siblings[at + 1 :]
        case.raises(ProofError, verify, root, key, content[key], Proof(changed))
