"""A disclosure: keys of key periods of meters' logs, as a JSON file that goes from whoever may read to an auditor.

    {"wattpact_disclosure": 1, "community": "<hex>", "keys": [{"meter": "<hex>", "generation": 0, "key_no": 7, ...}]}

What always holds: a file is read strictly and within bounds, with one error; it is written whole or not at all, for its
owner alone; a key appears in no error and no repr. docs/spec/sealing.md, "Disclosure".
"""

import contextlib
import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from wattpact_protocol.log import kinds, sealed_part
from wattpact_protocol.sealing import period_keys

FORMAT = 1
MAX_BYTES = 16 << 20
MAX_KEYS = 1 << 16
_FIELDS = {"meter", "generation", "key_no", "key", "from_s", "to_s"}
_KID_BYTES, _COMMUNITY_BYTES = 8, 16


class DisclosureError(ValueError):
    """A file that is no disclosure, or cannot be read or written; the text says why and holds no key."""


class PeriodKey:
    """The key of one key period of a meter's log; from_s and to_s, or None, show people what time it is of."""

    __slots__ = ("from_s", "generation", "key", "key_no", "meter", "to_s")

    def __init__(
        self, meter: bytes, generation: int, key_no: int, key: bytes, from_s: int | None = None, to_s: int | None = None
    ) -> None:
        self.meter = meter
        self.generation = generation
        self.key_no = key_no
        self.key = key
        self.from_s = from_s
        self.to_s = to_s

    @property
    def place(self) -> tuple[bytes, int, int]:
        return (self.meter, self.generation, self.key_no)

    def __repr__(self) -> str:
        return f"<PeriodKey {self.meter.hex()}/{self.generation}/{self.key_no}>"


class Disclosure:
    """The keys of one file; `name` is the file's, for messages."""

    __slots__ = ("community", "keys", "name")

    def __init__(self, community: bytes, keys: Iterable[PeriodKey], name: str = "") -> None:
        self.community = community
        self.keys = list(keys)
        self.name = name

    def __repr__(self) -> str:
        return f"<Disclosure {self.name} of {len(self.keys)} keys>"


def encode(given: Disclosure) -> bytes:
    """What `decode` takes; raises DisclosureError where there are too many keys for one file."""
    if len(given.keys) > MAX_KEYS:
        raise DisclosureError(f"a disclosure holds at most {MAX_KEYS} keys, not {len(given.keys)}")
    rows = [
        {
            "meter": one.meter.hex(), "generation": one.generation, "key_no": one.key_no, "key": one.key.hex(),
            "from_s": one.from_s, "to_s": one.to_s,
        }
        for one in given.keys
    ]  # fmt: skip
    lines = ",\n".join(json.dumps(row) for row in rows)
    head = f'{{"wattpact_disclosure": {FORMAT}, "community": "{given.community.hex()}", "keys": ['
    return f"{head}\n{lines}\n]}}\n".encode()


def decode(data: bytes, name: str = "") -> Disclosure:
    """The disclosure in `data`; raises DisclosureError and nothing else."""
    label = repr(name) if name else "this"
    if len(data) > MAX_BYTES:
        raise DisclosureError(f"{label} is larger than any disclosure may be, {MAX_BYTES >> 20} MiB")
    content = _json(data)
    if not isinstance(content, dict) or "wattpact_disclosure" not in content:
        raise DisclosureError(f"{label} is no disclosure: `wattpact disclose` writes one")
    version = content["wattpact_disclosure"]
    if type(version) is int and version > FORMAT:
        raise DisclosureError(f"{label} was made by a newer wattpact; update this one")
    community, rows = _hex(content.get("community"), _COMMUNITY_BYTES), content.get("keys")
    if version is True or version != FORMAT or len(content) != 3 or community is None or not isinstance(rows, list):
        raise DisclosureError(f"{label} is damaged: version, community or keys is malformed")
    if len(rows) > MAX_KEYS:
        raise DisclosureError(f"{label} holds more than {MAX_KEYS} keys")
    keys = []
    for number, row in enumerate(rows, 1):
        key = _key(row)
        if key is None:
            raise DisclosureError(f"{label} is damaged: key {number} is malformed")
        keys.append(key)
    return Disclosure(community, keys, name)


def _json(data: bytes) -> Any:
    """The value in `data`, None for what is no JSON. The parser's error holds the text, so it does not leave here."""
    try:
        return json.loads(data.decode(), object_pairs_hook=_once, parse_constant=_reject, parse_float=_reject)
    except (ValueError, RecursionError):
        return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _reject(_: str) -> None:
    raise ValueError("no number of ours")


def _key(row: Any) -> PeriodKey | None:
    if not isinstance(row, dict) or set(row) != _FIELDS:
        return None
    meter, key = _hex(row["meter"], _KID_BYTES), _hex(row["key"], period_keys.KEY_BYTES)
    generation, key_no, from_s, to_s = row["generation"], row["key_no"], row["from_s"], row["to_s"]
    if meter is None or key is None:
        return None
    if not _is_int(generation, 0, kinds.MAX_U32) or not _is_int(key_no, 1, sealed_part.MAX_KEY_NO):
        return None
    if (from_s, to_s) != (None, None):
        if not _is_int(from_s, 0, kinds.MAX_UINT) or not _is_int(to_s, from_s, kinds.MAX_UINT):
            return None
    return PeriodKey(meter, generation, key_no, key, from_s, to_s)


def _is_int(value: Any, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def _hex(value: Any, length: int) -> bytes | None:
    """Lower case, without spaces, so that a key is written in one way."""
    if not isinstance(value, str) or len(value) != 2 * length:
        return None
    try:
        found = bytes.fromhex(value)
    except ValueError:
        return None
    return found if found.hex() == value else None


def read(path: str) -> Disclosure:
    """The disclosure in a file; raises DisclosureError."""
    try:
        is_file = stat.S_ISREG(os.stat(path).st_mode)
        data = _start_of(path) if is_file else b""
    except OSError as error:
        raise DisclosureError(f"cannot read {path!r}: {error.strerror}") from None
    except ValueError:
        raise DisclosureError(f"{path!r} is no file's name") from None
    if not is_file:
        raise DisclosureError(f"{path!r} is no file")
    return decode(data, path)


def _start_of(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(MAX_BYTES + 1)


def write(path: Path, given: Disclosure) -> None:
    """Whole or not at all, mode 0600; an earlier file of that name is replaced. Raises DisclosureError."""
    data = encode(given)
    if not path.name:
        raise DisclosureError(f"cannot write {str(path)!r}: this is no file's name")
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "this is no file's name"
        raise DisclosureError(f"cannot write {str(path)!r}: {reason}") from None
    finally:
        with contextlib.suppress(OSError, ValueError):
            part.unlink(missing_ok=True)
