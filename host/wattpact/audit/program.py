"""The audit as a program: a file and a pinned key in, a page or JSON out, and a status.

0  the bundle agrees      1  it is refuted, and the entry is named      2  it cannot be read, or is no bundle at all
"""

import json
import os
import stat
from typing import BinaryIO, TextIO

from wattpact import bundle
from wattpact.audit import page
from wattpact.audit.checker import audit
from wattpact.audit.findings import Refuted
from wattpact.audit.pin import PinError, read_pin

AGREES, REFUTED, UNREADABLE = 0, 1, 2


class Unreadable(ValueError):
    """A file that is not there, is empty, or is too large; the text is a sentence for a person."""


def run(path: str, root: str, as_json: bool, out: TextIO, err: TextIO) -> int:
    """Audit one bundle; errors are one line on `err`."""
    try:
        pin = read_pin(root)
        with _open(path) as file:
            report = audit(file, pin)
    except (PinError, Unreadable) as error:
        print(f"wattpact: {error}", file=err)
        return UNREADABLE
    except OSError as error:
        print(f"wattpact: cannot read {path!r}: {error.strerror}", file=err)
        return UNREADABLE
    except Refuted as refuted:
        if as_json:
            shown = {"verdict": "refuted", "reason": refuted.reason, "entry": refuted.entry}
            print(json.dumps(shown, indent=2), file=out)
        print(f"wattpact: {refuted.sentence()}", file=err)
        return REFUTED
    print(json.dumps(page.as_json(report), indent=2) if as_json else page.text(report), file=out)
    return AGREES


def _open(path: str) -> BinaryIO:
    try:
        status = os.stat(path)
    except ValueError:
        raise Unreadable(f"{path!r} is no file's name") from None
    if not stat.S_ISREG(status.st_mode):
        raise Unreadable(f"{path!r} is no file")
    if status.st_size == 0:
        raise Unreadable(f"{path!r} is empty, not a bundle")
    if status.st_size > bundle.MAX_BYTES:
        raise Unreadable(f"{path!r} is larger than any bundle may be, {bundle.MAX_BYTES >> 20} MiB")
    return open(path, "rb")
