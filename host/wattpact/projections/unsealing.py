"""Unsealing: what meters sealed, read with the keys that are here.

    KEY_EPOCH -> secret (a signer unwraps it) -> its key, if a KEY_OPEN committed to it -> the body, unsealed

What always holds: an entry is unsealed only with the key that its own log committed to before it; a secret is in no
message and no repr; who has no key learns that there is none, and nothing else. docs/spec/sealing.md.
"""

import hmac
from collections.abc import Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from wattpact_protocol.crypto import hkdf
from wattpact_protocol.encoding import cbor
from wattpact_protocol.log import entry, kinds, readings, sealed_part
from wattpact_protocol.log.entry import Entry
from wattpact_protocol.sealing import content, period_keys
from wattpact_protocol.sealing.period_keys import NoKeyError, SealError

from wattpact.keys import Signer
from wattpact.store.interface import Reader

_MAX_HELD = 4096  # secrets and keys in memory: a key is a meter's day
_CANNOT = "the sealed part does not unseal with this key"


class _Period:
    """A key, or why there is none; it serves entries behind `sequence`, where its log committed to it."""

    __slots__ = ("_aad", "_cipher", "_nonces", "key", "problem", "sequence")

    def __init__(self, sequence: int, key: bytes | None, problem: SealError | None) -> None:
        self.sequence = sequence
        self.key = key
        self.problem = problem
        self._aad = b""

    def prepare(self, place: tuple[bytes, bytes, int], key_no: int) -> None:
        """What all readings of the key period have in common."""
        assert self.key is not None
        where = period_keys.context(*place, key_no, kinds.READING)
        self._aad = cbor.encode(["Encrypt0", sealed_part.PROTECTED, where])
        self._cipher = AESCCM(self.key[:16], sealed_part.TAG_BYTES)
        self._nonces = hmac.new(self.key[16:], self._aad, "sha256")

    def reading(self, part: sealed_part.Sealed) -> dict[str, Any]:
        """As content.unseal_body for a reading, in half the time: most of what a host opens is one."""
        try:
            padded = self._cipher.decrypt(part.nonce, part.ciphertext, self._aad)
        except InvalidTag:
            raise SealError(_CANNOT) from None
        nonces = self._nonces.copy()
        nonces.update(padded)
        content = padded.rstrip(b"\x00")
        if not hmac.compare_digest(nonces.digest()[: sealed_part.NONCE_BYTES], part.nonce) or content[-1:] != b"\x80":
            raise SealError(_CANNOT)
        try:
            return readings.decode([0, cbor.decode(content[:-1])], kinds.BodyError)
        except (cbor.DecodeError, kinds.BodyError) as error:
            raise SealError(f"the content is malformed: {error}") from None


class _Held:
    """What has been unwrapped and derived so far, within a bound."""

    def __init__(self) -> None:
        self.key_periods: dict[tuple[bytes, int, int], _Period] = {}
        self.secrets: dict[int, list[bytes] | None] = {}


class Unsealer:
    """Opens entries of a store for those whose keys are given: operator, persons; without any, nothing sealed.

    It belongs to the reader's thread; `on` gives one for another's."""

    def __init__(self, reader: Reader, signers: Sequence[Signer] = ()) -> None:
        self.signers = {signer.kid: signer for signer in signers}
        self._reader = reader
        self._held = _Held()

    def on(self, reader: Reader) -> "Unsealer":
        """The same keys, and what they have unsealed so far, for another connection to the same store."""
        other = Unsealer(reader, tuple(self.signers.values()))
        other._held = self._held
        return other

    def unseal(self, new: Entry) -> Entry:
        """The entry with its body as it was measured; a plain one as it is. Raises NoKeyError, SealError."""
        return new.with_body(self.body_of(new)) if new.is_sealed else new

    def body_of(self, new: Entry) -> dict[str, Any]:
        """The body of an entry as it was measured; raises NoKeyError, SealError."""
        body: dict[str, Any] = new.body
        part = body.get(kinds.SEALED)
        if part is None:
            return body
        kid, generation = new.kid, new.generation
        key_period = self._period(kid, generation, part.key_no)
        if key_period is None or key_period.sequence > new.sequence:
            raise SealError("no key of that number was committed to before it")
        if key_period.key is None:
            raise _copy(key_period.problem)
        if new.kind == kinds.READING:
            return key_period.reading(part)
        return content.unseal_body(key_period.key, (self._reader.community, kid, generation), new.kind, body)

    def look(self, new: Entry) -> Entry:
        """As `unseal`, and as it is where it cannot be unsealed."""
        try:
            return self.unseal(new)
        except SealError:
            return new

    def key_of(self, kid: bytes, generation: int, key_no: int) -> bytes | None:
        """The 48 bytes of a key period, as its log committed to them; None where they are not to be had here."""
        key_period = self._period(kid, generation, key_no)
        return None if key_period is None else key_period.key

    def _period(self, kid: bytes, generation: int, key_no: int) -> _Period | None:
        """What is known of a key's number; None as long as nothing committed to it."""
        place = (kid, generation, key_no)
        held = self._held.key_periods
        found = held.get(place)
        if found is None:
            stored = self._reader.key_period(*place)
            if stored is None:
                return None
            _make_room(held)
            found = held[place] = self._derive(kid, generation, key_no, stored)
        return found

    def _derive(self, kid: bytes, generation: int, key_no: int, stored: tuple[int, int, bytes]) -> _Period:
        """The key that a signer derives and that was committed to."""
        sequence, epoch, committed = stored
        secrets = self._secrets(kid, epoch, (generation, sequence))
        if secrets is None:
            return _Period(sequence, None, NoKeyError("there is no key for this entry here"))
        for secret in secrets:
            key = period_keys.period_key(secret, kid, key_no)
            if hkdf.equal(period_keys.commitment(key), committed):
                found = _Period(sequence, key, None)
                found.prepare((self._reader.community, kid, generation), key_no)
                return found
        return _Period(sequence, None, SealError("no reader of the epoch derives the key that was committed to"))

    def _secrets(self, kid: bytes, epoch: int, place: tuple[int, int]) -> list[bytes] | None:
        """The secrets that an epoch gives the signers: one, if its meter is honest. None where it is for others.

        One that was never published, or that no issuer can read, gives none: the meter's fault, not a missing key."""
        row = self._reader.epoch(kid, epoch, place)
        if row is None:
            return []
        held = self._held.secrets
        if row.cursor not in held:
            _make_room(held)
            held[row.cursor] = self._unwrap(entry.decode(row.raw, self._reader.community))
        return held[row.cursor]

    def _unwrap(self, epoch: Entry) -> list[bytes] | None:
        wrapped = [kid for kid, _ in epoch.body["wraps"]]
        readers = [self.signers[kid] for kid in wrapped if kid in self.signers]
        if not readers:
            return None if self._reader.has_issuer(wrapped) else []
        secrets = []
        for signer in readers:
            try:
                secrets.append(signer.unwrap(epoch.body, self._reader.community, epoch.kid))
            except SealError:
                continue
        return secrets


def _make_room(held: dict[Any, Any]) -> None:
    """Forget the oldest where there are too many; it can be had again from the store."""
    if len(held) >= _MAX_HELD:
        del held[next(iter(held))]


def _copy(problem: SealError | None) -> SealError:
    """An exception for this raise alone: one that is raised again and again collects every traceback."""
    return NoKeyError(str(problem)) if isinstance(problem, NoKeyError) else SealError(str(problem))
