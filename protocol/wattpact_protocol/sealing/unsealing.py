"""Unsealing entries: each with the key that its log committed to before it, and with no other. docs/spec/sealing.md."""

from wattpact_protocol.crypto import hkdf
from wattpact_protocol.log import kinds
from wattpact_protocol.sealing.content import unseal_body
from wattpact_protocol.sealing.period_keys import NoKeyError, SealError, commitment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from wattpact_protocol.log.entry import Entry


class Unsealing:
    """Unseals with the keys that `key_of(kid, generation, key_no)` finds, each only where it was committed to."""

    def __init__(self, community: bytes, key_of: "Callable[[bytes, int, int], bytes | None]") -> None:
        self._community = community
        self._key_of = key_of
        self._commitments: dict[tuple[bytes, int, int], bytes] = {}

    def follow(self, new: "Entry") -> bool:
        """Take note of a KEY_OPEN; of two with one number the first counts, and False is the answer to the other."""
        place = (new.kid, new.generation, new.body["key_no"])
        held = self._commitments.setdefault(place, new.body["commitment"])
        return bool(held == new.body["commitment"])

    def commitment_of(self, new: "Entry") -> "bytes | None":
        """The hash of the key that a sealed entry is sealed with, None where its key period never began."""
        return self._commitments.get((new.kid, new.generation, new.body[kinds.SEALED].key_no))

    def unseal(self, new: "Entry") -> "Entry":
        """The entry with its body as it was measured; a plain one as it is. Raises NoKeyError, SealError."""
        if not new.is_sealed:
            return new
        key_no = new.body[kinds.SEALED].key_no
        committed = self.commitment_of(new)
        if committed is None:
            raise SealError("no key period of that number began before it")
        key = self._key_of(new.kid, new.generation, key_no)
        if key is None:
            raise NoKeyError("there is no key for this entry here")
        if not hkdf.equal(commitment(key), committed):
            raise SealError("the key is not the one that was committed to")
        return new.with_body(unseal_body(key, (self._community, new.kid, new.generation), new.kind, new.body))
