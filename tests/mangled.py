"""Entries mangled in a repeatable way, and the one verdict on each: the same on both Pythons."""

import hashlib

import case
import speaker
from wattpact_protocol.log import chain, entry


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
        said = entry.decode(raw, author.community)
    except entry.EntryError:
        return "malformed"
    if said.kid != author.kid:
        return "unknown_author"
    if not entry.verify(said, author.public_key, author.verify):
        return "bad_signature"
    known = ids[said.sequence] if said.sequence < len(ids) else None
    return chain.judge(head, said, known)


def verdicts(count, real, seed):
    """SHA-256 over the verdicts on `count` mangled entries of a log that is half known, and how often each fell."""
    bits = case.Bits(seed)
    author = speaker.Publisher(speaker.ROOT_SEED, real=real)
    said = [author.publish(kind, body) for kind, body in speaker.all_bodies(author)]
    head = chain.start(author.kid, 0, entry.NO_PREVIOUS)
    half = said[: len(said) // 2]
    for known in half:
        head.accept(known)
    digest, counts = hashlib.sha256(), {}
    for _ in range(count):
        verdict = _verdict(head, [known.id for known in half], author, _mangle(bits, bits.choice(said).raw))
        counts[verdict] = counts.get(verdict, 0) + 1
        digest.update(verdict.encode())
    return digest.digest().hex(), counts
