"""The link: each datagram's answer, and how little a forged or repeated one can bring about."""

import asyncio
import socket

import pytest
from simulator.community import START_S
from simulator.deal import Deal, mandate
from simulator.host import hosted_with_node, key
from simulator.udp import NOWHERE, Wire
from wattpact.node.node import NodeError
from wattpact.store.records import StoreError
from wattpact.sync import host_link, peer, udp
from wattpact_protocol.log import entry, kinds
from wattpact_protocol.sync import datagram, enrolment

A, B = ("10.0.0.1", 4001), ("10.0.0.2", 4002)


@pytest.fixture
def community(tmp_path):
    with hosted_with_node(tmp_path) as made:
        yield made


@pytest.fixture
def meter(community):
    made = community.owned_meter("House 1")
    community.node.catch_up()
    return made


def digest(community, meter, cursor=0, inbox=None, kid=None):
    inbox = community.node.inbox.id if inbox is None else inbox
    body = [kid or meter.kid, meter.generation, meter.sequence, inbox, cursor]
    return datagram.encode(datagram.DIGEST, community.id, body)


def receive(community, data, address=A, now_ms=0):
    """The decoded answers, each with where it goes."""
    answers = community.node.link.receive(data, address, now_ms, community.now_s)
    return [(*datagram.decode(raw, community.id), to) for raw, to in answers]


def counted(community):
    community.sink.store.count_rejections(community.node.pipeline.rejections.drain(community.now_s))
    return community.sink.store.rejected()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bytes(1201), "oversize"),
        (b"", "malformed"),
        (b"\xff" * 40, "malformed"),
        ("version", "unknown_version"),
        ("community", "wrong_community"),
        ("type", "unknown_type"),
        ("shape", "malformed"),
        ("head", "unexpected_type"),
    ],
)
def test_what_is_no_datagram_for_a_host_is_counted_and_not_answered(community, meter, data, reason):
    good = digest(community, meter)
    data = {
        "version": good[:1] + b"\x02" + good[2:],
        "community": datagram.encode(datagram.DIGEST, bytes(16), [meter.kid, 0, 0, NOWHERE, 0]),
        "type": good[:2] + b"\x09" + good[3:],
        "shape": good.replace(b"\x85", b"\x84")[:-1],
        "head": datagram.encode(datagram.HEAD, community.id, [meter.kid, 0, 0]),
    }.get(data, data)
    assert receive(community, data) == []
    assert counted(community) == {reason: 1}
    assert community.node.link.peers == {}


def test_a_digest_is_answered_with_the_head_and_the_inbox(community, meter):
    head, *told = receive(community, digest(community, meter))
    assert head == (datagram.HEAD, [meter.kid, 0, 2], A)
    afters = [body[1] for _, body, _ in told]
    cursors = [body[2] for _, body, _ in told]
    assert afters == [0, *cursors[:-1]] and {body[0] for _, body, _ in told} == {community.node.inbox.id}
    labels = [entry.decode(body[3], community.id).body.get("label") for _, body, _ in told]
    assert labels == ["root", "issuer", "host", "House 1", "owner of House 1", None]


def test_a_stranger_gets_no_answer(community, meter):
    assert receive(community, digest(community, meter, kid=key("stranger").kid)) == []
    assert receive(community, digest(community, meter, kid=meter.owner.kid)) == []
    assert counted(community) == {"unknown_author": 2}


def test_no_more_than_a_window_is_under_way_and_what_is_lost_comes_again(community, meter):
    for version in range(1, 31):
        community.publish(community.issuer, "policy", {"version": version})
    community.node.catch_up()
    cursors = [told.position for told in community.node.inbox.after(meter.kid, 0, 100)]
    window = [body[2] for _, body, _ in receive(community, digest(community, meter))[1:]]
    assert window == cursors[: host_link.WINDOW]
    assert [body[2] for _, body, _ in receive(community, digest(community, meter), now_ms=100)[1:]] == []
    went_on = receive(community, digest(community, meter, cursors[2]), now_ms=200)[1:]
    assert [body[2] for _, body, _ in went_on] == cursors[host_link.WINDOW : host_link.WINDOW + 3]
    again = receive(community, digest(community, meter, cursors[2]), now_ms=200 + host_link.RESEND_MS)[1:]
    assert [body[2] for _, body, _ in again] == cursors[3 : 3 + host_link.WINDOW]
    assert again[0][1][1] == cursors[2]


def test_a_meter_that_comes_back_from_another_address_is_answered_and_pushed_to_there_alone(community, meter):
    cursor = community.node.inbox.last(meter.kid)
    for now_ms, address in ((0, A), (1000, B)):
        assert receive(community, digest(community, meter, cursor), address, now_ms) == [
            (datagram.HEAD, [meter.kid, 0, 2], address)
        ]
    community.publish(community.issuer, "policy", {"version": 1})
    community.node._catch_up()
    pushed = [(datagram.decode(raw, community.id)[0], to) for raw, to in community.node.link.push(1100)]
    assert pushed == [(datagram.INBOX, B)]
    resent = receive(community, digest(community, meter, cursor), B, 1100 + host_link.RESEND_MS)
    assert [(kind, to) for kind, _, to in resent] == [(datagram.HEAD, B), (datagram.INBOX, B)]


def test_a_meter_that_enrols_again_after_its_enrolment_is_pushed_to_where_it_sends_from(community):
    receive(community, enrol_by_code(community, "House 7"))
    community.owned_meter("House 7")
    community.node._catch_up()
    community.node.link.push(0)
    later_ms = host_link.RESEND_MS
    receive(community, enrol_by_code(community, "House 7"), B, later_ms)
    community.publish(community.issuer, "policy", {"version": 1})
    community.node._catch_up()
    assert {to for _, to in community.node.link.push(later_ms)} == {B}


def test_an_inbox_of_another_store_starts_anew(community, meter):
    cursor = community.node.inbox.last(meter.kid)
    assert receive(community, digest(community, meter, cursor))[1:] == []
    for n, data in enumerate((
        digest(community, meter, cursor, NOWHERE), digest(community, meter, cursor + 1000), digest(community, meter, 0),
    ), 1):  # fmt: skip
        told = receive(community, data, now_ms=n * 1000)[1:]
        assert told[0][1][1] == 0 and len(told) > 1


def test_a_flood_of_digests_is_answered_within_a_budget(community, meter):
    for version in range(1, 31):
        community.publish(community.issuer, "policy", {"version": version})
    community.node.catch_up()
    sent = 0
    for n in range(400):
        inbox = NOWHERE if n % 2 else community.node.inbox.id
        answers = receive(community, digest(community, meter, n % 2, inbox), now_ms=n * 5)
        sent += sum(kind == datagram.INBOX for kind, _, _ in answers)
    assert 0 < sent <= 3 * peer.BUDGET


def enrol_by_code(community, name, code=bytes(16)):
    public_key = key(name).public_key
    body = [public_key, enrolment.proof(code, community.id, public_key)]
    return datagram.encode(datagram.ENROL, community.id, body)


def test_a_meter_that_would_enrol_is_remembered_and_stored_once(community):
    for n in range(3):
        assert receive(community, enrol_by_code(community, "new"), now_ms=5000 * n) == []
        community.now_s += 5
    (pending,) = community.sink.store.pending()
    assert (pending.public_key, pending.source, pending.first_s, pending.last_s) == (
        key("new").public_key,
        A[0],
        START_S,
        START_S,
    )
    community.now_s += host_link.ENROL_AGAIN_S
    receive(community, enrol_by_code(community, "new"))
    assert community.sink.store.pending()[0].last_s == community.now_s


def test_a_flood_of_requests_costs_few_writes(community):
    for n in range(500):
        receive(community, enrol_by_code(community, f"new {n}"))
    assert len(community.sink.store.pending()) == host_link.ENROLS_PER_S
    assert counted(community) == {"too_many_enrolments": 500 - host_link.ENROLS_PER_S}


def test_a_meter_that_waited_is_sent_its_inbox_as_soon_as_it_is_enrolled(community):
    receive(community, enrol_by_code(community, "House 7"))
    community.owned_meter("House 7")
    community.node._catch_up()
    pushed = [(*datagram.decode(raw, community.id), to) for raw, to in community.node.link.push(10)]
    assert [body[1] for _, body, _ in pushed][0] == 0 and {to for _, _, to in pushed} == {A}
    assert receive(community, enrol_by_code(community, "House 7"), now_ms=20) == []


def test_entries_wait_for_a_batch_and_each_author_gets_one_head(community, meter):
    two = community.owned_meter("House 2")
    said = [
        (meter.publish("event", {"code": 1}, START_S), A),
        (meter.publish("event", {"code": 2}, START_S), A),
        (two.publish("event", {"code": 1}, START_S), B),
    ]
    for new, address in said:
        assert receive(community, datagram.encode(datagram.ENTRY, community.id, new.raw), address) == []
    batch = community.node.link.pop_batch()
    assert [raw for raw, _ in batch] == [new.raw for new, _ in said]
    verdicts = community.node.ingest(batch)
    answers = community.node.link.answer(verdicts, [address for _, address in batch])
    decoded = [(datagram.decode(raw, community.id)[1], to) for raw, to in answers]
    assert decoded == [([meter.kid, 0, 4], A), ([two.kid, 0, 3], B)]


def test_a_forged_entry_gets_no_answer(community, meter):
    new = meter.publish("event", {"code": 1}, START_S)
    forged = new.raw[:-1] + bytes([new.raw[-1] ^ 1])
    verdicts = community.node.ingest([(forged, B), (b"junk", B)])
    assert community.node.link.answer(verdicts, [B, B]) == []


def entries_of(community, found):
    return [entry.decode(body[3], community.id) for kind, body in found if kind == datagram.INBOX]


def test_over_real_sockets_a_contract_becomes_a_grant_at_once(community):
    """From the supplier's confirmation to the grant in the consumer's hands, and nobody requests it in between."""
    supplier, consumer = community.owned_meter("House 1"), community.owned_meter("House 2")
    deal = Deal(supplier, consumer)

    async def play():
        port = await community.node.start("127.0.0.1", 0)
        community.node.catch_up()
        seller, buyer = Wire(community, port), Wire(community, port)
        for wire, meter in ((seller, supplier), (buyer, consumer)):
            wire.send(datagram.DIGEST, [meter.kid, 0, 0, NOWHERE, 0])
            kind, body = await wire.receive()
            assert (kind, body) == (datagram.HEAD, [meter.kid, 0, 2])
        community.node.ingest([(new.raw, ("127.0.0.1", 9)) for new in (deal.sell, deal.buy)])
        for new in deal.entries[2:-1]:
            (seller if new.kid == supplier.kid else buyer).send(datagram.ENTRY, new.raw)
        await buyer.until(lambda kind, body: kind == datagram.HEAD and body[2] == 4)
        cursor = community.node.inbox.last(consumer.kid)
        buyer.send(datagram.DIGEST, [consumer.kid, 0, 4, community.node.inbox.id, cursor])
        await buyer.receive()
        seller.send(datagram.ENTRY, deal.contract.raw)
        found = await buyer.until(
            lambda kind, body: kind == datagram.INBOX and entry.decode(body[3], community.id).kind == kinds.GRANT
        )
        assert [new.name for new in entries_of(community, found)] == ["contract", "grant"]
        for wire in (seller, buyer):
            wire.socket.close()
        await close(community)

    asyncio.run(play())


async def close(community):
    node = community.node
    for task in node._tasks:
        task.cancel()
    node._transport.close()
    await asyncio.sleep(0)


def test_over_real_sockets_each_entry_is_acknowledged_once_durable(community, meter):
    entries = [meter.publish("event", {"code": 1, "detail": n}, START_S) for n in range(40)]

    async def play():
        port = await community.node.start("127.0.0.1", 0)
        wire = Wire(community, port)
        for n, new in enumerate(entries):
            if n % 5 != 3:  # lost on the way
                wire.send(datagram.ENTRY, new.raw)
        await wire.until(lambda kind, body: kind == datagram.HEAD and body[2] == 2 + 3)
        for new in entries[3:]:
            wire.send(datagram.ENTRY, new.raw)
        found = await wire.until(lambda kind, body: kind == datagram.HEAD and body[2] == 2 + 40)
        with community.sink.store.reader() as reader:
            assert reader.head(meter.kid, 0) == (2 + 39, entries[-1].id)
        assert len(found) < 40
        wire.socket.close()
        await close(community)

    asyncio.run(play())


def test_a_port_that_is_taken_is_a_sentence(community):
    async def play():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            with pytest.raises(NodeError, match=r"cannot listen on UDP 127\.0\.0\.1 port \d+: Address already in use"):
                await community.node.start("127.0.0.1", other.getsockname()[1])

    asyncio.run(play())


# What a budget, a window and a request amount to, at their edges


def positions(answers):
    return [body[2] for kind, body, _ in answers if kind == datagram.INBOX]


def test_what_is_under_way_counts_until_it_may_be_lost(community, meter):
    for version in range(1, 31):
        community.publish(community.issuer, "policy", {"version": version})
    community.node.catch_up()
    all_of_it = [told.position for told in community.node.inbox.after(meter.kid, 0, 100)]
    window = host_link.WINDOW
    begin_ms = 10 * host_link.RESEND_MS
    late_ms = begin_ms + host_link.RESEND_MS
    assert positions(receive(community, digest(community, meter), now_ms=begin_ms)) == all_of_it[:window]
    went_on = digest(community, meter, all_of_it[1])
    assert positions(receive(community, went_on, now_ms=late_ms - 1)) == all_of_it[window : window + 2]
    went_back = digest(community, meter, all_of_it[0])
    assert positions(receive(community, went_back, now_ms=late_ms)) == all_of_it[1 : window + 1]
    assert positions(receive(community, went_back, now_ms=late_ms + host_link.RESEND_MS - 1)) == []
    went_on = digest(community, meter, all_of_it[2])
    later_ms = late_ms + host_link.RESEND_MS
    assert positions(receive(community, went_on, now_ms=later_ms)) == all_of_it[3 : window + 3]


def test_a_budget_is_earned_with_time_and_is_never_more_than_a_second_of_it():
    made = peer.Peer(A, 5000)
    assert made.last_contact_s == 0
    assert [made.spend(5000) for _ in range(peer.BUDGET + 1)] == [True] * peer.BUDGET + [False]
    assert not made.spend(5000 + 1000 // peer.BUDGET)
    assert made.spend(5000 + 1000 // peer.BUDGET + 1) and not made.spend(5000 + 1000 // peer.BUDGET + 1)
    assert sum(made.spend(60_000) for _ in range(3 * peer.BUDGET)) == peer.BUDGET


def test_a_meter_that_waits_to_be_enrolled_is_no_unknown_author_until_it_is_forgotten(community):
    def enrol_all(names):
        for name in names:
            community.now_s += 1
            assert receive(community, enrol_by_code(community, name)) == []

    def unknown():
        return counted(community).get("unknown_author", 0)

    waiting = digest_of(community, "new 0")
    enrol_all(["new 0"])
    assert receive(community, waiting) == [] and unknown() == 0
    enrol_all(f"new {n}" for n in range(1, host_link.MAX_ENROLLING))
    assert receive(community, waiting) == [] and unknown() == 0
    enrol_all(["one more"])
    assert receive(community, waiting) == [] and unknown() == 1
    assert receive(community, digest_of(community, "new 1")) == [] and unknown() == 1


def digest_of(community, name):
    return datagram.encode(datagram.DIGEST, community.id, [key(name).kid, 0, 0, NOWHERE, 0])


def test_another_code_is_written_down_at_once(community):
    receive(community, enrol_by_code(community, "new"))
    community.now_s += 1
    receive(community, enrol_by_code(community, "new", b"another code.16b"))
    (pending,) = community.sink.store.pending()
    proof = enrolment.proof(b"another code.16b", community.id, key("new").public_key)
    assert (pending.last_s, pending.proof) == (START_S + 1, proof)


def test_requests_beyond_those_of_a_second_are_counted_by_where_they_came_from(community):
    for n in range(host_link.ENROLS_PER_S + 1):
        receive(community, enrol_by_code(community, f"new {n}"))
    community.now_s += 1
    receive(community, enrol_by_code(community, "new in the next second"), B)
    rejected = community.node.pipeline.rejections.drain(community.now_s)
    assert [(row.reason, row.source, row.times) for row in rejected] == [("too_many_enrolments", A[0], 1)]
    assert len(community.sink.store.pending()) == host_link.ENROLS_PER_S + 1


def test_an_enrolled_meter_that_enrols_again_is_sent_its_inbox_to_where_it_sends_from(community, meter):
    """It has not received that it is enrolled; while that is under way it is not sent again."""
    link = community.node.link
    first = positions(receive(community, enrol_by_code(community, "House 1"), now_ms=100))
    assert first == [told.position for told in community.node.inbox.after(meter.kid, 0, host_link.WINDOW)]
    assert (link.contacts, link.last_contact_s()) == (1, {meter.kid: START_S})
    assert receive(community, enrol_by_code(community, "House 1"), now_ms=200) == []
    assert positions(receive(community, digest(community, meter), B, now_ms=300)) == []
    assert link.peers[meter.kid].address == B and link.contacts == 3


def test_orders_and_forgeries_bring_no_head(community, meter):
    """A person has no log; of what is not genuine nobody learns a thing."""
    order = meter.owner.publish("mandate", mandate(meter, kinds.SELL), START_S)
    event = meter.publish("event", {"code": 1}, START_S)
    forged = event.raw[:-1] + bytes([event.raw[-1] ^ 1])
    verdicts = community.node.ingest([(order.raw, A), (forged, B), (event.raw, A), (event.raw, B)])
    answers = community.node.link.answer(verdicts, [A, B, A, B])
    assert [to for _, to in answers] == [A, B]
    assert {datagram.decode(raw, community.id)[1][2] for raw, _ in answers} == {3}
    with pytest.raises(ValueError):
        community.node.link.answer(verdicts, [A])


def test_nothing_is_sent_by_an_edge_that_has_no_socket_or_a_closing_one(community):
    class Transport:
        def __init__(self):
            self.sent = []
            self.closing = False

        def is_closing(self):
            return self.closing

        def sendto(self, data, address):
            self.sent.append((data, address))

    edge, transport = udp.Edge(community.node.link, None, lambda: START_S), Transport()
    edge.send([(b"1", A)])
    edge.connection_made(transport)
    edge.send([(b"2", A), (b"3", B)])
    transport.closing = True
    edge.send([(b"4", A)])
    assert transport.sent == [(b"2", A), (b"3", B)]


def test_a_full_batch_is_ingested_at_once_and_others_after_a_moment(community):
    batches = []
    edge = udp.Edge(community.node.link, batches.append, lambda: START_S)
    raw = datagram.encode(datagram.ENTRY, community.id, b"an entry")

    async def play():
        for n in range(udp.MAX_BATCH + 2):
            edge.datagram_received(raw, (*A, 0, 0))
            assert len(batches) == (n + 1) // udp.MAX_BATCH
        await asyncio.sleep(10 * udp.FLUSH_S)
        edge.flush()
        edge.datagram_received(raw, B)
        edge.flush()
        await asyncio.sleep(10 * udp.FLUSH_S)

    asyncio.run(play())
    assert [len(batch) for batch in batches] == [udp.MAX_BATCH, 2, 1]
    assert batches[1:] == [[(b"an entry", A)] * 2, [(b"an entry", B)]]


def test_a_disk_that_fails_leaves_a_datagram_unanswered(community, monkeypatch, caplog):
    def full(*_):
        raise StoreError("there is no space left")

    monkeypatch.setattr(community.sink.store, "keep_pending", full)
    edge = udp.Edge(community.node.link, None, lambda: START_S)
    edge.datagram_received(enrol_by_code(community, "new"), A)
    assert "there is no space left" in caplog.text
    assert community.sink.store.pending() == []


def test_the_edge_counts_whole_milliseconds(monkeypatch):
    monkeypatch.setattr("time.monotonic_ns", lambda: 5_000_000_000_999_999)
    assert udp.now_ms() == 5_000_000_000
