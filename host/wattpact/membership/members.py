"""Founding a community and enrolling its authors: certificates, published by the root and by its issuer.

    root  certifies  itself, issuer;   issuer  certifies  host, persons, meters

What always holds: a meter's key is accepted only with a proof made from the code on its sticker, typed in by someone
who has the meter; labels are unique within a role. docs/spec/enrolment.md.
"""

from typing import Any, NamedTuple

from wattpact_protocol.crypto import hkdf
from wattpact_protocol.log import entry, ids, kinds, roles
from wattpact_protocol.sync import enrolment

from wattpact.keys import Signer
from wattpact.store.interface import Reader, Store
from wattpact.store.publishing import publish
from wattpact.store.records import Certified, Pending

DAY_S = 86400
YEAR_S = 365 * DAY_S
# The issuer is renewed from the offline root every other year; what it signs may outlast it.
VALID_S = {
    roles.ROOT: 20 * YEAR_S, roles.ISSUER: 2 * YEAR_S, roles.HOST: 2 * YEAR_S,
    roles.METER: 10 * YEAR_S, roles.PERSON: 10 * YEAR_S, roles.AUDITOR: 2 * YEAR_S,
}  # fmt: skip
# A certificate reaches back a day, since clocks differ and a meter may have waited for its enrolment.
REACH_BACK_S = DAY_S


class EnrolError(ValueError):
    """Nobody was enrolled; the text says why and what to do."""


class FoundingTerms(NamedTuple):
    """What a community starts with; prices in micro-units per kWh."""

    name: str
    currency: str
    timezone: str
    slot_s: int
    import_micro_per_kwh: int
    export_micro_per_kwh: int
    silence_s: int | None = None  # how long others wait for the readings of a meter; None: the specification's default


def certificate(public_key: bytes, role: int, label: str, now_s: int, **more: Any) -> dict[str, Any]:
    """The body of a first certificate; `more` are further fields of kinds.CERTIFICATE."""
    return {
        "version": 1, "public_key": public_key, "role": role, "label": label, "generation": 0, "epoch": 1,
        "not_before_s": max(0, now_s - REACH_BACK_S), "not_after_s": now_s + VALID_S[role], "assurance": 0, **more,
    }  # fmt: skip


def first_entries(terms: FoundingTerms) -> dict[int, dict[str, Any]]:
    """The bodies that a community starts with, by kind; raises BodyError for terms that fit no entry."""
    community = {
        "version": 1, "name": terms.name, "currency": terms.currency, "slot_s": terms.slot_s,
        "timezone": terms.timezone,
    }  # fmt: skip
    if terms.silence_s is not None:
        community["silence_s"] = terms.silence_s
    tariff = {
        "from_s": 0, "import_micro_per_kwh": terms.import_micro_per_kwh,
        "export_micro_per_kwh": terms.export_micro_per_kwh,
    }  # fmt: skip
    bodies: dict[int, dict[str, Any]] = {kinds.COMMUNITY: community, kinds.TARIFF: tariff}
    for kind, body in bodies.items():
        kinds.encode(kind, body)
    return bodies


def found_community(store: Store, keys: dict[str, Signer], terms: FoundingTerms, now_s: int) -> None:
    """Publish what a community starts with, by its `root`, `issuer` and `host` keys."""
    root, issuer, host = keys["root"], keys["issuer"], keys["host"]
    with store.transaction():
        sealed_to = {"sealing_key": issuer.sealing_key}
        for body in (
            certificate(root.public_key, roles.ROOT, root.name or "root", now_s),
            certificate(issuer.public_key, roles.ISSUER, issuer.name or "issuer", now_s, **sealed_to),
        ):
            publish(store, root, kinds.CERTIFICATE, body, now_s)
        body = certificate(host.public_key, roles.HOST, host.name or "host", now_s)
        publish(store, issuer, kinds.CERTIFICATE, body, now_s)
        for kind, body in first_entries(terms).items():
            publish(store, issuer, kind, body, now_s)


def enrol_person(store: Store, issuer: Signer, person: Signer, label: str, now_s: int) -> entry.Entry:
    """Certify a person's key; raises EnrolError where the label is taken."""
    with store.transaction():
        _check_free(store, roles.PERSON, person.public_key, label)
        body = certificate(person.public_key, roles.PERSON, label, now_s, sealing_key=person.sealing_key)
        return publish(store, issuer, kinds.CERTIFICATE, body, now_s)


def enrol_meter(
    store: Store, issuer: Signer, public_key: bytes, label: str, owner: bytes, now_s: int, **more: Any
) -> entry.Entry:
    """Certify a meter's key for its owner's kid; `more`: rated_w, supply_point, ... Raises EnrolError."""
    with store.transaction():
        _check_free(store, roles.METER, public_key, label)
        body = certificate(public_key, roles.METER, label, now_s, owner=owner, **more)
        return publish(store, issuer, kinds.CERTIFICATE, body, now_s)


def enrol_host(
    store: Store, issuer: Signer, public_key: bytes, label: str, now_s: int, again: bool = False
) -> entry.Entry:
    """Certify another host's key, or anew one that was retired; `again`: one that lost its log, which begins anew.
    Raises EnrolError."""
    with store.transaction():
        held = store.certificates_of(ids.kid_of(public_key))
        if not held:
            _check_free(store, roles.HOST, public_key, label)
            return publish(store, issuer, kinds.CERTIFICATE, certificate(public_key, roles.HOST, label, now_s), now_s)
        body = held[-1].body
        if body["public_key"] != public_key or body["role"] != roles.HOST:
            raise EnrolError(f"{body['label']!r} is no host")
        if body["not_after_s"] > now_s and not again:
            raise EnrolError(f"this host is enrolled already, as {body['label']!r}")
        until_s = now_s + VALID_S[roles.HOST]
        renewed = {
            **body, "version": body["version"] + 1, "label": label, "not_after_s": until_s,
            "generation": body["generation"] + again,
        }  # fmt: skip
        return publish(store, issuer, kinds.CERTIFICATE, renewed, now_s)


def retire_host(store: Store, issuer: Signer, label: str, now_s: int) -> entry.Entry:
    """End a host's certificate now; raises EnrolError."""
    with store.transaction():
        body = find(store.certificates(), roles.HOST, label).body
        if body["not_after_s"] <= now_s:
            raise EnrolError(f"{label!r} has left already")
        ended = {**body, "version": body["version"] + 1, "not_after_s": max(now_s, body["not_before_s"])}
        return publish(store, issuer, kinds.CERTIFICATE, ended, now_s)


def _check_free(reader: Reader, role: int, public_key: bytes, label: str) -> None:
    kid = ids.kid_of(public_key)
    for known in reader.certificates():
        if known.body["public_key"] == public_key:
            raise EnrolError(f"this key is enrolled already, as {known.body['label']!r}")
        if known.kid == kid:
            raise EnrolError(f"{known.body['label']!r} has another key with the same key id; make a new key")
        if known.body["role"] == role and known.body["label"] == label:
            raise EnrolError(f"there is a {roles.NAMES[role]} {label!r} already; choose another label")


def with_code(waiting: list[Pending], code: bytes, community: bytes) -> bytes:
    """The public key among those waiting that the sticker's code proves; raises EnrolError."""
    for pending in waiting:
        if hkdf.equal(enrolment.proof(code, community, pending.public_key), pending.proof):
            return pending.public_key
    if not waiting:
        raise EnrolError("no meter waits to be enrolled; is it powered, on this network, and is a node running?")
    others = "1 meter waits" if len(waiting) == 1 else f"{len(waiting)} meters wait"
    raise EnrolError(f"{others} to be enrolled, none with this code; is it the code on the meter's sticker?")


def find_person(certified: list[Certified], signers: list[Signer], text: str) -> Certified:
    """As `find`; where nobody is labelled so, the one whose key has this name here. Raises EnrolError."""
    try:
        return find(certified, roles.PERSON, text)
    except EnrolError:
        for signer in signers:
            if signer.name == text:
                return find(certified, roles.PERSON, signer.kid.hex())
        raise


def find(certified: list[Certified], role: int, text: str) -> Certified:
    """The one author of a role that a label, or the start of its key id in hex, names; raises EnrolError."""
    among = [known for known in certified if known.body["role"] == role]
    exact = [known for known in among if known.body["label"] == text or known.kid.hex() == text.lower()]
    found = exact or [known for known in among if len(text) >= 4 and known.kid.hex().startswith(text.lower())]
    if len(found) == 1:
        return found[0]
    name = roles.NAMES[role]
    if found:
        raise EnrolError(f"{text!r} fits more than one {name}; write more of the key id")
    labels = ", ".join(repr(known.body["label"]) for known in among[:8])
    raise EnrolError(f"there is no {name} {text!r}; " + (f"enrolled: {labels}" if labels else "none is enrolled yet"))
