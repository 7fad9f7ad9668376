"""Bodies of entries for tests: one of each kind, certificates and readings. Runs on both Pythons."""

from wattpact_protocol.log import kinds, roles


def certificate(author, role=roles.METER, label="a meter", **more):
    body = {
        "version": 1, "public_key": author.public_key, "role": role, "label": label, "generation": 0, "epoch": 0,
        "not_before_s": 0, "not_after_s": 1 << 33, "assurance": 0,
    }  # fmt: skip
    body.update(more)
    return body


def reading(t0_s=0, imported=0, deltas=(1, 2, 3), exported=0, step_s=60, generation=0, instantaneous=None):
    """A reading's body: import rises by `deltas`, export stands."""
    registers = {1: [imported, list(deltas)], 2: [exported, [0] * len(deltas)]}
    registers.update(instantaneous or {})
    return {
        "register_generation": generation, "t0_s": t0_s, "step_s": step_s, "quality": 0, "calibration": None,
        "registers": registers, "bad_mask": 0,
    }  # fmt: skip


ID = bytes(range(32))
KID = bytes(range(8))
TIMES = {"start_s": 100, "end_s": 9000, "valid_until_s": 8000}
ORDER = {"price_micro_per_kwh": 180000, "wh": 50, "max_w": 8000, "mandate": ID}
ORDER.update(TIMES)

# One well-formed body of each kind but the certificate's and the reading's, with every optional field but those that
# came later, whose cases follow the others so that these stay as they were.
GENERATION_POLICY = {"version": 4, "meter": KID, "register_generation": 2}
BODIES = {
    "event": {"code": 4, "registers": {1: 5, 2: -1}, "detail": -3, "text": "grant", "contract": ID},
    "community": {
        "version": 1, "name": "Sun Street", "currency": "EUR", "slot_s": 900, "timezone": "Europe/Berlin",
        "silence_s": 604800,
    },
    "tariff": {"from_s": 0, "import_micro_per_kwh": 310000, "export_micro_per_kwh": 80000},
    "policy": {
        "version": 3, "meter": KID, "emergency_credit_wh": 500, "quiet_start_min": 960, "quiet_end_min": 600,
        "quiet_weekends": True, "utc_offset_min": 60, "warn_wait_max_s": 300, "reconnect_wait_max_s": 600, "rest_s": 60,
        "consent_required": True, "protected": False, "hold_budget_s": 7200, "hold_budget_wh": 2000, "reassert_s": 60,
        "operator_order_fresh_s": 86400, "holidays": [20000, 20001], "operator_open_at_s": 5, "quiet_hours": False,
    },
    "mandate": {
        "order_id": KID, "expires_s": 9000, "meter": KID, "side": 1, "limit_micro_per_kwh": 250000, "wh": 80,
        "max_w": 8000, "start_s": 100, "end_s": 9000, "preferred": [KID], "reserve_wh": 0, "wh_per_day": 5000,
    },
    "offer": ORDER,
    "demand": ORDER,
    "acceptance": {"offer": ID, "wh": 40, "priority": 1, "start_timeout_s": 600, "demand": ID},
    "contract": {"acceptance": ID},
    "grant": {
        "number": 1, "meter": KID, "contract": ID, "wh": 40, "max_w": 8000, "from_s": 100, "to_s": 9000,
        "price_micro_per_kwh": 180000, "priority": 1, "start_by_s": 700, "default_supply": False,
    },
    "usage_start": {"contract": ID, "grant": 1, "import_wh": 12},
    "usage": {"contract": ID, "attributed_wh": 10, "import_wh": 22},
    "usage_end": {"contract": ID, "attributed_wh": 40, "import_wh": 52, "reason": 1},
    "terminate": {"contract": ID, "reason": "moving out", "attributed_wh": 4, "order_id": KID, "expires_s": 9000},
    "receipt": {"author": KID, "generation": 0, "sequence": 7, "head": ID},
    "statement": {
        "subject": KID, "from_s": 0, "to_s": 9000, "bought_wh": 80, "bought_nano": 15000000, "sold_wh": 0,
        "sold_nano": 0,
        "grid_import_wh": 3, "grid_import_nano": 930000, "grid_export_wh": 0, "grid_export_nano": 0, "unused_nano": 0,
        "unused_earned_nano": 0, "net_nano": 15930000, "saved_nano": 9800000, "lines": 2, "lines_root": ID,
        "evidence": 40, "evidence_root": ID, "estimated_wh": 0, "unsettled_meters": 0,
        "settled_to_s": 9000,
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
