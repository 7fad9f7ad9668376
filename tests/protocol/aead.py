"""Runs one test on every AES there is here, under every CCM and GCM that is built on one."""

import case
from wattpact_protocol.crypto import _aes_portable, _ccm_portable, _gcm_portable, aes, ccm, gcm

if case.MICROPYTHON:
    from wattpact_protocol.crypto import _aes_cryptolib

    # name, AES, CCM, GCM
    BACKENDS = [("cryptolib", _aes_cryptolib, _ccm_portable, _gcm_portable)]
else:
    from wattpact_protocol.crypto import _aes_host, _ccm_host, _gcm_host

    BACKENDS = [
        ("OpenSSL", _aes_host, _ccm_host, _gcm_host),
        ("OpenSSL's AES", _aes_host, _ccm_portable, _gcm_portable),
    ]
BACKENDS.append(("portable", _aes_portable, _ccm_portable, _gcm_portable))
MODULES = aes, ccm, gcm


def on_every_backend(test):
    """The test, run once for each of them; a failure shows where."""

    def run():
        chosen = [module._backend for module in MODULES]
        for name, *backends in BACKENDS:
            try:
                choose(backends)
                test()
            except AssertionError as error:
                raise AssertionError("with %s: %s" % (name, error))
            finally:
                choose(chosen)

    return run


def choose(backends):
    for module, backend in zip(MODULES, backends):
        module._backend = backend


def from_hex(vector, *names):
    """The bytes of a vector's fields."""
    return [bytes.fromhex(vector[name]) for name in names]
