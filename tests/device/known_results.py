"""Cryptography whose results are known elsewhere, and a program that compares a MicroPython's with them.

RFC 8032, RFC 3610, RFC 4231, RFC 5869, Wycheproof, libsodium and CPython's hashlib.
"""

import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path

import case
from wattpact_protocol.crypto import _ed25519_host

# What it prints first shows that machine code does the work; a line of the file is a call and what comes of it.
PROGRAM = """
from wattpact_protocol import crypto
from wattpact_protocol.crypto import ccm, ed25519, hkdf, sha512, x25519
print(ed25519._backend.__name__, x25519._backend.__name__, sha512.digest.__globals__["__name__"])
count = 0
with open(CASES) as file:
    for line in file:
        name, expected, *arguments = line.split()
        module, function = name.split(".")
        values = [int(text[1:]) if text[0] == "#" else bytes.fromhex(text[1:]) for text in arguments]
        try:
            result = getattr(getattr(crypto, module), function)(*values)
            result = result.hex() if isinstance(result, bytes) else str(result)
        except ValueError as error:
            result = type(error).__name__
        if result != expected:
            print("differs:", result, line)
        count += 1
print(count, "compared")
"""


def line(name: str, expected: "bytes | object", *arguments: "bytes | int") -> str:
    result = expected.hex() if isinstance(expected, bytes) else expected
    texts = (f"#{argument}" if isinstance(argument, int) else f"-{argument.hex()}" for argument in arguments)
    return " ".join((name, str(result), *texts))


def fields(vector: "dict[str, str]", *names: str) -> list[bytes]:
    return [bytes.fromhex(vector[name]) for name in names]


def signatures() -> Iterator[str]:
    """RFC 8032, 7.1, and libsodium's."""
    rng = random.Random("signatures")
    judged = [fields(vector, "seed", "message", "signature") for vector in case.vectors("ed25519")["sign"]]
    for _ in range(30):
        seed, message = rng.randbytes(32), rng.randbytes(rng.randrange(300))
        judged.append([seed, message, _ed25519_host.sign(seed, message)])
    for seed, message, signature in judged:
        key = _ed25519_host.public_key(seed)
        yield line("ed25519.public_key", key, seed)
        yield line("ed25519.sign", signature, seed, message)
        yield line("ed25519.verify", True, key, message, signature)
        yield line("ed25519.verify", False, key, message + b"!", signature)


def verdicts() -> Iterator[str]:
    for vector in case.vectors("ed25519")["verify"]:
        yield line("ed25519.verify", vector["valid"], *fields(vector, "public_key", "message", "signature"))


def hashes() -> Iterator[str]:
    for length in (0, 1, 111, 112, 127, 128, 239, 240, 1000):
        data = random.Random(length).randbytes(length)
        yield line("sha512.digest", hashlib.sha512(data).digest(), data)


def sealing() -> Iterator[str]:
    """RFC 3610, 8; RFC 4231; RFC 5869, appendix A."""
    for vector in case.vectors("ccm")["seal"]:
        arguments = fields(vector, "key", "nonce", "aad", "plaintext")
        yield line("ccm.seal", bytes.fromhex(vector["sealed"]), *arguments, vector["tag_length"])
    for vector in case.vectors("hkdf")["hmac"]:
        if len(vector["hmac"]) == 64:  # one of them is cut short
            yield line("hkdf.hmac_sha256", *fields(vector, "hmac", "key", "data"))
    for vector in case.vectors("hkdf")["derive"]:
        output, *arguments = fields(vector, "output", "secret", "salt", "info")
        yield line("hkdf.derive", output, *arguments, vector["length"])


def wycheproof_signatures() -> Iterator[str]:
    for group, test in wycheproof("ed25519", 151):
        key, message, signature = group["publicKey"]["pk"], test["msg"], test["sig"]
        texts = (bytes.fromhex(text) for text in (key, message, signature))
        yield line("ed25519.verify", test["result"] == "valid", *texts)


def wycheproof_secrets() -> Iterator[str]:
    for _, test in wycheproof("x25519", 518):
        shared, private, public = fields(test, "shared", "private", "public")
        yield line("x25519.shared", shared if any(shared) else "AgreementError", private, public)


def wycheproof(name: str, count: int) -> list[tuple[dict, dict]]:
    suite = json.loads(Path(case.data(f"crypto/wycheproof/{name}_test.json")).read_text())
    tests = [(group, test) for group in suite["testGroups"] for test in group["tests"]]
    assert len(tests) == count
    return tests


KINDS = [signatures, verdicts, hashes, sealing, wycheproof_signatures, wycheproof_secrets]


def assert_all_compared(printed: str, count: int) -> None:
    """What the program printed is that machine code computed so many results, all of them as known."""
    first, *rest = printed.splitlines()
    assert first.split() == [f"wattpact_protocol.crypto._{name}_viper" for name in ("ed25519", "x25519", "sha512")]
    assert rest == [f"{count} compared"]
