"""The head goes to its witnesses, and what they sign is kept beside it.

    a new head -> each witness that has not cosigned it -> its cosignature, verified -> the store

What always holds: nobody waits for a witness, which may be slow, away or hostile; a signature counts only if it is the
witness's own of exactly this head; one that shows that the witness saw another history is kept with the witness until
a person removes it. docs/spec/ledger.md, "Head and witnesses".
"""

import asyncio
import logging
from collections.abc import Callable
from typing import NamedTuple

from wattpact_protocol.ledger import checkpoints
from wattpact_protocol.ledger.checkpoints import Checkpoint, CheckpointError

from wattpact.bundle.cosigned import WitnessKey, cosigners, promised
from wattpact.ordering import submitting
from wattpact.ordering.keeping import CHECKPOINT
from wattpact.ordering.submitting import Answer, SubmissionError
from wattpact.ordering.writer import open_ledger
from wattpact.store.interface import Reader, Store
from wattpact.store.recorded import ordered_community
from wattpact.store.records import StoreError, Witness

EVERY_S = 3
LONGEST_WAIT_S = 600
MAX_WITNESSES = 12
KNOWN_HEADS = 64
CONFLICTS_AGAIN_S = 3600  # a conflict is logged again so often

_LOG = logging.getLogger("wattpact.witnesses")

Post = Callable[[str, bytes], Answer]


class CosigningError(ValueError):
    """A witness that cannot be kept; the text shows why."""


class _Failed(Exception):
    """A submission that gave no cosignature; `is_conflict` where the witness saw another history."""

    def __init__(self, text: str, is_conflict: bool = False) -> None:
        super().__init__(text)
        self.is_conflict = is_conflict


class _Wait(NamedTuple):
    failures: int
    until_s: int


def add(store: Store, key: WitnessKey, url: str, now_s: int) -> None:
    """Keep a witness that the head goes to from now on; raises CosigningError, StoreError."""
    with store.transaction():
        held = store.witnesses()
        if any(one.name == key.name for one in held):
            raise CosigningError(f"there is a witness {key.name} already; remove it first to change its key or address")
        if len(held) >= MAX_WITNESSES:
            raise CosigningError(f"a head goes to at most {MAX_WITNESSES} witnesses; remove one first")
        store.keep_witness(Witness(key.name, key.public_key, url, now_s, 0, None, None, None))


def remove(store: Store, name: str) -> None:
    """Raises CosigningError."""
    with store.transaction():
        if all(one.name != name for one in store.witnesses()):
            raise CosigningError(f"there is no witness {name}; `wattpact ledger witness list` shows all")
        store.remove_witness(name)


def submitted_to(reader: Reader) -> list[WitnessKey]:
    """The witnesses that the head goes to."""
    return [WitnessKey(one.name, one.public_key) for one in reader.witnesses()]


def best_head(reader: Reader, height: int, known: int = KNOWN_HEADS) -> str | None:
    """The newest of the heads with most cosignatures that the community's entry requires, then with most at all, among
    the last `known` that cover a block; without any the host's own. None where nothing is ordered."""
    heads = reader.cosigned_heads(height + 1, known, newest_first=True)
    if not heads:
        return reader.text(CHECKPOINT) or None
    founded = ordered_community(reader)
    required = () if founded is None else promised(founded.body).witnesses

    def rank(text: str) -> tuple[int, int]:
        head = checkpoints.decode(text)
        return len(cosigners(head, required)), len(head.signatures)

    return max(heads, key=rank)


def seen_by(reader: Reader, height: int, known: int = KNOWN_HEADS) -> dict[str, int]:
    """When each witness first cosigned a head that covers a block, by name; looked for in the first `known` of them."""
    keys = submitted_to(reader)
    found: dict[str, int] = {}
    for text in reader.cosigned_heads(height + 1, known):
        new = [key for key in keys if key.name not in found]
        if not new:
            break
        found.update(cosigners(checkpoints.decode(text), new))
    return found


def cosigners_of(reader: Reader, text: str) -> dict[str, int] | None:
    """Who of the witnesses cosigned a head, and when; None where there are no witnesses."""
    keys = submitted_to(reader)
    return cosigners(checkpoints.decode(text), keys) if keys else None


class Cosigning:
    """`clock()` gives Unix seconds; `kept()` is called after each cosignature that was kept. `run` goes on for ever,
    `submit` is once and now."""

    def __init__(
        self, store: Store, clock: Callable[[], int], post: Post = submitting.post,
        kept: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._store = store
        self._clock = clock
        self._post = post
        self._kept = kept
        self._waits: dict[str, _Wait] = {}
        self._warned: dict[str, int] = {}

    async def run(self) -> None:
        while True:
            try:
                await self.submit(only_due=True)
            except StoreError as error:
                _LOG.error("%s", error)
            except Exception:
                _LOG.exception("unexpected error")
            await asyncio.sleep(EVERY_S)

    async def submit(self, only_due: bool = False) -> None:
        """The newest head to all who have not cosigned it, side by side; raises StoreError."""
        held = self._store.witnesses()
        text = self._store.text(CHECKPOINT)
        if not held or not text:
            return
        head = checkpoints.decode(text)
        now_s = self._clock()
        due = [
            one for one in held
            if one.blocks != head.size and not (only_due and self._waits.get(one.name, _Wait(0, 0)).until_s > now_s)
        ]  # fmt: skip
        await asyncio.gather(*(self._submit_to(one, head) for one in due))

    async def _submit_to(self, witness: Witness, head: Checkpoint) -> None:
        try:
            signature = await self._cosignature(witness, head)
        except (_Failed, SubmissionError) as error:
            self._note_failure(witness, error)
            return
        self._waits.pop(witness.name, None)
        self._keep(witness, head, signature)
        self._kept()

    async def _cosignature(self, witness: Witness, head: Checkpoint) -> tuple[str, bytes, bytes]:
        """Submit, and once more from the size that the witness has where that is another."""
        old = min(witness.blocks, head.size)
        answer = await self._send(witness, head, old)
        if answer.status == submitting.CONFLICT:
            has = answer.text.strip()
            if not submitting.is_size(has):
                raise _Failed("it answered 409 without a size")
            if int(has) > head.size:
                raise _Failed(
                    f"it saw a ledger of {has} blocks, and this one has {head.size}: is the data directory older than"
                    " what was published from it?", is_conflict=True,
                )  # fmt: skip
            old = int(has)
            answer = await self._send(witness, head, old)
        if answer.status in (submitting.UNPROCESSABLE, submitting.CONFLICT):
            raise _Failed(f"it saw another history up to block {old - 1}", is_conflict=True)
        if answer.status != submitting.OK:
            raise _Failed(_EXPLAINED.get(answer.status, f"it answered with status {answer.status}"))
        return _own_signature(witness, head, answer.text)

    async def _send(self, witness: Witness, head: Checkpoint, old: int) -> Answer:
        proof = open_ledger(self._store).consistency(old, head.size)
        body = submitting.encode(old, proof, head.text)
        return await asyncio.to_thread(self._post, witness.url, body)

    def _keep(self, witness: Witness, head: Checkpoint, signature: tuple[str, bytes, bytes]) -> None:
        with self._store.transaction():
            known = self._store.cosigned_heads(head.size, 1)
            point = checkpoints.decode(known[0]) if known else head
            if point.size != head.size:
                point = head
            point.signatures = [one for one in point.signatures if one[:2] != signature[:2]] + [signature]
            self._store.keep_cosigned(head.size, point.text)
            if any(one.name == witness.name for one in self._store.witnesses()):
                self._store.keep_witness(
                    witness._replace(blocks=head.size, tried_s=self._clock(), problem=None)
                )  # fmt: skip

    def _note_failure(self, witness: Witness, error: Exception) -> None:
        now_s, text = self._clock(), str(error)
        failures = self._waits.get(witness.name, _Wait(0, 0)).failures + 1
        self._waits[witness.name] = _Wait(failures, now_s + min(EVERY_S << min(failures, 10), LONGEST_WAIT_S))
        is_conflict = isinstance(error, _Failed) and error.is_conflict
        if not is_conflict:
            if text != witness.problem:
                _LOG.warning("the head was not cosigned by %s: %s", witness.name, text)
        elif now_s - self._warned.get(witness.name, -CONFLICTS_AGAIN_S) >= CONFLICTS_AGAIN_S:
            self._warned[witness.name] = now_s
            _LOG.critical("THE LEDGER IS DISPUTED by the witness %s: %s", witness.name, text)
        with self._store.transaction():
            if any(one.name == witness.name for one in self._store.witnesses()):
                conflict = text if is_conflict else witness.conflict
                self._store.keep_witness(witness._replace(tried_s=now_s, problem=text, conflict=conflict))


_EXPLAINED = {
    submitting.BAD_REQUEST: "it did not understand the submission (status 400)",
    submitting.FORBIDDEN: "it has another key for this ledger (status 403) than `wattpact ledger head` shows",
    submitting.NOT_FOUND: "it does not know this ledger (status 404); its operator has to add it",
}


def _own_signature(witness: Witness, head: Checkpoint, text: str) -> tuple[str, bytes, bytes]:
    """The witness's signature among the lines of its answer; others are ignored. Raises _Failed."""
    try:
        lines = checkpoints.decode(f"{head.body}\n{text}").signatures
    except CheckpointError as error:
        raise _Failed(f"its answer is no cosignature: {error}") from None
    key = WitnessKey(witness.name, witness.public_key)
    for line in lines:
        if cosigners(Checkpoint(head.origin, head.size, head.root, [line]), [key]):
            return line
    raise _Failed("its answer has no cosignature by the key that it was added with")
