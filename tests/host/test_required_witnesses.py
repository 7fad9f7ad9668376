"""What a community's entry requires of the ledger's head: bundles, proofs and blocks without it are shown as such."""

import asyncio
import io
import json
import sys

import pytest
from simulator.dishonest import DishonestHost
from simulator.host import hosted_with_meter
from simulator.month import TradedMonth
from simulator.witnessing import KEYS, NOW_S, WITNESSES, cosigned_bundle, everybody, witnesses_of
from wattpact import audit
from wattpact.audit import page, program
from wattpact.bundle import cosigned, disclosure
from wattpact.bundle import format as bundle_format
from wattpact.keys import Signer
from wattpact.market import terms
from wattpact.ordering import cosigning, exported, following
from wattpact.ordering.cosigning import Cosigning
from wattpact.ordering.following import Follower
from wattpact.ordering.submitting import SubmissionError
from wattpact_protocol.encoding import cbor
from wattpact_protocol.ledger import checkpoints, records
from wattpact_protocol.ledger.witnesses import encode as naming
from wattpact_protocol.log import kinds


@pytest.fixture
def host(tmp_path):
    with hosted_with_meter(tmp_path) as made:
        yield made


@pytest.fixture
def witnesses(tmp_path, host):
    return witnesses_of(tmp_path, host)


def requires(community, version, least, keys=KEYS):
    """The next version of the community's entry; what the first sets stays."""
    first = next(new for new in community.entries if new.kind == kinds.COMMUNITY)
    body = {**first.body, "version": version, **naming(list(keys), least)}
    return community.publish(community.issuer, kinds.COMMUNITY, body)


@pytest.fixture(scope="module")
def bound():
    """A month of a community whose entry requires two of three witnesses."""
    traded = TradedMonth("bound")
    requires(traded.community, 2, 2)
    return traded


def audited_as_promised(traded, data, wanted=None, keys=None):
    keys = traded.keys if keys is None else keys
    return audit.audit(io.BytesIO(data), traded.community.root.public_key, keys, wanted)


def test_what_the_community_requires_is_required_of_a_bundle(bound):
    report = audited_as_promised(bound, cosigned_bundle(bound, WITNESSES[1:]))
    assert set(report.cosigned) == {"w1.example", "w2.example"}
    assert not any(text.startswith("version") for text in report.doubtful)
    assert "version 2: 2 of 3 witnesses must have cosigned: w0.example" in page.text(report)
    assert page.as_json(report)["promised"] == {"version": 2, "cosigned": 2, "witnesses": [one.text for one in KEYS]}


def test_without_them_every_figure_agrees_and_nothing_is_decided(bound):
    for signed_by in ((), WITNESSES[:1], [("w1.example", Signer(bytes(32))), WITNESSES[0]]):
        with pytest.raises(audit.Uncosigned) as caught:
            audited_as_promised(bound, cosigned_bundle(bound, signed_by))
        sentence = caught.value.sentence()
        assert "every figure agrees, and the head over" in sentence, sentence
        assert "of the 2 cosignatures that version 2 of the community's entry requires; missing: " in sentence
        assert caught.value.report.fields["net_nano"] and isinstance(caught.value, audit.Undecided)


def test_whoever_verifies_may_require_something_else(bound):
    data = cosigned_bundle(bound, WITNESSES[:1])
    assert audited_as_promised(bound, data, cosigned.NOBODY).cosigned == {"w0.example": NOW_S}
    assert audited_as_promised(bound, data, cosigned.Required(KEYS[:1], 1)).promised.least == 2
    with pytest.raises(audit.Refuted, match="that are required; missing"):
        audited_as_promised(bound, data, cosigned.Required(KEYS, 2))


def test_what_is_wrong_or_sealed_is_reported_before_what_is_not_cosigned(bound):
    host = DishonestHost(bound)
    assert isinstance(host.audit(host.bundle()), audit.Uncosigned)
    found = host.audit(host.bundle(net_nano=0))
    assert isinstance(found, audit.Refuted) and "net_nano" in found.reason
    with pytest.raises(audit.Undecided) as caught:
        audited_as_promised(bound, bound.bundle(), keys=[])
    assert not isinstance(caught.value, audit.Uncosigned) and caught.value.missing


def test_a_host_cannot_leave_out_that_cosignatures_are_required(bound):
    """Neither the entry, nor the record that names it, nor by giving the entry before it."""
    host = DishonestHost(bound)
    entries = [
        raw for raw in host.entries if (new := host.decode(raw)).kind != kinds.COMMUNITY or new.body["version"] < 2
    ]
    assert len(entries) == len(host.entries) - 1
    found = host.audit(host.bundle(entries))
    assert isinstance(found, audit.Refuted) and "the community's entry is left out" in found.reason
    key = records.key_of(records.COMMUNITY)
    proven = [raw for raw in host.records if bundle_format.decode_record(raw).key != key]
    assert len(proven) == len(host.records) - 1
    found = host.audit(host.bundle(proven=proven))
    assert isinstance(found, audit.Refuted) and found.reason.startswith("the ledger's record is left out: community ")


def test_a_version_that_requires_less_is_named(bound):
    traded = TradedMonth("loosened")
    requires(traded.community, 2, 2)
    requires(traded.community, 3, 1, KEYS[1:])
    requires(traded.community, 4, 3)
    requires(traded.community, 5, 0, ())
    named = [text for text in audited_as_promised(traded, traded.bundle()).doubtful if text.startswith("version")]
    assert [text.partition(" of the")[0] for text in named] == ["version 3", "version 5"]
    assert "1 of 2 witnesses must have cosigned: w1.example, w2.example; before: 2 of 3" in named[0]


def test_the_audit_as_a_program_is_undecided_without_them(bound, tmp_path, capsys):
    file, keys = tmp_path / "west.bundle", tmp_path / "west.keys"
    file.write_bytes(cosigned_bundle(bound, WITNESSES[:1]))
    for given in bound.keys:
        disclosure.write(keys, given)
    root = bound.community.root.public_key.hex()

    def status(as_json, *texts, least=None):
        return program.run(str(file), root, [str(keys)], as_json, sys.stdout, sys.stderr, texts, least)

    assert status(False) == program.UNDECIDED
    assert "--cosigned 0 waives them" in capsys.readouterr().err
    assert status(True) == program.UNDECIDED
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "undecided" and found["cosigned"] == {"w0.example": NOW_S} and found["lines"]
    assert status(False, least=0) == status(False, KEYS[0].text) == program.AGREES


def test_proofs_and_blocks_need_what_the_community_requires(host, witnesses, tmp_path):
    store, root = host.sink.store, host.root.public_key
    first, keys = store.ordered_in(0)[0].id, [keeper.key for keeper in witnesses]
    assert following.verify(following.prove(store, first), root).cosigned == {}
    version = terms.set_witnesses(store, host.issuer, keys, 2, host.now_s)
    host.sink.projections.follow()
    wanted = f"0 of the 2 cosignatures that version {version} of the community's entry requires"
    with pytest.raises(cosigned.MissingCosignaturesError, match=wanted):
        following.verify(following.prove(store, first), root)
    follower = Follower(host.id)
    for raw in exported.blocks_of(tmp_path):
        follower.apply(raw)
    assert follower.promised == cosigned.Required(tuple(keys), 2, version)
    asyncio.run(Cosigning(store, host.sink.clock, everybody(witnesses, host.sink.clock)).submit())
    proof = following.prove(store, first)
    assert len(following.verify(proof, root).cosigned) == 3
    head, placed, certificates, founded = cbor.decode(proof, limit=following.MAX_PROOF_BYTES)
    for parts, why in (
        ([certificates, placed], "no community's entry that an issuer signed"),
        ([certificates, [*founded[:-1], placed[-1]]], "leads to another root"),
        ([certificates, []], "is no proof"), ([certificates, None], "is no proof"), ([[]], "is no proof"),
    ):  # fmt: skip
        with pytest.raises(following.FollowingError, match=why):
            following.verify(cbor.encode([head, placed, *parts]), root)


def test_who_is_required_counts_before_who_signed_most(host, witnesses):
    """Two others have cosigned a head; the one that is required has cosigned the next."""
    store, away = host.sink.store, set()

    def post(url, body):
        if url in away:
            raise SubmissionError("it is away")
        return everybody(witnesses, host.sink.clock)(url, body)

    def submit(*urls):
        away.clear()
        away.update(urls)
        asyncio.run(Cosigning(store, host.sink.clock, post).submit())

    required = witnesses[2].key
    terms.set_witnesses(store, host.issuer, [required], 1, host.now_s)
    host.sink.projections.follow()
    submit("http://w2.example")
    host.owned_meter("House 2")
    submit("http://w0.example", "http://w1.example")
    proof = following.prove(store, store.ordered_in(0)[0].id)
    assert list(following.verify(proof, host.root.public_key).cosigned) == ["w2.example"]
    submit()
    heads = [checkpoints.decode(text) for text in store.cosigned_heads(1, 9)]
    best = checkpoints.decode(cosigning.best_head(store, 0))
    assert best.size == max(head.size for head in heads) and len(best.signatures) == 4


def test_the_issuer_cannot_publish_what_no_entry_can_name(host):
    store = host.sink.store
    for keys, least, why in (
        ([("a", bytes(32))], 2, "2 must have cosigned and 1 are named"),
        ([("a", bytes(32))] * 2, 1, "there twice"), ([("a b", bytes(32))], 1, "with a name of 1 to 64 bytes"),
        ([("w" * 60 + str(n), bytes([n]) * 32) for n in range(9)], 1, "do not fit the community's entry"),
        ([(f"w{n}", bytes([n]) * 32) for n in range(17)], 1, "more than 16"),
    ):  # fmt: skip
        with pytest.raises(terms.GovernanceError, match=why):
            terms.set_witnesses(store, host.issuer, keys, least, host.now_s)
    assert terms.newest_community(store)["version"] == 1
    named = [(f"pi.example/house-{n}", bytes([n]) * 32) for n in range(9)]
    assert terms.set_witnesses(store, host.issuer, named, 5, host.now_s) == 2
    host.sink.projections.follow()
    assert store.place(store.last_cursor([kinds.COMMUNITY])).reason is None
    assert terms.newest_community(store)["cosigned"] == 5
    malformed = {**terms.newest_community(store), "version": 3, "cosigned": 16}
    host.publish(host.issuer, kinds.COMMUNITY, malformed)
    assert terms.newest_community(store)["version"] == 2  # what the ledger rejected is not in force
    assert terms.set_witnesses(store, host.issuer, named[:1], 1, host.now_s) == 4
    assert terms.set_witnesses(store, host.issuer, [], 0, host.now_s) == 5
    host.sink.projections.follow()
    assert "witnesses" not in terms.newest_community(store)
