"""Damaged and hostile input in a repeatable way, the same on both Pythons: entries mangled, with the verdict on each,
and bodies that the table allows and nobody sane would sign: fields at an end of their range, or near other values."""

import hashlib

import case
from wattpact_protocol.log import chain, entry, kinds, sealed_part

from simulator import authors, bodies


def _mangle(bits, raw):
    """One of: a byte changed, a bit flipped, a piece cut, doubled or put elsewhere, or nothing."""
    what = bits.below(6)
    at = bits.below(len(raw))
    if what == 0:
        return raw[:at] + bytes([bits.below(256)]) + raw[at + 1 :]
    if what == 1:
        return raw[:at] + bytes([raw[at] ^ (1 << bits.below(8))]) + raw[at + 1 :]
    if what == 2:
        return raw[:at] + raw[at + 1 + bits.below(8) :]
    if what == 3:
        return raw[:at] + raw[at : at + bits.below(40)] + raw[at:]
    if what == 4:
        return raw[:at]
    return raw


def _verdict(head, ids, author, raw):
    try:
        new = entry.decode(raw, author.community_id)
    except entry.EntryError:
        return "malformed"
    if new.kid != author.kid:
        return "unknown_author"
    if not entry.verify(new, author.public_key, author.key.verify):
        return "bad_signature"
    known = ids[new.sequence] if new.sequence < len(ids) else None
    return chain.judge(head, new, known)


def verdicts(count, real, seed):
    """SHA-256 over the verdicts on `count` mangled entries of a log that is half known, and how often each fell."""
    bits = case.Bits(seed)
    author = authors.Author(authors.Key(authors.ROOT_SEED, authors.REAL if real else authors.StandIn))
    published = [author.publish(kind, body) for kind, body in bodies.all_bodies(author)]
    head = chain.start(author.kid, 0, entry.NO_PREVIOUS)
    half = published[: len(published) // 2]
    for known in half:
        head.accept(known)
    digest, counts = hashlib.sha256(), {}
    for _ in range(count):
        verdict = _verdict(head, [known.id for known in half], author, _mangle(bits, bits.choice(published).raw))
        counts[verdict] = counts.get(verdict, 0) + 1
        digest.update(verdict.encode())
    return digest.digest().hex(), counts


def number(bits, low, high, near):
    """An integer of the range: one of its ends, one near those given, or any."""
    picks = [low, low + 1, high, high - 1]
    picks += [value + bits.below(121) - 60 for value in near] * 2
    value = bits.choice(picks)
    return max(low, min(high, value))


def field(bits, shape, near, ids, kids):
    """A value of a field's shape; `ids` and `kids` are those of entries and authors that exist."""
    name, low, high = shape
    if name == "int":
        return number(bits, low, high, near)
    if name == "bool":
        return bool(bits.below(2))
    if name == "text":
        return "\x1b%" * (high // 2) if bits.below(2) else "x" * max(1, low)
    if name == "bytes":
        return bits.choice(kids if high == 8 else ids)
    if name == "registers":
        return {n + 1: number(bits, -kinds.MAX_UINT, kinds.MAX_UINT, near) for n in range(bits.below(high + 1))}
    if name == "wraps":
        return [[kid, bits.bytes(40)] for kid in {bits.choice(kids) for _ in range(max(low, bits.below(high + 1)))}]
    if name == "kids":
        return [bits.choice(kids) for _ in range(bits.below(high + 1))]
    return [number(bits, 0, 1 << 20, near) for _ in range(bits.below(high + 1))]


def reading(bits, near, start_wh):
    """A reading with any times, registers and steps."""
    count = bits.below(61)
    values = {}
    for register in (1, 2, 11, 64):
        deltas = [number(bits, 0, 1 << 31, ()) for _ in range(count)] if bits.below(2) else [0] * count
        values[register] = [number(bits, 0, 1 << 40, (start_wh,)), deltas if register < 64 else []]
    return bodies.reading_with(
        values, register_generation=number(bits, 0, kinds.MAX_U32, (1, 1)), t0_s=number(bits, 0, 1 << 40, near),
        step_s=number(bits, 1, 86400, (60,)), quality=bits.below(256), bad_mask=bits.below(1 << count) if count else 0,
    )  # fmt: skip


def any_sealed_part(bits, key_nos):
    """What stands in the place of what was measured, and opens to nothing."""
    return sealed_part.Sealed(bits.choice(key_nos), bits.bytes(13), bits.bytes(9 + bits.below(500)))


def body(bits, kind, near, ids, kids):
    """The body of an entry of that kind."""
    if kind == kinds.READING:
        return reading(bits, near, 60)
    made = {}
    for _, name, shape, required in kinds.fields(kind):
        if required or bits.below(3):
            made[name] = field(bits, shape, near, ids, kids)
    return made
