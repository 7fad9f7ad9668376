"""bodies: every field of every kind, at and past its bounds."""

import case
from simulator import bodies
from simulator.authors import ROOT_SEED, Author, Key
from wattpact_protocol.log import kinds


def _bodies():
    return bodies.all_bodies(Author(Key(ROOT_SEED)))


def test_every_kind_survives_the_round_trip():
    for kind, body in _bodies():
        assert kinds.decode(kind, kinds.encode(kind, body)) == body, kinds.NAMES[kind]


def test_kinds_and_keys_are_used_once():
    for kind, name in kinds.NAMES.items():
        fields = kinds.fields(kind)
        assert len({field[0] for field in fields}) == len({field[1] for field in fields}) == len(fields), name
    assert len(set(kinds.NAMES.values())) == len(kinds.NAMES) == 20


def test_required_fields_are_required_and_optional_ones_are_not():
    for kind, body in _bodies():
        if kind == kinds.READING:
            continue
        raw = kinds.encode(kind, body)
        for key, field, _, required in kinds.fields(kind):
            without = {k: v for k, v in raw.items() if k != key}
            if required:
                assert field in str(case.raises(kinds.BodyError, kinds.decode, kind, without))
            else:
                assert field not in kinds.decode(kind, without)


def test_a_value_of_another_type_or_beyond_its_range_is_rejected():
    strangers = (None, True, -(1 << 70), 1 << 63, b"", b"123", "x" * 65, [], [1], {}, {1: "x"}, {0: 1}, [b"1234567"])
    for kind, body in _bodies():
        if kind == kinds.READING:
            continue
        raw = kinds.encode(kind, body)
        for key, field, shape, _ in kinds.fields(kind):
            rejected = 0
            for stranger in strangers:
                changed = dict(raw)
                changed[key] = stranger
                try:
                    kinds.decode(kind, changed)
                except kinds.BodyError:
                    rejected += 1
            # A list or map type takes the empty one, a bool True, a text of length zero nothing of these.
            assert rejected >= len(strangers) - 2, (kinds.NAMES[kind], field, shape)


def test_bounds_are_inclusive():
    for kind, body in _bodies():
        if kind == kinds.READING:
            continue
        for key, _, (name, low, high), _ in kinds.fields(kind):
            if name != "int":
                continue
            raw = kinds.encode(kind, body)
            for value in (low, high):
                raw[key] = value
                kinds.decode(kind, raw)
            for value in (low - 1, high + 1, True):
                raw[key] = value
                case.raises(kinds.BodyError, kinds.decode, kind, raw)


def test_unknown_keys_kinds_and_fields_are_rejected():
    case.raises(kinds.BodyError, kinds.decode, 99, {})
    case.raises(kinds.BodyError, kinds.encode, 99, {})
    case.raises(kinds.BodyError, kinds.decode, kinds.CONTRACT, {1: bodies.ID, 2: 0})
    case.raises(kinds.BodyError, kinds.decode, kinds.CONTRACT, [bodies.ID])
    case.raises(kinds.BodyError, kinds.encode, kinds.CONTRACT, {"acceptance": bodies.ID, "price": 1})
