"""A host that puts an old copy of its ledger back, or stops noting a meter's log: the meter's own log says so.

The node and its store are the real ones, and so are the meters, in virtual time."""

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wattpact import cli
from wattpact.membership import members
from wattpact.node.node import Node
from wattpact.ordering import noted, reported, writer
from wattpact.ordering.writer import open_ledger
from wattpact.projections import ledger_events
from wattpact.simulation.simulator import Simulator
from wattpact.store import DATABASE
from wattpact_protocol.log import entry, event_codes, kinds

HOUR_S = 3600
START_S = 1_783_900_800  # a Monday, 00:00 UTC
TERMS = members.FoundingTerms("Sun Street", "EUR", "UTC", 900, 300_000, 80_000)
CODES = {event_codes.LEDGER_HEAD: "head", event_codes.LEDGER_FORKED: "forked", event_codes.NOT_NOTED: "not noted"}


class OneMeter:
    """A house with a meter, and its host, whose database can be put back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "node"
        self.simulator = Simulator(self.folder, TERMS, START_S)
        self.simulator.add_person("east")
        self.meter = self.simulator.add_meter("House 3", "east", {
            "rated_w": 9000, "step_s": 900, "intervals": 1, "source": {"kind": "profile", "load": "always"},
            "flash": str(folder / "flash"), "flash_bytes": 1 << 20,
        })  # fmt: skip

    def live(self, hours: int) -> None:
        for _ in range(hours * 4):
            self.simulator.advance(300, {"House 3": [(400_000, 300_000_000)]})
            self.simulator.advance(600, {"House 3": [(400_000, 600_000_000)]})

    def receive_all(self) -> None:
        """Time goes on in small steps, in which the meter receives its inbox from the beginning."""
        for _ in range(60):
            self.simulator.advance(5, {"House 3": [(400_000, 5_000_000)]})

    def reported(self) -> list[tuple[str, int]]:
        """What the meter reported of the ledger, as its host has it: (event, detail)."""
        rows = self.simulator.store.entries(author=self.meter.kid, of_kinds=(kinds.EVENT,))
        found = [entry.decode(row.raw, self.simulator.store.community).body for row in rows]
        return [(CODES[body["code"]], body["detail"]) for body in found if body["code"] in CODES]

    def copy_to(self, path: Path) -> None:
        with sqlite3.connect(path) as target, sqlite3.connect(self.folder / DATABASE) as source:
            source.backup(target)

    def put_back(self, path: Path) -> None:
        """The host is stopped, its database replaced by the copy, and the host started again."""
        simulator, old = self.simulator, self.simulator.node
        old.pipeline.close()
        old.store.close()
        for left in self.folder.glob(DATABASE + "*"):
            left.unlink()
        shutil.copy(path, self.folder / DATABASE)
        host = simulator.data.keyring.load("host")
        simulator.node = Node(
            simulator.data.store(), simulator.data.root_public_key, host, simulator.issuer, lambda: simulator.now_s,
            lambda: simulator.t_ms,
        )  # fmt: skip
        simulator.node.join(simulator)
        simulator.store = simulator.node.store

    @property
    def blocks(self) -> int:
        return open_ledger(self.simulator.store).size

    def command(self, capsys: pytest.CaptureFixture[str], *typed: str) -> str:
        with pytest.raises(SystemExit) as ended:
            cli.main(["--data", str(self.folder), *typed])
        shown = capsys.readouterr()
        assert not ended.value.code, shown.err
        return shown.out


@pytest.fixture
def one(tmp_path: Path) -> Iterator[OneMeter]:
    made = OneMeter(tmp_path)
    yield made
    made.simulator.close()


def test_an_honest_ledger_reaches_the_meter_once_a_day_and_its_owner_sees_it(
    one: OneMeter, capsys: pytest.CaptureFixture[str]
) -> None:
    one.live(50)
    found = one.reported()
    assert [event for event, _ in found] == ["head"] * 3 and found == sorted(found), found
    store = one.simulator.store
    told = reported.heads_of(one.folder)
    assert len(told) == 3 and not reported.differing(open_ledger(store), told)
    known = noted.noted_of(store, one.meter.kid)
    assert known is not None and one.meter.state["next_sequence"] - known.next_sequence <= 4
    height = noted.height_of(store, one.meter.kid, known)
    assert height is not None and height >= one.blocks - 4
    text = one.command(capsys, "meter", "show", "House 3")
    assert f"the first {known.next_sequence} entries, noted by block {height} at 2026-07-15" in text, text
    assert f"{found[-1][1]} blocks, root {told[-1].root[:16]}…, at 2026-07-15" in text
    assert "did not grow" not in text and "No block" not in text
    root = one.simulator.data.root_public_key.hex()
    text = one.command(capsys, "ledger", "follow", str(one.folder), "--root", root)
    assert "Heads that meters reported: 3, of which 3 are of these blocks." in text and "DOUBTFUL" not in text


def test_an_old_copy_of_the_ledger_put_back_is_in_the_meters_log(
    one: OneMeter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one.live(23)
    one.copy_to(tmp_path / "copy.db")
    copied = one.blocks
    one.live(4)
    (_, (_, kept)) = one.reported()
    assert copied < kept <= one.blocks
    lost = reported.heads_of(one.folder)[-1]
    one.put_back(tmp_path / "copy.db")
    one.receive_all()
    one.live(1)
    (_, head, (event, less)) = one.reported()
    assert head == ("head", kept) and event == "forked" and copied <= less < kept
    one.live(26)
    assert [event for event, _ in one.reported()[3:]] == ["head"], "it is reported once, and the ledger goes on"
    assert one.blocks > kept
    (other,) = reported.differing(open_ledger(one.simulator.store), reported.heads_of(one.folder))
    assert other == lost
    text = one.command(capsys, "meter", "show", "House 3")
    assert f"Was shown a ledger that did not grow from the one it was shown before: now it has {less} blocks" in text
    root = one.simulator.data.root_public_key.hex()
    text = one.command(capsys, "ledger", "follow", str(one.folder), "--root", root)
    assert "DOUBTFUL: House 3 reported at 2026-07-14" in text and f"a head of {kept} blocks" in text


def test_a_host_that_stops_noting_a_log_is_in_that_log_each_day_while_it_lasts(
    one: OneMeter, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one.live(10)
    due = writer.heads_due

    def without_the_meter(*of: Any) -> list[Any]:
        return [head for head in due(*of) if head[0] != one.meter.kid]

    monkeypatch.setattr(writer, "heads_due", without_the_meter)
    one.live(64)
    found = one.reported()
    assert [event for event, _ in found] == ["head", "head", "not noted", "head", "not noted", "head"], found
    (count,) = {detail for event, detail in found if event == "not noted"}
    seen = ledger_events.seen_of(
        one.simulator.store, one.meter.kid, 0, one.meter.state["next_sequence"]
    )  # fmt: skip
    assert seen.noted is not None and seen.noted.next_sequence == count
    assert seen.waiting == one.meter.state["next_sequence"] - count
    text = one.command(capsys, "meter", "show", "House 3")
    assert f"No block has noted more than the first {count} entries of its log" in text
    assert f"{seen.waiting} wait" in text
    monkeypatch.setattr(writer, "heads_due", due)
    one.live(26)
    assert [event for event, _ in one.reported()[6:]] == ["head"]
    assert "No block has noted" not in one.command(capsys, "meter", "show", "House 3")
