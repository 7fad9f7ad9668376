"""Integer sine, cosine, square root and rounding: the chip's floats have 24 bits, too few for energy.

Angles are fractions of a turn, `TURN` to the circle; sine and cosine are scaled by `ONE`. Results are within 2 units
of the true value. These allocate big integers and are meant for once a period, never once a sample.
"""

TURN = 1 << 32
ONE = 1 << 30

_QUARTER = TURN // 4
_GUARD_BITS = 10
_UNIT = ONE << _GUARD_BITS
_HALF_PI = 1727108826179  # pi/2 scaled by _UNIT


def sin_cos(angle: int) -> "tuple[int, int]":
    """Sine and cosine, scaled by ONE, of `angle` in units of 1/TURN of a turn (any integer)."""
    quadrant, rest = divmod(angle % TURN, _QUARTER)
    x = rest * _HALF_PI // _QUARTER
    sums = [0, 0, 0, 0]  # terms of the exponential series by power mod 4
    term = _UNIT
    power = 0
    while term:
        sums[power & 3] += term
        power += 1
        term = term * x // (_UNIT * power)
    sine = (sums[1] - sums[3]) >> _GUARD_BITS
    cosine = (sums[0] - sums[2]) >> _GUARD_BITS
    if quadrant == 0:
        return sine, cosine
    if quadrant == 1:
        return cosine, -sine
    if quadrant == 2:
        return -sine, -cosine
    return -cosine, sine


def isqrt(n: int) -> int:
    """The largest integer whose square is at most n (n >= 0)."""
    if n < 0:
        raise ValueError("square root of a negative number")
    if n == 0:
        return 0
    guess = 1
    square = 1
    while square <= n:
        guess <<= 1
        square <<= 2
    while True:  # Newton from above falls until it is there
        better = (guess + n // guess) // 2
        if better >= guess:
            return guess
        guess = better


def round_div(numerator: int, denominator: int) -> int:
    """numerator / denominator to the nearest integer, halves upwards (denominator > 0)."""
    return (2 * numerator + denominator) // (2 * denominator)
