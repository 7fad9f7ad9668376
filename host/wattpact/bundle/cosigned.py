"""Cosignatures of a ledger's head: the keys of witnesses, who of them cosigned a head, and whether that is enough.

What always holds: a witness is known by its name and key together, as C2SP writes them (signed-note, "Verifier keys";
type 4, cosignature/v1), and each counts once. docs/spec/ledger.md, "Head and witnesses".
"""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from wattpact_protocol.crypto import ed25519
from wattpact_protocol.ledger import checkpoints, witnesses
from wattpact_protocol.ledger.checkpoints import Checkpoint

_NAME = re.compile(r"[^\s+]{1,128}")
_KEY = re.compile(rf"({_NAME.pattern})\+[0-9a-f]{{8}}\+([A-Za-z0-9+/]{{44}})")  # base64 of 33 bytes


class WitnessKeyError(ValueError):
    """A text that is no key of a witness, or demands that these keys cannot meet; a sentence for a person."""


class MissingCosignaturesError(ValueError):
    """A head that fewer witnesses cosigned than it takes; the text names those that did not."""


class WitnessKey(NamedTuple):
    name: str
    public_key: bytes

    @property
    def text(self) -> str:
        return checkpoints.verifier_key(self.name, self.public_key, checkpoints.COSIGNATURE)


class Required(NamedTuple):
    """Of these witnesses `least` must have cosigned; `version` is that of the community's entry that requires it, 0
    where whoever verifies does."""

    witnesses: tuple[WitnessKey, ...]
    least: int
    version: int = 0

    @property
    def sentence(self) -> str:
        """2 of 3 witnesses must have cosigned: a, b, c"""
        if not self.witnesses:
            return "no witness must have cosigned"
        noun = "witness" if len(self.witnesses) == 1 else "witnesses"
        names = ", ".join(one.name for one in self.witnesses)
        return f"{self.least} of {len(self.witnesses)} {noun} must have cosigned: {names}"


NOBODY = Required((), 0)


def read_key(text: str) -> WitnessKey:
    """NAME+HASH+KEY, as a witness publishes it. Raises WitnessKeyError."""
    return WitnessKey(*_read(text, checkpoints.COSIGNATURE, "a witness"))


def read_log_key(text: str, community: bytes) -> bytes:
    """The public key of a community's ledger, as `wattpact ledger head` shows it. Raises WitnessKeyError."""
    name, public_key = read_any_log_key(text)
    if name != checkpoints.origin_of(community):
        raise WitnessKeyError(f"{name} is not the ledger of the community with that root key")
    return public_key


def read_any_log_key(text: str) -> tuple[str, bytes]:
    """(origin, public key) of a ledger. Raises WitnessKeyError."""
    return _read(text, checkpoints.ED25519, "a ledger")


def check_name(name: str) -> str:
    """Raises WitnessKeyError."""
    if not _NAME.fullmatch(name):
        raise WitnessKeyError(f"{name!r} cannot name a witness; use at most 128 characters without spaces and plus")
    return name


def _read(text: str, kind: int, whose: str) -> tuple[str, bytes]:
    matched = _KEY.fullmatch(text.strip())
    if matched is None:
        raise WitnessKeyError(f"{text!r} is no key of {whose}; it is written NAME+HASH+KEY, in one piece")
    data = base64.b64decode(matched[2])
    name, public_key = matched[1], data[1:]
    if data[0] != kind:
        raise WitnessKeyError(f"the key of {name} is of type {data[0]}, and that of {whose} is of type {kind}")
    if checkpoints.verifier_key(name, public_key, kind) != text.strip():
        raise WitnessKeyError(f"the key of {name} does not fit its hash: was it cut or mistyped?")
    return name, public_key


def required(texts: Sequence[str], least: int | None) -> Required | None:
    """What whoever verifies requires: all of the witnesses, or at least so many of them; None where neither is given,
    and it is as the community's entry has it. Raises WitnessKeyError."""
    if not texts and least is None:
        return None
    given = tuple({one.public_key: one for one in map(read_key, texts)}.values())
    least = len(given) if least is None else least
    if least > len(given):
        raise WitnessKeyError(
            f"{least} cosignatures are required and {len(given)} witnesses are given; name each with --witness"
        )
    return Required(given, least)


def promised(body: Mapping[str, Any]) -> Required:
    """What a community's entry requires of each head that somebody is shown. Raises WitnessKeyError."""
    try:
        named, least = witnesses.decode(dict(body))
    except witnesses.WitnessesError as error:
        raise WitnessKeyError(f"the community's entry names malformed witnesses: {error}") from None
    return Required(tuple(WitnessKey(*one) for one in named), least, body["version"])


def cosigners(point: Checkpoint, witnesses: Sequence[WitnessKey]) -> dict[str, int]:
    """Who of the witnesses cosigned a head, by name, and when, in Unix seconds."""
    found = {}
    for one in witnesses:
        time_s = checkpoints.cosigned_s(point, one.name, one.public_key, ed25519.verify)
        if time_s is not None:
            found[one.name] = time_s
    return found


def check(point: Checkpoint, wanted: Required) -> dict[str, int]:
    """As `cosigners`; raises MissingCosignaturesError where they are too few."""
    found = cosigners(point, wanted.witnesses)
    if len(found) < wanted.least:
        missing = ", ".join(one.name for one in wanted.witnesses if one.name not in found)
        by = f"version {wanted.version} of the community's entry requires" if wanted.version else "are required"
        raise MissingCosignaturesError(
            f"the head over {point.size} blocks has {len(found)} of the {wanted.least} cosignatures that {by};"
            f" missing: {missing}"
        )
    return found
