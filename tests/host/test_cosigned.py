"""Cosignatures: how keys of witnesses are written, and what an auditor can require of a bundle."""

import io
import sys

import pytest
from simulator.month import TradedMonth
from simulator.witnessing import KEYS, NAME, NOW_S, WITNESSES, cosigned_bundle
from wattpact import audit
from wattpact.audit import page, program
from wattpact.bundle import cosigned, disclosure
from wattpact.keys import Signer
from wattpact_protocol.ledger import checkpoints
from wattpact_protocol.log import ids

# Keys


def test_keys_are_written_as_everybody_writes_them():
    # The log key of C2SP's signed-note, made by Go's golang.org/x/mod/sumdb/note for PeterNeumann.
    text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    with pytest.raises(cosigned.WitnessKeyError, match="type 1"):
        cosigned.read_key(text)
    key = cosigned.WitnessKey(NAME, Signer(bytes(32)).public_key)
    assert cosigned.read_key(f" {key.text}\n") == key


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda text: text[:-1], "no key of a witness"), (lambda text: "x" + text, "mistyped"),
        (lambda text: text + "A", "no key of a witness"), (lambda _: "", "no key of a witness"),
    ],
)  # fmt: skip
def test_a_key_that_was_cut_or_changed_is_a_sentence(change, match):
    text = cosigned.WitnessKey(NAME, Signer(bytes(32)).public_key).text
    with pytest.raises(cosigned.WitnessKeyError, match=match):
        cosigned.read_key(change(text))


def test_a_ledger_has_its_own_key():
    origin, key = checkpoints.origin_of(bytes(16)), Signer(bytes(32)).public_key
    text = checkpoints.verifier_key(origin, key, checkpoints.ED25519)
    assert cosigned.read_log_key(text, bytes(16)) == key
    with pytest.raises(cosigned.WitnessKeyError, match="not the ledger"):
        cosigned.read_log_key(text, bytes(15) + b"x")


def test_no_more_can_be_required_than_witnesses_are_given():
    one, two = (cosigned.WitnessKey(name, ids.sha256(name.encode())).text for name in ("one", "two"))
    assert cosigned.required([one, two], None).least == 2
    assert cosigned.required([one, two], 1).least == 1
    assert cosigned.required([], 0) == cosigned.NOBODY
    assert cosigned.required([], None) is None  # as the community's entry has it
    with pytest.raises(cosigned.WitnessKeyError, match="2 cosignatures are required and 1 witnesses"):
        cosigned.required([one, one], 2)


# What an auditor can require


@pytest.fixture(scope="module")
def traded():
    return TradedMonth("cosigned")


def audited(traded, data, least):
    wanted = cosigned.Required(KEYS, least)
    return audit.audit(io.BytesIO(data), traded.community.root.public_key, traded.keys, wanted)


def test_an_auditor_can_require_cosignatures(traded):
    data = cosigned_bundle(traded, WITNESSES[:2])
    assert audited(traded, data, 2).cosigned == {"w0.example": NOW_S, "w1.example": NOW_S}
    assert "Cosigned: by w0.example at " in page.text(audited(traded, data, 0))
    with pytest.raises(audit.Refuted, match=r"2 of the 3 cosignatures that are required; missing: w2\.example$"):
        audited(traded, data, 3)
    assert "Cosigned" not in page.text(audited(traded, traded.bundle(), 0))


def test_a_cosignature_of_another_head_or_by_a_stranger_does_not_count(traded):
    stranger = [(name, Signer(bytes(32))) for name, _ in WITNESSES]
    with pytest.raises(audit.Refuted, match=r"0 of the 1 .* missing: w0.example, w1.example, w2.example"):
        audited(traded, cosigned_bundle(traded, stranger), 1)
    twice = cosigned_bundle(traded, [WITNESSES[0], WITNESSES[0]])
    with pytest.raises(audit.Refuted, match="1 of the 2"):
        audited(traded, twice, 2)


def test_the_audit_as_a_program_has_the_same_demands(traded, tmp_path, capsys):
    file, keys = tmp_path / "west.bundle", tmp_path / "west.keys"
    file.write_bytes(cosigned_bundle(traded, WITNESSES[:1]))
    for given in traded.keys:
        disclosure.write(keys, given)
    root = traded.community.root.public_key.hex()

    def status(*texts, least=None):
        return program.run(str(file), root, [str(keys)], False, sys.stdout, sys.stderr, texts, least)

    assert status(KEYS[0].text) == program.AGREES
    assert "by w0.example" in capsys.readouterr().out
    assert status(KEYS[0].text, KEYS[1].text, least=1) == program.AGREES
    assert status(KEYS[0].text, KEYS[1].text) == program.REFUTED
    assert "missing: w1.example" in capsys.readouterr().err
    assert status("nonsense") == program.UNREADABLE
    assert status(least=1) == program.UNREADABLE
    assert "name each with --witness" in capsys.readouterr().err
