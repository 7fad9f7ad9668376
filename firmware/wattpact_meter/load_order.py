"""Loads the meter's modules from the bottom up, before anything else imports them.

An import within an import takes stack, and from source a compiler on top of it: nested as they stand, these would need
more than MicroPython has. Here each finds what it imports already loaded. The order is tested to be complete. Machine
code is left out where it does not run, and what would stand in for it where it does.
"""

import sys

PROTOCOL = (
    "steps", "_cbor_portable", "cbor", "_sha512_constants", "_sha512_viper", "_sha512_portable", "sha512",
    "_ed25519_table", "_field25519_viper", "_scalar25519_viper", "_curve25519_viper", "_ed25519_viper",
    "_ed25519_portable", "ed25519", "_x25519_viper", "_x25519_portable", "x25519",
    "_hkdf_portable", "hkdf", "_aes_cryptolib", "_aes_portable", "_xor_viper", "_xor_portable", "aes", "_ccm_portable",
    "ccm", "cose", "register_ids", "sealed", "readings", "bodies", "sealing", "entry", "log", "contracts", "datagram",
    "enrolment", "guard_memory", "guard_policy", "guard_knowledge", "guard_rows", "guard_terms", "guard",
)  # fmt: skip
METER = (
    "clock", "fixedpoint", "calibration", "period", "sampling", "registers", "telegram", "p1", "settings", "journal",
    "state", "identity", "relay", "intervals", "recorder", "trust", "sealer", "policies", "ownlog", "link",
    "commitments", "book", "usage", "hearing", "keeping", "speaking", "meter", "starting", "status",
    "waiting", "app",
)  # fmt: skip
_BETTER = ("viper", "cryptolib")  # what a meter may have instead of a portable module


def load() -> None:
    """Import all of it, in order."""
    for name in PROTOCOL:
        _load("wattpact_protocol." + name)
    for name in METER:
        _load("wattpact_meter." + name)


def _load(name: str) -> None:
    if name.endswith("_portable") and any(name[:-8] + better in sys.modules for better in _BETTER):
        return
    try:
        __import__(name)
    except (ImportError, SyntaxError, ValueError):
        if name[name.rfind("_") + 1 :] not in _BETTER:
            raise
