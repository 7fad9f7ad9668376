"""Renewing a meter's certificate with a new generation of its log, when it lost the one before.

What always holds: a person decides. A meter's report of a lost log is not signed, and a new generation ends the log
before it: what was not delivered of that is lost. docs/spec/enrolment.md, "Certificates"; docs/threats.md.
"""

from wattpact_protocol.log import entry, kinds, reasons, roles

from wattpact.keys import Signer
from wattpact.membership.members import REACH_BACK_S, VALID_S, EnrolError
from wattpact.store.interface import Reader, Store
from wattpact.store.publishing import publish
from wattpact.store.records import Certified


def lost_logs(reader: Reader) -> dict[bytes, int]:
    """Meters that reported a lost log since their newest certificate, and when last, Unix seconds."""
    lost: dict[bytes, int] = {}
    for counted in reader.rejections():
        if counted.reason == reasons.LOG_LOST:
            lost[counted.author] = max(lost.get(counted.author, 0), counted.last_s)
    for known in reader.certificates():
        held = reader.entry_with_id(known.id)
        if known.kid in lost and held is not None and held.received_s >= lost[known.kid]:
            del lost[known.kid]
    return lost


def is_frozen(reader: Reader, known: Certified) -> bool:
    """Whether a fork ended this generation of an author's log."""
    place = (known.kid, known.body["generation"])
    return any((fork.author, fork.generation) == place for fork in reader.forks())


def renew_meter(store: Store, issuer: Signer, known: Certified, now_s: int) -> entry.Entry:
    """Certify the meter anew, as it is, for the next generation of its log; raises EnrolError."""
    with store.transaction():
        body = store.certificates_of(known.kid)[-1].body
        if body["role"] != roles.METER:
            raise EnrolError(f"{body['label']!r} is no meter")
        begin_s = max(body["not_before_s"], now_s - REACH_BACK_S)  # no earlier owner's time becomes this one's
        renewed = {
            **body, "version": body["version"] + 1, "generation": body["generation"] + 1, "not_before_s": begin_s,
            "not_after_s": now_s + VALID_S[roles.METER],
        }  # fmt: skip
        return publish(store, issuer, kinds.CERTIFICATE, renewed, now_s)
