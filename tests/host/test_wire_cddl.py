"""wire.cddl against the code: what the one accepts the other accepts, and what the vectors reject it rejects.

The validator has gaps (unknown keys of a map, ranges below zero, integers beyond 63 bits pass it): there the code is
the stricter, and the cases that fall into a gap are named and left out.
"""

import re
from pathlib import Path

import case
import pycddl
import pytest
from simulator import bodies
from simulator.authors import ROOT_SEED, Author, Key
from wattpact_protocol.encoding import cbor, cose
from wattpact_protocol.log import entry, kinds
from wattpact_protocol.sync import datagram

CDDL = (Path(__file__).parents[2] / "docs/spec/wire.cddl").read_text()
MESSAGE = pycddl.Schema(CDDL)

GAPS = ("a body with an unknown key", "no time, yet the clock status is good", "a time, yet the clock is invalid")


def schema_of(rule: str) -> pycddl.Schema:
    """The same rules with another one first, which is the one that a document is held against."""
    return pycddl.Schema(f"start-here = {rule}\n{CDDL}")


# The validator loses its way in a choice of arrays, so each alternative is held against its own rule.
KIND_RULES = re.findall(r"payload-of<(\d+), ([a-z-]+)>", CDDL)
PAYLOADS = {int(kind): schema_of(f"payload-of<{kind}, {rule}>") for kind, rule in KIND_RULES}
TYPE_RULES = re.findall(r"datagram-of<(\d), ([a-z]+)>", CDDL)
DATAGRAMS = {int(number): schema_of(f"datagram-of<{number}, {rule}>") for number, rule in TYPE_RULES}


def test_every_kind_has_its_rule() -> None:
    assert sorted(PAYLOADS) == sorted(kinds.NAMES)
    assert sorted(DATAGRAMS) == sorted(datagram.NAMES)


def test_every_kind_of_entry_fits_the_schema() -> None:
    author = Author(Key(ROOT_SEED))
    for kind, body in bodies.all_bodies(author):
        said = author.publish(kind, body)
        MESSAGE.validate_cbor(said.raw)
        envelope = cose.decode1(said.raw)
        PAYLOADS[kind].validate_cbor(envelope.payload)
        schema_of("header").validate_cbor(envelope.protected)


def test_every_field_past_its_range_is_rejected_by_the_schema_too() -> None:
    author = Author(Key(ROOT_SEED))
    compared = 0
    for kind, body in bodies.all_bodies(author):
        if kind == kinds.READING:
            continue
        raw = kinds.encode(kind, body)
        assert isinstance(raw, dict)
        for key, _, (shape, low, high), required in kinds.fields(kind):
            strangers: list[object] = [None, [None], 5 if shape == "registers" else {"a": 1}]
            if shape == "int":
                strangers += [low - 1, high + 1, True]
            elif shape in ("bytes", "text"):
                strangers += ["x" * (high + 1), bytes(high + 1)]
            changes = [{**raw, key: stranger} for stranger in strangers]
            if required:
                changes.append({k: v for k, v in raw.items() if k != key})
            for changed in changes:
                with pytest.raises(kinds.BodyError):
                    kinds.decode(kind, changed)
                if shape == "int" and low < 0 and isinstance(changed.get(key), int):
                    continue  # the validator knows no ranges that begin below zero
                if changed.get(key) == 1 << 63:
                    continue  # nor integers of more than 63 bits
                with pytest.raises(pycddl.ValidationError):
                    PAYLOADS[kind].validate_cbor(cbor.encode([kind, 0, 0, bytes(32), [1, 5, 1000, 0], changed]))
                compared += 1
    assert compared > 400


def test_the_entry_vectors_get_their_verdict_from_the_schema() -> None:
    for vector in case.vectors("entry")["cases"]:
        payload = cose.decode1(bytes.fromhex(vector["entry"])).payload
        kind, _, sequence, *_ = cbor.decode(payload)
        if vector["verdict"] != "refused":
            PAYLOADS[kind].validate_cbor(payload)
        elif kind in PAYLOADS and sequence < 1 << 63 and vector["why"] not in GAPS:
            with pytest.raises(pycddl.ValidationError):
                PAYLOADS[kind].validate_cbor(payload)


def test_readings_and_datagrams() -> None:
    author = Author(Key(ROOT_SEED))
    said = author.publish(kinds.READING, bodies.reading(deltas=(), instantaneous={64: [-5, []], 65: [230000, []]}))
    PAYLOADS[said.kind].validate_cbor(cose.decode1(said.raw).payload)
    for kind, body in (
        (datagram.DIGEST, [author.kid, 0, 7, bytes(8), 12]),
        (datagram.HEAD, [author.kid, 0, 7]),
        (datagram.ENTRY, said.raw),
        (datagram.INBOX, [bytes(8), 3, 9, said.raw]),
        (datagram.ENROL, [author.public_key, bytes(32)]),
    ):
        DATAGRAMS[kind].validate_cbor(datagram.encode(kind, author.community_id, body))
        with pytest.raises(pycddl.ValidationError):
            DATAGRAMS[kind].validate_cbor(cbor.encode([1, kind, author.community_id, {}]))


def test_a_decoded_entry_is_the_one_encoding_of_itself() -> None:
    author = Author(Key(ROOT_SEED))
    for kind, body in bodies.all_bodies(author):
        said = author.publish(kind, body)
        place = (said.generation, said.sequence, said.previous)
        again = entry.sign(kind, said.body, place, said.stamp, author.kid, author.community_id, author.sign)
        assert again.raw == said.raw
