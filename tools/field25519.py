"""Writes _field25519_viper.py, the unrolled arithmetic modulo 2^255 - 19, and _ed25519_table.py, the comb's points.

    python tools/field25519.py             write both anew
    python tools/field25519.py --check     write nothing; fail where a file would change

Unrolled because a viper loop spends more on its indices than on the product. One pointer and one sum are all that the
compiler keeps in registers, so both operands are copied to fixed distances from that pointer. One level of Karatsuba
over halves of ten limbs lets 100 products in code do the work of 400; sums of columns wrap at 32 bits on the way and
are exact in the end, because each finished column fits. Loops leave by `break`: MicroPython 1.25 gets conditional jumps
over more than 4 kB wrong on ARM.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "protocol" / "wattpact_protocol" / "crypto"
sys.path.insert(0, str(ROOT / "protocol"))

from wattpact_protocol.crypto import _ed25519_portable as curve  # noqa: E402

PRIME = (1 << 255) - 19
LIMBS, BITS = 20, 13
TEETH, BLOCKS, SPACING = 5, 2, 26
HALF = LIMBS // 2
STRIDE = 3 * HALF - 1  # words of a block: half of f, and the 19 columns of the product
MASK = (1 << BITS) - 1
WRAP = 608  # 2^260 modulo the prime
FACTOR = 121665  # (486662 - 2) / 4 of RFC 7748, 5

HEAD = '''# mypy: ignore-errors
# Written by tools/field25519.py; do not edit.
"""Arithmetic modulo p = 2^255 - 19 in 32-bit integers, as a machine that runs short programs over an array of numbers.

A number is {limbs} limbs of {bits} bits in {limbs} words, not reduced. Multiplications want limbs from -{radix} to
{radix} (and a few more) and leave 0 to {radix}; 2^260 = {wrap} modulo p. The program alone decides what is executed.
"""

import micropython


@micropython.viper
def run(w: ptr32, s: int, registers: ptr32, program: ptr8):
    """Run instructions of four bytes (operation, result, first, second) until operation 0; w is {words} words of room.

    1 product; 2 square, `second` times over; 3 sum - 32p and 4 difference, not carried; 5 sum and 6 difference carried;
    7 first + {factor} second, carried.
    """
    scratch = int(w)
    bottom = int(registers)
    mask = {mask}
    while True:
        op = int(program[0])
        if op == 0:
            break
        h = ptr32(bottom + 80 * int(program[1]))
        f = ptr32(bottom + 80 * int(program[2]))
        n = int(program[3])
        g = ptr32(bottom + 80 * n)
        program = ptr8(int(program) + 4)
        if op > 2:
'''


def program_text() -> str:
    head = HEAD.format(limbs=LIMBS, bits=BITS, radix=1 << BITS, wrap=WRAP, words=3 * STRIDE, factor=FACTOR, mask=MASK)
    lines = [head.rstrip("\n"), *_sums(), *_products()]
    return "\n".join([*lines, ""])


def _indented(depth: int, lines: Iterable[str]) -> Iterator[str]:
    return ("    " * depth + line for line in lines)


def _each(text: str) -> Iterator[str]:
    return (text.replace("@", str(k)) for k in range(HALF))


def _sums() -> Iterator[str]:
    """Twice ten limbs: of what is fast enough without, no more is unrolled."""
    yield from _indented(3, ["n = 2", "s = 0", "while n:", "    w = g"])
    yield from _indented(4, _each("b@ = w[@]"))
    yield from _indented(4, ["w = f", "if op == 3:"])
    yield from _indented(5, _each("h[@] = w[@] + b@ - mask"))
    yield "                elif op == 4:"
    yield from _indented(5, _each("h[@] = w[@] - b@"))
    yield "                elif op == 6:"
    yield from _indented(5, _carried("w[@] - b@"))
    yield "                else:"
    yield "                    if op == 7:"
    yield from _indented(6, _each(f"b@ = b@ * {FACTOR}"))
    yield from _indented(5, _carried("w[@] + b@"))
    yield from _indented(4, (f"{name} = ptr32(int({name}) + {4 * HALF})" for name in "hfg"))
    yield "                n -= 1"
    yield f"            h = ptr32(int(h) - {4 * LIMBS})"
    yield from _indented(3, ["w = ptr32(scratch)", "if op == 3:", f"    h[0] = h[0] + {WRAP - 1}", "elif op > 4:"])
    yield from _indented(4, _wrap("h"))


def _carried(term: str) -> Iterator[str]:
    for k in range(HALF):
        yield f"s = (s >> {BITS}) + {term}".replace("@", str(k))
        yield f"h[{k}] = s & mask"


def _wrap(h: str) -> Iterator[str]:
    """The carry out of the last limb, once round; what is left in limb 2 stays within a few of its range."""
    yield f"s = (s >> {BITS}) * {WRAP} + {h}[0]"
    yield f"{h}[0] = s & mask"
    yield f"s = (s >> {BITS}) + {h}[1]"
    yield f"{h}[1] = s & mask"
    yield f"{h}[2] = (s >> {BITS}) + {h}[2]"


def _products() -> Iterator[str]:
    yield "        else:"
    yield "            if op == 1:"
    yield "                n = 1"
    yield "            while True:"
    yield from _indented(4, _load())
    yield "                blocks = 3"
    yield "                while True:"
    yield "                    if op == 1:"
    yield "                        if blocks == 1:"
    yield from _indented(7, _each("b@ = g[@] - b@"))
    yield "                        else:"
    yield from _indented(7, _each("b@ = g[@]"))
    yield f"                            g = ptr32(int(g) + {8 * HALF} * blocks - {20 * HALF})"
    yield from _indented(6, _columns(_product_terms))
    yield "                    else:"
    yield from _indented(6, (f"b{k} = w[{k}] << 1" for k in range(1, HALF)))
    yield from _indented(6, _columns(_square_terms))
    yield f"                    w = ptr32(int(w) + {4 * STRIDE})"
    yield "                    blocks -= 1"
    yield "                    if blocks == 0:"
    yield "                        break"
    yield "                w = ptr32(scratch)"
    yield from _indented(4, _fold())
    yield from _indented(4, _wrap("h"))
    yield "                f = h"
    yield "                n -= 1"
    yield "                if n == 0:"
    yield "                    break"


def _load() -> Iterator[str]:
    """Block 0: the low half of f; block 1: the high half; block 2: low minus high."""
    yield from (f"w[{k % HALF + STRIDE * (k // HALF)}] = f[{k}]" for k in range(LIMBS))
    yield from (f"w[{2 * STRIDE + k}] = w[{k}] - w[{STRIDE + k}]" for k in range(HALF))


def _product_terms(k: int) -> list[str]:
    return [f"w[{i}] * b{k - i}" for i in range(max(0, k - HALF + 1), min(k, HALF - 1) + 1)]


def _square_terms(k: int) -> list[str]:
    """The square in the middle comes first, by way of s: it costs less than a product of two words."""
    terms = [f"w[{i}] * b{k - i}" for i in range(max(0, k - HALF + 1), (k + 1) // 2)]
    return [*([f"w[{k // 2}]", "s * s"] if k % 2 == 0 else []), *terms]


def _columns(terms_of: Callable[[int], list[str]]) -> Iterator[str]:
    for k in range(2 * HALF - 1):
        terms = terms_of(k)
        target = f"w[{HALF + k}]"
        for number, term in enumerate(terms):
            left = target if number == len(terms) - 1 else "s"
            yield f"{left} = {term} + s" if number and term != "s * s" else f"{left} = {term}"


def _fold() -> Iterator[str]:
    """Columns 20 to 38, carried into the words of f; then columns 0 to 19 with 608 times those."""
    room = [k % HALF + STRIDE * (k // HALF) for k in range(LIMBS)]
    for k in range(LIMBS, 2 * LIMBS - 1):
        yield f"s = {_column(k, k > LIMBS)}"
        yield f"w[{room[k - LIMBS]}] = s & mask"
    yield f"w[{room[LIMBS - 1]}] = s >> {BITS}"
    for k in range(LIMBS):
        yield f"s = {_column(k, k > 0)}"
        yield f"s = w[{room[k]}] * {WRAP} + s"
        yield f"h[{k}] = s & mask"


def _column(k: int, carry: bool) -> str:
    """The carry and column k: low + 2^130 (low + high - block 2) + 2^260 high."""
    last, columns = 2 * HALF - 2, HALF
    low, high, middle = columns, STRIDE + columns, 2 * STRIDE + columns
    terms = [f" + w[{low + k}]"] if k <= last else []
    if 0 <= k - HALF <= last:
        terms += [f" + w[{low + k - HALF}]", f" + w[{high + k - HALF}]", f" - w[{middle + k - HALF}]"]
    if 0 <= k - LIMBS <= last:
        terms.append(f" + w[{high + k - LIMBS}]")
    return f"(s >> {BITS})" + "".join(terms) if carry else "".join(terms)[3:]


TABLE_HEAD = '''# Written by tools/field25519.py; do not edit.
"""The {count} points of the signed comb that multiplies Ed25519's base point B: {blocks} blocks of {entries}.

Entry i of block b is the sum over teeth t = 0 to {last} of +-2^({row} t + {spacing} b) B, + where t is {last} or bit t
of i is set. Each is (y + x, y - x, 2dxy), each of those {limbs} limbs of {bits} bits, little-endian, two bytes a limb.
A block has the first four bytes of its entries, one after the other, then the next four.
"""

'''


def table() -> bytes:
    blocks = [[_entry(_scalar(block, index)) for index in range(1 << TEETH - 1)] for block in range(BLOCKS)]
    return b"".join(entry[at : at + 4] for block in blocks for at in range(0, 6 * LIMBS, 4) for entry in block)


def _scalar(block: int, index: int) -> int:
    signs = [1 if tooth == TEETH - 1 or index >> tooth & 1 else -1 for tooth in range(TEETH)]
    return sum(sign << SPACING * (BLOCKS * tooth + block) for tooth, sign in enumerate(signs))


def _entry(scalar: int) -> bytes:
    x, y, z, _ = curve._multiply_base(scalar % curve._ORDER)
    inverse = pow(z, -1, PRIME)
    x, y = x * inverse % PRIME, y * inverse % PRIME
    numbers = ((y + x) % PRIME, (y - x) % PRIME, 2 * curve._D * x * y % PRIME)
    return b"".join((number >> BITS * k & MASK).to_bytes(2, "little") for number in numbers for k in range(LIMBS))


def table_text() -> str:
    points = table()
    head = TABLE_HEAD.format(
        count=BLOCKS << TEETH - 1, blocks=BLOCKS, entries=1 << TEETH - 1, last=TEETH - 1, row=BLOCKS * SPACING,
        spacing=SPACING, limbs=LIMBS, bits=BITS,
    )  # fmt: skip
    rows = ("".join(f"\\x{byte:02x}" for byte in points[i : i + 28]) for i in range(0, len(points), 28))
    return head + "POINTS = (\n" + "\n".join(f'    b"{row}"' for row in rows) + "\n)\n"


FILES = {"_field25519_viper.py": program_text, "_ed25519_table.py": table_text}


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the generated parts of the viper backend of Ed25519.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file would change")
    check = parser.parse_args().check
    changed = []
    for name, make in FILES.items():
        path, text = PACKAGE / name, make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            changed.append(name)
            if not check:
                path.write_text(text, encoding="utf-8")
    for name in changed:
        print(f"{name}: {'is not what tools/field25519.py writes' if check else 'written'}")
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
