"""Loads the meter's modules from the bottom up, before anything else imports them.

An import within an import takes stack, and from source a compiler on top of it: nested as they are, these would need
more than MicroPython has. Here each finds what it imports already loaded. The order is tested to be complete. Machine
code is left out where it does not run, and its portable twin where it does. Sources and drivers are loaded later, only
those that the board has.
"""

import sys

# Texts, since a tuple of names stays in the heap.
PROTOCOL = """
    steps encoding._cbor_portable encoding.cbor crypto._sha512_constants crypto._ed25519_table
    crypto._tables_viper crypto._sha512_viper crypto._sha512_portable crypto.sha512 crypto._field25519_viper
    crypto._scalar25519_viper
    crypto._curve25519_viper crypto._ed25519_viper crypto._ed25519_portable crypto.ed25519 crypto._x25519_viper
    crypto._x25519_portable crypto.x25519 crypto._hkdf_portable crypto.hkdf crypto._aes_cryptolib
    crypto._aes_portable crypto._xor_viper crypto._xor_portable crypto.aes crypto._ccm_portable crypto.ccm
    encoding.cose log.ids log.register_table log.sealed_part log.readings log.event_codes log.reasons log.kinds
    log.entry
    log.roles log.chain sealing.period_keys sealing.content sealing.epochs
    sync.datagram sync.enrolment guard.memory guard.policy guard.state guard.table guard.decision guard.guard
"""
METER = """
    clock once metering.calibration metering.measurement metering.registers settings storage.journal
    storage.store log.identity control.relay control.faults metering.intervals metering.recorder log.trust
    log.own_log log.sealer log.events log.retention log.ledger_watch control.policies sync.peers sync.outbox
    trade.orders trade.trader trade.usage sync.inbox core.checkpoint core.keeping log.publisher core.meter core.boot
    status core.backlog app
"""
BETTER = ("viper", "cryptolib")  # what a meter may have instead of a portable module


def load() -> None:
    """Import all of it, in order."""
    load_protocol()
    for name in METER.split():
        _load("wattpact_meter." + name)


def load_protocol() -> None:
    for name in PROTOCOL.split():
        _load("wattpact_protocol." + name)


def _load(name: str) -> None:
    if name.endswith("_portable") and any(name[:-8] + better in sys.modules for better in BETTER):
        return
    try:
        __import__(name)
    except (ImportError, SyntaxError, ValueError):
        if name[name.rfind("_") + 1 :] not in BETTER:
            raise
