"""Everything that a node must reject, over its real socket: counted by its reason, named in the log, and it goes on."""

import asyncio
import os
import random
import socket
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from simulator import rules
from simulator.authors import Author
from simulator.bodies import reading_of
from simulator.deal import mandate
from simulator.host import key
from simulator.processes import LiveCommunity
from wattpact.membership import members
from wattpact.store.sqlite.store import MAX_REJECTION_ROWS
from wattpact_protocol.encoding import cbor
from wattpact_protocol.log import entry, event_codes, kinds
from wattpact_protocol.log.entry import Entry
from wattpact_protocol.sync import datagram

DAMAGED = 4000
FLOOD = 50_000
AT_ONCE = 48  # datagrams that a socket's buffer holds for sure
GROWS_AT_MOST_KB = 24_000
LOG_AT_MOST_BYTES = 200_000


class Player:
    """Enrols keys of its own in a live community, plays their meters, and sends anything to the node."""

    def __init__(self, live: LiveCommunity) -> None:
        self.live = live
        self.community_id = live.data.community
        self.now_s = live.clock()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.connect(("127.0.0.1", live.wire.node_port))
        self.here = self.meter("here")  # whose digests show that all before them was received

    def meter(self, name: str) -> Author:
        signer, person = key(name), key(f"owner of {name}")
        with self.live.data.store() as store:
            arguments = (store, self.live.issuer)
            owner = members.enrol_person(*arguments, person, name, self.now_s)
            made = members.enrol_meter(*arguments, signer.public_key, name, person.kid, self.now_s, rated_w=11000)
        meter = Author.certified(signer, self.community_id, made)
        meter.owner = Author.certified(person, self.community_id, owner)
        return meter

    def stranger(self, name: str) -> Author:
        """Whom nobody has enrolled."""
        return Author(key(name), self.community_id)

    def wrap(self, *entries: Entry) -> list[bytes]:
        return [datagram.encode(datagram.ENTRY, self.community_id, new.raw) for new in entries]

    async def send(self, datagrams: Iterable[bytes]) -> int:
        """Send, so slowly that the node receives each, once it knows who was enrolled; how many."""
        await self.live.until(self._is_caught_up, "the node to catch up")
        sent = 0
        for sent, data in enumerate(datagrams, 1):
            self.socket.send(data)
            if sent % AT_ONCE == 0:
                await self.received()
        await self.received()
        return sent

    def _is_caught_up(self) -> bool:
        with self.live.data.reader() as reader:
            return int.from_bytes(reader.meta("inbox_folded") or b"", "big") == reader.last_cursor()

    async def received(self) -> None:
        """Wait until the node has received all that was sent."""
        digest = [self.here.kid, 0, 0, bytes(8), 0]
        self.socket.send(datagram.encode(datagram.DIGEST, self.community_id, digest))
        loop, kind = asyncio.get_running_loop(), 0
        while kind != datagram.HEAD:
            data = await asyncio.wait_for(loop.sock_recv(self.socket, 2048), 10)
            kind, body = datagram.decode(data, self.community_id)
            kind = kind if body[0] == self.here.kid else 0

    async def rejections(self) -> Counter[str]:
        """All counts, once the node has put them into its store."""
        await asyncio.sleep(1.3)
        with self.live.data.reader() as reader:
            return Counter(reader.rejected())


def bad_entries(player: Player, good: "list[Entry]") -> dict[str, list[bytes]]:
    """Reason: datagrams that must be rejected for it, once those in `good` were taken."""
    now_s, wrap = player.now_s, player.wrap
    boot = {"code": event_codes.BOOT, "detail": 1}
    cases: dict[str, list[bytes]] = {}
    meter, forked = player.meter("replayed"), player.meter("forked")
    first, held = meter.publish("event", boot, now_s), forked.publish("event", boot, now_s)
    good += [first, held]
    cases["duplicate"] = wrap(first) * 3 + bad_orders(player, meter, good)
    cases["gap"] = wrap(meter.sign_at("event", boot, (0, 7, first.id), now_s))
    cases["stale_generation"] = wrap(meter.sign_at("event", boot, (4, 1, first.id), now_s))
    cases["broken_chain"] = wrap(meter.sign_at("event", boot, (0, 1, bytes(32)), now_s))
    cases["future_time"] = wrap(meter.sign_at("event", boot, (0, 1, first.id), now_s + 1000))
    cases["certificate_expired"] = wrap(meter.sign_at("event", boot, (0, 1, first.id), now_s - 10 * 86400))
    cases["not_allowed"] = wrap(meter.sign_at("policy", {"version": 9}, (0, 1, first.id), now_s))
    cases["unknown_author"] = wrap(player.stranger("nobody").publish("event", boot, now_s))
    genuine = wrap(meter.sign_at("event", boot, (0, 1, first.id), now_s))[0]
    cases["bad_signature"] = [genuine[:-1] + bytes([genuine[-1] ^ 1])]
    cases["fork"] = wrap(forked.sign_at("event", {"code": event_codes.BOOT, "detail": 2}, (0, 0, held.previous), now_s))
    cases["frozen_log"] = wrap(forked.sign_at("event", boot, (0, 1, held.id), now_s))
    late = meter.owner.publish("mandate", mandate(meter, kinds.SELL, 2, now_s, expires_s=now_s - 10), now_s)
    cases["order_expired"] = wrap(late)
    return cases | bad_readings(player, good)


def bad_orders(player: Player, meter: Author, good: "list[Entry]") -> list[bytes]:
    """A person's order again, and another one with its id."""
    good.append(meter.owner.publish("mandate", mandate(meter, kinds.SELL, 1, player.now_s), player.now_s))
    other = meter.owner.publish("mandate", mandate(meter, kinds.SELL, 1, player.now_s, wh=41), player.now_s)
    return player.wrap(good[-1], other)


def bad_readings(player: Player, good: "list[Entry]") -> dict[str, list[bytes]]:
    """Signed and in place, so that they stay in the log; they count for nothing."""
    start_s = player.now_s - 3600
    cases = {}
    for reason, at_s, registers, more in (
        ("falling_register", start_s + 15, (99, 0), {}),
        ("impossible_jump", start_s + 15, (9000, 0), {}),
        ("reading_time_ran_back", start_s - 15, (110, 0), {}),
        ("old_register_generation", start_s + 15, (110, 0), {"register_generation": 1}),
    ):
        meter = player.meter(reason[:20])
        first = reading_of(start_s, [(10, 0)], (100, 0), register_generation=2)
        bad = reading_of(at_s, [(1, 0)], registers, **{"register_generation": 2, **more})
        good.append(meter.publish("reading", first, start_s + 60))
        cases[reason] = player.wrap(meter.publish("reading", bad, start_s + 60))
    return cases


def bad_datagrams(player: Player) -> dict[str, list[bytes]]:
    own, other = player.community_id, bytes(16)
    body = [player.here.kid, 0, 0, bytes(8), 0]
    return {
        "oversize": [bytes(1201), bytes(9000)],
        "malformed": [b"", b"\xff", cbor.encode([1, 2, own]), cbor.encode([1, datagram.DIGEST, own, body[:4]])],
        "unknown_version": [cbor.encode([2, datagram.DIGEST, own, body])],
        "wrong_community": [cbor.encode([1, datagram.DIGEST, other, body])],
        "unknown_type": [cbor.encode([1, 99, own, body])],
        "unexpected_type": [cbor.encode([1, datagram.HEAD, own, body[:3]])],
        "entry_malformed": [cbor.encode([1, datagram.ENTRY, own, b"nonsense"])],
        "unknown_author": [cbor.encode([1, datagram.DIGEST, own, [b"stranger", 0, 0, bytes(8), 0]])],
    }


@pytest.mark.timeout(60)
def test_each_rejection_is_counted_and_named(tmp_path: Path) -> None:
    asyncio.run(_rejections(tmp_path))


async def _rejections(folder: Path) -> None:
    async with LiveCommunity(folder) as live:
        await live.start_node()
        player = Player(live)
        good: list[Entry] = []
        cases = [*bad_entries(player, good).items(), *bad_datagrams(player).items()]
        await player.send(player.wrap(*good))
        assert await player.rejections() == {}
        expected: Counter[str] = Counter()
        for reason, datagrams in cases:
            expected[reason] += await player.send(datagrams)
        assert await player.rejections() == expected
        log = live.process.log.read_text()
        assert [reason for reason in expected if f"rejected: {reason}, author " not in log] == []
        assert f"rejected: fork, author {key('forked').kid.hex()}, from 127.0.0.1" in log
        _check_forks(live)
        await player.send(player.wrap(player.here.publish("event", {"code": event_codes.BOOT}, player.now_s)))
        assert await player.rejections() == expected and live.process.is_running
        with live.data.reader() as reader:
            assert live.head(reader, player.here.kid) == 1
        player.socket.close()


def _check_forks(live: LiveCommunity) -> None:
    """Both entries of a fork are kept; void readings are in the log with their reason."""
    with live.data.reader() as reader:
        found = reader.forks()
        assert [row.author for row in found] == [key("forked").kid]
        held, other = (entry.decode(raw, live.data.community) for raw in (found[0].held, found[0].other))
        assert held.sequence == other.sequence == 0 and held.id != other.id
        void = sorted(row.void_reason for row in reader.stream() if row.void_reason)
        assert void == ["falling_register", "impossible_jump", "old_register_generation", "reading_time_ran_back"]


@pytest.mark.timeout(120)
def test_damage_and_a_flood_do_not_keep_a_meter_from_being_served(tmp_path: Path, record_property: Any) -> None:
    figures = asyncio.run(_flood(tmp_path))
    record_property("flood", figures)
    print(figures)


async def _flood(folder: Path) -> str:
    async with LiveCommunity(folder) as live:
        await live.start_node()
        roof = await live.add("roof", -8000, kind="profile")
        player = Player(live)
        dice = random.Random(4)
        before = (await player.rejections()).total()
        assert await player.send(_damaged(player, dice)) == DAMAGED
        assert (await player.rejections()).total() == before + DAMAGED
        first_kb, began_s = _memory_kb(live.process.pid), time.monotonic()
        head = _head(live, roof.kid)
        assert await player.send(_anything(player, dice)) == FLOOD
        took_s, last_kb = time.monotonic() - began_s, _memory_kb(live.process.pid)
        assert _head(live, roof.kid) >= head + int(took_s) - 1, "the meter was not served meanwhile"
        assert last_kb - first_kb < GROWS_AT_MOST_KB, (first_kb, last_kb)
        assert live.process.log.stat().st_size < LOG_AT_MOST_BYTES
        rejected = await player.rejections()
        await live.converge()
        await roof.meter.stop()
        assert await live.process.stop() == 0
        with live.data.reader() as reader:
            assert len(reader.rejections()) <= MAX_REJECTION_ROWS + len(rejected)
            rules.logs_are_whole(rules.Held(reader, [roof.kid], live.data.readers()))
        player.socket.close()
        return f"{FLOOD} datagrams in {took_s:.1f} s, memory from {first_kb} to {last_kb} kB, rejected {dict(rejected)}"


def _head(live: LiveCommunity, kid: bytes) -> int:
    with live.data.reader() as reader:
        return live.head(reader, kid)


def _memory_kb(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def _damaged(player: Player, dice: random.Random) -> "list[bytes]":
    """Entries with bits turned over, cut, grown or replaced by noise: not one of them is one any more."""
    body = reading_of(player.now_s, [(1, 0)] * 15)
    good = player.wrap(player.meter("damaged").publish("reading", body, player.now_s))[0]
    made = []
    for _ in range(DAMAGED):
        place = dice.randrange(len(good))
        turned = bytearray(good)
        for _ in range(dice.randrange(1, 4)):
            turned[dice.randrange(len(good))] ^= 1 << dice.randrange(8)
        noise = dice.randbytes(dice.randrange(1400))
        damaged = dice.choice([bytes(turned), good[:place], good + noise, noise])
        made.append(damaged if damaged != good else good[:-1])
    return made


def _anything(player: Player, dice: random.Random) -> "Iterable[bytes]":
    """Replays, strangers by the thousand, requests to be enrolled, noise."""
    replayed = player.wrap(player.meter("replayed").publish("event", {"code": event_codes.BOOT}, player.now_s))[0]
    community = player.community_id
    for number in range(FLOOD):
        kind = number % 5
        if kind == 0:
            yield replayed
        elif kind == 1:
            yield datagram.encode(datagram.DIGEST, community, [dice.randbytes(8), 0, 0, bytes(8), 0])
        elif kind == 2:
            yield datagram.encode(datagram.ENROL, community, [dice.randbytes(32), dice.randbytes(32)])
        elif kind == 3:
            yield dice.randbytes(dice.randrange(1400))
        else:  # one more author each time, with a signature of noise
            place = replayed.index(key("replayed").kid)
            yield replayed[:place] + dice.randbytes(8) + replayed[place + 8 : -64] + dice.randbytes(64)
