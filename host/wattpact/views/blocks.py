"""Where entries took their place in the ledger, and which witnesses saw it.

What always holds: a witness that cosigned a head saw every block that the head covers, so who saw a block follows from
how many blocks the last head had that each cosigned: that is read once for an answer, however many rows it has.
"""

from collections.abc import Callable, Mapping
from typing import Any

from wattpact_protocol.log import kinds

from wattpact.bundle import cosigned
from wattpact.bundle.cosigned import WitnessKey
from wattpact.store.interface import Reader
from wattpact.store.records import WAITS, Ordered
from wattpact.views import Json

# What each entry of a contract's life is called.
STEPS = {
    kinds.OFFER: "offered", kinds.ACCEPTANCE: "accepted", kinds.CONTRACT: "agreed", kinds.GRANT: "granted",
    kinds.USAGE_START: "started", kinds.USAGE_END: "ended", kinds.TERMINATE: "terminated",
}  # fmt: skip


class Witnessed:
    """The witnesses of one moment of a store."""

    def __init__(self, reader: Reader) -> None:
        self._blocks = [(one.name, one.blocks) for one in reader.witnesses()]

    def block(self, height: int, time_s: int) -> Json:
        return {
            "height": height, "time_s": time_s,
            "seen_by": [name for name, blocks in self._blocks if blocks > height],
        }  # fmt: skip

    def place(self, found: Ordered | None) -> Json | None:
        """The block of an entry; None where it is in none."""
        if found is None or found.height is None or found.time_s is None:
            return None
        return self.block(found.height, found.time_s)


def ledger(reader: Reader, community: Mapping[str, Any]) -> Json | None:
    """How far the ledger is, its witnesses, and the cosignatures that the `community`'s entry, its body, requires; None
    where nothing is ordered."""
    last = reader.last_block()
    if last is None:
        return None
    promised, size, held = cosigned.promised(community), last.height + 1, reader.witnesses()
    signed = {WitnessKey(one.name, one.public_key) for one in held if one.blocks == size}
    required = {
        "cosigned": promised.least, "witnesses": [one.name for one in promised.witnesses],
        "have_cosigned": len(signed.intersection(promised.witnesses)),
    }  # fmt: skip
    return {
        "blocks": size, "time_s": last.time_s, "witnesses": [{"name": one.name, "blocks": one.blocks} for one in held],
        "required": required if promised.witnesses else None, "waits": reader.text(WAITS) or None,
    }  # fmt: skip


def life(reader: Reader, contract_id: bytes, label: Callable[[bytes], str]) -> list[Json]:
    """The steps of a contract's life that the ledger ordered, in their order; `label(kid)` names who made each."""
    witnessed = Witnessed(reader)
    return [
        {
            "step": STEPS[step.kind], "author": step.author.hex(), "author_label": label(step.author),
            "block": witnessed.block(step.height, step.time_s),
        }
        for step in reader.steps(contract_id)
    ]  # fmt: skip
