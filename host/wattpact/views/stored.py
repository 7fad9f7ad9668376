"""The views of a node's store: each question is answered from what has been stored by the moment it is asked."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from wattpact_protocol.log import entry, kinds, reason_texts
from wattpact_protocol.log.readings import end_s

from wattpact.billing import bill
from wattpact.keys import Signer
from wattpact.ledger import LedgerError
from wattpact.store.records import Registers, Stored
from wattpact.store.sqlite.reader import Reader
from wattpact.views import BadRequest, Json, NotFound, contracts, meters, readings
from wattpact.views.fold import Fold
from wattpact.views.sentences import Sentences

ASKED_WITHIN_S = 60  # a meter that waits to be enrolled asks every few seconds
# Usage that both sides of the contract see. USAGE_START says a register: that is the consumer's alone.
_USED = (kinds.USAGE, kinds.USAGE_END)


class StoredViews:
    """`seen_s` gives when the link last heard each meter; `clock()` Unix seconds; `signers` open what is sealed."""

    def __init__(
        self,
        path: Path,
        clock: Callable[[], int],
        seen_s: Callable[[], Mapping[bytes, int]] = dict,
        signers: Sequence[Signer] = (),
    ) -> None:
        self._path = path
        self._clock = clock
        self._seen_s = seen_s
        self._fold = Fold(signers)
        self._local = threading.local()

    def _reader(self) -> Reader:
        """This thread's own connection."""
        found: Reader | None = getattr(self._local, "reader", None)
        if found is None:
            found = self._local.reader = Reader(self._path)
        return found

    def _followed(self) -> Fold:
        """The fold, up to date; the caller holds its lock."""
        self._fold.follow(self._reader(), self._clock())
        if self._fold.ledger.inputs.community is None:
            raise NotFound("No community has been founded on this node yet.")
        return self._fold

    def last_cursor(self) -> int:
        return self._reader().last_cursor()

    def community(self) -> Json:
        reader, now_s = self._reader(), self._clock()
        with self._fold.lock:
            inputs = self._followed().ledger.inputs
            said = dict(inputs.community or {})
            prices, sealed = inputs.tariff.at(now_s), sum(inputs.sealed.values())
        rejected = reader.rejected()
        asking = [row for row in reader.pending() if row.last_s >= now_s - ASKED_WITHIN_S]
        return {
            "name": said["name"], "community_id": (reader.meta("community") or b"").hex(),
            "currency": said["currency"], "timezone": said["timezone"], "slot_s": said["slot_s"], "now_s": now_s,
            "tariff": {"import_micro_per_kwh": prices[0], "export_micro_per_kwh": prices[1]},
            "counts": {
                "entries": reader.last_cursor(), "rejected": rejected,
                "rejected_text": {reason: reason_texts.text(reason) for reason in rejected}, "pending": len(asking),
                "sealed": sealed,
            },
        }  # fmt: skip

    def meters(self) -> list[Json]:
        reader, now_s = self._reader(), self._clock()
        with self._fold.lock:
            fold = self._followed()
            registers = {row.meter: row for row in reader.registers()}
            powers = _powers(reader, registers, now_s)
            rows = meters.rows(fold, powers, registers, dict(self._seen_s()), now_s)
            for row in rows:
                kid = bytes.fromhex(row["kid"])
                row["audience"] = {fold.ledger.inputs.payer_at(kid, now_s)}
                row["sealed"] = kid in _unread(fold)
            return rows

    def meter(self, kid: bytes) -> Json:
        found = [row for row in self.meters() if row["kid"] == kid.hex()]
        if not found:
            raise NotFound(f"There is no meter {kid.hex()} here.")
        return found[0]

    def readings(self, meter: bytes, from_s: int | None, to_s: int | None, step_s: int | None) -> Json:
        start_s, stop_s, step_s = readings.period(from_s, to_s, step_s, self._clock())
        with self._fold.lock:
            inputs = self._followed().ledger.inputs
            self._check_meter(meter)
            points = readings.points(
                self._reader(), meter, inputs.load_profiles.get(meter), range(start_s, stop_s + 1, step_s)
            )
            more = {"label": inputs.labels[meter], "tenures": inputs.payers(meter, start_s, stop_s)}
        return {"meter": meter.hex(), "step_s": step_s, "from_s": start_s, "to_s": stop_s, "points": points, **more}

    def _check_meter(self, kid: bytes) -> None:
        if kid not in self._fold.ledger.inputs.meters:
            raise NotFound(f"There is no meter {kid.hex()} here.")

    def contracts(
        self, states: Sequence[str] = (), meter: bytes | None = None, ended_after_s: int | None = None
    ) -> list[Json]:
        reader, now_s = self._reader(), self._clock()
        with self._fold.lock:
            fold = self._followed()
            if meter is not None:
                self._check_meter(meter)
            chosen = list(fold.ledger.inputs.agreements.contracts.values())
            if meter is not None:
                chosen = [one for one in chosen if meter in (one.supplier, one.consumer)]
            if states:
                chosen = [one for one in chosen if contracts.state_of(fold, one, now_s) in states]
            if ended_after_s is not None:
                chosen = [one for one in chosen if (contracts.ended_s(fold, one, now_s) or now_s) >= ended_after_s]
            registers = {row.meter: row for row in reader.registers()}
            powers = {kid: watts for kid, watts in _powers(reader, registers, now_s).items() if watts is not None}
            rows = contracts.rows(fold, chosen, contracts.flows(fold, powers, now_s), now_s)
            for row in rows:
                kids = bytes.fromhex(row["supplier"]), bytes.fromhex(row["consumer"])
                row["audience"] = _parties(fold, kids, row["start_s"], row["end_s"])
                row["sealed"] = not _unread(fold).isdisjoint(kids)
            return rows

    def log(self, meter: bytes | None, names: Sequence[str], before: int | None, limit: int) -> Json:
        numbers = [kinds.KINDS[name] for name in names]
        with self._fold.lock:
            labels = self._followed().ledger.inputs.labels
            if meter is not None and meter not in labels:
                raise NotFound(f"Nobody here is called {meter.hex()}.")
        found = self._reader().entries(
            before=before, of_kinds=numbers, author=meter, limit=limit + 1, newest_first=True
        )
        rows = self._tell(found[:limit])
        return {"entries": rows, "next": rows[-1]["cursor"] if len(found) > limit else None}

    def log_after(self, cursor: int, limit: int) -> list[Json]:
        found = self._reader().entries(after=cursor, limit=limit, newest_first=True)
        return self._tell(found[::-1])

    def _tell(self, rows: list[Stored]) -> list[Json]:
        community = self._reader().meta("community") or b""
        with self._fold.lock:
            fold = self._followed()
            teller = Sentences(fold.ledger.inputs)
            unsealer = fold.unsealer(self._reader())
            return [_log_row(fold, teller, row, unsealer.look(entry.decode(row.raw, community))) for row in rows]

    def bills(self, month: str | None, owner: bytes | None) -> list[Json]:
        now_s = self._clock()
        with self._fold.lock:
            ledger = self._followed().ledger
            timezone = (ledger.inputs.community or {})["timezone"]
            month = month or bill.month_of(now_s, timezone)
            try:
                payers = ledger.payers(*bill.month_window(month, timezone))
                if owner is not None:
                    if owner not in payers:
                        raise NotFound(f"Nobody called {owner.hex()} answers for a meter in that month.")
                    payers = [owner]
                made = [bill.make(ledger, payer, month) for payer in payers]
            except (bill.BillError, LedgerError) as error:
                raise BadRequest(f"No bill can be made for {month}: {error}.") from None
        return sorted((_bill(one) for one in made), key=lambda row: (row["label"], row["owner"]))


def _bill(made: bill.Bill) -> Json:
    """With every name filled in, and contracts in the order of their start."""
    row = made.as_json()
    starts = {line.contract.id.hex(): (line.contract.start_s, line.contract.priority) for line in made.statement.lines}
    row["lines"].sort(key=lambda line: (starts[line["contract"]], line["contract"]))
    for line in row["lines"]:
        line["with_label"] = line["with_label"] or line["with"]
    for waiting in row["waiting_for"]:
        waiting["label"] = waiting["label"] or waiting["meter"]
    return row


def _powers(reader: Reader, registers: Mapping[bytes, Registers], now_s: int) -> dict[bytes, int | None]:
    return {kid: meters.power_w(reader, row, now_s) for kid, row in registers.items()}


def _unread(fold: Fold) -> set[bytes]:
    """Meters of which this host has sealed readings and could open none."""
    inputs = fold.ledger.inputs
    return {kid for kid in inputs.sealed if kid not in inputs.load_profiles}


def _parties(fold: Fold, kids: Iterable[bytes], from_s: int, to_s: int) -> set[bytes]:
    """Everyone who answered for one of the meters in that time."""
    payers = fold.ledger.inputs.payers
    return {span[2] for kid in kids for span in payers(kid, from_s, max(to_s, from_s + 1))}


def _audience(fold: Fold, row: Stored, said: entry.Entry) -> set[bytes]:
    """Whom an entry that tells of private things is for: whose meter or word it is, or bill; of a usage both sides."""
    inputs, unix_s = fold.ledger.inputs, row.received_s if row.unix_s is None else row.unix_s
    if row.kind == kinds.READING and not said.is_sealed:
        tenures = inputs.payers(row.author, said.body["t0_s"], max(end_s(said.body), said.body["t0_s"] + 1))
        return {tenures[0][2]} if len(tenures) == 1 else set()  # one that spans two tenures is neither owner's
    found = {inputs.payer_at(row.author, unix_s)}
    if row.kind == kinds.STATEMENT:
        found.add(said.body["subject"])
    contract = inputs.agreements.confirmed.get(said.body["contract"]) if row.kind in _USED else None
    if contract is not None:
        found |= _parties(fold, (contract.supplier, contract.consumer), contract.start_s, contract.end_s)
    return found


def _log_row(fold: Fold, teller: Sentences, row: Stored, said: entry.Entry) -> Json:
    return {
        "cursor": row.cursor, "id": row.id.hex(), "author": row.author.hex(), "author_label": teller.label(row.author),
        "kind": kinds.NAMES[row.kind], "generation": row.generation, "sequence": row.sequence, "time_s": row.unix_s,
        "clock_status": said.stamp.clock_status, "text": teller.sentence(said), "void_reason": row.void_reason,
        "void_text": reason_texts.text(row.void_reason) if row.void_reason else None,
        "audience": _audience(fold, row, said), "sealed": said.is_sealed,
    }  # fmt: skip
