"""Roles: what an author may publish and whom it may certify, by its certificate.

Specification: docs/spec/log.md, docs/spec/enrolment.md.
"""

from wattpact_protocol.log import ids, kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from wattpact_protocol.log import entry

ROOT, ISSUER, HOST, METER, PERSON, AUDITOR = 1, 2, 3, 4, 5, 6
NAMES = {1: "root", 2: "issuer", 3: "host", 4: "meter", 5: "person", 6: "auditor"}
ASSURANCES = {0: "virtual", 1: "open flash", 2: "encrypted flash", 3: "secure element"}

# Whose certificate a role may sign: the root makes itself and issuers, an issuer everyone else.
MAY_CERTIFY = {ROOT: (ROOT, ISSUER), ISSUER: (3, 4, 5, 6)}


def may_publish(certificate: "dict[str, Any]", new: "entry.Entry") -> bool:
    """Whether the certificate's role allows this kind, and for a certificate, the role that it gives."""
    role = certificate["role"]
    if NAMES[role] not in kinds.publishers(new.kind):  # no role's name is part of another's
        return False
    if new.kind != kinds.CERTIFICATE:
        return True
    gives = new.body["role"]
    is_own = gives != ROOT or ids.kid_of(new.body["public_key"]) == new.kid
    return is_own and gives in MAY_CERTIFY[role]


def is_chained(certificate: "dict[str, Any]") -> bool:
    """Persons sign orders, not a log."""
    return bool(certificate["role"] != PERSON)


def valid_at(certificate: "dict[str, Any]", unix_s: "int | None") -> bool:
    """Whether the certificate covers that time; an entry without a time is covered by its chain."""
    return unix_s is None or bool(certificate["not_before_s"] <= unix_s <= certificate["not_after_s"])
