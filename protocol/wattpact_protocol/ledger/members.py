"""What the ledger makes of entries about members: certificates, the community, tariffs, policies, keys.

Each function checks one entry against the state at a block's time, and either changes the state and gives None, or
changes nothing and gives the reason. docs/spec/ledger.md, "Members".
"""

from wattpact_protocol.ledger import blocks, records, witnesses
from wattpact_protocol.log import ids, reasons, roles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from wattpact_protocol.ledger.records import State
    from wattpact_protocol.log.entry import Entry

PERIOD_S = 31 * 86400  # what is listed by time is listed by periods of so many seconds, counted from 1970
MAX_TARIFFS = 1024  # rows of one period: one an hour, and room for corrections
MAX_CERTIFICATES = 64  # of one author

# Of one certificate, as an author's record lists them.
CERTIFICATE_FIELDS = ("id", "version", "begin_s", "end_s", "owner", "rated_w")


def period_of(unix_s: int) -> int:
    return unix_s // PERIOD_S


def periods_of(from_s: int, to_s: int) -> range:
    """The periods in which a contract may start that is not over before from_s and starts before to_s."""
    return range(period_of(max(0, from_s - PERIOD_S)), period_of(to_s) + 1)


def certificates(author: "dict[str, Any]") -> "list[dict[str, Any]]":
    """Those of an author by the names of CERTIFICATE_FIELDS, in the order in which they were ordered."""
    return [dict(zip(CERTIFICATE_FIELDS, row)) for row in author["certificates"]]


def newest(author: "dict[str, Any]") -> "dict[str, Any]":
    """The certificate of an author that decides what is accepted from it now: the last that was ordered."""
    return dict(zip(CERTIFICATE_FIELDS, author["certificates"][-1]))


def certificate_at(author: "dict[str, Any]", unix_s: int) -> "dict[str, Any]":
    """The certificate that holds at a time: the last of those that have begun, and before all of them the first."""
    rows = certificates(author)
    begun = [row for row in rows if row["begin_s"] <= unix_s]
    return begun[-1] if begun else rows[0]


def owner_of(state: "State", meter: bytes) -> bytes:
    """The person who owns a meter by its newest certificate; empty for none."""
    author = state.get(records.AUTHOR, meter)
    return bytes(newest(author)["owner"]) if author else b""


def certify(state: "State", new: "Entry", now_s: int) -> "str | None":
    """A certificate takes effect with its block, or later where it begins later: never for a time before."""
    body = new.body
    kid = ids.kid_of(body["public_key"])
    author = state.get(records.AUTHOR, kid)
    if author is None:
        author = {
            "public_key": body["public_key"], "role": body["role"], "generation": body["generation"], "ordered": -1,
            "certificates": [],
        }  # fmt: skip
    elif author["public_key"] != body["public_key"] or author["role"] != body["role"]:
        return reasons.ROLE_CHANGED
    elif body["version"] <= newest(author)["version"] or body["generation"] < author["generation"]:
        return reasons.STALE_VERSION
    elif len(author["certificates"]) >= MAX_CERTIFICATES:
        return reasons.AUTHORS_FULL
    if body["generation"] > author["generation"]:
        author["generation"], author["ordered"] = body["generation"], -1
    begin_s = max(body["not_before_s"], now_s)
    if author["certificates"]:
        begin_s = max(begin_s, newest(author)["begin_s"])
    owner = body.get("owner", b"")
    author["certificates"].append(
        [new.id, body["version"], begin_s, body["not_after_s"], owner, body.get("rated_w", 0)]
    )
    state.put(records.AUTHOR, author, kid)
    if owner and body["role"] == roles.METER:
        owned = state.get(records.OWNED, owner) or {"meters": []}
        if kid not in owned["meters"]:
            owned["meters"] = sorted(owned["meters"] + [kid])
            state.put(records.OWNED, owned, owner)
    return None


def found(state: "State", new: "Entry", now_s: int) -> "str | None":
    """The first community entry sets slots and silence for good; later ones may change the rest of it."""
    body = new.body
    held = state.get(records.COMMUNITY)
    if held is None:
        held = {
            "slot_s": body["slot_s"], "silence_s": body.get("silence_s", 0), "founded_s": now_s, "id": b"",
            "version": -1,
        }  # fmt: skip
    elif body["version"] <= held["version"]:
        return reasons.STALE_VERSION
    elif body["slot_s"] != held["slot_s"] or body.get("silence_s", 0) != held["silence_s"]:
        return reasons.SLOT_CHANGED
    try:
        witnesses.decode(body)
    except witnesses.WitnessesError:
        return reasons.BAD_WITNESSES
    held["id"], held["version"] = new.id, body["version"]
    state.put(records.COMMUNITY, held)
    return None


def price(state: "State", new: "Entry", now_s: int) -> "str | None":
    """A tariff holds from a slot that has not begun; the first may hold from any time, since nothing was priced
    before it. It replaces what was announced for its start or later."""
    community = state.get(records.COMMUNITY)
    if community is None:
        return reasons.NOT_FOUNDED
    from_s, period = new.body["from_s"], period_of(new.body["from_s"])
    last = state.get(records.TARIFFS)
    if last is not None and from_s < -(-now_s // community["slot_s"]) * community["slot_s"]:
        return reasons.SLOT_BEGUN
    # Without a period, the record names the newest period that has tariffs; each names the one before it.
    before, emptied = -1 if last is None else last["before"], {}
    while before > period:
        gone = state.get(records.TARIFFS, before) or {"before": -1, "rows": []}
        emptied[before] = {"before": gone["before"], "rows": []}
        before = gone["before"]
    held = state.get(records.TARIFFS, period) if before == period else None
    if held is None:
        held = {"before": before, "rows": []}
    rows = [row for row in held["rows"] if row[0] < from_s]
    if len(rows) >= MAX_TARIFFS:
        return reasons.TOO_MANY_TARIFFS
    for later, fields in emptied.items():
        state.put(records.TARIFFS, fields, later)
    rows.append([from_s, new.body["import_micro_per_kwh"], new.body["export_micro_per_kwh"], new.id])
    state.put(records.TARIFFS, {"before": held["before"], "rows": rows}, period)
    state.put(records.TARIFFS, {"before": period, "rows": []})
    return None


def set_policy(state: "State", new: "Entry", now_s: int) -> "str | None":
    meter = new.body.get("meter", b"")
    held = state.get(records.POLICY, meter)
    if held is not None and new.body["version"] <= held["version"]:
        return reasons.STALE_VERSION
    state.put(records.POLICY, {"id": new.id, "version": new.body["version"]}, meter)
    return None


def open_key(state: "State", new: "Entry", now_s: int) -> "str | None":
    """Of two openings of one number the first counts, and the state shows which that was."""
    place = (new.kid, new.generation, new.body["key_no"])
    if state.get(records.KEY, *place) is not None:
        return reasons.KEY_OPENED_TWICE
    state.put(records.KEY, {"id": new.id, "commitment": new.body["commitment"]}, *place)
    return None


def anchor(state: "State", kid: bytes, place: "tuple[int, int, bytes]", now_s: int) -> "str | None":
    """The head of a log, (generation, next sequence, id of the last entry): all up to there existed by now."""
    generation, next_sequence, head = place
    if not blocks.is_anchor([kid, generation, next_sequence, head]):
        return reasons.ENTRY_MALFORMED  # or a block that has it could not be read
    author = state.get(records.AUTHOR, kid)
    if author is None:
        return reasons.UNKNOWN_AUTHOR
    held = state.get(records.HEAD, kid)
    if held is not None and (generation, next_sequence) <= (held["generation"], held["next_sequence"]):
        return reasons.STALE_VERSION
    if generation > author["generation"]:
        return reasons.STALE_GENERATION
    fields = {"generation": generation, "next_sequence": next_sequence, "id": head, "anchored_s": now_s}
    state.put(records.HEAD, fields, kid)
    return None
