"""Sentences: every entry as one, for those who know its context and for those who do not."""

import pytest
from simulator import bodies
from simulator.authors import ROOT_SEED, Author, Key
from wattpact.views.sentences import Sentences
from wattpact_protocol.log import event_codes, kind_texts, kinds, sealed_part
from wattpact_protocol.sealing import content
from wattpact_protocol.settlement.inputs import SettlementInputs

from tools.words import hits

AUTHOR = Author(Key(ROOT_SEED))
KEY = bytes(range(48))


def teller():
    inputs = SettlementInputs()
    inputs.apply(AUTHOR.sign_at(kinds.COMMUNITY, bodies.BODIES["community"], (0, 0, bytes(32))))
    inputs.labels[bodies.KID] = "House 3"
    return Sentences(inputs, lambda offer: None)


def sentence(kind, body):
    return teller().sentence(AUTHOR.sign_at(kind, body, (0, 0, bytes(32))))


@pytest.mark.parametrize(
    "kind, body",
    bodies.all_bodies(AUTHOR),
    ids=lambda value: kinds.NAMES.get(value, "") if isinstance(value, int) else "",
)
def test_every_kind_is_a_sentence(kind, body):
    for shown in (sentence(kind, body), sentence(kind, sealed(kind, body))):
        assert shown[0].isupper() and not shown.endswith(".") and "{" not in shown and "None" not in shown
        assert hits("docs/sentence.md", shown) == [] and "noticed" not in shown


def sealed(kind, body):
    """The body with its sealable part sealed, if it has one."""
    if kind not in kinds.SEALABLE:
        return body
    return content.seal_body(KEY, 1, (AUTHOR.community_id, AUTHOR.kid, 0), kind, body)


def test_each_part_of_a_template_is_a_field_or_known():
    for kind, body in bodies.all_bodies(AUTHOR):
        without = {name: value for name, value in body.items() if name in required(kind)}
        assert sentence(kind, without if kind != kinds.READING else body)


def required(kind):
    return [name for _, name, _, is_required in kinds.fields(kind) if is_required]


@pytest.mark.parametrize(
    "kind, changes, expected",
    [
        ("mandate", {"wh": 5000}, "House 3 may buy up to 5,000 Wh at no more than 0.25 EUR/kWh"),
        ("mandate", {"side": kinds.SELL}, "House 3 may sell up to 80 Wh at no less than 0.25 EUR/kWh"),
        ("offer", {}, "Offers 50 Wh at 0.18 EUR/kWh, with at most 8,000 W"),
        ("demand", {}, "Wants 50 Wh at no more than 0.18 EUR/kWh"),
        ("acceptance", {}, "Accepted 40 Wh of offer 00010203, as priority 1"),
        ("contract", {}, "Confirmed a contract"),
        ("grant", {}, "Granted 40 Wh to House 3, grant 1"),
        ("grant", {"default_supply": True}, "Granted default supply to House 3, grant 1"),
        ("usage_start", {}, "Started to use contract 00010203; the import register is at 12 Wh"),
        ("usage_end", {}, "Finished with contract 00010203 (used up): 40 Wh used"),
        ("terminate", {}, "Terminated contract 00010203: moving out"),
        ("terminate", {"reason": ""}, "Terminated contract 00010203"),
        ("receipt", {}, "Stored the log of House 3 up to entry 7"),
        ("statement", {}, "Bill of House 3: 0.01593 EUR to pay"),
        ("statement", {"net_nano": -15_930_000}, "Bill of House 3: 0.01593 EUR to receive"),
        ("policy", {}, "Supply policy for House 3, version 3"),
        ("tariff", {}, "Grid prices: 0.31 EUR/kWh for import, 0.08 EUR/kWh for export"),
        ("key_epoch", {}, "Readings are sealed for House 3 and 0000000000000000 from now on, key epoch 2"),
    ],
)
def test_sentences(kind, changes, expected):
    assert sentence(kinds.KINDS[kind], {**bodies.BODIES[kind], **changes}) == expected


@pytest.mark.parametrize(
    "body, expected",
    [
        ({"code": event_codes.RELAY_OPENED, "text": "no_contract"}, "Opened the relay: no contract has energy left"),
        ({"code": event_codes.RELAY_CLOSED, "text": "grant"}, "Closed the relay: a contract supplies this meter"),
        ({"code": event_codes.RELAY_OPENED}, "Opened the relay: the meter gave no reason"),
        ({"code": event_codes.BOOT, "detail": 3}, "Started, start number 3"),
        ({"code": event_codes.BOOT}, "Started"),
        ({"code": event_codes.CLOCK_SET, "detail": -90}, "Set its clock 90 s back"),
        ({"code": event_codes.CLOCK_SET}, "Set its clock"),
        ({"code": event_codes.WARNING, "detail": 137}, "Warned that supply ends in 137 s"),
        (
            {"code": event_codes.SOURCE_REJECTED, "text": "not_ascii"},
            "Source telegrams rejected: the telegram has characters that are not ASCII",
        ),
        ({"code": event_codes.OVER_CURRENT, "text": "over_current"}, "Over-current"),
        ({"code": event_codes.STATE_CORRUPT, "text": "guard usage"}, "State corrupt (guard usage)"),
        (
            {"code": event_codes.LEDGER_HEAD, "detail": 1234, "text": "ab" * 32},
            "Was shown the ledger with 1,234 blocks and the root abababababababab…",
        ),
        (
            {"code": event_codes.LEDGER_FORKED, "detail": 9, "text": "cd" * 32},
            "Was shown a ledger that did not grow from the one it was shown before:"
            " now it has 9 blocks and the root cdcdcdcdcdcdcdcd…",
        ),
        (
            {"code": event_codes.NOT_NOTED, "detail": 40},
            "No block has noted more than the first 40 entries of its log,"
            " though a host had acknowledged more half a day before",
        ),
        (
            {"code": event_codes.NOT_NOTED},
            "No block notes its log, though a host had acknowledged more half a day before",
        ),
        ({"code": 200}, "Event 200"),
    ],
)
def test_events(body, expected):
    assert sentence(kinds.EVENT, body) == expected


def test_a_reading_shows_what_it_measured_and_how_well():
    body = bodies.reading(imported=120_345, deltas=(12, 11, 12), exported=88)
    registers = "registers at 120,380 Wh import and 88 Wh export"
    assert sentence(kinds.READING, body) == f"Measured 35 Wh imported and 0 Wh exported in 180 s; {registers}"
    assert sentence(kinds.READING, {**body, "bad_mask": 5}).endswith("; 2 of 3 intervals estimated")
    assert sentence(kinds.READING, {**body, "quality": 1}).endswith("; estimated")
    assert sentence(kinds.READING, bodies.reading(deltas=())).startswith("Measured registers at 0 Wh import")
    part = sealed_part.Sealed(1, bytes(13), bytes(40))
    assert sentence(kinds.READING, {"sealed": part}) == kind_texts.private(kinds.READING)


def test_certificates():
    body = bodies.certificate(AUTHOR, label="root", role=1)
    assert sentence(kinds.CERTIFICATE, body) == "Enrolled itself as a root"
    other = bodies.certificate(Author(Key(bytes(32))), label="House 1", role=2, version=2, owner=bodies.KID)
    expected = "Renewed the certificate of House 1 as an issuer, owned by House 3"
    assert sentence(kinds.CERTIFICATE, other) == expected
