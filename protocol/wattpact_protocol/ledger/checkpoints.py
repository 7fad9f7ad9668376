"""Checkpoints: the signed head of a ledger, and the cosignatures of who follows it, as texts that others verify too.

    wattpact/0f3c...          origin: names the ledger of a community
    1234                      blocks
    CsUYapGGPo4dkMgIA...      base64 of the root of the tree over them

    — wattpact/0f3c... Az3grlgt...      signed by the host
    — pi.example/ledger Tm90aGlu...     cosigned by a witness, with a time

The formats are C2SP's: signed-note, tlog-checkpoint, tlog-cosignature (cosignature/v1, Ed25519). A witness that was
written for any log can follow this one. docs/spec/ledger.md, "Head and witnesses".
"""

import binascii
import hashlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BYTES = 16384
MAX_SIGNATURES = 16
ED25519, COSIGNATURE = 1, 4  # types of keys: a log's, a witness's

_DASH = "\u2014 "


class CheckpointError(ValueError):
    """A text that is no checkpoint, or is not signed as it must be; the text says why."""


class Checkpoint:
    """`signatures`: (name of the signer, key hash of 4 bytes, signature), in the order of the text."""

    def __init__(
        self, origin: str, size: int, root: bytes, signatures: "list[tuple[str, bytes, bytes]] | None" = None
    ) -> None:
        self.origin, self.size, self.root = origin, size, root
        self.signatures = signatures or []

    @property
    def body(self) -> str:
        """The text that is signed."""
        return "%s\n%d\n%s\n" % (self.origin, self.size, _base64(self.root))

    @property
    def text(self) -> str:
        lines = ["%s%s %s\n" % (_DASH, name, _base64(hashed + signed)) for name, hashed, signed in self.signatures]
        return self.body + "\n" + "".join(lines)


def origin_of(community: bytes) -> str:
    return "wattpact/" + binascii.hexlify(community).decode()


def key_hash(name: str, public_key: bytes, kind: int) -> bytes:
    """Four bytes by which keys of one name differ (signed-note, "Signatures")."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public_key).digest()[:4]


def verifier_key(name: str, public_key: bytes, kind: int) -> str:
    """The key as witnesses and logs publish it: name, key hash and key."""
    hashed = binascii.hexlify(key_hash(name, public_key, kind)).decode()
    return "%s+%s+%s" % (name, hashed, _base64(bytes([kind]) + public_key))


def sign(point: Checkpoint, public_key: bytes, signer: "Callable[[bytes], bytes]") -> None:
    """Add the signature of the log itself, whose name is the origin."""
    hashed = key_hash(point.origin, public_key, ED25519)
    point.signatures.append((point.origin, hashed, signer(point.body.encode())))


def cosign(point: Checkpoint, name: str, public_key: bytes, time_s: int, signer: "Callable[[bytes], bytes]") -> None:
    """Add a witness's signature: at that time it had seen no other head than this and those before it."""
    signed = time_s.to_bytes(8, "big") + signer(_cosigned(point, time_s))
    point.signatures.append((name, key_hash(name, public_key, COSIGNATURE), signed))


def decode(text: str) -> Checkpoint:
    """Raises CheckpointError. No signature is verified."""
    if len(text) > MAX_BYTES or "\n\n" not in text or not text.endswith("\n"):
        raise CheckpointError("a checkpoint is a text, an empty line and signatures")
    body, signed = text[: text.index("\n\n") + 1], text[text.index("\n\n") + 2 :]
    lines = body.split("\n")[:-1]
    if len(lines) != 3 or not lines[0]:
        raise CheckpointError("a checkpoint has an origin, a size and a root")
    if not _is_decimal(lines[1]):
        raise CheckpointError("the size is no number")
    point = Checkpoint(lines[0], int(lines[1]), from_base64(lines[2], 32))
    rows = signed.split("\n")[:-1]
    if len(rows) > MAX_SIGNATURES:
        raise CheckpointError("there are more than %d signatures" % MAX_SIGNATURES)
    point.signatures = [_signature(row) for row in rows]
    return point


def is_signed(point: Checkpoint, public_key: bytes, verifier: "Callable[[bytes, bytes, bytes], bool]") -> bool:
    """Whether the log's key signed it; `verifier(public_key, message, signature)`."""
    hashed = key_hash(point.origin, public_key, ED25519)
    return any(
        name == point.origin and held == hashed and len(signed) == 64
        and verifier(public_key, point.body.encode(), signed)
        for name, held, signed in point.signatures
    )  # fmt: skip


def cosigned_s(
    point: Checkpoint, name: str, public_key: bytes, verifier: "Callable[[bytes, bytes, bytes], bool]"
) -> "int | None":
    """When that witness cosigned it, in Unix seconds; None where it did not."""
    hashed = key_hash(name, public_key, COSIGNATURE)
    for held_name, held, signed in point.signatures:
        if held_name == name and held == hashed and len(signed) == 72:
            time_s = int.from_bytes(signed[:8], "big")
            if verifier(public_key, _cosigned(point, time_s), signed[8:]):
                return time_s
    return None


def _cosigned(point: Checkpoint, time_s: int) -> bytes:
    return ("cosignature/v1\ntime %d\n%s" % (time_s, point.body)).encode()


def _signature(row: str) -> "tuple[str, bytes, bytes]":
    parts = row[len(_DASH) :].split(" ")
    if not row.startswith(_DASH) or len(parts) != 2 or not parts[0]:
        raise CheckpointError("a line of a signature is malformed")
    data = from_base64(parts[1], None)
    if len(data) < 5:
        raise CheckpointError("a signature is too short")
    return parts[0], data[:4], data[4:]


def _is_decimal(text: str) -> bool:
    if not 0 < len(text) < 20 or not all("0" <= one <= "9" for one in text):
        return False
    return text == "0" or text[0] != "0"


def _base64(data: bytes) -> str:
    return binascii.b2a_base64(data).decode().rstrip("\n")


def from_base64(text: str, length: "int | None") -> bytes:
    """As one writes it, of so many bytes where a length is given; raises CheckpointError."""
    try:
        data = binascii.a2b_base64(text)
    except ValueError:
        raise CheckpointError("it is not base64")
    if _base64(data) != text or (length is not None and len(data) != length):
        raise CheckpointError("it is not base64 of the right length")
    return data
