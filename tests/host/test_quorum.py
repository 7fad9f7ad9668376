"""A ledger that several hosts order: what each of them has to decide, and that all of them make the same of it."""

import random
from contextlib import contextmanager

import pytest
from simulator import bodies
from simulator.community import START_S, InMemory
from simulator.deal import Deal
from simulator.host import hosted, key
from simulator.quorum import quorum
from wattpact.ingest.pipeline import STORED, Ingest
from wattpact.membership import members
from wattpact.membership.directory import Directory
from wattpact.ordering import keeping, writer
from wattpact.ordering.following import Follower, FollowingError
from wattpact.quorum import application, founded, transactions
from wattpact.quorum.application import HELD_S, hosts_that_decide
from wattpact.simulation import hosts
from wattpact.store.publishing import has_lost_log, publish
from wattpact.store.records import QUORUM_BLOCKS, Accepted, StoreError
from wattpact.store.sqlite.store import Store
from wattpact_protocol.crypto import ed25519
from wattpact_protocol.ledger import blocks, records
from wattpact_protocol.log import entry, kinds, reasons, roles


@pytest.fixture
def made(tmp_path):
    (tmp_path / "founder").mkdir()
    with quorum(tmp_path) as found:
        yield found


@pytest.fixture
def deal(made):
    """What two households and their meters sign, and nobody stores: entries, in their order, are in the sink."""
    community = made.community
    community.sink = InMemory()
    found = Deal(community.owned_meter("House 1"), community.owned_meter("House 2"))
    community.sink.entries += found.entries
    community.now_s = START_S + 2
    return found


def ordered_everywhere(made, entries):
    """All in one block, which all hosts make the same of."""
    assert made.order(*[new.raw for new in entries if new.kind in writer.ORDERED]) == [None] * len(
        [new for new in entries if new.kind in writer.ORDERED]
    )


def place_of(store, new):
    return store.place(store.entry_with_id(new.id).cursor)


def followed(store):
    """Who applies every block that a host has, from the first on, and finds its head to be of these."""
    follower = Follower(store.community)
    for height in range(store.last_block().height + 1):
        follower.apply(writer.block_bytes(store, height))
    return follower


def test_every_host_makes_the_same_blocks_and_signs_their_head(made, deal):
    ordered_everywhere(made, made.community.entries)
    heads = [followed(seat.store).ledger.root() for seat in made.seats]
    assert len(set(heads)) == 1
    followed(made.seats[0].store).check_head(made.seats[0].store.text(keeping.CHECKPOINT))
    with pytest.raises(FollowingError, match="not signed by a host"):  # it is not certified
        followed(made.seats[1].store).check_head(made.seats[1].store.text(keeping.CHECKPOINT))


def test_one_writer_would_have_made_the_same_blocks(made, deal, tmp_path):
    """No signed byte differs between engines: the same entries at the same times, by a writer alone."""
    entries = list(made.community.entries)
    groups = [[new for new in entries[at : at + 5] if new.kind in writer.ORDERED] for at in range(0, len(entries), 5)]
    (tmp_path / "alone").mkdir()
    alone = Store(tmp_path / "alone" / "wattpact.db", made.community.id)
    founded.join(alone, made.file, key("alone"), START_S)
    ledger = application.Application(alone, key("alone"), lambda: 0, lambda: None, lambda: None).ledger
    for group in groups:
        made.community.now_s += 1
        made.order(*[new.raw for new in group])
        ledger.propose(group, [], made.community.now_s)
    assert ledger.root() == made.seats[0].application.ledger.root()
    assert ledger.last.state_root == made.seats[3].application.ledger.last.state_root
    alone.close()


def test_what_comes_with_a_block_is_ahead_of_its_log_until_that_reaches_it(made, deal):
    """A meter's readings are between what it orders: its log here ends before them."""
    community, other = made.community, made.seats[1].store
    ordered_everywhere(made, community.entries)
    meter = community.by_name["House 1"]
    reading = meter.reading(START_S + 2, [(1, 0)])
    offers = [meter.publish("offer", {**deal.offer.body, "wh": wh}, START_S + 2) for wh in (1, 2)]
    before = other.head(meter.kid, 0)
    ordered_everywhere(made, offers)
    assert other.head(meter.kid, 0) == before and other.log(meter.kid)[-1].sequence == before[0]
    height = other.last_block().height
    assert [row.raw for row in other.ordered_in(height)] == [new.raw for new in offers]
    assert made.seats[1].application.check(offers[0].raw, True) == reasons.DUPLICATE
    ingest = Ingest(other, community.root.public_key, made.seats[1].clock)
    assert [one.reason for one in ingest.ingest([offers[0].raw])] == [reasons.GAP]
    assert [one.reason for one in ingest.ingest([new.raw for new in (reading, *offers)])] == [STORED] * 3
    assert other.head(meter.kid, 0) == (offers[1].sequence, offers[1].id)
    assert [place_of(other, new)[1:] for new in offers] == [(height, 0, None), (height, 1, None)]
    followed(other)
    ingest.close()


def test_a_log_goes_on_behind_what_came_ahead_of_it(made):
    """The issuer's entries in another order than its log has: what follows is not ahead for ever."""
    community = made.community
    community.sink = InMemory()
    for name in ("one", "two", "three"):
        community.person(name)
    first, second, third = community.entries
    made.decide_everywhere([transactions.opening(START_S), second.raw])
    made.decide_everywhere([transactions.opening(START_S), first.raw])
    made.decide_everywhere([transactions.opening(START_S), third.raw])
    other = made.seats[1].store
    assert place_of(other, second).reason is None and place_of(other, first).reason == reasons.DUPLICATE
    assert other.head(community.issuer.kid, 0) == (third.sequence, third.id)
    directory = Directory(other, community.root.public_key)
    assert directory.get(community.issuer.kid).head.next_sequence == third.sequence + 1
    assert {"two", "three"} <= {known.body["label"] for known in other.certificates()}
    followed(other)


def test_a_fork_shows_when_the_log_reaches_what_came_ahead(made, deal):
    community, other = made.community, made.seats[1].store
    ordered_everywhere(made, community.entries)
    meter = community.by_name["House 1"]
    reading = meter.reading(START_S + 2, [(1, 0)])
    place = meter.place
    ordered_everywhere(made, [meter.publish("offer", {**deal.offer.body, "wh": 1}, START_S + 2)])
    meter.place = place
    forked = meter.publish("offer", {**deal.offer.body, "wh": 2}, START_S + 2)
    ingest = Ingest(other, community.root.public_key, made.seats[1].clock)
    assert [one.reason for one in ingest.ingest([reading.raw, forked.raw])] == [STORED, reasons.FORK]
    assert [one.author for one in other.forks()] == [meter.kid]
    ingest.close()


def test_an_entry_that_was_rejected_is_ordered_later_by_every_host_alike(made, deal):
    community = made.community
    sell, *rest = community.entries[-6:]
    ordered_everywhere(made, community.entries[:-6])
    offer = deal.offer
    assert made.order_after_waiting(offer.raw) == [reasons.NO_SELL_MANDATE]
    assert place_of(made.seats[0].store, offer).reason == reasons.NO_SELL_MANDATE
    assert made.seats[0].application.check(offer.raw, True) == reasons.DUPLICATE
    assert made.seats[1].application.check(offer.raw, True) == reasons.DUPLICATE
    made.order(sell.raw)
    made.decide_everywhere([transactions.opening(START_S + 3), offer.raw])  # by a host that keeps no such list
    for seat in made.seats:
        assert place_of(seat.store, offer).reason is None
        followed(seat.store)
    assert made.seats[0].application.take_changed() and not made.seats[0].application.take_changed()


def test_one_content_that_is_signed_twice_is_ordered_once(made, deal):
    community = made.community
    ordered_everywhere(made, community.entries)
    meter = community.by_name["House 1"]
    new = meter.publish("offer", {**deal.offer.body, "wh": 1}, START_S + 2)
    twin = bytearray(new.raw)
    twin[-1] ^= 1
    assert entry.decode(bytes(twin), community.id).id == new.id
    block = [transactions.opening(START_S + 2), new.raw, bytes(twin)]
    with monkeypatched_verify():
        assert not made.seats[0].application.process(made.height + 1, block)
        assert made.decide_everywhere(block).reasons == [None, None, reasons.DUPLICATE]
    assert [row.raw for row in made.seats[1].store.ordered_in(made.seats[1].store.last_block().height)] == [new.raw]


@contextmanager
def monkeypatched_verify():
    """Every signature is right."""
    real, ed25519.verify = ed25519.verify, lambda *_: True
    try:
        yield
    finally:
        ed25519.verify = real


def test_two_orders_with_one_id_do_not_stop_a_host_that_has_the_other(made, deal):
    community, other = made.community, made.seats[1].store
    ordered_everywhere(made, community.entries)
    owner, body = community.by_name["House 1"].owner, {**deal.sell.body, "order_id": b"12345678"}
    one, two = (owner.publish("mandate", {**body, "wh": wh}, START_S + 2) for wh in (100, 200))
    other.append([Accepted(one, False)], START_S + 2)
    ordered_everywhere(made, [two])
    assert place_of(other, two).reason is None and other.order(owner.kid, b"12345678").id == one.id
    assert made.order(one.raw) == [reasons.DUPLICATE]
    followed(other)


def test_a_meters_order_with_an_id_is_of_its_log(made, deal):
    community, other = made.community, made.seats[1].store
    ordered_everywhere(made, community.entries)
    meter = community.by_name["House 1"]
    reading = meter.reading(START_S + 2, [(1, 0)])
    body = {"contract": deal.contract.id, "reason": "enough", "order_id": b"12345678", "expires_s": START_S + 900}
    end = meter.publish("terminate", body, START_S + 2)
    made.order(end.raw)
    ingest = Ingest(other, community.root.public_key, made.seats[1].clock)
    assert [one.reason for one in ingest.ingest([reading.raw, end.raw])] == [STORED] * 2
    ingest.close()


def test_every_host_has_the_certificates_by_their_blocks(made, deal):
    ordered_everywhere(made, made.community.entries)
    labels = {known.body["label"] for known in made.seats[2].store.certificates()}
    assert {"House 1", "House 2"} <= labels


def test_what_is_rejected_has_its_reason_at_every_host(made):
    community = made.community
    community.sink = InMemory()
    deal = Deal(community.owned_meter("House 1"), community.owned_meter("House 2"), offer={"mandate": bytes(32)})
    community.now_s = START_S + 2
    made.order_after_waiting(*[new.raw for new in [*community.entries, *deal.entries]])
    for seat in made.seats:
        assert place_of(seat.store, deal.offer)[1:] == (None, None, reasons.NO_SELL_MANDATE)
        assert place_of(seat.store, deal.sell).reason is None


# What is passed on


def test_what_is_no_transaction_is_not_passed_on(made, deal):
    check = made.seats[1].application.check
    certificate = next(new for new in made.community.entries if new.kind == kinds.CERTIFICATE)
    for raw, why in (
        (b"", reasons.ENTRY_MALFORMED), (b"\x00\x01", reasons.ENTRY_MALFORMED),
        (bytes(70_000), reasons.ENTRY_MALFORMED),
        (transactions.opening(START_S), reasons.ENTRY_MALFORMED), (b"\x01\x80", reasons.ENTRY_MALFORMED),
        (deal.offer.raw, reasons.UNKNOWN_AUTHOR),
        (certificate.raw[:-1] + bytes([certificate.raw[-1] ^ 1]), reasons.BAD_SIGNATURE),
    ):  # fmt: skip
        assert check(raw, True) == why, (raw[:8], why)
    made.order(*[new.raw for new in made.community.entries])
    assert check(deal.offer.raw, True) == reasons.DUPLICATE
    receipt = made.community.host.publish("receipt", bodies.receipted(bytes(8), 1), START_S)
    assert check(receipt.raw, True) == reasons.NOT_ORDERED


def test_who_is_certified_by_an_entry_that_waits_may_be_passed_on(made, deal):
    check = made.seats[1].application.check
    assert [check(new.raw, True) for new in made.community.entries if new.kind in writer.ORDERED] == [
        None for new in made.community.entries if new.kind in writer.ORDERED
    ]


def test_heads_are_noted_by_hosts_alone_and_only_where_they_are_new(made, deal):
    ordered_everywhere(made, made.community.entries)
    meter, stranger = made.community.by_name["House 1"], made.community.author("stranger")
    last = meter.reading(START_S + 2, [(1, 0)])
    head = last.raw
    id, check = made.community.id, made.seats[1].application.check
    genuine = transactions.note(made.community.host.key, id, START_S, [head])
    assert check(transactions.note(key("host 1"), id, START_S, [head]), True) == reasons.BAD_SIGNATURE
    elsewhere = transactions.note(made.community.host.key, bytes(16), START_S, [])
    assert check(elsewhere, True) == reasons.BAD_SIGNATURE
    damaged = head[:-1] + bytes([head[-1] ^ 1])
    person = deal.buy.raw  # who has no log
    unknown = stranger.publish("event", {"code": 1}, START_S).raw
    for other in (damaged, person, unknown):
        note = transactions.note(made.community.host.key, id, START_S, [other])
        assert check(note, True) == reasons.BAD_SIGNATURE, "a head that its author never signed"
        assert rejects(made, [transactions.opening(START_S + 2), note])
    assert made.order(genuine) == [None]
    for seat in made.seats:
        assert seat.application.ledger.state.get(records.HEAD, meter.kid)["next_sequence"] == last.sequence + 1
        assert seat.application.ledger.state.get(records.HEAD, meter.kid)["id"] == last.id
    assert check(genuine, True) == reasons.STALE_VERSION
    followed(made.seats[1].store)


def test_a_head_at_the_end_of_all_places_stops_nobody(made, deal):
    """No entry has room behind it, so no block could have it."""
    ordered_everywhere(made, made.community.entries)
    meter, host, id = made.community.by_name["House 1"], made.community.host, made.community.id
    for author in (meter, host):
        last = author.sign_at("event" if author is meter else "receipt", LAST_BODIES[author is meter],
                              (author.generation, (1 << 63) - 1, bytes(32)), START_S + 2)  # fmt: skip
        note = transactions.note(host.key, id, START_S, [last.raw])
        assert made.seats[1].application.check(note, True) == reasons.ENTRY_MALFORMED
        assert rejects(made, [transactions.opening(START_S + 2), note])
    assert made.order(deal.offer.raw) == []
    heads = [(meter.kid, 0, 1 << 63, bytes(32))]
    assert made.seats[0].application.ledger.propose([], heads, START_S + 2) == (None, {})


LAST_BODIES = {
    True: {"code": 1}, False: bodies.receipted(bytes(8), 1, noted=0, blocks=1, root=bytes(32)),
}  # fmt: skip


def test_a_block_has_one_head_of_a_log(made, deal):
    ordered_everywhere(made, made.community.entries)
    meter, host, id = made.community.by_name["House 1"], made.community.host.key, made.community.id
    one, two = (meter.reading(START_S + at, [(1, 0)]) for at in (2, 4))
    both = transactions.note(host, id, START_S, [one.raw, two.raw])
    assert made.seats[1].application.check(both, True) == reasons.ENTRY_MALFORMED
    notes = [transactions.note(host, id, START_S, [new.raw]) for new in (one, two)]
    assert made.proposed(*notes)[1:] == notes[:1]
    assert rejects(made, [transactions.opening(START_S + 2), *notes])
    assert made.order(notes[0]) == [None] and made.order(notes[1]) == [None]
    ahead = meter.sign_at("event", {"code": 1}, (meter.generation + 1, 0, bytes(32)), START_S + 6)
    note = transactions.note(host, id, START_S, [ahead.raw])
    assert made.seats[1].application.check(note, True) == reasons.STALE_VERSION, "of a generation that nobody certified"


def test_an_entry_that_names_a_later_one_of_its_log_is_proposed_before_it(made, deal):
    """Else every host would doubt what every host proposes."""
    ordered_everywhere(made, made.community.entries)
    meter = made.community.by_name["House 1"]
    later = meter.sign_at("offer", {**deal.offer.body, "wh": 1}, (0, meter.place[1] + 1, bytes(32)), START_S + 2)
    first = meter.publish("offer", {**deal.offer.body, "mandate": later.id}, START_S + 2)
    assert made.proposed(first.raw, later.raw) == []
    made.community.now_s += HELD_S
    block = made.proposed(first.raw, later.raw)
    assert block[1:] == [first.raw, later.raw]
    assert [seat.application.process(made.height + 1, block) for seat in made.seats] == [True] * 4


def test_a_quiet_ledger_has_a_block_for_its_time_alone(made):
    host, id = made.community.host.key, made.community.id
    assert made.seats[1].application.check(transactions.note(host, id, START_S, []), True) == reasons.STALE_VERSION
    made.community.now_s += application.QUIET_S
    quiet = transactions.note(host, id, made.community.now_s, [])
    assert made.order(quiet) == [None]
    assert made.seats[1].store.last_block().time_s == made.community.now_s
    followed(made.seats[1].store)
    size = made.seats[0].application.ledger.size
    made.vote([transactions.opening(made.community.now_s), quiet])  # by somebody who repeats it at once
    assert made.seats[0].application.ledger.size == size


# What is proposed


def rejects(made, block):
    return [seat.application.process(made.height + 1, block) for seat in made.seats] == [False] * len(made.seats)


def test_garbage_is_not_voted_for(made, deal):
    good = made.proposed(*[new.raw for new in made.community.entries])
    raws, chance = good[1:], random.Random(3)
    assert rejects(made, raws), "no opening"
    assert rejects(made, [good[0], good[0], *raws]), "two"
    assert rejects(made, [good[0], raws[0], raws[0]]), "one entry twice"
    assert rejects(made, [good[0], raws[-1]]), "of an author whom nobody certified"
    assert rejects(made, [good[0], b"garbage"])
    for _ in range(200):
        at = chance.randrange(1, len(good))
        raw = bytearray(good[at])
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        assert rejects(made, [*good[:at], bytes(raw), *good[at + 1 :]])
    assert made.vote(good) == [None] * len(raws)


def test_more_than_a_block_holds_is_not_voted_for(made, deal, monkeypatch):
    good = made.proposed(*[new.raw for new in made.community.entries])
    monkeypatch.setattr(blocks, "MAX_ENTRIES", len(good) - 2)
    assert rejects(made, good)
    shorter = made.proposed(*good[1:])
    assert len(shorter) == len(good) - 1 and made.vote(shorter) == [None] * (len(shorter) - 1)


def test_a_proposal_is_about_the_time_that_it_is(made, deal):
    raw = made.community.entries[0].raw
    seat, now_s = made.seats[2], made.community.now_s
    for time_s, holds in (
        (now_s, True), (now_s + application.AHEAD_S, True), (now_s + application.AHEAD_S + 1, False),
        (now_s - 2, True), (START_S - 1, False),
    ):  # fmt: skip
        assert seat.application.process(1, [transactions.opening(time_s), raw]) is holds, time_s
    made.community.now_s += 1000
    late = [transactions.opening(now_s), raw]
    assert [seat.application.process(1, late) for _ in range(3)] == [False, False, True], "others insist on it"
    ahead = [transactions.opening(now_s + 2000), raw]
    assert [seat.application.process(1, ahead) for _ in range(4)] == [False] * 4
    assert not seat.application.process(2, late), "of another height it begins anew"


def test_an_entry_is_not_ordered_past_an_earlier_one_of_its_log(made, deal):
    """Which could never be ordered then; a host that knows the earlier one votes for it only if others insist."""
    community = made.community
    ordered_everywhere(made, community.entries)
    meter = community.by_name["House 1"]
    one, two = (meter.publish("offer", {**deal.offer.body, "wh": wh}, START_S + 2) for wh in (1, 2))
    made.seats[0].store.append([Accepted(one, True), Accepted(two, True)], START_S + 2)
    later = made.proposed(two.raw)
    assert [seat.application.process(2, later) for seat in made.seats] == [False, True, True, True]
    opening = later[0]
    assert rejects(made, [opening, two.raw, one.raw])
    assert made.seats[0].application.process(2, later), "the third that it doubts"
    assert made.order(one.raw, two.raw) == [None, None]


def test_entries_that_were_passed_on_the_later_first_are_proposed_in_the_order_of_their_log(made, deal):
    """Whoever passes them on so would stop the order: no proposal of any host would get a vote."""
    ordered_everywhere(made, made.community.entries)
    meter = made.community.by_name["House 1"]
    one, two, three = (meter.publish("offer", {**deal.offer.body, "wh": wh}, START_S + 2) for wh in (1, 2, 3))
    order = made.community.by_name["House 2"].owner.publish("mandate", deal.buy.body | {"order_id": bytes(8)}, START_S)
    block = made.proposed(three.raw, order.raw, one.raw, two.raw, by=2)
    assert block[1:] == [one.raw, order.raw, two.raw, three.raw]
    assert made.vote(block) == [None] * 4


def test_what_was_passed_on_before_what_it_names_is_proposed_behind_it(made, deal):
    """Else it would be rejected for good, as of an offer or a mandate that nobody knows."""
    entries = [new for new in made.community.entries if new.kind in writer.ORDERED]
    first, traded = [new for new in entries if new not in deal.entries], list(deal.entries)
    ordered_everywhere(made, first)
    for seed in range(20):
        random.Random(seed).shuffle(traded)
        block = made.proposed(*[new.raw for new in traded])
        at = {raw: place for place, raw in enumerate(block)}
        sell, buy, offer, demand, acceptance, contract = [at[new.raw] for new in deal.entries]
        assert sell < offer < acceptance < contract and buy < demand < acceptance
    assert made.vote(block) == [None] * 6


def test_what_came_before_what_it_names_waits_for_it_and_not_for_ever(made, deal):
    community = made.community
    first = [new for new in community.entries if new.kind in writer.ORDERED and new is not deal.contract]
    without = [new for new in first if new is not deal.acceptance]
    ordered_everywhere(made, without)
    later = community.by_name["House 1"].publish("offer", {**deal.offer.body, "wh": 1}, START_S + 2)
    mandate = community.by_name["House 2"].owner.publish("mandate", deal.buy.body | {"order_id": bytes(8)}, START_S)
    waiting = [deal.contract.raw, later.raw, mandate.raw]
    assert made.proposed(*waiting)[1:] == [mandate.raw], "nor a later one of the same log"
    assert made.proposed(*waiting, deal.acceptance.raw)[1:] == [deal.acceptance.raw, *waiting]
    assert made.order(deal.acceptance.raw) == [None]
    assert made.order(*waiting) == [None] * 3
    stray = community.by_name["House 1"].publish("contract", {"acceptance": bytes(32)}, START_S + 3)
    assert made.proposed(stray.raw) == []
    assert made.order_after_waiting(stray.raw) == [reasons.UNKNOWN_ACCEPTANCE]


def test_a_host_whose_clock_stepped_proposes_nothing(made, deal):
    made.seats[1].problem = "this machine's clock has jumped"
    assert made.proposed(made.community.entries[0].raw, by=1) == []
    assert made.proposed(made.community.entries[0].raw, by=2) != []


def test_a_block_is_never_before_the_one_before_it(made, deal):
    first, *rest = [new.raw for new in made.community.entries]
    made.order(first)
    made.seats[3].clock_off_s = -9
    made.order(*rest, by=3)
    times = [made.seats[0].store.block(height).time_s for height in range(made.seats[0].store.last_block().height + 1)]
    assert times == sorted(times) and times[-1] == made.community.now_s


def test_a_block_of_nothing_is_none_of_the_ledger(made):
    before = made.seats[0].store.last_block()
    assert made.vote([]) == [] and made.seats[0].store.last_block() == before
    assert made.seats[0].application.info()[0] == 1


# What goes wrong


def test_a_host_that_dies_between_decision_and_store_begins_where_it_was(made, deal):
    seat = made.seats[2]
    first, *rest = [new.raw for new in made.community.entries]
    made.order(first)
    block = made.proposed(*rest)
    seat.application.finalize(2, 0, block)
    assert seat.application.info() == (1, made.seats[0].application.ledger.root()), (
        "as CometBFT wants to know when it starts"
    )
    made.vote(block)
    seat.restart()
    assert seat.application.info() == (2, made.seats[0].application.ledger.root())


def test_a_store_that_fails_keeps_nothing_of_a_block(made, deal, monkeypatch):
    seat, raws = made.seats[2], [new.raw for new in made.community.entries]
    block, before = made.proposed(*raws), seat.store.last_block()
    seat.application.finalize(1, 0, block)

    def full(*_):
        raise StoreError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(seat.store, "keep_places", full)
        with pytest.raises(StoreError):
            seat.application.commit()
    assert seat.store.last_block() == before and seat.store.entry_with_id(made.community.entries[0].id) is None
    assert seat.application.info() == (0, b"")
    made.begin(seat)
    made.vote(block)


def test_a_host_with_an_empty_disk_catches_up(made, deal, tmp_path):
    for new in made.community.entries:
        if new.kind in writer.ORDERED:
            made.order(new.raw)
    back = made.join(tmp_path / "back", key("host 3"))
    made.begin(back)
    assert back.application.info() == made.seats[0].application.info()
    assert back.store.block(5) == made.seats[0].store.block(5)
    back.store.close()
    made.seats.pop()


def test_another_ledger_is_not_gone_on_with(made, tmp_path):
    other = hosted(tmp_path / "founder", START_S)
    store = other.sink.store
    seat = made.seats[1]
    with pytest.raises(founded.FoundedError, match="begins after"):
        made.order(other_raw(made))
        made.begin(seat)
    with pytest.raises(FollowingError):
        founded.join(store, made.file, key("x"), START_S)
    other.sink.close()


def other_raw(made):
    community = made.community
    community.sink = InMemory()
    community.person("somebody")
    return community.entries[-1].raw


def test_a_file_that_was_changed_is_not_joined(made, tmp_path):
    data, chance = made.file.read_bytes(), random.Random(1)
    for _ in range(40):
        at = chance.randrange(len(data))
        changed = tmp_path / "changed"
        changed.write_bytes(data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :])
        store = Store(tmp_path / "none.db", made.community.id)
        with pytest.raises(ValueError):
            founded.join(store, changed, key("x"), START_S)
        assert store.last_block() is None and not store.number(QUORUM_BLOCKS) and not store.last_cursor()
        store.close()
    changed.write_bytes(data[:-10])
    with pytest.raises(FollowingError, match="its end is missing"):
        founded.join(Store(tmp_path / "none.db", made.community.id), changed, key("x"), START_S)


# Who decides


def enrolled(made, number):
    """The certificate of another host, signed by the issuer's key at the founder and ordered; what that changed."""
    founder, community = made.seats[0].store, made.community
    new = members.enrol_host(
        founder, community.issuer.key, key(f"host {number}").public_key, f"host {number}", community.now_s
    )
    return changes_of(made, new)


def changes_of(made, new):
    block = made.proposed(new.raw)
    made.height += 1
    made.decided.append(block)
    found = [made.decide(seat, made.height, block).validators for seat in made.seats]
    assert all(one == found[0] for one in found)
    return found[0]


def test_a_host_decides_from_its_certificate_on_until_that_ends(made):
    community, keys = made.community, [key(f"host {number}").public_key for number in (1, 2)]
    assert [enrolled(made, number) for number in (1, 2)] == [[(one, founded.POWER)] for one in keys]
    assert set(hosts_that_decide(made.seats[3].store)) == {*keys, community.host.public_key}
    community.now_s += 5
    ended = members.retire_host(made.seats[0].store, community.issuer.key, "host 1", community.now_s)
    community.now_s += 1
    assert changes_of(made, ended) == [(keys[0], 0)]
    late = transactions.note(key("host 1"), community.id, community.now_s, [ended.raw])
    assert made.seats[0].application.check(late, True) == reasons.BAD_SIGNATURE, "its notes count no longer"
    with pytest.raises(members.EnrolError, match="left already"):
        members.retire_host(made.seats[0].store, community.issuer.key, "host 1", community.now_s)
    assert enrolled(made, 1) == [(keys[0], founded.POWER)], "and comes back"


def test_only_who_is_certified_in_a_block_can_ever_decide(made, deal):
    community = made.community
    ordered_everywhere(made, community.entries)
    meter = community.by_name["House 1"]
    body = bodies.certificate(community.author("nobody"), roles.HOST, "nobody", version=1)
    forged = meter.publish("certificate", body, START_S + 2)
    assert made.order(forged.raw) == [reasons.NOT_ALLOWED]
    before = made.seats[1].store.meta("quorum_known_hosts")
    assert len(before) == application.KID_BYTES


def test_a_host_that_lost_its_disk_signs_nothing_until_its_log_begins_anew(made, tmp_path):
    """It knows not what it signed: a sequence would be used twice."""
    community = made.community
    community.now_s += 5
    enrolled(made, 1)
    community.now_s += 5
    back = made.join(tmp_path / "back", key("host 1"))
    made.begin(back)
    receipt = bodies.receipted(bytes(8), 1)
    assert has_lost_log(back.store, back.signer) and not has_lost_log(made.seats[0].store, community.host.key)
    with pytest.raises(StoreError, match="--again"):
        publish(back.store, back.signer, kinds.RECEIPT, receipt, community.now_s)
    community.now_s += 5
    again = members.enrol_host(
        made.seats[0].store, community.issuer.key, back.signer.public_key, "host 1", community.now_s, again=True
    )
    assert changes_of(made, again) == []
    assert not has_lost_log(back.store, back.signer)
    new = publish(back.store, back.signer, kinds.RECEIPT, receipt, community.now_s)
    assert (new.generation, new.sequence) == (1, 0)
    back.store.close()
    made.seats.pop()


def test_a_certificate_that_runs_out_ends_it_too_but_never_the_last_ones(made):
    community = made.community
    enrolled(made, 1)
    community.sink = InMemory()
    ends_s = made.seats[0].store.certificates_of(community.host.kid)[0].body["not_after_s"]
    community.now_s = ends_s + 86_400
    assert made.proposed(other_raw(made))  # though nothing can be ordered: the issuer's has run out too
    assert hosts_that_decide(made.seats[1].store)


def test_none_of_four_hosts_has_a_third_of_the_power_as_cometbft_rounds_it():
    """Whom it takes to have a third fetches no blocks when it comes back, but votes on each of them anew."""
    assert founded.POWER < hosts.COUNT * founded.POWER // 3


def test_a_host_that_orders_alone_has_no_quorum(tmp_path):
    community = hosted(tmp_path)
    with pytest.raises(founded.FoundedError, match="one host orders"):
        founded.genesis(community.sink.store)
    community.sink.close()
