"""Whom this meter trusts: certificates, from the pinned root key down.

What always holds: a certificate is kept only after its signature was verified under a kept one (or the pinned root
key) whose role may give that role; for one key the version only rises. No signature is checked before what is cheap.
Kept in the store as short records, at most MAX_AUTHORS; records that this firmware cannot read are given up, for a host
to send again. Rules: docs/spec/meter.md, "Trust".
"""

import struct

from wattpact_protocol.crypto import ed25519
from wattpact_protocol.log import chain, entry, ids, kinds, reasons, roles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

    from wattpact_meter.storage.store import Store

NAME = "trust"
MAX_AUTHORS = 64

# public key, certificate id, role, version, generation, not before, not after, owner (zeros: none), rated W, epoch;
# then the sealing key of those that have one
_RECORD = ">32s32sBIIQQ8sII"
_RECORD_BYTES = struct.calcsize(_RECORD)
_SEALING_KEY_BYTES = 32
_ROLE_AT = 64
_NOBODY = bytes(8)


class Trust:
    """Trust(root_public_key, store): the authors that are known, by kid."""

    def __init__(
        self,
        root_public_key: bytes,
        store: "Store",
        verifier_steps: "Callable[[bytes, bytes, bytes], Generator[None, None, bool]]" = ed25519.verify_steps,
    ) -> None:
        self.community = ids.community_id(root_public_key)
        self.root_kid = ids.kid_of(root_public_key)
        self.verifications = 0
        self.is_early = False  # the last entry that was outside of its author's certificate came before it
        self.changes = 0
        self._root_public_key = root_public_key
        self._store = store
        self._verifier_steps = verifier_steps
        self._records: dict[bytes, bytes] = {}
        self._restore(store.load(NAME) or [])

    def _restore(self, records: "list[bytes]") -> None:
        lengths = (_RECORD_BYTES, _RECORD_BYTES + _SEALING_KEY_BYTES)
        if any(not isinstance(record, bytes) or len(record) not in lengths for record in records):
            self._store.condemn(NAME)
            return
        for record in records:
            self._records[ids.kid_of(record[:32])] = record

    def __len__(self) -> int:
        return len(self._records)

    def author(self, kid: bytes) -> "dict[str, Any] | None":
        """The certificate of an author: the fields of its body that matter here, and its entry's `id`."""
        record = self._records.get(kid)
        if record is None:
            return self._pinned_root() if kid == self.root_kid else None
        key, certificate_id, role, version, generation, begin_s, end_s, owner, rated_w, epoch = struct.unpack(
            _RECORD, record[:_RECORD_BYTES]
        )
        return {
            "public_key": key, "id": certificate_id, "role": role, "version": version, "generation": generation,
            "not_before_s": begin_s, "not_after_s": end_s, "owner": None if owner == _NOBODY else owner,
            "rated_w": rated_w, "epoch": epoch, "sealing_key": record[_RECORD_BYTES:] or None,
        }  # fmt: skip

    def issuers(self) -> "list[bytes]":
        """The kids of all issuers that are known, in order."""
        return [kid for kid in sorted(self._records) if self._records[kid][_ROLE_AT] == roles.ISSUER]

    def check_steps(self, new: entry.Entry, now_s: "int | None") -> "Generator[None, None, str | None]":
        """None where the entry is its author's and the author may publish it; else the reason. Cheap checks come first;
        gives way while a signature is verified."""
        certificate = self.author(new.kid)
        if certificate is None:
            return reasons.UNKNOWN_AUTHOR
        if not roles.may_publish(certificate, new):
            return reasons.NOT_ALLOWED
        if not _covers(certificate, now_s):
            self.is_early = now_s is not None and now_s < certificate["not_before_s"]
            return reasons.CERTIFICATE_EXPIRED
        self.is_early = False
        if not roles.is_chained(certificate):
            problem = chain.order_problem(certificate["id"], new)
            if problem:
                return problem
        self.verifications += 1
        is_genuine = yield from entry.verify_steps(new, certificate["public_key"], self._verifier_steps)
        return None if is_genuine else reasons.BAD_SIGNATURE

    def learn_steps(self, new: entry.Entry, now_s: "int | None") -> "Generator[None, None, str | None]":
        """Keep the certificate that this entry is; durable when the value is None. Else the reason. Closed before it
        keeps what it learnt, it has learnt nothing."""
        subject = ids.kid_of(new.body["public_key"])
        held = self.author(subject)
        if held is not None:
            if held["id"] == new.id:
                return reasons.DUPLICATE
            if new.body["version"] <= held["version"]:
                return reasons.STALE_VERSION
            if held["role"] in (roles.ROOT, roles.ISSUER) and new.kid != self.root_kid:
                return reasons.NOT_ALLOWED
            if held["role"] != new.body["role"] or held["public_key"] != new.body["public_key"]:
                return reasons.ROLE_CHANGED
        problem = yield from self.check_steps(new, now_s)
        if problem:
            return problem
        if now_s is not None and now_s > new.body["not_after_s"]:
            return reasons.CERTIFICATE_EXPIRED
        records = self._records.copy()
        if held is None and len(records) >= MAX_AUTHORS and not self._forget_expired(records, now_s):
            return reasons.AUTHORS_FULL
        records[subject] = _pack(new)
        yield from self._store.save_steps(NAME, [records[kid] for kid in sorted(records)])
        self._records = records  # not before: what flash did not take must be new when it comes again
        self.changes += 1
        return None

    def _pinned_root(self) -> "dict[str, Any]":
        """What pinning the root key establishes of it, as long as its own certificate has not come."""
        return {
            "public_key": self._root_public_key, "id": entry.NO_PREVIOUS, "role": roles.ROOT, "version": -1,
            "generation": 0, "not_before_s": 0, "not_after_s": kinds.MAX_UINT, "owner": None, "rated_w": 0,
            "epoch": 0, "sealing_key": None,
        }  # fmt: skip

    def _forget_expired(self, records: "dict[bytes, bytes]", now_s: "int | None") -> bool:
        for kid in sorted(records):
            certificate = self.author(kid)
            if certificate is not None and now_s is not None and now_s > certificate["not_after_s"]:
                del records[kid]
                return True
        return False


def _covers(certificate: "dict[str, Any]", now_s: "int | None") -> bool:
    """Whether the certificate is valid by this meter's clock; two honest clocks may differ when it is brand new."""
    return roles.valid_at(certificate, now_s) or (
        now_s is not None and now_s < certificate["not_before_s"] <= now_s + chain.MAX_AHEAD_S
    )


def _pack(new: entry.Entry) -> bytes:
    body = new.body
    record = struct.pack(
        _RECORD, body["public_key"], new.id, body["role"], body["version"], body["generation"],
        body["not_before_s"], body["not_after_s"], body.get("owner", _NOBODY), body.get("rated_w", 0), body["epoch"],
    )  # fmt: skip
    sealing_key: bytes = body.get("sealing_key", b"")
    return record + sealing_key
