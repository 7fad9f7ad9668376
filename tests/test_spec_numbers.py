"""The numbers that the specification states are those of the code: each is read out of its sentence and compared.

A row that finds no sentence fails too: whoever changes the sentence changes the row.
"""

import re
from pathlib import Path

import pytest
from wattpact.audit import heads
from wattpact.bundle import disclosure
from wattpact.bundle import format as bundle_format
from wattpact.ingest import pipeline
from wattpact.membership import members
from wattpact.ordering import cosigning, submitting
from wattpact.store.sqlite import store
from wattpact.sync import host_link
from wattpact_meter.log import retention, sealer, trust
from wattpact_meter.metering import intervals, recorder
from wattpact_meter.sync import inbox, outbox, peers
from wattpact_meter.trade import trader, usage
from wattpact_protocol.guard import guard, policy, state, table
from wattpact_protocol.ledger import blocks, checkpoints, trades, witnesses
from wattpact_protocol.ledger import members as ledger_members
from wattpact_protocol.log import chain, entry, kinds, readings, roles, sealed_part
from wattpact_protocol.sealing import content, period_keys
from wattpact_protocol.settlement import register_rules, slots
from wattpact_protocol.sync import datagram, enrolment

from tools.bench import slices

SPEC = Path(__file__).parent.parent / "docs" / "spec"
DEFAULTS = {name: default for name, default, _, _ in policy.numbers()}


def padded(kind, body):
    return content.length_of(kind, body)


# page, its sentence with each number as N, what the numbers are in the code
ROWS = [
    ("ledger.md", "no end within N s and N KiB", (submitting.DEADLINE_S, submitting.MAX_ANSWER_BYTES >> 10)),
    ("ledger.md", "first after N s, then ever later, at most N minutes", (
        2 * cosigning.EVERY_S, cosigning.LONGEST_WAIT_S // 60,
    )),
    ("ledger.md", "at most N, and at most N heads of logs; N MiB in all", (
        blocks.MAX_ENTRIES, blocks.MAX_ANCHORS, blocks.MAX_BLOCK_BYTES >> 20,
    )),
    ("ledger.md", "stamped more than N s after now", chain.MAX_AHEAD_S),
    ("ledger.md", "counted from 1970: `time // N`", ledger_members.PERIOD_S),
    ("ledger.md", "there are at most N of an author", ledger_members.MAX_CERTIFICATES),
    ("ledger.md", "At most N a period", ledger_members.MAX_TARIFFS),
    ("ledger.md", "at most N keys `NAME+HASH+KEY`", witnesses.MAX_WITNESSES),
    ("ledger.md", "names of at most N bytes of visible ASCII", witnesses.MAX_NAME_BYTES),
    ("ledger.md", "Wh of the offer and of the mandate for N s", trades.LAPSES_S),
    ("ledger.md", "At most N of an offer, and N of a meter, reserve at once", (trades.MAX_HELD, trades.MAX_HELD)),
    ("ledger.md", "At most N contracts of a mandate", trades.MAX_HELD),
    ("ledger.md", "at most N of a meter start in one period", trades.MAX_CONTRACTS),
    ("ledger.md", "at most 2^N nano-units", trades.MAX_WORTH_NANO.bit_length() - 1),
    ("ledger.md", "A head has at most N signatures", checkpoints.MAX_SIGNATURES),
    ("ledger.md", "of the last N cosigned heads", cosigning.KNOWN_HEADS),
    ("entry.md", "An entry MUST be at most N bytes", entry.MAX_ENTRY_BYTES),
    ("entry.md", "0xN invalid, 0xN doubtful, 0xN different base, 0xN invalid status, 0xN daylight saving", (
        entry.CLOCK_INVALID, entry.CLOCK_DOUBTFUL, entry.CLOCK_DIFFERENT_BASE, entry.CLOCK_INVALID_STATUS,
        int(f"{entry.CLOCK_DAYLIGHT_SAVING:x}"))),
    ("log.md", "stamped more than N s ahead of its own clock", chain.MAX_AHEAD_S),
    ("datagrams.md", "at most N bytes, over UDP", datagram.MAX_DATAGRAM_BYTES),
    ("datagrams.md", "DIGEST every N s", peers._DIGEST_MS / 1000),
    ("datagrams.md", "in the last N s, and when a silent", peers._SILENT_MS / 1000),
    ("datagrams.md", "not within N s of the last", peers._DIGEST_MS / 1000),
    ("datagrams.md", "pause doubles, up to N s", peers.SLOWEST_DIGEST_MS / 1000),
    ("datagrams.md", "at most N beyond it", outbox.WINDOW),
    ("datagrams.md", "entries missing that it sent N s ago or earlier", outbox.RESEND_MS / 1000),
    ("datagrams.md", "inbox id of N random bytes", len(inbox.NO_INBOX)),
    ("datagrams.md", "up to N entries for a DIGEST", host_link.WINDOW),
    ("ingest.md", "at most N bytes ([datagrams]", datagram.MAX_DATAGRAM_BYTES),
    ("ingest.md", "less than N beyond the end of the log", pipeline._REACH),
    ("ingest.md", "At most N forks of an author", store.MAX_EVIDENCE_PER_AUTHOR),
    ("ingest.md", "a table of at most N rows", store.MAX_REJECTION_ROWS),
    ("ingest.md", "A batch of at most N entries", pipeline.MAX_BATCH),
    ("ingest.md", "requests for enrolment, at most N", store.MAX_PENDING),
    ("enrolment.md", "ENROL [public key, proof] every N s", peers._ENROL_MS / 1000),
    ("enrolment.md", "at most N, and stores at most N new ones a second", (store.MAX_PENDING, host_link.ENROLS_PER_S)),
    ("enrolment.md", "N years for a root, N for an issuer, a host and an auditor, N for a meter and a person", tuple(
        members.VALID_S[role] // members.YEAR_S for role in (roles.ROOT, roles.ISSUER, roles.METER))),
    ("enrolment.md", "code | N bytes", enrolment.CODE_BYTES),
    ("readings.md", "same number of deltas, 0 to N", readings.MAX_INTERVALS),
    ("readings.md", "Registers from N are instantaneous", readings.FIRST_INSTANTANEOUS),
    ("readings.md", "faster than N times the certificate's rated power, plus N Wh", (
        register_rules._HEADROOM_PERCENT / 100, register_rules._HEADROOM_WH)),
    ("readings.md", "`quality`: N estimated, N sensor fault, N clipped, N power failure within, N clock adjusted", (
        readings.ESTIMATED, readings.SENSOR_FAULT, readings.CLIPPED, readings.POWER_FAILURE, readings.CLOCK_ADJUSTED)),
    ("settlement.md", "`silence_s` is N (a week) where it is absent", slots.SILENCE_S),
    ("sealing.md", "secret of an epoch | N random bytes", period_keys.SECRET_BYTES),
    ("sealing.md", "key_no, N)", period_keys.KEY_BYTES),
    ("sealing.md", "after N entries of its log", sealer.MAX_ENTRIES),
    ("sealing.md", "a nonce of N bytes, a tag of N", (sealed_part.NONCE_BYTES, sealed_part.TAG_BYTES)),
    ("sealing.md", "the first N bytes of HMAC", sealed_part.NONCE_BYTES),
    ("sealing.md", "rounded up to a multiple of N", content._STEP_BYTES),
    ("sealing.md", "can need more than N MUST NOT", content.MAX_PADDED_BYTES),
    ("sealing.md", "at most N MiB with at most N keys", (disclosure.MAX_BYTES >> 20, disclosure.MAX_KEYS)),
    ("bundle.md", "at most N MiB", bundle_format.MAX_BYTES >> 20),
    ("bundle.md", "stamped more than N s before the time of the head's block", heads.CLOCKS_S),
    ("meter.md", "every N s while registers move", recorder._CHECKPOINT_MS / 1000),
    ("meter.md", "no measurement has spanned N s later", intervals._GRACE_MS / 1000),
    ("meter.md", "lost or set by N s or more", intervals._JUMP_MS / 1000),
    ("meter.md", "At most N are stored; an expired one", trust.MAX_AUTHORS),
    ("meter.md", "(N s of grace before its start)", chain.MAX_AHEAD_S),
    ("meter.md", "the N cheapest", trader.MAX_OFFERS),
    ("meter.md", "signed no more than N s ago by both clocks", trader.CONFIRM_WITHIN_S),
    ("meter.md", "could not be signed within those N s", trader.CONFIRM_WITHIN_S),
    ("meter.md", "One DEMAND, and N s later", trader.GATHER_S),
    ("meter.md", "a contract of priority 1 N s from now", trader.START_TIMEOUT_S),
    ("meter.md", "not confirmed within N s", trader.GIVE_UP_S),
    ("meter.md", "after N s at first and up to N s", (trader.GIVE_UP_S, trader.LONGEST_RETRY_S)),
    ("meter.md", "clocks differ by more than N s", trader.GIVE_UP_S - trader.CONFIRM_WITHIN_S),
    ("meter.md", "nothing was received from a host for N s", peers._SILENT_MS / 1000),
    ("meter.md", "at most N mandates, N offers, N acceptances and N grants", (
        trader.MAX_MANDATES, trader.MAX_OFFERS, trader.MAX_ACCEPTANCES, usage._MAX_GRANTS)),
    ("meter.md", "after at most N instructions", slices.BAR),
    ("meter.md", "newest N entries stay", retention._KEEP_ENTRIES),
    ("guard.md", "sensed position differed for N s", state.SETTLE_MS / 1000),
    ("guard.md", "may disagree for N s", state.SETTLE_MS / 1000),
    ("guard.md", "no sooner than N s (`rest_s`", DEFAULTS["rest_s"]),
    ("guard.md", "at most N s from the future", state.ORDER_SKEW_S),
    ("guard.md", "a reset less than N s ago", table.BOOT_HOLD_MS / 1000),
    ("guard.md", "the clock has had N s to come", table.BOOT_HOLD_MS / 1000),
    ("guard.md", "charged N s ahead", guard.AHEAD_MS / 1000),
    ("guard.md", "charged N Wh ahead", guard.AHEAD_WH),
    ("guard.md", "goes on with N s less", guard.AHEAD_MS / 1000),
    ("guard.md", "which is within N s", guard.STEP_MS / 1000),
    ("guard.md", "default of N Wh carries", DEFAULTS["emergency_credit_wh"]),
    *(("guard.md", f"| `{name}` | N |", default) for name, default in DEFAULTS.items()),
]  # fmt: skip


@pytest.mark.parametrize("page, sentence, expected", ROWS, ids=lambda value: str(value)[:60])
def test_a_number_of_the_specification_is_the_codes(page: str, sentence: str, expected: "float | tuple[float, ...]"):
    found = numbers((SPEC / page).read_text(), sentence)
    assert found, f"{page} has no sentence like {sentence!r}"
    assert set(found) == {expected if isinstance(expected, tuple) else (expected,)}


def numbers(text: str, sentence: str) -> "list[tuple[float, ...]]":
    """The numbers in the place of each N, wherever the sentence is, over the ends of lines and in either case."""
    number = r"(-?\d[\d,]*(?:\.\d+)?)"
    parts = re.split(r"\bN\b|(?<=0x)N\b", sentence)
    pattern = number.join(re.escape(part).replace(r"\ ", r"\s+") for part in parts)
    found = re.finditer(pattern, text, re.IGNORECASE)
    return [tuple(float(group.replace(",", "")) for group in match.groups()) for match in found]


def test_a_sentence_is_found_over_lines_and_a_wrong_number_is_seen():
    text = "It holds at\n   most 1,024 bytes and waits 1.5 s."
    assert numbers(text, "at most N bytes and waits N s") == [(1024, 1.5)]
    assert numbers(text, "at most N meters") == []


def test_there_are_enough_of_them():
    assert len(ROWS) >= 60 and len({page for page, _, _ in ROWS}) >= 10


@pytest.mark.parametrize("steps, registers, shown", [(0, 2, 0), (3, 2, 1), (60, 4, 0)])
def test_the_padding_of_a_reading_is_the_specifications(steps: int, registers: int, shown: int):
    ((base, each, step, instant),) = numbers((SPEC / "sealing.md").read_text(), "N + c (N + N n) + N i")
    body = {"registers": {n + 1: [0, [0] * steps] for n in range(registers)} | {64 + n: [0, []] for n in range(shown)}}
    need = base + registers * (each + step * steps) + instant * shown
    assert padded(kinds.READING, body) == -(-need // content._STEP_BYTES) * content._STEP_BYTES


def test_the_padding_of_events_and_usage_is_the_specifications():
    text = (SPEC / "sealing.md").read_text()
    ((base, each),) = numbers(text, "| N + N r |")
    for count in (1, 2, 9):
        need = base + each * count
        assert padded(kinds.EVENT, {"registers": dict.fromkeys(range(count), 0)}) == -(-need // 32) * 32
    ((usage_bytes,),) = numbers(text, "usage_start, usage, usage_end | N |")
    assert padded(kinds.USAGE, {}) == -(-usage_bytes // 32) * 32
