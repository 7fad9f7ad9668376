"""Key files: whole, private, never overwritten, and never talkative."""

import json
import os
import stat

import pytest
from nacl.bindings import crypto_scalarmult_base
from wattpact.keys import KeyFileError, Keyring, Signer
from wattpact_protocol import steps
from wattpact_protocol.crypto import ed25519
from wattpact_protocol.sealing import epochs, period_keys

SEED = bytes(range(32))


def test_a_key_comes_back_as_it_was_made(tmp_path):
    ring = Keyring(tmp_path / "keys")
    made = ring.create("issuer", SEED)
    assert ring.load("issuer").public_key == made.public_key == Signer(SEED).public_key
    assert ring.load("issuer").sign(b"x") == made.sign(b"x")


def test_a_key_file_is_its_owners_alone_and_the_only_file_there(tmp_path):
    ring = Keyring(tmp_path / "keys")
    previous = os.umask(0)
    try:
        ring.create_person("east", SEED)
    finally:
        os.umask(previous)
    path = ring.person_path("east")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [found.name for found in path.parent.iterdir()] == ["east.key"]


def test_no_key_is_overwritten(tmp_path):
    ring = Keyring(tmp_path)
    ring.create("root", SEED)
    with pytest.raises(KeyFileError, match="never overwritten"):
        ring.create("root", bytes(32))
    assert ring.load("root").public_key == Signer(SEED).public_key


def test_a_seed_is_not_shown(tmp_path):
    signer = Keyring(tmp_path).create("host", SEED)
    assert SEED.hex() not in repr(signer) + str(signer) + repr([signer])
    (tmp_path / "host.key").write_text(json.dumps({"wattpact_key": 1, "public_key": "00", "seed": SEED.hex()}))
    with pytest.raises(KeyFileError) as raised:
        Keyring(tmp_path).load("host")
    assert SEED.hex() not in str(raised.value)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", "{}", '{"wattpact_key": 1, "seed": "zz", "public_key": ""}', '{"wattpact_key": 2}', "\xff"],
)
def test_a_damaged_key_file_is_named(tmp_path, content):
    (tmp_path / "root.key").write_text(content, encoding="latin-1")
    with pytest.raises(KeyFileError, match="root.key is damaged"):
        Keyring(tmp_path).load("root")


def test_a_missing_key_is_named(tmp_path):
    with pytest.raises(KeyFileError, match="the key 'issuer' is missing"):
        Keyring(tmp_path).load("issuer")


@pytest.mark.parametrize("name", ["", ".", "..", "../root", "a/b", "-a", "a" * 32, "a\n", "ä", "a\0"])
def test_a_name_cannot_lead_out_of_the_folder(tmp_path, name):
    with pytest.raises(KeyFileError, match="cannot name a key"):
        Keyring(tmp_path).create_person(name, SEED)
    assert not (tmp_path / "people").exists()


def test_the_sealing_key_is_another_than_the_signing_key_and_libsodium_makes_the_same_of_its_secret():
    signer = Signer(SEED, "issuer")
    assert signer.sealing_key == crypto_scalarmult_base(period_keys.sealing_secret(SEED))
    assert signer.sealing_key not in (signer.public_key, crypto_scalarmult_base(SEED), ed25519.public_key(SEED))


def epoch_for(*signers, place=(bytes(16), bytes(8)), secret=b"s" * 32):
    readers = [(each.kid, each.sealing_key) for each in signers]
    return steps.finish(epochs.wrap_steps(secret, b"e" * 32, 1, place, readers))


def test_a_secret_is_unwrapped_for_its_readers_in_its_place_alone():
    one, two, three = (Signer(bytes([n]) * 32) for n in range(3))
    body = epoch_for(one, two)
    assert one.unwrap(body, bytes(16), bytes(8)) == two.unwrap(body, bytes(16), bytes(8)) == b"s" * 32
    with pytest.raises(period_keys.NoKeyError):
        three.unwrap(body, bytes(16), bytes(8))
    for place in ((b"x" * 16, bytes(8)), (bytes(16), b"x" * 8)):
        with pytest.raises(period_keys.SealError):
            one.unwrap(body, *place)


def test_neither_seed_nor_sealing_secret_shows():
    signer = Signer(SEED, "issuer")
    body = epoch_for(signer)
    body["wraps"][0][1] = bytes(40)
    assert len(signer.sealing_key) == 32
    with pytest.raises(period_keys.SealError) as caught:
        signer.unwrap(body, bytes(16), bytes(8))
    for secret in (SEED, period_keys.sealing_secret(SEED), b"s" * 32):
        for text in (repr(signer), str(signer), str(caught.value), repr(caught.value.args)):
            assert secret.hex() not in text and repr(secret)[2:-1] not in text
