"""What sealing costs a meter, in instructions of 32-bit MicroPython: one step's worth, far below plain Python."""

import case
import pytest

from tools.bench import aead, counting


@pytest.fixture(scope="module")
def rows() -> dict[str, tuple[int, int | None]]:
    case.only_thorough()
    if counting.available():
        raise case.Skip(counting.available())
    return {what: (count, portable) for what, count, portable in aead.table()}


def test_sealing_a_reading_is_one_short_step(rows: dict[str, tuple[int, int | None]]) -> None:
    for size, most in ((96, 200_000), (192, 260_000)):
        assert 0 < rows[f"CCM, seal {size} bytes"][0] < most
        assert 0 < rows[f"CCM, open {size} bytes"][0] < most + 40_000


def test_cryptolib_is_far_ahead_of_plain_python(rows: dict[str, tuple[int, int | None]]) -> None:
    assert {what for what, (_, portable) in rows.items() if portable is None} == set(aead.ALONE)
    for what in aead.SEALING:
        count, portable = rows[what]
        assert portable is not None and portable > 5 * count, what
