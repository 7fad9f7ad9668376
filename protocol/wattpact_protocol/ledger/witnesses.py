"""The witnesses that a community's entry names, and how many of them must have cosigned a head that somebody is shown.

    witnesses   their keys as C2SP writes them (signed-note, "Verifier keys"), NAME+HASH+KEY, one a line
    cosigned    how many of them must have cosigned

What always holds of what `decode` gives: every name and every key is there once, each key fits its hash and is a
witness's, and no more must have cosigned than are named. docs/spec/ledger.md, "Members".
"""

from wattpact_protocol.ledger import checkpoints

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_WITNESSES = 16  # as many signatures as a head has
MAX_NAME_BYTES = 64


class WitnessesError(ValueError):
    """Witnesses that no community's entry may name; the text says which."""


def decode(body: "dict[str, Any]") -> "tuple[list[tuple[str, bytes]], int]":
    """(name, public key) of each witness in a community's entry, and how many must have cosigned: ([], 0) where it
    names none. Raises WitnessesError."""
    if "witnesses" not in body and "cosigned" not in body:
        return [], 0
    if "witnesses" not in body or "cosigned" not in body:
        raise WitnessesError("witnesses, and how many of them must have cosigned, are there together or not at all")
    lines = body["witnesses"].split("\n")
    if len(lines) > MAX_WITNESSES:
        raise WitnessesError("there are more than %d witnesses" % MAX_WITNESSES)
    found = [_key(line) for line in lines]
    if len({name for name, _ in found}) < len(found) or len({key for _, key in found}) < len(found):
        raise WitnessesError("a witness is there twice")
    if body["cosigned"] > len(found):
        raise WitnessesError("%d must have cosigned and %d are named" % (body["cosigned"], len(found)))
    return found, body["cosigned"]


def encode(keys: "list[tuple[str, bytes]]", cosigned: int) -> "dict[str, Any]":
    """The fields of a community's entry, none where there is no witness; raises WitnessesError where `decode` would."""
    if not keys and not cosigned:
        return {}
    rows = [checkpoints.verifier_key(name, key, checkpoints.COSIGNATURE) for name, key in keys]
    fields = {"witnesses": "\n".join(rows), "cosigned": cosigned}
    decode(fields)
    return fields


def _key(line: str) -> "tuple[str, bytes]":
    parts = line.split("+", 2)  # base64 has a plus too
    if len(parts) != 3 or not _is_name(parts[0]):
        raise WitnessesError("a key of a witness is NAME+HASH+KEY, with a name of 1 to %d bytes" % MAX_NAME_BYTES)
    try:
        data = checkpoints.from_base64(parts[2], 33)
    except checkpoints.CheckpointError as error:
        raise WitnessesError("the key of %s is malformed: %s" % (parts[0], error))
    if line != checkpoints.verifier_key(parts[0], data[1:], checkpoints.COSIGNATURE):
        raise WitnessesError("the key of %s is of another type, or does not fit its hash" % parts[0])
    return parts[0], data[1:]


def _is_name(text: str) -> bool:
    """Of visible ASCII: what a space is beyond it, programs disagree about."""
    return 0 < len(text) <= MAX_NAME_BYTES and all("!" <= one <= "~" for one in text)
