"""libsodium's verdict on every Wycheproof case of Ed25519 and X25519, written down; and whether each backend shares it.

libsodium_verdicts.json has each case's number once: accepted (a valid signature; a shared secret, the one listed) or
refused.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import case
import on_micropython
import pytest
from wattpact_protocol.crypto import _ed25519_host, _ed25519_portable, _x25519_host, _x25519_portable, ed25519, x25519

WRITTEN = json.loads((Path(__file__).parent / "libsodium_verdicts.json").read_text())
NUMBERS = {"ed25519": 151, "x25519": 518}
BACKENDS = {
    "ed25519": [_ed25519_host, _ed25519_portable],
    "x25519": [_x25519_host, _x25519_portable],
}
# A verdict a line, for lines of three values in hexadecimal, each after a mark, since none may be empty.
PROGRAM = """
import sys
sys.path.insert(0, "protocol")
from wattpact_protocol.crypto import ed25519, x25519
assert ed25519._backend.__name__.endswith("_viper") and x25519._backend.__name__.endswith("_viper")
with open(sys.argv[2]) as file:
    for line in file:
        one, two, three = [bytes.fromhex(part[1:]) for part in line.strip().split(" ")]
        if sys.argv[1] == "ed25519":
            print(int(ed25519.verify(one, two, three)))
        else:
            try:
                print(int(x25519.shared(one, two) == three))
            except x25519.AgreementError:
                print("refused")
"""

Values = tuple[bytes, bytes, bytes]
every_algorithm = pytest.mark.parametrize("algorithm", NUMBERS)


def wycheproof(algorithm: str) -> dict[int, Values]:
    """Each case's number, and its key, message and signature, or its secret, public key and shared secret."""
    suite = json.loads(Path(case.data(f"crypto/wycheproof/{algorithm}_test.json")).read_text())
    cases = {}
    for group in suite["testGroups"]:
        for test in group["tests"]:
            if algorithm == "ed25519":
                texts = (group["publicKey"]["pk"], test["msg"], test["sig"])
            else:
                texts = (test["private"], test["public"], test["shared"])
            cases[test["tcId"]] = (bytes.fromhex(texts[0]), bytes.fromhex(texts[1]), bytes.fromhex(texts[2]))
    assert len(cases) == suite["numberOfTests"] == NUMBERS[algorithm]
    return cases


def written(algorithm: str) -> dict[int, bool]:
    verdicts = dict.fromkeys(WRITTEN[algorithm]["accepted"], True)
    rejected = dict.fromkeys(WRITTEN[algorithm]["refused"], False)
    assert not verdicts.keys() & rejected.keys()
    return {**verdicts, **rejected}


def accepts(algorithm: str, one: bytes, two: bytes, three: bytes) -> bool:
    """The public name's verdict; a shared secret other than the one listed is neither."""
    if algorithm == "ed25519":
        return ed25519.verify(one, two, three)
    try:
        shared = x25519.shared(one, two)
    except x25519.AgreementError:
        return False
    assert shared == three
    return True


def each_backend(algorithm: str) -> Iterator[Callable[[bytes, bytes, bytes], bool]]:
    module = {"ed25519": ed25519, "x25519": x25519}[algorithm]
    for backend in BACKENDS[algorithm]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_backend", backend)
            yield lambda *values: accepts(algorithm, *values)


@every_algorithm
def test_the_host_uses_libsodium(algorithm: str) -> None:
    assert {"ed25519": ed25519, "x25519": x25519}[algorithm]._backend is BACKENDS[algorithm][0]


@every_algorithm
def test_libsodium_and_big_integers_decide_as_written(algorithm: str) -> None:
    expected = written(algorithm)
    for verdict in each_backend(algorithm):
        assert {number: verdict(*values) for number, values in wycheproof(algorithm).items()} == expected


@every_algorithm
def test_machine_code_decides_as_written(algorithm: str, tmp_path: Path) -> None:
    cases = wycheproof(algorithm)
    lines = [" ".join("-" + value.hex() for value in values) for values in cases.values()]
    (tmp_path / "cases").write_text("\n".join(lines))
    result = on_micropython.run("-c", PROGRAM, algorithm, tmp_path / "cases")
    no = "refused" if algorithm == "x25519" else "0"
    verdicts = {"1": True, no: False}
    judged = [verdicts[line] for line in result.stdout.split()]
    assert dict(zip(cases, judged, strict=True)) == written(algorithm)


def test_what_is_valid_by_wycheproof_is_accepted_and_invalid_rejected() -> None:
    """Wycheproof leaves some of X25519 to the implementation; of those, what shares nothing alone is rejected."""
    for algorithm in NUMBERS:
        suite = json.loads(Path(case.data(f"crypto/wycheproof/{algorithm}_test.json")).read_text())
        expected = written(algorithm)
        for test in (test for group in suite["testGroups"] for test in group["tests"]):
            zero = "ZeroSharedSecret" in test["flags"]
            assert expected[test["tcId"]] is (test["result"] != "invalid" and not zero), test["tcId"]
