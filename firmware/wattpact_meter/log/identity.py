"""Who this meter is: its Ed25519 key and the code on its sticker, made once, on the first boot, from true randomness.

What always holds: a seed is in flash before anything is signed with it, and it leaves this object only as signatures.
A damaged seed is an error, never a reason to make another: a meter does not change who it is by itself.
On stock hardware the seed can be read out of the flash; a certificate shows it by its assurance.
"""

from wattpact_protocol.crypto import ed25519
from wattpact_protocol.log import ids
from wattpact_protocol.sync import enrolment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from wattpact_meter.storage.store import Store

NAME = "identity"
SEED_BYTES = 32


class IdentityError(Exception):
    """The identity in flash is damaged, or randomness failed."""


class Identity:
    """Identity(store, urandom): the one in the store, or a new one (`is_new`) where the store never held any."""

    def __init__(self, store: "Store", urandom: "Callable[[int], bytes]") -> None:
        saved = store.load(NAME)
        self.is_new = saved is None
        if saved is None:
            if NAME in store.corrupt:
                raise IdentityError("the identity in flash is damaged: this meter must be enrolled anew")
            saved = [urandom(SEED_BYTES), urandom(enrolment.CODE_BYTES)]
            _check(saved)
            store.save(NAME, saved)
        _check(saved)
        self._seed: bytes = saved[0]
        self.code: bytes = saved[1]
        self.public_key = ed25519.public_key(self._seed)
        self.kid = ids.kid_of(self.public_key)

    def sign_steps(self, message: bytes) -> "Generator[None, None, bytes]":
        """The 64-byte Ed25519 signature of the message; raises ed25519.FaultError where it was disturbed."""
        return ed25519.sign_steps(self._seed, message)

    def __repr__(self) -> str:
        return "<identity %s>" % self.kid.hex()


def _check(saved: object) -> None:
    """Raises IdentityError; bytes that are all 0 or all 255 come from broken randomness or an erased flash."""
    if not isinstance(saved, list) or len(saved) != 2:
        raise IdentityError("the identity in flash is damaged: this meter must be enrolled anew")
    for value, size in zip(saved, (SEED_BYTES, enrolment.CODE_BYTES)):
        if not isinstance(value, bytes) or len(value) != size or value in (bytes(size), b"\xff" * size):
            raise IdentityError("no seed and code of random bytes")
