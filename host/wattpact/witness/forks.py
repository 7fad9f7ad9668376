"""Two heads over one number of blocks, as a file that anyone can check: the host signed two histories.

the text of one head, an empty line, the text of the other
"""

from wattpact_protocol.crypto import ed25519
from wattpact_protocol.ledger import checkpoints
from wattpact_protocol.ledger.checkpoints import Checkpoint, CheckpointError

MAX_BYTES = 2 * checkpoints.MAX_BYTES + 1


class ForkError(ValueError):
    """A file that proves nothing against a host; the text shows why."""


def encode(first: Checkpoint, second: Checkpoint) -> str:
    return f"{first.text}\n{second.text}"


def verify(text: str, origin: str, log_key: bytes) -> Checkpoint:
    """One of the heads, where both are of that ledger, over as many blocks, with two roots, and signed with its key.
    Raises ForkError."""
    parts = text.split("\n\n")
    if len(parts) != 4:
        raise ForkError("these are not two signed heads")
    try:
        points = [
            checkpoints.decode(f"{parts[0]}\n\n{parts[1]}\n"), checkpoints.decode(f"{parts[2]}\n\n{parts[3]}"),
        ]  # fmt: skip
    except CheckpointError as error:
        raise ForkError(f"these are not two signed heads: {error}") from None
    one, other = points
    if one.origin != origin or other.origin != origin:
        raise ForkError("the heads are of another ledger")
    if one.size != other.size or one.root == other.root:
        raise ForkError(f"heads over {one.size} and {other.size} blocks may both be of one history")
    if not all(checkpoints.is_signed(point, log_key, ed25519.verify) for point in points):
        raise ForkError("the ledger's key did not sign both heads")
    return one
