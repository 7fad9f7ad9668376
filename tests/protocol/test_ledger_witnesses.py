"""The witnesses that a community's entry names: well-formed, each once, and no more required than there are."""

import case
from simulator import bodies
from simulator.community import Community
from simulator.ordered import Ordered
from wattpact_protocol.ledger import checkpoints, records, witnesses
from wattpact_protocol.log import kinds, reasons

CASES = case.vectors("ledger")["witnesses"]
KEYS = [("pi.example/house-4", bytes(range(32))), ("omni.example/w1", bytes(range(1, 33)))]
ONE, TWO = [checkpoints.verifier_key(name, key, checkpoints.COSIGNATURE) for name, key in KEYS]


def problem(fields):
    try:
        witnesses.decode(fields)
    except witnesses.WitnessesError as error:
        return str(error)
    return None


def test_what_is_named_is_read_back():
    fields = witnesses.encode(KEYS, 1)
    assert fields == {"witnesses": ONE + "\n" + TWO, "cosigned": 1}
    assert witnesses.decode(bodies.community(**fields)) == (KEYS, 1)
    assert witnesses.decode(bodies.community()) == ([], 0) and witnesses.encode([], 0) == {}
    assert witnesses.decode(witnesses.encode(KEYS, 0)) == (KEYS, 0)


def test_the_vectors():
    for vector in CASES:
        fields = {"witnesses": vector["witnesses"], "cosigned": vector["cosigned"]}
        if vector["names"] is None:
            assert problem(fields), vector["why"]
        else:
            found, least = witnesses.decode(fields)
            assert [name for name, _ in found] == vector["names"] and least == vector["cosigned"]


def test_one_comes_with_the_other():
    assert "together" in problem({"witnesses": ONE}) and "together" in problem({"cosigned": 1})


def test_any_other_character_makes_a_key_another_or_none():
    """Whatever is changed, cut or added; the hash covers name, type and key."""
    for at in range(len(ONE)):
        for other in (ONE[:at] + ONE[at + 1 :], ONE[:at] + chr(ord(ONE[at]) ^ 1) + ONE[at + 1 :]):
            assert problem({"witnesses": other, "cosigned": 1}), other
    for other in (ONE + "A", ONE + "\n", "\n" + ONE, ONE + "\n\n" + TWO, ONE + "\r\n" + TWO, " " + ONE, ""):
        assert problem({"witnesses": other, "cosigned": 1}), other


def test_names_are_bounded_and_visible():
    for name, good in (
        ("!n~", True),
        ("n" * 64, True),
        ("n" * 65, False),
        ("", False),
        ("a b", False),
        ("caf\u00e9", False),
        ("a\t", False),
        ("a\x7f", False),
    ):
        line = checkpoints.verifier_key(name, bytes(32), checkpoints.COSIGNATURE)
        assert (problem({"witnesses": line, "cosigned": 1}) is None) == good, name


def test_there_are_sixteen_at_most():
    keys = [("w%d" % number, bytes([number]) * 32) for number in range(17)]
    for count in (16, 17):
        rows = [checkpoints.verifier_key(name, key, checkpoints.COSIGNATURE) for name, key in keys[:count]]
        assert (problem({"witnesses": "\n".join(rows), "cosigned": 1}) is None) == (count == 16)


def test_the_ledger_orders_no_entry_with_others():
    community = Community(sink=Ordered, prices=(300_000, 80_000))

    def reason(**more):
        new = community.publish(community.issuer, kinds.COMMUNITY, bodies.community(**more))
        return community.sink.rejected.get(new.id)

    good = witnesses.encode(KEYS, 2)
    assert reason(version=2, witnesses=good["witnesses"], cosigned=3) == reasons.BAD_WITNESSES
    assert reason(version=2, witnesses="a" + good["witnesses"], cosigned=1) == reasons.BAD_WITNESSES
    assert reason(version=2, cosigned=1) == reasons.BAD_WITNESSES
    assert community.sink.record_of(records.COMMUNITY)["version"] == 1
    assert reason(version=2, witnesses=good["witnesses"], cosigned=2) is None
    assert reason(version=2) == reasons.STALE_VERSION  # nobody takes it back under the same version
    assert reason(version=3, witnesses=good["witnesses"], cosigned=0) is None
    assert reason(version=4) is None
    assert community.sink.record_of(records.COMMUNITY)["version"] == 4
