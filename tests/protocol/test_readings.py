"""readings and continuity: the shape of a reading, and what it must hold against those before it."""

import case
from simulator import bodies
from wattpact_protocol.log import kinds, readings, reasons
from wattpact_protocol.settlement import register_rules


def _raw(**changes):
    body = bodies.reading(t0_s=600, imported=100)
    body.update(changes)
    return [0, [body[name] for name in (
        "register_generation", "t0_s", "step_s", "quality", "calibration", "registers", "bad_mask")]]  # fmt: skip


def _rejected(raw):
    return str(case.raises(kinds.BodyError, kinds.decode, kinds.READING, raw))


def test_ends():
    body = bodies.reading(t0_s=600, imported=100, deltas=(1, 0, 5))
    assert readings.end_s(body) == 780
    assert readings.end_value(body, 1) == 106
    assert readings.intervals(body) == 3
    snapshot = bodies.reading(deltas=())
    assert readings.end_s(snapshot) == 0 and readings.end_value(snapshot, 1) == 0


def test_shape_is_strict():
    assert kinds.decode(kinds.READING, _raw())["t0_s"] == 600
    for raw in (None, {}, [], [0], [0, None], [0, []], [1, _raw()[1]], [False, _raw()[1]], [0, _raw()[1] + [0]]):
        _rejected(raw)
    for name, value in (
        ("register_generation", -1), ("t0_s", None), ("t0_s", -1), ("step_s", 0), ("step_s", 86401), ("quality", 256),
        ("calibration", -1), ("calibration", b""), ("bad_mask", 8), ("bad_mask", -1), ("registers", {}),
        ("registers", []),
    ):  # fmt: skip
        _rejected(_raw(**{name: value}))


def test_registers_are_strict():
    good = {1: [5, [1, 2]], 2: [0, [0, 0]]}
    for number, value in (
        (1, [5, [1]]), (2, [0, [0]]), (1, [-1, [1, 2]]), (1, [5, [-1, 2]]), (1, [5]), (1, 5), (1, [5, 5]),
        (0, [5, [1, 2]]), (256, [5, [1, 2]]), (7, [5, [1, 2]]), (63, [5, [1, 2]]), (73, [5, []]), (3, [5, []]),
        (64, [5, [1, 2]]), (64, [1 << 32, []]), (1, [5, [True, 2]]),
        (1, [(1 << 63) - 1, [1, 2]]), ("1", [5, [1, 2]]),
    ):  # fmt: skip
        registers = dict(good)
        registers[number] = value
        _rejected(_raw(registers=registers))
    _rejected(_raw(registers={1: [5, [1] * 61], 2: [5, [1] * 61]}))
    _rejected(_raw(registers={1: [5, [1, 2]], 3: [0, [0, 0]]}))
    longest = {1: [5, [1] * 60], 2: [5, [1] * 60], 64: [-5, []]}
    kinds.decode(kinds.READING, _raw(registers=longest, bad_mask=(1 << 60) - 1))


def test_a_reading_is_open_or_sealed_and_nothing_else():
    for raw in ([1, b"ciphertext"], [1], [1, 2, 3], [None, []], [-1, []], [True, []], {0: 1}, b"sealed"):
        assert "reading: n" in _rejected(raw), raw


def _state(rated_w=3000):
    state = register_rules.RegisterRules(rated_w)
    assert state.apply(bodies.reading(t0_s=600, imported=100, deltas=(10, 10))) is None
    return state


def test_a_register_that_falls_is_void_and_moves_nothing():
    state = _state()
    assert state.apply(bodies.reading(t0_s=720, imported=119)) == reasons.FALLING_REGISTER
    assert state.values[1] == 120 and state.end_s == 720
    assert state.apply(bodies.reading(t0_s=720, imported=120)) is None


def test_reasons_have_the_names_that_rejections_are_counted_by():
    assert (reasons.FALLING_REGISTER, reasons.IMPOSSIBLE_JUMP) == ("falling_register", "impossible_jump")
    assert reasons.READING_TIME_RAN_BACK == "reading_time_ran_back"
    assert reasons.OLD_REGISTER_GENERATION == "old_register_generation"


def test_instantaneous_values_are_no_registers():
    state = _state()
    fallen = {64: [-250, []]}
    assert state.apply(bodies.reading(t0_s=720, imported=120, instantaneous=fallen)) is None
    assert sorted(state.values) == [1, 2]


def test_time_that_runs_back_is_void():
    assert _state().apply(bodies.reading(t0_s=719, imported=120)) == reasons.READING_TIME_RAN_BACK


def test_a_jump_beyond_rated_power_is_void_and_a_gap_is_not():
    # 3 kW for 60 s carry 50 Wh; 2.1 times that and 10 Wh are let through: 115 Wh.
    assert _state().apply(bodies.reading(t0_s=780, imported=120 + 115, deltas=())) is None
    assert _state().apply(bodies.reading(t0_s=780, imported=120 + 116, deltas=())) == reasons.IMPOSSIBLE_JUMP
    assert _state().apply(bodies.reading(t0_s=720, imported=120, deltas=(115,))) is None
    assert _state().apply(bodies.reading(t0_s=720, imported=120, deltas=(116,))) == reasons.IMPOSSIBLE_JUMP
    assert _state().apply(bodies.reading(t0_s=720 + 86400, imported=120 + 72000, deltas=())) is None
    # In a day 151,200 Wh and 10.
    assert _state().apply(bodies.reading(t0_s=720 + 86400, imported=120 + 151_210, deltas=())) is None
    late = bodies.reading(t0_s=720 + 86400, imported=120 + 151_211, deltas=())
    assert _state().apply(late) == reasons.IMPOSSIBLE_JUMP
    assert _state(rated_w=0).apply(bodies.reading(t0_s=780, imported=1 << 40, deltas=())) is None


def test_a_new_register_generation_starts_afresh_and_an_old_one_is_void():
    state = _state()
    assert state.apply(bodies.reading(t0_s=700, imported=3, generation=1)) is None
    assert state.apply(bodies.reading(t0_s=1000, imported=120, generation=0)) == reasons.OLD_REGISTER_GENERATION
    assert state.values[1] == 9
