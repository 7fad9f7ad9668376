# mypy: ignore-errors
"""SHA-512 (FIPS 180-4) in 32-bit integers, compiled to machine code by MicroPython. No branch depends on the data.

A word of 64 bits is two of 32, the lower one first. Sums are made of 16 bits at a time, read through a
second pointer, so that a carry is a shift: to compare for it would be a branch on some of the chips.
"""

import sys
from array import array

import micropython

from wattpact_protocol.crypto import _sha512_constants
from wattpact_protocol.crypto._tables_viper import ROUND

if sys.maxsize != 0x7FFFFFFF:
    raise ImportError("needs 32-bit integers")

BLOCK = 128


@micropython.viper
def _expand(w: ptr32, data: ptr8, at: int):
    """The message schedule of the block at `at` in words 0 to 159 of w (6.4.2, step 1); 160 to 163 are scratch."""
    data = ptr8(int(data) + at)
    i = 0
    while i < 32:
        w[i ^ 1] = int(data[0]) << 24 | int(data[1]) << 16 | int(data[2]) << 8 | int(data[3])
        data = ptr8(int(data) + 4)
        i += 1
    x = ptr16(int(w) + 640)
    sums = ptr32(int(w) + 640)
    i = 16
    while i < 80:
        low = uint(w[2])
        high = uint(w[3])
        sums[0] = int((low >> 1 | high << 31) ^ (low >> 8 | high << 24) ^ (low >> 7 | high << 25))
        sums[1] = int((high >> 1 | low << 31) ^ (high >> 8 | low << 24) ^ high >> 7)
        low = uint(w[28])
        high = uint(w[29])
        sums[2] = int((low >> 19 | high << 13) ^ (high >> 29 | low << 3) ^ (low >> 6 | high << 26))
        sums[3] = int((high >> 19 | low << 13) ^ (low >> 29 | high << 3) ^ high >> 6)
        q = ptr16(int(w))
        left = int(x[0]) + int(x[4]) + int(q[0]) + int(q[36])
        q[64] = left
        left = (left >> 16) + int(x[1]) + int(x[5]) + int(q[1]) + int(q[37])
        q[65] = left
        w[33] = (left >> 16) + sums[1] + sums[3] + w[1] + w[19]
        w = ptr32(int(w) + 8)
        i += 1


@micropython.viper
def _rounds(v: ptr32, w: ptr32, k: ptr32, state: ptr32):
    """The 80 rounds on the state (6.4.2, steps 2 to 4). a to h move down v, of 176 words, by 64 bits a round."""
    v = ptr32(int(v) + 640)
    i = 0
    while i < 16:
        v[i] = state[i]
        i += 1
    i = 0
    while i < 80:
        low = uint(v[8])
        high = uint(v[9])
        q = ptr16(int(v))
        r = ptr16(int(w))
        z = ptr16(int(k))
        x = (low >> 14 | high << 18) ^ (low >> 18 | high << 14) ^ (high >> 9 | low << 23)
        y = uint(v[12]) ^ low & (uint(v[10]) ^ uint(v[12]))
        left = int(x & uint(65535)) + int(y & uint(65535)) + int(q[28]) + int(r[0]) + int(z[0])
        first = left & 65535
        left = (left >> 16) + int(x >> 16) + int(y >> 16) + int(q[29]) + int(r[1]) + int(z[1])
        second = left & 65535
        x = (high >> 14 | low << 18) ^ (high >> 18 | low << 14) ^ (low >> 9 | high << 23)
        y = uint(v[13]) ^ high & (uint(v[11]) ^ uint(v[13]))
        third = (left >> 16) + int(x) + int(y) + v[15] + w[1] + k[1]
        left = int(q[12]) + first
        q[12] = left
        left = (left >> 16) + int(q[13]) + second
        q[13] = left
        v[7] = (left >> 16) + v[7] + third
        low = uint(v[0])
        high = uint(v[1])
        x = (low >> 28 | high << 4) ^ (high >> 2 | low << 30) ^ (high >> 7 | low << 25)
        y = low & uint(v[2]) | (low | uint(v[2])) & uint(v[4])
        v = ptr32(int(v) - 8)
        q = ptr16(int(v))
        left = int(x & uint(65535)) + int(y & uint(65535)) + first
        q[0] = left
        left = (left >> 16) + int(x >> 16) + int(y >> 16) + second
        q[1] = left
        x = (high >> 28 | low << 4) ^ (low >> 2 | high << 30) ^ (low >> 7 | high << 25)
        y = high & uint(v[5]) | (high | uint(v[5])) & uint(v[7])
        v[1] = (left >> 16) + int(x) + int(y) + third
        w = ptr32(int(w) + 8)
        k = ptr32(int(k) + 8)
        i += 1
    i = 0
    while i < 16:
        left = (state[i] & 65535) + (v[i] & 65535)
        right = (state[i] >> 16 & 65535) + (v[i] >> 16 & 65535) + (left >> 16)
        state[i] = right << 16 | left & 65535
        state[i + 1] = state[i + 1] + v[i + 1] + (right >> 16)
        i += 2


@micropython.viper
def _write(digest: ptr8, state: ptr32):
    i = 0
    while i < 16:
        word = state[i ^ 1]
        digest[0] = word >> 24
        digest[1] = word >> 16
        digest[2] = word >> 8
        digest[3] = word
        digest = ptr8(int(digest) + 4)
        i += 1


def digest_steps(data: bytes):
    """A generator that gives way after each block; its value is the 64 bytes of SHA-512(data)."""
    length = len(data)
    state = array("I", _sha512_constants.START)
    schedule = array("I", bytes(4 * 164))
    rounds = array("I", bytes(4 * 176))
    whole = length - length % BLOCK
    for at in range(0, whole, BLOCK):
        _expand(schedule, data, at)
        _rounds(rounds, schedule, ROUND, state)
        yield
    tail = data[whole:] + b"\x80" + bytes((111 - length) % BLOCK + 8) + (length << 3).to_bytes(8, "big")
    for at in range(0, len(tail), BLOCK):
        _expand(schedule, tail, at)
        _rounds(rounds, schedule, ROUND, state)
        yield
    result = bytearray(64)
    _write(result, state)
    return bytes(result)


def digest(data: bytes) -> bytes:
    """The 64 bytes of SHA-512(data)."""
    steps = digest_steps(data)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value
