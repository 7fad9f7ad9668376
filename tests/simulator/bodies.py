"""The bodies of entries, each field spelled out once, with what a test need not choose left to defaults. Runs on both
Pythons. Every function has further fields of the kind, or other values, as `**more`.
"""

from wattpact_protocol.log import ids, kinds, roles

RATED_W = 11_000
PRICE = 180_000  # micro-units per kWh


def certificate(author, role=roles.METER, label="a meter", **more):
    body = {
        "version": 1, "public_key": author.public_key, "role": role, "label": label, "generation": 0, "epoch": 0,
        "not_before_s": 0, "not_after_s": 1 << 33, "assurance": 0,
    }  # fmt: skip
    body.update(more)
    return body


def community(slot_s=900, **more):
    body = {"version": 1, "name": "Sun Street", "currency": "EUR", "slot_s": slot_s, "timezone": "Europe/Berlin"}
    body.update(more)
    return body


def tariff(from_s=0, import_price=300_000, export_price=80_000):
    return {"from_s": from_s, "import_micro_per_kwh": import_price, "export_micro_per_kwh": export_price}


def quick_policy(**more):
    """Of a guard that neither waits nor supplies without a contract."""
    body = {
        "version": 1, "emergency_credit_wh": 0, "quiet_hours": False, "quiet_weekends": False,
        "warn_wait_max_s": 0, "reconnect_wait_max_s": 0, "consent_required": False,
    }  # fmt: skip
    body.update(more)
    return body


def registers(imported, import_deltas, exported=0, export_deltas=None, **more):
    """A reading's registers: the values at its start, and by how much each rises in every step."""
    values = {1: [imported, list(import_deltas)], 2: [exported, list(export_deltas or [0] * len(import_deltas))]}
    values.update(more.pop("instantaneous", None) or {})
    return reading_with(values, **more)


def reading_with(registers, **more):
    body = {
        "register_generation": 0, "t0_s": 0, "step_s": 60, "quality": 0, "calibration": None, "registers": registers,
        "bad_mask": 0,
    }  # fmt: skip
    body.update(more)
    return body


def reading(t0_s=0, imported=0, deltas=(1, 2, 3), exported=0, step_s=60, generation=0, instantaneous=None):
    """A reading whose import rises by `deltas`, and whose export does not change."""
    return registers(
        imported, deltas, exported, t0_s=t0_s, step_s=step_s, register_generation=generation,
        instantaneous=instantaneous,
    )  # fmt: skip


def reading_at(t0_s, imports, exports=None, step_s=900, **more):
    """A reading by the values of its registers at t0_s and after each step."""
    exports = exports or [0] * len(imports)
    return registers(imports[0], _steps(imports), exports[0], _steps(exports), t0_s=t0_s, step_s=step_s, **more)


def reading_of(t0_s, steps, start=(0, 0), step_s=15, instantaneous=None, **more):
    """A reading by the (import, export) Wh of its steps, from start registers; instantaneous: register to value."""
    shown = {number: [value, []] for number, value in (instantaneous or {}).items()}
    return registers(
        start[0], [step[0] for step in steps], start[1], [step[1] for step in steps], t0_s=t0_s, step_s=step_s,
        instantaneous=shown, **more,
    )  # fmt: skip


def _steps(values):
    return [values[i + 1] - values[i] for i in range(len(values) - 1)]


# Trade. Contracts, offers and the like are named by the ids of their entries, authors by their kid.


def mandate(meter, side, order_id, start_s, end_s, limit=PRICE, wh=40, max_w=8000, **more):
    body = {
        "order_id": order_id, "expires_s": end_s, "meter": meter, "side": side, "limit_micro_per_kwh": limit, "wh": wh,
        "max_w": max_w, "start_s": start_s, "end_s": end_s,
    }  # fmt: skip
    body.update(more)
    return body


def offer(start_s, end_s, price=PRICE, wh=40, max_w=8000, mandate=bytes(32), **more):
    """An offer's, or a demand's, which has the same fields."""
    body = {
        "price_micro_per_kwh": price, "wh": wh, "max_w": max_w, "start_s": start_s, "end_s": end_s,
        "valid_until_s": end_s, "mandate": mandate,
    }  # fmt: skip
    body.update(more)
    return body


def acceptance(offer_id, wh=40, priority=1, start_timeout_s=600, **more):
    body = {"offer": offer_id, "wh": wh, "priority": priority, "start_timeout_s": start_timeout_s}
    body.update(more)
    return body


def grant(number, meter, contract, from_s, to_s, wh=40, **more):
    body = {
        "number": number, "meter": meter, "contract": contract, "wh": wh, "max_w": RATED_W, "from_s": from_s,
        "to_s": to_s, "price_micro_per_kwh": PRICE, "priority": 1, "start_by_s": from_s + 600, "default_supply": False,
    }  # fmt: skip
    body.update(more)
    return body


def grant_of(number, contract, offer, acceptance, **more):
    """The grant of a contract, by the entries that it is made of."""
    terms, accepted = offer.body, acceptance.body
    body = grant(
        number, acceptance.kid, contract.id, terms["start_s"], terms["end_s"], accepted["wh"], max_w=terms["max_w"],
        price_micro_per_kwh=terms["price_micro_per_kwh"], priority=accepted["priority"],
        start_by_s=min(terms["start_s"] + accepted["start_timeout_s"], terms["end_s"]),
    )  # fmt: skip
    body.update(more)
    return body


def usage_start(contract, import_wh=0, grant=1):
    return {"contract": contract, "grant": grant, "import_wh": import_wh}


def usage(contract, attributed_wh, import_wh, **more):
    """While it goes on; with a reason, at its end."""
    body = {"contract": contract, "attributed_wh": attributed_wh, "import_wh": import_wh}
    body.update(more)
    return body


def terminate(contract, reason="enough", **more):
    body = {"contract": contract, "reason": reason}
    body.update(more)
    return body


def receipt(new, **more):
    """For the log of an entry's author up to it, by a host whose ledger is empty unless `more` has another."""
    return receipted(new.kid, new.sequence, new.id, generation=new.generation, **more)


def receipted(author, sequence, head=bytes(32), **more):
    body = {"author": author, "generation": 0, "sequence": sequence, "head": head}
    body.update(noted=0, blocks=0, root=ids.sha256(b""))
    body.update(more)
    return body


ID = bytes(range(32))
KID = bytes(range(8))
TIMES = (100, 9000)
ORDER = offer(*TIMES, wh=50, mandate=ID, valid_until_s=8000)

# One well-formed body of each kind but the certificate's and the reading's, with every optional field but those that
# came later, whose cases follow the others so that these stay as they were.
GENERATION_POLICY = {"version": 4, "meter": KID, "register_generation": 2}
BODIES = {
    "event": {"code": 4, "registers": {1: 5, 2: -1}, "detail": -3, "text": "grant", "contract": ID},
    "community": community(silence_s=604800),
    "tariff": tariff(0, 310_000, 80_000),
    "policy": {
        "version": 3, "meter": KID, "emergency_credit_wh": 500, "quiet_start_min": 960, "quiet_end_min": 600,
        "quiet_weekends": True, "utc_offset_min": 60, "warn_wait_max_s": 300, "reconnect_wait_max_s": 600, "rest_s": 60,
        "consent_required": True, "protected": False, "hold_budget_s": 7200, "hold_budget_wh": 2000, "reassert_s": 60,
        "operator_order_fresh_s": 86400, "holidays": [20000, 20001], "operator_open_at_s": 5, "quiet_hours": False,
    },
    "mandate": mandate(
        KID, 1, KID, *TIMES, limit=250_000, wh=80, preferred=[KID], reserve_wh=0, wh_per_day=5000
    ),
    "offer": ORDER,
    "demand": ORDER,
    "acceptance": acceptance(ID, demand=ID),
    "contract": {"acceptance": ID},
    "grant": grant(1, KID, ID, *TIMES, max_w=8000),
    "usage_start": usage_start(ID, 12),
    "usage": usage(ID, 10, 22),
    "usage_end": usage(ID, 40, 52, reason=1),
    "terminate": terminate(ID, "moving out", attributed_wh=4, order_id=KID, expires_s=9000),
    "receipt": {"author": KID, "generation": 0, "sequence": 7, "head": ID, "noted": 5, "blocks": 9, "root": ID},
    "statement": {
        "subject": KID, "from_s": 0, "to_s": 9000, "bought_wh": 80, "bought_nano": 15000000, "sold_wh": 0,
        "sold_nano": 0,
        "grid_import_wh": 3, "grid_import_nano": 930000, "grid_export_wh": 0, "grid_export_nano": 0, "unused_nano": 0,
        "unused_earned_nano": 0, "net_nano": 15930000, "saved_nano": 9800000, "lines": 2, "lines_root": ID,
        "evidence": 40, "evidence_root": ID, "estimated_wh": 0, "unsettled_meters": 0,
        "settled_to_s": 9000, "height": 7, "state_root": ID,
    },
    "key_epoch": {"number": 2, "ephemeral_key": ID, "wraps": [[KID, bytes(40)], [bytes(8), bytes(40)]]},
    "key_open": {"key_no": 7, "epoch": 2, "commitment": ID},
}  # fmt: skip


def all_bodies(author):
    """(kind, body) of every kind."""
    optional = {"supply_point": "NL-1", "accuracy_centi_percent": 100, "rated_w": 11000, "owner": KID}
    full = certificate(author, sealing_key=ID, **optional)
    found = [(kinds.CERTIFICATE, full)]
    found.append((kinds.READING, reading(instantaneous={64: [-250, []]})))
    for kind in sorted(kinds.NAMES):
        if kinds.NAMES[kind] in BODIES:
            found.append((kind, BODIES[kinds.NAMES[kind]]))
    assert len(found) == len(kinds.NAMES)
    return found
