"""The benchmarks in a tiny size, so that they cannot rot: what they count is exact, what they time is not looked at."""

from pathlib import Path

import case
import pytest

from tools.bench import __main__ as program
from tools.bench import audit, heap, ingest, month, ordering, quorum, slices, wire

DOCUMENT = Path(__file__).parents[2] / "docs/reference/bench.md"


@pytest.mark.parametrize(("cores", "seals"), [(1, True), (2, True), (2, False)])
def test_ingest_stores_and_measures_all_and_reports_it(cores: int, seals: bool) -> None:
    result = ingest.measure(intervals=2, cores=cores, entries=300, rounds=1, seals=seals)
    assert min(*result.stored, *result.measured, result.verifications_per_s) > 0


def test_a_rejected_entry_is_no_result() -> None:
    with pytest.raises(AssertionError, match="only 0 of 3 were stored"):
        ingest.store_all(*ingest_of_strangers(), cores=1)


def ingest_of_strangers():
    root, certificates, _ = ingest.corpus.community(1)
    stranger = ingest.corpus.Author(b"?" * 32, root.community)
    return root, certificates, ingest.corpus.readings_of([stranger], 3, 1, seals=False)


def test_bytes_on_the_wire_are_those_of_the_specification() -> None:
    one, fifteen = wire.measure(1, 8), wire.measure(15, 8)
    for result, intervals in ((one, 1), (fifteen, 15)):
        # A datagram adds a head of 22 bytes to its entry (docs/spec/datagrams.md).
        assert result.datagram_centibytes - result.entry_centibytes in range(2000 // intervals, 3000 // intervals)
    assert 255 < one.entry_centibytes / 100 < 270  # docs/reference/bench.md
    assert 15 * fifteen.entry_centibytes < 2 * one.entry_centibytes


def test_the_month_under_audit_is_one_that_agrees() -> None:
    result = audit.measure(days=1, rounds=1)
    # Community, tariff, two mandates, offer, demand, acceptance, contract, grant, the start of usage, two keys opened;
    # the statement.
    certificates, readings, others = 7, 2 * 96, 12
    assert result.entries == certificates + readings + others + 1
    assert result.bundle_bytes > 150 * result.entries


def test_the_month_of_a_community_is_billed() -> None:
    found = month.measure(month.Size(4, 1), 1)
    # Root, issuer, community, tariff, host; of a meter two certificates, two keys opened and seven readings; of a pair
    # the contract's seven entries and the start of use.
    assert found.entries == 5 + 4 * 11 + 2 * 8
    assert found.answers_s.keys() >= {"community", month.ALL_BILLS} and found.bill_s > 0


def test_the_ledger_under_measure_has_all_that_is_traded() -> None:
    found = ordering.measure(meters=4, trades=16)  # that the last block is full is looked at there
    more = ordering.measure(meters=4, trades=32)
    assert 100 < (more.state_bytes_a_meter - found.state_bytes_a_meter) * 4 / 16 < 1000  # a trade
    assert 300 < found.proof_bytes < 600 and found.stored_bytes_a_meter > found.state_bytes_a_meter


@pytest.mark.timeout(1800)  # where `make test-tools` has not built CometBFT
def test_validators_under_measure_make_the_same_of_all_that_is_traded() -> None:
    if quorum.unavailable():
        raise case.Skip(quorum.unavailable())
    found = quorum.measure(validators=4, trades=2)  # that their ledgers are the same is looked at there
    for run in (*found.ours, *found.key_value):
        assert run.transactions == 2 * ordering.A_TRADE and 0 < run.blocks <= run.transactions
        assert min(run.elapsed_s, run.alone_s, run.processor_s, run.engine_kib) > 0
    assert [len(cost.spent_s) > 4 for cost in found.ours[0].costs] == [True] * 4
    assert found.ours[0].application_kib > 0 and not found.key_value[0].costs


def test_every_form_of_the_firmware_does_the_same_work() -> None:
    source, compiled, bare, full = heap.measure(minutes=20)
    assert source.entries == compiled.entries == bare.entries == full.entries > 0
    # 1.5 kW for 20 minutes, but for the seconds until the relay was closed by a grant.
    assert 490 <= source.bought_wh == compiled.bought_wh == bare.bought_wh == full.bought_wh <= 500
    assert bare.heap < compiled.heap - 40_000  # bytecode stays in the image
    assert 50_000 < bare.heap < source.heap < 1 << 20
    assert abs(full.heap - bare.heap) < 2_000


def test_the_table_has_a_line_for_each_figure(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["wire", "audit", "ledger", "--quick"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["what", "measured", "reference", "ratio", "bar"]
    assert [text.split(":")[0] for text in lines[1:3]] == ["wire, 1 an entry"] * 2
    assert lines[5].startswith("audit of 212 entries") and "<= 3" in lines[5]
    assert lines[6].startswith("the ledger of 100 meters") and "transactions/s" in lines[6]
    assert lines[7].split()[:3] == ["10", "by", "Quartierstrom"] and lines[8].split()[:3] == ["170", "by", "Project"]
    assert [text.split()[-1] for text in lines[9:14]] == ["ms", "meter", "meter", "bytes", "MB"]


def test_each_part_is_in_the_document() -> None:
    assert f"some parts: {', '.join(program.PARTS)}\n" in DOCUMENT.read_text(encoding="utf-8")


@pytest.mark.parametrize("heap_bytes", [heap.BARE_BYTES, heap.FULL_BYTES])
def test_the_sampler_waits_for_no_long_slice_but_a_collection(heap_bytes: int) -> None:
    if slices.unavailable():
        raise case.Skip(slices.unavailable())
    found = slices.measure(6, heap_bytes)
    assert found.entries > 8 and found.verifications > 10 and found.collections
    assert not found.above(), found
    for name in (*slices.CRYPTOGRAPHY, "storing", "encoding", "decoding", "measuring", slices.COLLECTING):
        assert found.longest[name] > 10_000, found


def test_an_unknown_part_is_rejected_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program.main(["speed"])
    assert ended.value.code == 2
    assert "there is no part 'speed'" in capsys.readouterr().err
