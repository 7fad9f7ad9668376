"""The registry of kinds: every kind has a full row, texts included, and no other place has any of it."""

import case
from simulator import bodies
from simulator.authors import ROOT_SEED, Author, Key
from wattpact_protocol.log import kind_texts, kinds, readings, roles

CONCERNS = (
    kinds.NOBODY, kinds.ALL, kinds.ALL_WHILE_VALID, kinds.NAMED_OR_ALL, kinds.NAMED, kinds.ACKNOWLEDGED, kinds.OFFERER,
    kinds.ACCEPTER, kinds.PARTIES,
)  # fmt: skip
# What a kind's fields must have for a host to know whom it concerns.
NAMES = {
    kinds.ALL_WHILE_VALID: "valid_until_s", kinds.NAMED_OR_ALL: "meter", kinds.NAMED: "meter",
    kinds.ACKNOWLEDGED: "author", kinds.OFFERER: "offer", kinds.ACCEPTER: "acceptance", kinds.PARTIES: "contract",
}  # fmt: skip


def test_every_kind_has_a_full_row():
    numbers = [getattr(kinds, name.upper()) for name in kinds.NAMES.values()]
    assert sorted(numbers) == sorted(kinds.NAMES) == sorted(kinds.KINDS.values())
    for kind, name in kinds.NAMES.items():
        publishers, concerns, sealed = kinds.publishers(kind), kinds.concerns(kind), kinds.sealable(kind)
        assert name == kinds.name(kind) and kinds.KINDS[name] == kind and name == name.lower()
        assert publishers and all(role in roles.NAMES.values() for role in publishers.split(" ")), name
        assert concerns in CONCERNS, name
        names = [field for _, field, _, _ in kinds.fields(kind)]
        assert bool(names) == (kind != kinds.READING), name
        known = readings.FIELDS if kind == kinds.READING else names
        assert all(field in known for field in sealed), name
        assert NAMES.get(concerns, names[0] if names else "") in (names or [""]), name


def test_what_an_entry_concerns_can_be_found_in_it():
    for kind, body in bodies.all_bodies(Author(Key(ROOT_SEED))):
        named = NAMES.get(kinds.concerns(kind))
        without = {name: value for name, value in body.items() if name != named}
        if named and kinds.concerns(kind) != kinds.NAMED_OR_ALL:
            case.raises(kinds.BodyError, kinds.encode, kind, without)


def test_fields_are_in_the_order_of_their_numbers():
    for kind, name in kinds.NAMES.items():
        numbers = [number for number, _, _, _ in kinds.fields(kind)]
        assert numbers == list(range(1, len(numbers) + 1)), name


def test_a_secret_is_wrapped_for_no_more_readers_than_its_field_holds():
    assert [shape[2] for _, name, shape, _ in kinds.fields(kinds.KEY_EPOCH) if name == "wraps"] == [kinds.MAX_WRAPS]


def test_no_role_is_part_of_anothers_name():
    for name in roles.NAMES.values():
        assert [other for other in roles.NAMES.values() if name in other] == [name]


def test_a_readings_fields_are_those_that_it_decodes_to():
    body = bodies.reading()
    assert sorted(kinds.decode(kinds.READING, kinds.encode(kinds.READING, body))) == sorted(readings.FIELDS)


def test_what_is_sealable_is_what_a_row_seals():
    assert {kinds.NAMES[kind]: fields for kind, fields in kinds.SEALABLE.items()} == {
        "reading": readings.FIELDS, "event": ("registers",), "usage_start": ("import_wh",),
        "usage": ("attributed_wh", "import_wh"), "usage_end": ("attributed_wh", "import_wh"),
    }  # fmt: skip


def test_every_kind_has_its_texts():
    assert sorted(kind_texts.TEXTS) == sorted(kinds.NAMES)
    for kind in kinds.NAMES:
        assert kind_texts.meaning(kind).endswith("."), kind
        assert kind_texts.sentence(kind)[0] in "{ABCDEFGHIJKLMNOPQRSTUVWXYZ", kind
    sealable = set(kinds.SEALABLE)
    assert all(kind_texts.private(kind) for kind in sealable), "what may be sealed is private"
