"""The node: what it does on its own, its events, failures, and its process from start to stop."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
from case import Bits, cases
from simulator.community import START_S, YEAR_S
from simulator.deal import Deal
from simulator.host import TERMS, hosted_with_node, key, node_of
from simulator.udp import NOWHERE, Wire
from wattpact.membership import members
from wattpact.node import data_directory, granting
from wattpact.node.events import ENTRIES, METERS, QUEUE_EVENTS, REJECTIONS, STOP, Event, Events
from wattpact.node.node import Node
from wattpact.ordering.noted import height_of, noted_of, shown_to
from wattpact.ordering.proven import OrderingError, Proven
from wattpact.ordering.writer import Writer
from wattpact.store.publishing import publish
from wattpact.store.records import StoreError
from wattpact.store.sqlite.store import Store
from wattpact.views.stored import StoredViews
from wattpact_protocol.encoding import cbor
from wattpact_protocol.ledger.members import PERIOD_S
from wattpact_protocol.log import entry, kinds
from wattpact_protocol.sync import datagram


@pytest.fixture
def community(tmp_path):
    with hosted_with_node(tmp_path) as made:
        yield made


def take(community, *entries, address="10.0.0.1"):
    return community.node.ingest([(new.raw, (address, 1)) for new in entries])


def published(community, kind):
    return [entry.decode(row.raw, community.id) for row in community.sink.store.entries(of_kinds=[kind])]


def test_a_receipt_states_what_the_ledger_was_when_it_was_signed(community):
    one = community.owned_meter("House 1")
    community.node.catch_up()
    ledger, shown = community.node.ordering.ledger, []
    for _ in range(3):
        before = ledger.size
        take(community, one.publish("event", {"code": 1}, community.now_s))
        body = published(community, kinds.RECEIPT)[-1].body
        assert before <= body["blocks"] <= ledger.size and body["root"] == ledger.root(body["blocks"])
        shown.append((body["noted"], body["sequence"]))
        community.now_s += 300
    assert shown == [(0, 2), (4, 3), (5, 4)], "heads were not due at first, and were due then"


def test_what_was_noted_of_a_generation_that_ended_is_not_of_the_next(community):
    one = community.owned_meter("House 1")
    take(community, one.publish("event", {"code": 1}, community.now_s))
    community.now_s += 300
    community.node.ordering.order()
    ledger = community.node.ordering.ledger
    assert shown_to(ledger, one.kid, 0)["noted"] > 0 == shown_to(ledger, one.kid, 1)["noted"]
    assert shown_to(ledger, bytes(8), 0)["noted"] == 0
    found = noted_of(community.sink.store, one.kid)
    height = height_of(community.sink.store, one.kid, found)
    heads = cbor.decode(community.sink.store.block(height).anchors)
    assert [one.kid, 0, found.next_sequence] in [head[:3] for head in heads]
    assert height_of(community.sink.store, one.kid, found._replace(next_sequence=99)) is None


def test_each_author_of_a_batch_gets_one_receipt_for_its_last_entry(community):
    one, two = community.owned_meter("House 1"), community.owned_meter("House 2")
    entries = [
        one.publish("event", {"code": 1}, START_S),
        two.publish("event", {"code": 1}, START_S),
        one.publish("event", {"code": 2}, START_S),
    ]
    order = one.owner.publish("mandate", Deal(one, two).sell.body | {"order_id": b"unchained"[:8]}, START_S)
    take(community, *entries, order)
    receipts = {new.body["author"]: new.body for new in published(community, kinds.RECEIPT)}
    assert set(receipts) == {one.kid, two.kid}
    named = {"author": one.kid, "generation": 0, "sequence": 3, "head": entries[2].id}
    assert {name: receipts[one.kid][name] for name in named} == named
    take(community, entries[0])
    assert len(published(community, kinds.RECEIPT)) == 2


def test_a_contract_is_granted_by_whoever_runs_the_node_with_the_issuers_key(community):
    deal = Deal(community.owned_meter("House 1"), community.owned_meter("House 2"))
    community.node = node_of(community, issuer=False)
    take(community, *deal.entries)
    assert published(community, kinds.GRANT) == []
    for _ in range(2):
        community.node = node_of(community)
    assert [new.body["contract"] for new in published(community, kinds.GRANT)] == [deal.contract.id]


MOST_MICRO = (1 << 50) // kinds.MAX_U32  # of a contract of the most Wh, which is worth no more than 2^50


def test_no_terms_of_a_contract_stop_the_node(community):
    """Times and energy at the ends of their ranges: every contract is granted or rejected, and those after it too."""
    most = kinds.MAX_UINT
    supplier, consumer = community.owned_meter("House 1", rated_w=0), community.owned_meter("House 2")
    wide = {"start_s": 0, "end_s": most, "expires_s": most, "wh": kinds.MAX_U32, "max_w": kinds.MAX_U32}
    sell, buy = {**wide, "limit_micro_per_kwh": 0}, {**wide, "limit_micro_per_kwh": kinds.MAX_U32}
    dear = {"valid_until_s": most, "price_micro_per_kwh": MOST_MICRO, "wh": kinds.MAX_U32, "max_w": kinds.MAX_U32}
    wanted = {"start_timeout_s": kinds.MAX_U32, "wh": kinds.MAX_U32}
    long, late = {"start_s": START_S, "end_s": START_S + PERIOD_S}, {"start_s": most - PERIOD_S, "end_s": most}
    deals = [
        (Deal(supplier, consumer, sell=sell, buy=buy, offer={**dear, **terms}, acceptance=wanted), reason)
        for terms, reason in (
            (late, None), (long, None), ({**late, "start_s": 0}, "period_too_long"),
            ({"start_s": 0, "end_s": START_S + 60}, "period_too_long"), ({"start_s": most, "end_s": most}, "no_period"),
        )
    ]  # fmt: skip
    deals.append((Deal(supplier, consumer), None))
    for deal, _ in deals:
        take(community, *deal.entries)
    node_of(community)
    granted = {new.body["contract"]: new.body for new in published(community, kinds.GRANT)}
    assert set(granted) == {deal.contract.id for deal, reason in deals if reason is None}
    assert granted[deals[0][0].contract.id]["start_by_s"] == most
    store = community.sink.store
    for deal, reason in deals:
        assert store.place(store.entry_with_id(deal.offer.id).cursor).reason == reason


def test_when_the_disk_is_full_nothing_is_acknowledged_and_later_all_is(community, monkeypatch):
    supplier, consumer = community.owned_meter("House 1"), community.owned_meter("House 2")
    deal = Deal(supplier, consumer)
    take(community, *deal.entries[:-1])
    real = granting.publish

    def full(store, signer, kind, body, now_s):
        if kind == kinds.GRANT:
            raise StoreError("there is no space left")
        return real(store, signer, kind, body, now_s)

    monkeypatch.setattr(granting, "publish", full)
    with pytest.raises(StoreError):
        take(community, deal.contract)
    assert published(community, kinds.GRANT) == []
    monkeypatch.setattr(granting, "publish", real)
    community.node.catch_up()
    assert len(published(community, kinds.GRANT)) == 1
    heard = [entry.decode(t.raw, community.id).name for t in community.node.inbox.after(consumer.kid, 0, 100)]
    assert heard.count("grant") == heard.count("contract") == 1


def drained(queue):
    return [queue.get_nowait() for _ in range(queue.qsize())]


def test_each_batch_is_one_event_and_what_is_new_is_in_the_store(community):
    async def play():
        queue, meter = community.node.events.subscribe(), community.owned_meter("House 1")
        take(community, *[meter.publish("event", {"code": 1, "detail": n}, START_S) for n in range(5)])
        take(community, meter.reading(START_S, [(5, 0)]))
        community.node.catch_up()
        first, second = drained(queue)
        assert (first.name, second) == (ENTRIES, Event(ENTRIES, community.sink.store.last_cursor()))
        assert first.cursor < second.cursor
        community.node.events.unsubscribe(queue)
        take(community, meter.publish("event", {"code": 2}, START_S))
        assert queue.empty()

    asyncio.run(play())


def test_a_slow_subscriber_loses_the_oldest_events_and_holds_up_nobody():
    async def play():
        events = Events()
        slow, quick = events.subscribe(), events.subscribe()
        for cursor in range(1, 2 * QUEUE_EVENTS + 1):
            events.notify(ENTRIES, cursor)
            assert quick.get_nowait().cursor == cursor
        assert [event.cursor for event in drained(slow)] == [*range(QUEUE_EVENTS + 1, 2 * QUEUE_EVENTS + 1)]

    asyncio.run(play())


def test_a_batch_that_was_not_stored_is_no_event(community, monkeypatch):
    async def play():
        meter = community.owned_meter("House 1")
        community.node.catch_up()
        queue = community.node.events.subscribe()
        monkeypatch.setattr(community.node.inbox, "commit", lambda cursor: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            take(community, meter.publish("event", {"code": 1}, START_S))
        assert queue.empty()

    asyncio.run(play())


def test_contacts_rejections_and_the_end_are_events(community, monkeypatch):
    monkeypatch.setattr("wattpact.node.node.TICK_S", 0.02)
    meter = community.owned_meter("House 1")

    async def play():
        community.node.catch_up()
        port = await community.node.start("127.0.0.1", 0)
        queue, wire = community.node.events.subscribe(), Wire(community, port)
        await asyncio.sleep(0.1)
        assert queue.empty()
        wire.send(datagram.DIGEST, [meter.kid, 0, 0, community.node.inbox.id, community.node.inbox.last(meter.kid)])
        assert await asyncio.wait_for(queue.get(), 5) == Event(METERS)
        wire.socket.send(b"rubbish")
        assert await asyncio.wait_for(queue.get(), 5) == Event(REJECTIONS)
        assert community.sink.store.rejected() == {"malformed": 1}
        wire.socket.close()
        await community.node.stop()
        assert drained(queue) == [Event(STOP)]

    asyncio.run(play())
    community.sink.open()
    community.node = node_of(community)


def test_what_another_program_appends_is_pushed_to_the_meter(community):
    meter = community.owned_meter("House 1")

    async def play():
        community.node.catch_up()
        port = await community.node.start("127.0.0.1", 0)
        wire = Wire(community, port)
        cursor = community.node.inbox.last(meter.kid)
        wire.send(datagram.DIGEST, [meter.kid, 0, 0, community.node.inbox.id, cursor])
        assert (await wire.receive())[0] == datagram.HEAD
        with Store(community.sink.path) as other:
            publish(other, community.issuer, kinds.POLICY, {"version": 5}, START_S)
        kind, body = await wire.receive()
        assert (kind, body[1]) == (datagram.INBOX, cursor)
        assert entry.decode(body[3], community.id).body == {"version": 5}
        wire.socket.close()
        await community.node.stop()

    asyncio.run(play())
    community.sink.open()
    community.node = node_of(community)


def test_a_failure_that_nobody_thought_of_ends_no_task(community, monkeypatch, caplog):
    """The entries that it met stay in the store; the next turn takes up where the last one ended."""
    deal = Deal(community.owned_meter("House 1"), community.owned_meter("House 2"))
    publish_due = community.node.granting.publish_due

    def fail(state):
        monkeypatch.setattr(community.node.granting, "publish_due", publish_due)
        raise KeyError("a case that was forgotten")

    async def play():
        community.node.catch_up()
        await community.node.start("127.0.0.1", 0)
        monkeypatch.setattr(community.node.granting, "publish_due", fail)
        with Store(community.sink.path) as other:
            publish(other, community.issuer, kinds.POLICY, {"version": 5}, START_S)
        await asyncio.sleep(0.3)
        assert "a case that was forgotten" in caplog.text
        community.node._ingest_safely([(new.raw, ("10.0.0.1", 1)) for new in deal.entries])
        await asyncio.sleep(0.3)
        assert [new.body["contract"] for new in published(community, kinds.GRANT)] == [deal.contract.id]
        await community.node.stop()

    asyncio.run(play())
    community.sink.open()
    community.node = node_of(community)


def test_rubbish_on_the_socket_is_counted_and_harms_nothing(community):
    meter = community.owned_meter("House 1")
    bits = Bits("rubbish")

    async def play():
        community.node.catch_up()
        port = await community.node.start("127.0.0.1", 0)
        wire = Wire(community, port)
        good = datagram.encode(datagram.DIGEST, community.id, [meter.kid, 0, 0, NOWHERE, 0])
        for n in range(300):
            raw = bytearray(good)
            raw[bits.below(len(raw))] ^= 1 << bits.below(8)
            wire.socket.send(bytes(raw) if n % 3 else bits.bytes(bits.below(1300)))
            if n % 20 == 0:
                await asyncio.sleep(0.005)
        wire.send(datagram.ENTRY, meter.publish("event", {"code": 1}, START_S).raw)
        await wire.until(lambda kind, body: kind == datagram.HEAD and body[2] == meter.sequence)
        wire.socket.close()
        await community.node.stop()

    asyncio.run(play())
    community.sink.open()
    community.node = node_of(community)
    counted = community.sink.store.rejected()
    assert counted["malformed"] > 50 and counted["oversize"] > 1 and counted["wrong_community"] > 1


# The process

WATTPACT = [sys.executable, "-c", "from wattpact.cli import main; main()"]


@pytest.fixture
def running(tmp_path):
    """A node process on a data directory of its own; killed at the end if it has not ended."""
    made = data_directory.create(tmp_path / "data", TERMS, data_directory.clock())
    processes = []

    def start(*options):
        words = [*WATTPACT, "--data", made.path, "node", "--listen", "127.0.0.1", "--port", "0", *options]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
        processes.append(process)
        line = process.stdout.readline()
        assert "UDP" in line, process.stderr.read()
        process.port = int(re.search(r"port (\d+)", line)[1])
        return process

    yield made, start
    for process in processes:
        process.kill()
        process.communicate()


ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(running, number):
    _, start = running
    process = start("--no-http")
    process.send_signal(number)
    out, errors = process.communicate(timeout=20)
    assert (process.returncode, out.strip()) == (0, "Stopped."), errors


def test_one_node_runs_on_a_directory(running):
    made, start = running
    start("--no-http")
    words = [*WATTPACT, "--data", made.path, "node", "--port", "0", "--no-http"]
    second = subprocess.run(words, capture_output=True, text=True, env=ENVIRONMENT, timeout=30)
    assert second.returncode == 1
    assert second.stderr.strip().splitlines()[-1] == f"wattpact: a node is running on {made.path} already"


def test_it_serves_the_api_and_stops_while_somebody_watches(running):
    made, start = running
    process = start("--http-port", "0")
    url = re.search(r"http://\S+", process.stdout.readline())[0]
    with urllib.request.urlopen(f"{url}api/community", timeout=20) as answer:
        assert json.load(answer)["community_id"] == made.community.hex()
    watching = urllib.request.urlopen(f"{url}api/events", timeout=20)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    watching.close()
    assert process.returncode == 0, errors
    assert "Traceback" not in errors, errors


def test_kill_9_and_on_it_goes_with_the_same_people(running):
    made, start = running
    issuer, owner, meter = made.issuer(), key("owner"), key("meter")
    with made.store() as store:
        members.enrol_person(store, issuer, owner, "owner", data_directory.clock())
        certificate = members.enrol_meter(store, issuer, meter.public_key, "House 1", owner.kid, data_directory.clock())
    place, moments, sequence = (0, 0, certificate.id), Bits("kill"), 0
    for _ in range(cases(5, 2)):
        process = start("--no-http")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
            wire.settimeout(10)
            wire.connect(("127.0.0.1", process.port))
            wire.send(datagram.encode(datagram.DIGEST, made.community, [meter.kid, 0, sequence, NOWHERE, 0]))
            head = datagram.decode(wire.recv(2048), made.community)
            assert head == (datagram.HEAD, [meter.kid, 0, sequence])
            for _ in range(1 + moments.below(20)):
                stamp = entry.Stamp(1, sequence, data_directory.clock())
                new = entry.sign(kinds.EVENT, {"code": 1}, place, stamp, meter.kid, made.community, meter.sign)
                wire.send(datagram.encode(datagram.ENTRY, made.community, new.raw))
                while datagram.decode(wire.recv(2048), made.community) != (datagram.HEAD, [meter.kid, 0, sequence + 1]):
                    pass
                sequence += 1
                place = (0, sequence, new.id)
        process.kill()
        process.communicate()
        with made.reader() as reader:
            assert reader.head(meter.kid, 0) == (sequence - 1, place[2])


class SteppedNode:
    """A node that checks its clock, and a clock that can be set apart from the time that passes."""

    def __init__(self, community):
        self.community, self.passed_s, self.off_s = community, 0, 0
        self.meter = community.owned_meter("House 1")
        self.views = StoredViews(community.sink.path, lambda: START_S)
        community.node.pipeline.close()
        community.sink.append = lambda new: take(community, new)
        self.node = community.node = Node(
            community.sink.store, community.root.public_key, community.host, community.issuer,
            lambda: START_S + self.passed_s + self.off_s, lambda: self.passed_s * 1000, checks_clock=True,
        )  # fmt: skip

    def enrol(self, name):
        """A person, a second later; gives the entry."""
        self.passed_s += 1
        self.community.now_s = START_S + self.passed_s
        return self.community.person(name).certificate

    def ordered_s(self, new):
        """The time of its block; None where it is in none."""
        store = self.node.store
        place = store.place(store.entry_with_id(new.id).cursor)
        return place and store.block(place.height).time_s

    @property
    def waits(self):
        self.node.ordering.check_clock()  # as the node does every few seconds
        return self.views.community()["ledger"]["waits"]

    def receive(self, unix_s, address="10.0.0.1"):
        """Something of a meter comes, of that time."""
        take(self.community, self.meter.publish("event", {"code": 1}, unix_s), address=address)


@pytest.mark.parametrize(
    ("off_s", "why"),
    [(YEAR_S, "jumped ahead by 31536000 s"), (-YEAR_S, "is behind the last block, which is of 2026-10-01 00:00")],
)
def test_nothing_is_ordered_while_the_clock_has_stepped_and_then_it_goes_on(community, caplog, off_s, why):
    stepped = SteppedNode(community)
    assert stepped.ordered_s(stepped.enrol("one")) == START_S + 1
    assert stepped.waits is None
    stepped.passed_s, stepped.off_s = 2, off_s
    assert why in stepped.waits and why in caplog.text
    with pytest.raises(OrderingError, match=why):
        Proven(stepped.node.store)
    Writer(stepped.node.store, community.host, stepped.node.clock).refresh()  # of another program on this machine
    assert stepped.node.store.last_block().time_s == START_S + 1
    waited = stepped.enrol("two") if off_s > 0 else None  # an entry of the future is not stored
    assert waited is None or stepped.ordered_s(waited) is None
    stepped.off_s = 0
    stepped.node.catch_up()  # as it does wherever there is something in the store that it has not applied
    assert stepped.waits is None
    assert waited is None or stepped.ordered_s(waited) == START_S + 3
    assert stepped.ordered_s(stepped.enrol("three")) == START_S + stepped.passed_s


def test_a_clock_that_is_set_right_goes_on_once_a_meter_has_its_time(community):
    stepped = SteppedNode(community)
    stepped.enrol("one")
    stepped.off_s = YEAR_S  # the Pi has had the wrong time, and now has the right one
    stepped.receive(START_S + 5)
    assert stepped.ordered_s(stepped.enrol("two")) is None
    stepped.receive(START_S + YEAR_S, "127.0.0.1")  # has this machine's clock
    assert stepped.waits
    stepped.receive(START_S + YEAR_S)
    assert stepped.ordered_s(stepped.enrol("three")) == START_S + YEAR_S + stepped.passed_s
    assert stepped.waits is None


def test_a_node_that_stops_leaves_nobody_waiting(community):
    stepped = SteppedNode(community)
    stepped.enrol("one")
    stepped.off_s = YEAR_S
    assert stepped.waits
    asyncio.run(stepped.node.stop())
    community.sink.open()
    community.node = node_of(community)
    assert StoredViews(community.sink.path, lambda: START_S).community()["ledger"]["waits"] is None
    Proven(community.node.store)
