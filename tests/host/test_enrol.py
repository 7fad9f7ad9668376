"""Enrolment: the sticker's code proves one key, labels are unique, and certificates rest on the root."""

import pytest
from simulator.authors import Author
from simulator.community import START_S
from simulator.host import TERMS, key
from wattpact.membership import members
from wattpact.membership.members import EnrolError
from wattpact.store.records import Pending
from wattpact.store.sqlite.store import Store
from wattpact_protocol.log import chain, entry, ids, kinds, roles
from wattpact_protocol.sync import enrolment

CODE = bytes(range(16))


class Founded:
    """A community that the node's own code founded and enrols for."""

    def __init__(self, directory):
        self.keys = {name: key(name) for name in ("root", "issuer", "host")}
        self.root, self.issuer = self.keys["root"], self.keys["issuer"]
        self.id = ids.community_id(self.root.public_key)
        self.store = Store(directory / "wattpact.db", self.id)
        members.found_community(self.store, self.keys, TERMS, START_S)

    def person(self, label):
        signer = key(f"person {label}")
        return Author.certified(signer, self.id, members.enrol_person(self.store, self.issuer, signer, label, START_S))

    def meter(self, label, owner=None):
        owner = self.person(f"owner of {label}") if owner is None else owner
        arguments = (self.store, self.issuer, key(label).public_key, label, owner.kid, START_S)
        made = Author.certified(key(label), self.id, members.enrol_meter(*arguments, rated_w=11_000))
        made.owner = owner
        return made


@pytest.fixture
def community(tmp_path):
    made = Founded(tmp_path)
    yield made
    made.store.close()


def pending_of(community, name, code=CODE):
    public_key = key(name).public_key
    return Pending(public_key, enrolment.proof(code, community.id, public_key), "10.0.0.1", START_S, START_S)


def test_a_community_rests_on_its_root(community):
    by_label = {known.body["label"]: known for known in community.store.certificates()}
    rows = {row.id: row for row in community.store.entries()}
    says = {label: rows[known.id].author for label, known in by_label.items()}
    assert says == {"root": community.root.kid, "issuer": community.root.kid, "host": community.issuer.kid}
    root = entry.decode(rows[by_label["root"].id].raw, community.id)
    assert (root.sequence, root.previous, root.body["role"]) == (0, entry.NO_PREVIOUS, roles.ROOT)
    published = [row.kind for row in community.store.entries(author=community.issuer.kid)]
    assert published == [kinds.CERTIFICATE, kinds.COMMUNITY, kinds.TARIFF]


def test_every_entry_of_a_founding_verifies_from_the_root_key_alone(community):
    from wattpact_protocol.crypto import ed25519

    keys = {community.root.kid: community.root.public_key}
    heads = {}
    for row in community.store.entries():
        new = entry.decode(row.raw, community.id)
        assert entry.verify(new, keys[new.kid], ed25519.verify)
        head = heads.setdefault(new.kid, chain.start(new.kid, 0, entry.NO_PREVIOUS))
        assert chain.judge(head, new, None) == chain.NEXT
        head.accept(new)
        if new.kind == kinds.CERTIFICATE and new.body["public_key"] != community.root.public_key:
            kid = ids.kid_of(new.body["public_key"])
            keys[kid] = new.body["public_key"]
            heads[kid] = chain.start(kid, new.body["generation"], new.id)


def test_a_code_proves_one_key_among_those_waiting(community):
    waiting = [pending_of(community, "a", bytes(16)), pending_of(community, "b"), pending_of(community, "c", b"x" * 16)]
    assert members.with_code(waiting, CODE, community.id) == key("b").public_key


def test_a_code_proves_nothing_for_another_key_or_community(community):
    stolen = pending_of(community, "a")._replace(public_key=key("thief").public_key)
    for waiting, code in (([stolen], CODE), ([pending_of(community, "a")], bytes(16))):
        with pytest.raises(EnrolError, match="1 meter waits to be enrolled, none with this code"):
            members.with_code(waiting, code, community.id)
    with pytest.raises(EnrolError, match="none with this code"):
        members.with_code([pending_of(community, "a")], CODE, bytes(16))
    with pytest.raises(EnrolError, match="no meter waits to be enrolled"):
        members.with_code([], CODE, community.id)


def test_an_enrolled_meter_waits_no_longer(community):
    pending = pending_of(community, "House 1")
    community.store.keep_pending(*pending[:4])
    community.meter("House 1")
    assert community.store.pending() == []


def test_labels_and_keys_are_enrolled_once(community):
    owner = community.person("House 1")
    community.meter("House 1", owner=owner)
    with pytest.raises(EnrolError, match="there is a meter 'House 1' already"):
        members.enrol_meter(community.store, community.issuer, key("other").public_key, "House 1", owner.kid, START_S)
    with pytest.raises(EnrolError, match="this key is enrolled already, as 'House 1'"):
        members.enrol_meter(community.store, community.issuer, key("House 1").public_key, "House 2", owner.kid, START_S)
    with pytest.raises(EnrolError, match="there is a person 'House 1' already"):
        members.enrol_person(community.store, community.issuer, key("other"), "House 1", START_S)


def test_a_second_key_with_the_same_kid_is_rejected(community, monkeypatch):
    """Whoever makes 2^32 keys has two with one kid: 8 bytes are a name, and a name belongs to one."""
    real = ids.kid_of
    house, twin = community.meter("House 1"), key("twin")
    monkeypatch.setattr(ids, "kid_of", lambda made: house.kid if made == twin.public_key else real(made))
    with pytest.raises(members.EnrolError, match="key id"):
        members.enrol_meter(community.store, community.issuer, twin.public_key, "Twin", house.owner.kid, START_S)
    with pytest.raises(members.EnrolError, match="key id"):
        members.enrol_person(community.store, community.issuer, twin, "Twin", START_S)


def test_a_label_that_the_protocol_cannot_carry_is_rejected(community):
    for label in ("", "x" * 33):
        with pytest.raises(entry.EntryError, match="label"):
            members.enrol_person(community.store, community.issuer, key("p"), label, START_S)


def test_an_author_is_found_by_label_or_the_start_of_its_key(community):
    meter = community.meter("House 1")
    certified = community.store.certificates()
    for text in ("House 1", meter.kid.hex(), meter.kid.hex()[:6].upper()):
        assert members.find(certified, roles.METER, text).kid == meter.kid
    for text in ("House 2", "", meter.kid.hex()[:3], "owner of House 1"):
        with pytest.raises(EnrolError, match="there is no meter .*enrolled: 'House 1'"):
            members.find(certified, roles.METER, text)


def test_the_specifications_example_holds():
    """docs/spec/enrolment.md; HMAC by the standard library, RFC 2104."""
    import hashlib
    import hmac

    proof = "f4a19ffcc3351ac0c9da690d12d40e5b2e4eaf2534a05d19dd91af607eec067b"
    message = b"wattpact/enrol" + bytes(16) + bytes(32)
    assert hmac.new(CODE, message, hashlib.sha256).hexdigest() == proof
    assert enrolment.proof(CODE, bytes(16), bytes(32)).hex() == proof
    assert enrolment.format_code(CODE) == "AAAQE-AYEAU-DAOCA-JBIFQ-YDIOB-4"


def test_issuer_and_persons_are_certified_with_the_key_that_is_sealed_for_and_nobody_else_is(community):
    person = community.person("East")
    community.meter("House 1", person)
    found = {known.body["label"]: known.body.get("sealing_key") for known in community.store.certificates()}
    assert found == {
        "root": None, "issuer": community.issuer.sealing_key, "host": None, "East": person.key.sealing_key,
        "House 1": None,
    }  # fmt: skip
