"""Loads the meter's modules from the bottom up, before anything else imports them.

An import within an import takes stack, and from source a compiler on top of it: nested as they stand, these would need
more than MicroPython has. Here each finds what it imports already loaded. The order is tested to be complete.
"""

PROTOCOL = (
    "_cbor_portable", "cbor", "sha512", "_ed25519_portable", "ed25519", "cose", "register_ids", "readings", "bodies",
    "entry", "log", "contracts", "datagram", "enrolment", "guard_memory", "guard_policy", "guard_knowledge",
    "guard_rows", "guard_terms", "guard",
)  # fmt: skip
METER = (
    "clock", "fixedpoint", "calibration", "period", "sampling", "registers", "telegram", "p1", "settings", "journal",
    "state", "identity", "relay", "intervals", "recorder", "trust", "policies", "ownlog", "link", "commitments", "book",
    "usage", "hearing", "keeping", "speaking", "meter", "starting", "status",
    "app",
)  # fmt: skip


def load() -> None:
    """Import all of it, in order."""
    for name in PROTOCOL:
        __import__("wattpact_protocol." + name)
    for name in METER:
        __import__("wattpact_meter." + name)
