"""A ledger as a whole: blocks that are followed, damaged and rejected; proofs; heads that are signed and cosigned."""

import case
from simulator import bodies
from simulator.authors import REAL, StandIn
from simulator.community import START_S, Community
from simulator.ordered import Ordered
from wattpact_protocol.encoding import cbor
from wattpact_protocol.ledger import blocks, checkpoints, members, records, state_map, tree
from wattpact_protocol.ledger.blocks import BlockError
from wattpact_protocol.ledger.checkpoints import CheckpointError
from wattpact_protocol.ledger.ledger import Ledger, Storage
from wattpact_protocol.log import kinds, roles


def grown():
    """A community with a day's beginning, and its blocks."""
    community = Community(sink=Ordered, prices=(300_000, 80_000))
    east, west = community.person("east"), community.person("west")
    roof, wallbox = community.meter("roof", east), community.meter("wallbox", west)
    sells = community.mandate(east, roof, kinds.SELL, 150_000, 5000)
    buys = community.mandate(west, wallbox, kinds.BUY, 250_000, 3000)
    for minute in range(5):
        community.now_s = START_S + 60 * minute
        end_s = START_S + 1800
        offer = community.offer(roof, 180_000, 400, 8000, START_S, end_s, sells.id)
        demand = community.demand(wallbox, 250_000, 400, 8000, START_S, end_s, buys.id)
        acceptance = community.accept(wallbox, offer, 300, demand=demand.id)
        contract = community.confirm(roof, acceptance)
        community.grant(contract, offer, acceptance)
        community.start(wallbox, contract, community.now_s)
        head = (roof.kid, roof.generation, roof.sequence, roof.previous)
        community.sink.order([], [head])
    return community


def follower(community):
    return Ledger(Storage({}, {}, {}), community.id)


def test_who_follows_gets_the_same_state_and_root():
    community = grown()
    sink = community.sink
    storage = Storage({}, {}, {})
    other = Ledger(storage, community.id)
    assert sink.rejected == {}
    for number in range(len(sink.blocks)):
        header = other.append(sink.blocks[number], StandIn.verify)
        assert header.height == number
    assert other.root() == sink.ledger.root()
    assert other.last.raw == sink.ledger.last.raw
    for part in ("values", "state_nodes", "tree_nodes"):
        assert getattr(storage, part) == getattr(sink.storage, part) != {}, part


def test_a_ledger_goes_on_after_a_restart_at_any_height():
    community = grown()
    sink = community.sink
    storage, last = Storage({}, {}, {}), None
    for block in sink.blocks:
        last = Ledger(storage, community.id, last).append(block, StandIn.verify)
    assert Ledger(storage, community.id, last).root() == sink.ledger.root()


def test_one_block_of_many_entries_is_as_good_as_many_of_one():
    community = grown()
    once = follower(community)
    block, rejected = once.propose(community.entries, [], START_S)
    assert rejected == {}
    assert follower(community).append(block, StandIn.verify).state_root == once.last.state_root


def test_a_damaged_block_changes_nothing():
    community = grown()
    sink = community.sink
    other = follower(community)
    bits = case.Bits("damaged blocks")
    for block in sink.blocks[:14]:
        before = snapshot(other)
        for _ in range(case.scale(40, 6)):
            data = bytearray(block)
            data[bits.below(len(data))] ^= 1 << bits.below(8)
            case.raises(BlockError, other.append, bytes(data), StandIn.verify)
            case.raises(BlockError, other.append, block[: bits.below(len(block))], StandIn.verify)
        assert snapshot(other) == before
        other.append(block, StandIn.verify)
    case.raises(BlockError, other.append, sink.blocks[0], StandIn.verify)
    case.raises(BlockError, other.append, sink.blocks[15], StandIn.verify)


def snapshot(ledger):
    return (ledger.size, ledger.root(), ledger.last and ledger.last.raw, dict(ledger.state.changes))


def test_a_block_that_is_wrong_in_any_part_is_rejected():
    community = grown()
    sink = community.sink
    other = follower(community)
    for block in sink.blocks[:12]:
        other.append(block, StandIn.verify)
    header, raws, anchors = blocks.decode(sink.blocks[12])
    fields = [header.height, header.time_s, header.before, header.entries_root, header.anchors_root, header.state_root]
    for at, value in (
        (0, 13),
        (0, 11),
        (1, START_S - 1),
        (2, bytes(32)),
        (3, bytes(32)),
        (4, bytes(32)),
        (5, bytes(32)),
    ):
        changed = list(fields)
        changed[at] = value
        case.raises(BlockError, other.append, blocks.encode(blocks.Header(*changed), raws, anchors), StandIn.verify)
    case.raises(BlockError, other.append, blocks.encode(header, [], anchors), StandIn.verify)
    case.raises(BlockError, other.append, blocks.encode(header, raws + raws, anchors), StandIn.verify)
    case.raises(BlockError, other.append, blocks.encode(header, raws, [(bytes(8), 0, 1, bytes(32))]), StandIn.verify)
    unknown = [(bytes(8), 0, 1, bytes(32))]  # a head by nobody, and a header with its root
    changed = fields[:4] + [blocks.anchors_root(unknown), fields[5]]
    error = case.raises(BlockError, other.append, blocks.encode(blocks.Header(*changed), raws, unknown), StandIn.verify)
    assert "is rejected: unknown_author" in str(error)
    for malformed in (cbor.encode([]), cbor.encode([b"", [], []]), cbor.encode([header.raw, [1], []]), b"\xff", b""):
        case.raises(BlockError, other.append, malformed, StandIn.verify)
    other.append(sink.blocks[12], StandIn.verify)


def test_a_header_that_is_no_bytes_or_too_many_is_rejected():
    for raw in (None, 5, "text", [], bytes(blocks.MAX_HEADER_BYTES + 1)):
        assert "more than 256 bytes" in str(case.raises(BlockError, blocks.decode_header, raw)), raw


def test_a_height_and_a_time_have_63_bits():
    most, names = (1 << 63) - 1, [bytes(32)] * 4
    for height, time_s in ((most, 0), (0, most)):
        raw = blocks.Header(height, time_s, *names).raw
        assert blocks.decode_header(raw).raw == raw
    for height, time_s in ((most + 1, 0), (0, most + 1)):
        case.raises(BlockError, blocks.decode_header, blocks.Header(height, time_s, *names).raw)


def test_a_block_has_so_many_bytes_at_the_most():
    header = blocks.Header(0, START_S, blocks.NO_BLOCK, bytes(32), blocks.anchors_root([]), bytes(32))
    room = blocks.MAX_BLOCK_BYTES - len(blocks.encode(header, [bytes(1 << 16)], [])) + (1 << 16)
    assert blocks.decode(blocks.encode(header, [bytes(room)], []))[1] == [bytes(room)]
    assert "more than" in str(case.raises(BlockError, blocks.decode, blocks.encode(header, [bytes(room + 1)], [])))


def test_what_may_be_proposed_is_signed_by_who_is_certified_by_then():
    community = grown()
    ledger, size = community.sink.ledger, community.sink.ledger.size
    newcomer = community.author("newcomer")
    community.sink.order = lambda entries, *more: None  # what follows is proposed, and no block has it
    certificate = community.certify(newcomer, community.issuer, roles.METER).certificate
    first = newcomer.publish(kinds.OFFER, bodies.BODIES["offer"], community.now_s)
    forged = first.raw[:-1] + bytes([first.raw[-1] ^ 1])
    stranger = community.author("stranger").publish(kinds.OFFER, bodies.BODIES["offer"], community.now_s)
    raws = [first.raw, certificate.raw, first.raw, forged, stranger.raw, b"\xff"]
    found = ledger.read(raws, community.now_s, StandIn.verify)
    assert [new and new.id for new in found] == [None, certificate.id, first.id, None, None, None]
    assert ledger.read([first.raw], community.now_s, StandIn.verify) == [None] and ledger.size == size


def test_a_block_has_so_many_entries_at_the_most():
    header = blocks.Header(0, START_S, blocks.NO_BLOCK, bytes(32), blocks.anchors_root([]), bytes(32))
    assert len(blocks.decode(blocks.encode(header, [b""] * blocks.MAX_ENTRIES, []))[1]) == 512
    case.raises(BlockError, blocks.decode, blocks.encode(header, [b""] * 513, []))


def test_a_block_never_is_from_before_the_one_before_it():
    community = grown()
    last_s = community.sink.ledger.last.time_s
    community.now_s = START_S - 1000
    community.person("late")
    last = community.sink.ledger.last
    assert last.time_s == last_s
    before = blocks.Header(last.height + 1, last_s - 1, last.id, tree.EMPTY_ROOT, tree.EMPTY_ROOT, last.state_root)
    empty = blocks.encode(before, [], [])
    assert "from before" in str(case.raises(BlockError, community.sink.ledger.append, empty, StandIn.verify))


def test_the_state_proves_what_is_in_it_and_what_is_not():
    community = grown()
    ledger = community.sink.ledger
    contracts = [new for new in community.entries if new.kind == kinds.CONTRACT]
    for new in contracts:
        key = records.key_of(records.CONTRACT, new.id)
        value = records.encode(records.CONTRACT, ledger.state.get(records.CONTRACT, new.id))
        state_map.verify(ledger.last.state_root, key, value, ledger.prove(key))
        case.raises(state_map.ProofError, state_map.verify, ledger.last.state_root, key, None, ledger.prove(key))
    absent = records.key_of(records.CONTRACT, bytes(32))
    state_map.verify(ledger.last.state_root, absent, None, ledger.prove(absent))


def test_contracts_are_listed_by_the_period_in_which_they_start():
    """And last 31 days at most: one that reaches a time began in its period or in the one before."""
    period_s = members.PERIOD_S
    assert list(members.periods_of(0, 1)) == [0]
    assert list(members.periods_of(period_s, period_s + 1)) == [0, 1]
    assert list(members.periods_of(2 * period_s - 1, 3 * period_s)) == [0, 1, 2, 3]


def test_the_tree_proves_every_block_and_that_it_only_grew():
    community = grown()
    ledger = community.sink.ledger
    for height in range(ledger.size):
        header = blocks.decode(community.sink.blocks[height])[0]
        tree.verify_inclusion(header.id, height, ledger.size, ledger.inclusion(height), ledger.root())
        old_root = ledger.root(height)
        tree.verify_consistency(height, old_root, ledger.size, ledger.root(), ledger.consistency(height))


def test_a_checkpoint_is_signed_by_its_host_and_cosigned_by_who_follows():
    community = grown()
    ledger, host, witness = community.sink.ledger, community.host, community.author("witness")
    point = checkpoints.Checkpoint(checkpoints.origin_of(community.id), ledger.size, ledger.root())
    checkpoints.sign(point, host.public_key, host.sign)
    checkpoints.cosign(point, "pi.example/ledger", witness.public_key, START_S, witness.sign)
    found = checkpoints.decode(point.text)
    assert (found.origin, found.size, found.root) == (point.origin, point.size, point.root)
    assert found.text == point.text
    assert checkpoints.is_signed(found, host.public_key, StandIn.verify)
    assert checkpoints.cosigned_s(found, "pi.example/ledger", witness.public_key, StandIn.verify) == START_S
    assert not checkpoints.is_signed(found, witness.public_key, StandIn.verify)
    assert checkpoints.cosigned_s(found, "pi.example/ledger", host.public_key, StandIn.verify) is None
    assert checkpoints.cosigned_s(found, "another", witness.public_key, StandIn.verify) is None
    found.size += 1
    assert not checkpoints.is_signed(found, host.public_key, StandIn.verify)


# From the documents of signed-note and tlog-checkpoint (C2SP): a key of a log and a note that it signed.
PUBLISHED_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PUBLISHED_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_keys_and_signatures_are_signed_notes():
    import binascii

    name, hashed, key = PUBLISHED_KEY.split("+", 2)
    public_key = binascii.a2b_base64(key)[1:]
    assert checkpoints.verifier_key(name, public_key, checkpoints.ED25519) == PUBLISHED_KEY
    assert binascii.hexlify(checkpoints.key_hash(name, public_key, checkpoints.ED25519)).decode() == hashed
    text, line = PUBLISHED_NOTE.split("\n\n", 1)
    signature = binascii.a2b_base64(line.split(" ")[2])
    assert signature[:4] == checkpoints.key_hash(name, public_key, checkpoints.ED25519)
    assert REAL.verify(public_key, (text + "\n").encode(), signature[4:])


def test_a_text_that_is_no_checkpoint():
    community = grown()
    point = checkpoints.Checkpoint(checkpoints.origin_of(community.id), 7, bytes(32))
    checkpoints.sign(point, community.host.public_key, community.host.sign)
    good = point.text
    assert checkpoints.decode(good).size == 7
    body, signatures = good.split("\n\n")
    lines = body.split("\n")
    for text in (
        "", "\n\n", body, good[:-1], good.replace("\n7\n", "\n07\n"), good.replace("\n7\n", "\n-7\n"),
        good.replace("\n7\n", "\nseven\n"), good.replace("\n7\n", "\n" + "9" * 30 + "\n"),
        "\n".join(lines[:2]) + "\n\n" + signatures, "\n".join(lines + ["more"]) + "\n\n" + signatures,
        "\n".join([lines[0], lines[1], lines[2][:-4]]) + "\n\n" + signatures,
        "\n".join([lines[0], lines[1], "!" * 44]) + "\n\n" + signatures,
        body + "\n\n- " + signatures[2:], body + "\n\n\u2014 name\n", body + "\n\n\u2014 name AAAA\n",
        body + "\n\n" + signatures * 20, "x" * 20_000 + good,
    ):  # fmt: skip
        case.raises(CheckpointError, checkpoints.decode, text)
