"""log: places, verdicts, roles; and hundreds of thousands of mangled entries, each with one verdict on both Pythons."""

import case
from simulator import bodies, damage
from simulator.authors import ROOT_SEED, Author, Key
from wattpact_protocol.log import chain, entry, kinds, reasons, roles, sealed_part


def _event(text="x"):
    return {"code": 1, "text": text}


def test_a_log_is_followed_entry_by_entry():
    author = Author(Key(ROOT_SEED))
    head = chain.start(author.kid, 0, entry.NO_PREVIOUS)
    for number in range(5):
        said = author.publish(kinds.EVENT, _event(str(number)))
        assert chain.judge(head, said, None) == chain.NEXT
        head.accept(said)
        assert (head.next_sequence, head.previous) == (number + 1, said.id)
        assert chain.judge(head, said, said.id) == reasons.DUPLICATE


def test_places():
    author = Author(Key(ROOT_SEED))
    first = author.publish(kinds.EVENT, _event())
    head = chain.start(author.kid, 0, entry.NO_PREVIOUS)
    head.accept(first)
    other = author.sign_at(kinds.EVENT, _event("another past"), (0, 0, entry.NO_PREVIOUS))
    assert chain.judge(head, other, first.id) == reasons.FORK
    assert chain.judge(head, author.sign_at(kinds.EVENT, _event(), (0, 2, first.id)), None) == reasons.GAP
    assert chain.judge(head, author.sign_at(kinds.EVENT, _event(), (0, 1, bytes(32))), None) == reasons.BROKEN_CHAIN
    assert chain.judge(head, author.sign_at(kinds.EVENT, _event(), (1, 0, first.id)), None) == reasons.STALE_GENERATION


def test_time_may_not_run_ahead():
    author = Author(Key(ROOT_SEED))
    for ahead_s, verdict in ((0, None), (300, None), (301, reasons.FUTURE_TIME)):
        assert chain.judge_time(author.publish(kinds.EVENT, _event(), 1000 + ahead_s), 1000) == verdict
    assert chain.judge_time(author.publish(kinds.EVENT, _event(), None), 1000) is None
    body = bodies.reading(t0_s=1000, step_s=60, deltas=(1,) * 6)
    assert chain.judge_time(author.publish(kinds.READING, body, 1000), 1059) == reasons.FUTURE_TIME
    assert chain.judge_time(author.publish(kinds.READING, body, 1000), 1060) is None


def test_of_a_sealed_reading_only_the_stamp_is_checked():
    author = Author(Key(ROOT_SEED))
    part = sealed_part.Sealed(1, bytes(13), bytes(40))
    said = author.publish(kinds.READING, {"sealed": part}, 1000)
    assert chain.judge_time(said, 700) is None and chain.judge_time(said, 699) == reasons.FUTURE_TIME


def test_roles():
    author = Author(Key(ROOT_SEED))
    allowed = {}
    for kind, body in bodies.all_bodies(author):
        said = author.publish(kind, body)
        allowed[kinds.NAMES[kind]] = "".join(
            [name[0] for role, name in sorted(roles.NAMES.items()) if roles.may_publish({"role": role}, said)]
        )
    # r(oot) i(ssuer) h(ost) m(eter) p(erson); an issuer certifies meters, the root does not.
    assert allowed == {
        "certificate": "i", "reading": "m", "event": "m", "community": "i", "tariff": "i", "policy": "i",
        "mandate": "p", "offer": "m", "demand": "m", "acceptance": "m", "contract": "m", "grant": "i",
        "usage_start": "m", "usage": "m", "usage_end": "m", "terminate": "imp", "receipt": "h", "statement": "h",
        "key_epoch": "m", "key_open": "m",
    }  # fmt: skip
    for role in sorted(roles.NAMES):
        by_root = role in (roles.ROOT, roles.ISSUER)
        said = author.publish(kinds.CERTIFICATE, bodies.certificate(author, role=role))
        assert roles.may_publish({"role": roles.ROOT}, said) is by_root
        assert roles.may_publish({"role": roles.ISSUER}, said) is not by_root


def test_there_is_one_root():
    author = Author(Key(ROOT_SEED))
    other = bodies.certificate(author, role=roles.ROOT, public_key=bytes(32))
    assert not roles.may_publish({"role": roles.ROOT}, author.publish(kinds.CERTIFICATE, other))


def test_certificates_have_their_time():
    span = {"not_before_s": 10, "not_after_s": 20}
    assert [roles.valid_at(span, t) for t in (9, 10, 20, 21, None)] == [False, True, True, False, True]


def test_a_persons_order_is_outside_a_chain():
    author = Author(Key(ROOT_SEED))
    mandate = bodies.BODIES["mandate"]
    for place, problem in (
        ((0, 0, bodies.ID), None), ((0, 1, bodies.ID), reasons.BROKEN_CHAIN), ((0, 0, bytes(32)), reasons.BROKEN_CHAIN)
    ):  # fmt: skip
        assert chain.order_problem(bodies.ID, author.sign_at(kinds.MANDATE, mandate, place)) == problem
    terminate = {"contract": bodies.ID, "reason": ""}
    assert (
        chain.order_problem(bodies.ID, author.sign_at(kinds.TERMINATE, terminate, (0, 0, bodies.ID))) == "no_order_id"
    )


def test_mangled_entries_have_one_verdict():
    most = case.scale(100_000, 10_000)  # the emulated chip takes minutes for as many as CPython does in seconds
    for vector in [vector for vector in case.vectors("mangled")["cases"] if vector["entries"] <= most]:
        digest, counts = damage.verdicts(vector["entries"], vector["real_signatures"], vector["seed"])
        assert counts == vector["verdicts"], counts
        assert digest == vector["sha256"]
        # A mangled entry is never taken for the next: only the untouched one is.
        assert counts["malformed"] > counts["bad_signature"] > counts["unknown_author"] > 0
