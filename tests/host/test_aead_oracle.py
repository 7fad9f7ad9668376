"""AES-CCM and AES-GCM against OpenSSL: what is done over AES alone seals to the same bytes, and opens the same."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import case
import pytest
from aead import BACKENDS, MODULES, choose
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st
from wattpact_protocol.crypto import _ccm_host, _ccm_portable, _gcm_host, _gcm_portable, aes, ccm, gcm

KEYS = st.sampled_from([16, 24, 32]).flatmap(lambda size: st.binary(min_size=size, max_size=size))
TAGS = st.sampled_from(ccm.TAG_LENGTHS)
TEXTS = st.binary(max_size=200)


@contextmanager
def using(backend: tuple[Any, ...]) -> Iterator[None]:
    chosen = [module._backend for module in MODULES]
    choose(backend[1:])
    try:
        yield
    finally:
        choose(chosen)


every_backend = pytest.mark.parametrize("backend", BACKENDS, ids=[backend[0] for backend in BACKENDS])


def test_openssl_is_in_use() -> None:
    assert ccm._backend is _ccm_host and gcm._backend is _gcm_host


@every_backend
@settings(max_examples=60, deadline=None)
@given(key=KEYS, nonce=st.binary(min_size=7, max_size=13), aad=TEXTS, text=TEXTS, tag_length=TAGS, data=st.data())
def test_ccm_is_openssls(
    backend: tuple[Any, ...], key: bytes, nonce: bytes, aad: bytes, text: bytes, tag_length: int, data: Any
) -> None:
    with using(backend):
        sealed = ccm.seal(key, nonce, aad, text, tag_length)
        assert sealed == AESCCM(key, tag_length).encrypt(nonce, text, aad)
        assert ccm.open(key, nonce, aad, sealed, tag_length) == text
        # A tag of four bytes may fit by accident, once in 2**32.
        with pytest.raises(ccm.CcmError):
            ccm.open(key, nonce, aad, flipped(data, sealed), tag_length)


@every_backend
@settings(max_examples=60, deadline=None)
@given(key=KEYS, nonce=st.binary(min_size=8, max_size=128), aad=TEXTS, text=TEXTS, data=st.data())
def test_gcm_is_openssls(
    backend: tuple[Any, ...], key: bytes, nonce: bytes, aad: bytes, text: bytes, data: Any
) -> None:
    with using(backend):
        sealed = gcm.seal(key, nonce, aad, text)
        assert sealed == AESGCM(key).encrypt(nonce, text, aad)
        assert gcm.open(key, nonce, aad, sealed) == text
        with pytest.raises(gcm.GcmError):
            gcm.open(key, nonce, aad, flipped(data, sealed))


def flipped(data: Any, sealed: bytes) -> bytes:
    """One byte of it is another."""
    at = data.draw(st.integers(0, len(sealed) - 1))
    changed = bytearray(sealed)
    changed[at] ^= data.draw(st.integers(1, 255))
    return bytes(changed)


@every_backend
@pytest.mark.parametrize("size", [0, 1, 16, 33, 96])
def test_every_byte_changed_is_rejected(backend: tuple[Any, ...], size: int) -> None:
    key, nonce, aad, text = bytes(16), bytes(13), b"aad", bytes(size)
    with using(backend):
        for module, error in ((ccm, ccm.CcmError), (gcm, gcm.GcmError)):
            sealed = module.seal(key, nonce, aad, text)
            for at in range(len(sealed)):
                with pytest.raises(error):
                    module.open(key, nonce, aad, sealed[:at] + bytes([sealed[at] ^ 1 << at % 8]) + sealed[at + 1 :])


WHATEVER = st.one_of(st.none(), st.integers(), st.text(), st.binary(max_size=40), st.lists(st.integers()), st.floats())


@every_backend
@settings(max_examples=150, deadline=None)
@given(arguments=st.lists(WHATEVER, min_size=5, max_size=5))
def test_whatever_is_given_raises_the_documented_error(backend: tuple[Any, ...], arguments: list[Any]) -> None:
    with using(backend):
        for function, count, error in (
            (ccm.seal, 5, ccm.CcmError),
            (ccm.open, 5, ccm.CcmError),
            (gcm.seal, 4, gcm.GcmError),
            (gcm.open, 4, gcm.GcmError),
        ):
            try:
                assert isinstance(function(*arguments[:count]), bytes)
            except error:
                pass


def test_long_texts_agree() -> None:
    text = case.Bits("long").bytes(20_000)
    key, nonce, aad = text[:16], text[16:29], text * 4
    for size in (4095, 4096, 4097, 20_000):
        sealed = _ccm_host.seal(key, nonce, aad, text[:size], 16)
        assert _ccm_portable.seal(key, nonce, aad, text[:size], 16) == sealed
        assert _ccm_portable.open(key, nonce, aad, sealed, 16) == text[:size]
    assert _gcm_portable.seal(key, nonce, aad, text) == _gcm_host.seal(key, nonce, aad, text)


def test_two_keys_for_one_ciphertext_are_found_by_trying() -> None:
    """CCM does not commit to its key: with tags of 4 bytes, some 2**16 keys hold two that do (a birthday search)."""
    nonce, ciphertext, seen = bytes(13), bytes(16), dict[bytes, int]()
    counters = _ccm_portable._counters(nonce, len(ciphertext))
    head = _ccm_portable._authenticated(nonce, b"", ciphertext, 4)[:16]
    for number in range(1 << 18):
        key = hashlib.sha256(number.to_bytes(4, "big")).digest()[:16]
        stream = aes.ecb(key, counters)
        mac = aes.cbc_mac(key, head + stream[16:])  # the content under this key is the stream: the ciphertext is zeros
        tag = bytes([a ^ b for a, b in zip(mac[:4], stream[:4], strict=True)])
        if tag in seen:
            break
        seen[tag] = number
    two = [vector for vector in case.vectors("ccm")["seal"] if vector["clause"] == "no commitment"]
    assert [vector["name"] for vector in two] == [f"one of two keys, {n}" for n in (seen[tag], number)]
    assert {vector["sealed"] for vector in two} == {(ciphertext + tag).hex()}
