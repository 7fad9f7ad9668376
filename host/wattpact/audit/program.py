"""The audit as a program: a bundle, a pinned key and disclosed keys in, a page or JSON out, and a status.

0  the bundle agrees      1  it is refuted, and the entry is named
2  it cannot be read or is no bundle, keys are missing that the verdict depends on, or every figure agrees and the head
   has not the cosignatures that the community's entry requires
"""

import json
import os
import shlex
import stat
from collections.abc import Sequence
from typing import BinaryIO, TextIO

from wattpact.audit import page
from wattpact.audit.checker import audit
from wattpact.audit.findings import Refuted, Uncosigned, Undecided
from wattpact.audit.pin import PinError, read_pin
from wattpact.bundle import cosigned, disclosure, format
from wattpact.bundle.cosigned import WitnessKeyError
from wattpact.bundle.disclosure import DisclosureError

AGREES, REFUTED, UNREADABLE, UNDECIDED = 0, 1, 2, 2
WITNESS_HELP = "A witness whose cosignature of the ledger's head counts: NAME+HASH+KEY; may be repeated."
COSIGNED_HELP = (
    "How many of the witnesses must have cosigned; if omitted, all of them. Without --witness: 0 for nobody, "
    "else it is as the community's entry has it."
)
KEYS_HELP = "Keys of sealed readings, as `wattpact disclose` wrote them; may be repeated."


class Unreadable(ValueError):
    """A file that is missing, empty, too large or no bundle; the text is a sentence for a person."""


def run(
    path: str, root: str, keys: Sequence[str], as_json: bool, out: TextIO, err: TextIO,
    witnesses: Sequence[str] = (), least: int | None = None,
) -> int:  # fmt: skip
    """Audit one bundle with the disclosures in the files `keys`, its head cosigned by at least so many of the
    `witnesses`, or all, or as the community's entry requires; errors are one line on `err`."""
    try:
        pin = read_pin(root)
        wanted = cosigned.required(witnesses, least)
        with _open(path) as file:
            report = audit(file, pin, [disclosure.read(name) for name in keys], wanted)
    except (PinError, Unreadable, DisclosureError, WitnessKeyError) as error:
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
    except Uncosigned as uncosigned:
        if as_json:
            print(json.dumps(page.uncosigned_json(uncosigned), indent=2), file=out)
        advice = "a bundle that is made while they answer has them; --cosigned 0 waives them"
        print(f"wattpact: {uncosigned.sentence()}; {advice}", file=err)
        return UNDECIDED
    except Undecided as undecided:
        name = path.removesuffix(".bundle")
        command = f"wattpact disclose --bundle {shlex.quote(path)} -o {shlex.quote(name + '.keys')}"
        if as_json:
            print(json.dumps(page.undecided_json(undecided, command), indent=2), file=out)
        print(f"wattpact: {undecided.sentence()}; the operator discloses them with `{command}`", file=err)
        return UNDECIDED
    print(json.dumps(page.as_json(report), indent=2) if as_json else page.text(report), file=out)
    return AGREES


def _open(path: str) -> BinaryIO:
    try:
        status = os.stat(path)
    except ValueError:
        raise Unreadable(f"{path!r} cannot be a file's name") from None
    if not stat.S_ISREG(status.st_mode):
        raise Unreadable(f"{path!r} is not a file")
    if status.st_size == 0:
        raise Unreadable(f"{path!r} is empty, not a bundle")
    if status.st_size > format.MAX_BYTES:
        raise Unreadable(f"{path!r} is larger than {format.MAX_BYTES >> 20} MiB, the most that a bundle can have")
    file = open(path, "rb")
    if not format.is_begin(file.read(4)):
        file.close()
        raise Unreadable(f"{path!r} is not a bundle")
    file.seek(0)
    return file
