"""Key files: whole, private, never overwritten, and never talkative."""

import json
import os
import stat

import pytest
from wattpact.keys import KeyFileError, Keyring, Signer

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
    with pytest.raises(KeyFileError, match="no key 'issuer'"):
        Keyring(tmp_path).load("issuer")


@pytest.mark.parametrize("name", ["", ".", "..", "../root", "a/b", "-a", "a" * 32, "a\n", "ä", "a\0"])
def test_a_name_cannot_lead_out_of_the_folder(tmp_path, name):
    with pytest.raises(KeyFileError, match="no name for a key"):
        Keyring(tmp_path).create_person(name, SEED)
    assert not (tmp_path / "people").exists()
