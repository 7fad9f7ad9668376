"""What an audit makes of heads of the ledger that meters reported, and of what they found wrong."""

import io

import pytest
from simulator.month import HOUR, S, TradedMonth
from wattpact import audit
from wattpact.audit import heads, page
from wattpact.bundle import format
from wattpact_protocol.ledger import checkpoints
from wattpact_protocol.ledger.checkpoints import Checkpoint
from wattpact_protocol.log import event_codes, kinds


class Reporting(TradedMonth):
    """The wallbox reported these events, early in the month; (code, detail, text, stamp)."""

    def __init__(self, *events, **more):
        self.events = events
        super().__init__("reporting", sealed=False)

    def deal(self):
        super().deal()
        for code, detail, text, unix_s in self.events:
            body = {"code": code, "detail": detail, **({"text": text} if text is not None else {})}
            self.community.publish(self.wallbox, kinds.EVENT, body, unix_s)

    def audited(self):
        return audit.audit(io.BytesIO(self.bundle()), self.community.root.public_key)


@pytest.fixture(scope="module")
def head():
    """Blocks and root of the head of such a bundle."""
    _, raw = next(iter(format.read(io.BytesIO(Reporting().bundle()))))
    point = checkpoints.decode(format.decode_head(raw).checkpoint)
    return point.size, point.root.hex()


def doubts(*events):
    found = Reporting(*events).audited().doubtful
    return [text for text in found if "wallbox (" in text and "a doubtful time" not in text]


def test_heads_that_the_bundle_cannot_contradict_are_not_named(head):
    blocks, _ = head
    heads = [(1, "ab" * 32), (blocks - 1, "cd" * 32), (blocks, "short"), (blocks, None), (-5, "ef" * 32)]
    assert doubts(*[(event_codes.LEDGER_HEAD, *one, S + 1100) for one in heads]) == []


def test_another_root_of_as_many_blocks_is_doubtful_and_host_and_meter_are_named(head):
    blocks, _ = head
    (text,) = doubts((event_codes.LEDGER_HEAD, blocks, "ab" * 32, S + 1100))
    assert text.startswith("the head of this bundle, signed by ") and "host (" in text
    assert f"has another root of {blocks} blocks than the one that wallbox (" in text
    assert text.endswith("reported: a host signed two ledgers, or that meter is at fault")


def test_the_same_head_is_right():
    """Which has a head of the meter's log, so that the meter cannot have reported it in the bundle itself."""
    made = Reporting()
    root = b"root of the bundle's head, yes...."[:32]
    body = {"code": event_codes.LEDGER_HEAD, "detail": 9, "text": root.hex()}
    new = made.community.publish(made.wallbox, kinds.EVENT, body, S + 32 * 24 * HOUR)
    assert heads._other_head(new, Checkpoint("wattpact/x", 9, root), S) is None
    assert heads._other_head(new, Checkpoint("wattpact/x", 9, bytes(32)), S) is not None


def test_more_blocks_than_the_head_has_are_doubtful_where_they_were_reported_before_it(head):
    blocks, _ = head
    late = S + 31 * 24 * HOUR - 10
    (text,) = doubts((event_codes.LEDGER_HEAD, blocks + 1, "ab" * 32, S + 1100))
    assert f"has {blocks} blocks, and wallbox (" in text and f"reported one of {blocks + 1} before" in text
    made = Reporting((event_codes.LEDGER_HEAD, blocks + 1, "ab" * 32, late + 3 * HOUR))
    assert not [text for text in made.audited().doubtful if "head" in text], "it may be newer than the bundle's"


def test_what_meters_found_wrong_is_doubtful_with_their_names():
    found = doubts(
        (event_codes.LEDGER_FORKED, 39, "ab" * 32, S + 1100),
        (event_codes.NOT_NOTED, 12, None, S + 1200), (event_codes.NOT_NOTED, 12, None, S + 1300),
    )  # fmt: skip
    assert len(found) == 2 and all(text.startswith("wallbox (") for text in found)
    assert "Was shown a ledger that did not grow from the one it was shown before: now it has 39 blocks" in found[0]
    assert "and once more: No block has noted more than the first 12 entries of its log" in found[1]


def test_the_page_of_a_report_has_it():
    report = Reporting((event_codes.NOT_NOTED, 0, None, S + 1100)).audited()
    assert "No block notes its log, though a host had acknowledged more half a day before" in page.text(report)
    assert any("No block notes its log" in text for text in page.as_json(report)["doubtful"])
