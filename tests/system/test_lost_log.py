"""A meter whose flash loses what no node has: the operator sees it, renews the meter, and it goes on by itself."""

import asyncio
import re
from pathlib import Path

from simulator.processes import LiveCommunity, journal
from wattpact.membership import members, renewal
from wattpact_protocol.log import entry, event_codes, kinds, roles

BLOCK_BYTES = 4096
RECORD = re.compile(rb"WJ[\x00-\x04]")  # of the journal: its magic, and the first byte of a length up to 1,024


def erase_journal(image: Path) -> int:
    """Erase every block with an entry in it; how many there were."""
    data = bytearray(image.read_bytes())
    erased = 0
    for at in range(0, len(data), BLOCK_BYTES):
        if RECORD.search(data, at, at + BLOCK_BYTES):
            data[at : at + BLOCK_BYTES] = b"\xff" * BLOCK_BYTES
            erased += 1
    image.write_bytes(data)
    return erased


def test_a_meter_that_lost_its_journal_goes_on_once_it_is_renewed(tmp_path: Path):
    async def lose_and_renew() -> None:
        async with LiveCommunity(tmp_path) as live:
            await live.start_node()
            house = await live.add("house", 4000)
            await live.until(lambda: house.next_sequence > 8, "entries")
            await live.converge()
            await live.stop_node()
            with live.data.reader() as reader:
                held = live.head(reader, house.kid)
            await live.until(lambda: house.next_sequence > held + 5, "entries that no node has")
            await house.meter.stop()
            signed = house.next_sequence
            assert len(journal(house)) >= signed
            assert erase_journal(house.meter.folder / "flash.img") > 0
            assert not journal(house), "and the file system is whole"
            house.events.clear()
            await house.meter.start()
            await live.until(lambda: bool(house.of("started")), "the meter to start")
            assert house.next_sequence >= signed, "its place is stored elsewhere"
            await live.start_node()
            with live.data.reader() as reader:
                await live.until(lambda: house.kid in renewal.lost_logs(reader), "the report of a lost log")
                assert reader.head(house.kid, 0)[0] + 1 <= signed
            with live.data.store() as store:
                known = members.find(store.certificates(), roles.METER, "house")
                renewal.renew_meter(store, live.issuer, known, live.clock())
            with live.data.reader() as reader:
                await live.until(lambda: (reader.head(house.kid, 1) or (0,))[0] > 8, "the new log")
                rows = reader.entries(author=house.kid, of_kinds=(kinds.EVENT,), limit=200)
                events = [entry.decode(row.raw, reader.community) for row in rows]
                assert house.kid not in renewal.lost_logs(reader) and not reader.forks()
            texts = [new.body["text"] for new in events if new.body["code"] == event_codes.STATE_CORRUPT]
            assert any(text.startswith("log 0 ended") for text in texts), texts
            assert {new.generation for new in events} == {0, 1}

    asyncio.run(lose_and_renew())
