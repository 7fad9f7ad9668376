"""AES encryption (FIPS 197) in plain Python integers, for platforms without any other.

A state is one integer of its bytes in order, and many blocks are one long integer: each step works on all of them.
There is no S-box to look into: SubBytes inverts with ANDs and XORs, on eight integers with one bit of every byte. So no
secret decides a branch or an address here. How long Python takes over an integer may still depend on its leading
zeros, and what it leaves in freed memory is not wiped.

The inverse in GF(2^8) is taken in a tower of fields: GF(16) is GF(2)[z] modulo z^4 + z + 1, and above it is y with
y^2 = y + z^3 + z. The byte 0x02 is (z^2 + 1) y there. A test holds every byte to FIPS 197, 5.1.1.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    Nibble = tuple[int, int, int, int]  # four bits of every byte, the least first


def ecb(key: bytes, blocks: "bytes | bytearray") -> bytes:
    """Whole blocks, each encrypted by itself."""
    count = len(blocks) // 16
    every = _repeated(1, 128, count)
    keys = [word * every for word in _round_keys(key)]
    return _encrypt(keys, int.from_bytes(blocks, "big"), _masks(count)).to_bytes(16 * count, "big")


def cbc_mac(key: bytes, blocks: "bytes | bytearray") -> bytes:
    """The last block of CBC from a zero vector."""
    keys, masks, state = _round_keys(key), _masks(1), 0
    for at in range(0, len(blocks), 16):
        state = _encrypt(keys, state ^ int.from_bytes(blocks[at : at + 16], "big"), masks)
    return state.to_bytes(16, "big")


def _repeated(value: int, bits: int, count: int) -> int:
    """The value in each of so many fields of so many bits."""
    return value * (((1 << bits * count) - 1) // ((1 << bits) - 1))


def _masks(count: int) -> "tuple[int, int, list[tuple[int, int, int]]]":
    """For so many blocks: 1 in every byte, 1 in every column, and for ShiftRows what moves how far, up and down."""
    rows = []
    for row in (1, 2, 3):
        up = sum([0xFF << 8 * (15 - row - 4 * column) for column in range(row, 4)])
        down = sum([0xFF << 8 * (15 - row - 4 * column) for column in range(row)])
        rows.append((_repeated(up, 128, count), _repeated(down, 128, count), 32 * row))
    return _repeated(1, 8, 16 * count), _repeated(1, 32, 4 * count), rows


def _encrypt(keys: "list[int]", state: int, masks: "tuple[int, int, list[tuple[int, int, int]]]") -> int:
    """The cipher (FIPS 197, 5.1) on every block of the state; `masks` are for as many blocks."""
    ones, columns, rows = masks
    state ^= keys[0]
    for key in keys[1:-1]:
        state = _mix_columns(_shift_rows(_substitute(state, ones), columns, rows), ones, columns) ^ key
    return _shift_rows(_substitute(state, ones), columns, rows) ^ keys[-1]


def _round_keys(key: bytes) -> "list[int]":
    """The key schedule (FIPS 197, 5.2), a state's width each."""
    size = len(key) // 4
    words = [int.from_bytes(key[4 * i : 4 * i + 4], "big") for i in range(size)]
    constant = 1
    for i in range(size, 4 * (size + 7)):
        word = words[-1]
        if i % size == 0:
            word = _substitute(word << 8 & 0xFFFFFFFF | word >> 24, 0x01010101) ^ constant << 24
            constant = constant << 1 ^ (constant >> 7) * 0x11B
        elif size == 8 and i % 8 == 4:
            word = _substitute(word, 0x01010101)
        words.append(words[i - size] ^ word)
    return [words[i] << 96 | words[i + 1] << 64 | words[i + 2] << 32 | words[i + 3] for i in range(0, len(words), 4)]


def _shift_rows(state: int, columns: int, rows: "list[tuple[int, int, int]]") -> int:
    """ShiftRows (5.1.2): row r of every block, r bytes of every four, moves r columns."""
    shifted = state & columns * 0xFF000000
    for up, down, bits in rows:
        shifted |= (state & up) << bits | (state & down) >> 128 - bits
    return shifted


def _mix_columns(state: int, ones: int, columns: int) -> int:
    """MixColumns (5.1.3): each byte is 2a + 3b + c + d of itself and those after it in its column."""
    after = state << 8 & columns * 0xFFFFFF00 | state >> 24 & columns * 0xFF
    pair = state ^ after
    others = pair << 16 & columns * 0xFFFF0000 | pair >> 16 & columns * 0xFFFF
    doubled = (pair & ones * 0x7F) << 1 ^ (pair >> 7 & ones) * 0x1B
    return doubled ^ after ^ others


def _substitute(state: int, ones: int) -> int:
    """SubBytes (5.1.1) on every byte; `ones` has a 1 in each."""
    low, high = _into_tower([state >> bit & ones for bit in range(8)])
    inverse = _invert(_norm(low, high))
    total = (low[0] ^ high[0], low[1] ^ high[1], low[2] ^ high[2], low[3] ^ high[3])
    result = ones * 0x63
    for bit, plane in enumerate(_out_of_tower(_multiply(total, inverse), _multiply(high, inverse))):
        result ^= plane << bit
    return result


def _into_tower(x: "list[int]") -> "tuple[Nibble, Nibble]":
    """The bytes as l + h y: first l, then h."""
    a = x[5] ^ x[7]
    b = x[2] ^ a
    return (x[0] ^ b, x[6] ^ b, x[2], x[3] ^ x[4]), (x[1] ^ a, x[2] ^ x[3], x[1] ^ x[4] ^ x[6] ^ x[7], a)


def _out_of_tower(low: "Nibble", high: "Nibble") -> "tuple[int, ...]":
    """The bits of l + h y, back in FIPS 197's field and through its affine map, but for the constant."""
    v0, v1, v2, v3 = low
    v4, v5, v6, v7 = high
    a, b, c = v0 ^ v3, v1 ^ v2, v5 ^ v6
    d = v7 ^ a
    return v5 ^ b ^ d, v0 ^ v1 ^ v4, v2 ^ c ^ d, v6 ^ a ^ b, v4 ^ a, b ^ c, v4 ^ c, v3 ^ b


def _norm(low: "Nibble", high: "Nibble") -> "Nibble":
    """(z^3 + z) h^2 + h l + l^2, by whose inverse that of l + h y is h y + h + l."""
    p0, p1, p2, p3 = _multiply(low, high)
    l0, l1, l2, l3 = low
    h0, h1, h2, h3 = high
    a = h0 ^ h1
    return p0 ^ l0 ^ l2 ^ h2 ^ h3, p1 ^ l2 ^ a, p2 ^ l1 ^ l3 ^ h1 ^ h2, p3 ^ l3 ^ a ^ h2


def _multiply(a: "Nibble", b: "Nibble") -> "Nibble":
    """The product in GF(16)."""
    a0, a1, a2, a3 = a
    b0, b1, b2, b3 = b
    z4 = a1 & b3 ^ a2 & b2 ^ a3 & b1
    z5 = a2 & b3 ^ a3 & b2
    z6 = a3 & b3
    return (
        a0 & b0 ^ z4,
        a0 & b1 ^ a1 & b0 ^ z4 ^ z5,
        a0 & b2 ^ a1 & b1 ^ a2 & b0 ^ z5 ^ z6,
        a0 & b3 ^ a1 & b2 ^ a2 & b1 ^ a3 & b0 ^ z6,
    )


def _invert(a: "Nibble") -> "Nibble":
    """The inverse in GF(16), 0 of 0: each bit as the polynomial of the four that it is."""
    a0, a1, a2, a3 = a
    a01, a02, a12, a03 = a0 & a1, a0 & a2, a1 & a2, a0 & a3
    a123, a23 = a12 & a3, a2 ^ a3
    return (
        a0 ^ a1 ^ a23 ^ a02 ^ a12 ^ a01 & a2 ^ a123,
        a01 ^ a02 ^ a12 ^ a3 ^ a1 & a3 ^ a01 & a3,
        a01 ^ a23 ^ a02 ^ a03 ^ a02 & a3,
        a1 ^ a23 ^ a03 ^ a1 & a3 ^ a2 & a3 ^ a123,
    )
