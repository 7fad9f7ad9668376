"""The root key that an auditor trusts: given as hex, or as a file that holds it."""

import json
import os
import stat

_MAX_FILE_BYTES = 4096


class PinError(ValueError):
    """Neither a public key nor a file with one; the text says what was wrong."""


def read_pin(text: str) -> bytes:
    """The 32-byte public key: 64 hex digits, or the path of a file with them or of a key file. Raises PinError."""
    found = _from_hex(text)
    if found is None:
        found = _from_file(text)
    return found


def _from_hex(text: str) -> bytes | None:
    text = text.strip()
    try:
        found = bytes.fromhex(text)
    except ValueError:
        return None
    return found if len(found) == 32 and len(text) == 64 else None


def _from_file(path: str) -> bytes:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        raise PinError(f"{path!r} is neither 64 hex digits of a root key nor a file") from None
    if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_FILE_BYTES:
        raise PinError(f"{path!r} is not a key file")
    try:
        with open(path, "rb") as file:
            text = file.read(_MAX_FILE_BYTES).decode()
        found = _from_hex(text)
        if found is None:
            content = json.loads(text)
            found = _from_hex(content.get("root_public_key") or content["public_key"])
    except OSError as error:
        raise PinError(f"cannot read {path!r}: {error.strerror}") from None
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        found = None
    if found is None:
        raise PinError(f"{path!r} has no public key; it must contain 64 hex digits or be a key file")
    return found
