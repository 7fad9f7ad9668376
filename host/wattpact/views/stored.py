"""The views of a node's store: each is made of what is stored at the moment of the request."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

from wattpact_protocol.log import entry, kinds, reason_texts
from wattpact_protocol.log.readings import end_s
from wattpact_protocol.settlement.inputs import SettlementInputs

from wattpact.accounts import AccountsError
from wattpact.billing import bill
from wattpact.keys import Signer
from wattpact.projections.stored_accounts import FOUNDING, founding_of, profile_of
from wattpact.projections.unsealing import Unsealer
from wattpact.store import open_reader
from wattpact.store.interface import Reader
from wattpact.store.records import Ordered, Stored
from wattpact.views import BadRequest, Json, NotFound, blocks, contracts, meters, readings
from wattpact.views.blocks import Witnessed
from wattpact.views.contracts import Shown
from wattpact.views.held import Held
from wattpact.views.sentences import Sentences

_NO_COMMUNITY = "No community has been founded on this node yet."
PENDING_S = 60  # a meter that waits to be enrolled repeats its request every few seconds
# Usage that both sides of the contract see. USAGE_START has a register: that is the consumer's alone.
_USED = (kinds.USAGE, kinds.USAGE_END)


class StoredViews:
    """`seen_s` gives the last contact with each meter; `clock()` Unix seconds; `signers` unseal; `host` is whose
    statements bills are compared with."""

    def __init__(
        self,
        path: Path,
        clock: Callable[[], int],
        seen_s: Callable[[], Mapping[bytes, int]] = dict,
        signers: Sequence[Signer] = (),
        host: bytes | None = None,
    ) -> None:
        self._host = host
        self._path = path
        self._clock = clock
        self._seen_s = seen_s
        self._signers = tuple(signers)
        self._shared: Unsealer | None = None
        self._founding: tuple[int, SettlementInputs] = (0, SettlementInputs())
        self._local = threading.local()

    def _reader(self) -> Reader:
        """This thread's own connection."""
        found: Reader | None = getattr(self._local, "reader", None)
        if found is None:
            found = self._local.reader = open_reader(self._path)
        return found

    def _held(self) -> Held:
        """What is stored at this moment."""
        reader = self._reader()
        newest = reader.last_cursor(FOUNDING)
        cursor, founding = self._founding
        if cursor != newest:
            is_ordered = reader.place(newest) is not None  # what the ledger has not looked at yet is read again
            founding = founding_of(reader)
            if is_ordered:
                self._founding = newest, founding
        if founding.community is None:
            raise NotFound(_NO_COMMUNITY)
        return Held(reader, self._clock(), founding)

    def _unsealer(self) -> Unsealer:
        """Unseals for this thread; what it derives, it shares with the others."""
        found: Unsealer | None = getattr(self._local, "unsealer", None)
        if found is None:
            reader = self._reader()
            shared = Unsealer(reader, self._signers) if self._shared is None else self._shared.on(reader)
            found = self._local.unsealer = self._shared = shared
        return found

    def last_cursor(self) -> int:
        return self._reader().last_cursor()

    def community(self) -> Json:
        held, reader = self._held(), self._reader()
        inputs, now_s = held.inputs, held.now_s
        known, prices, rejected = dict(inputs.community or {}), inputs.tariff.at(now_s), reader.rejected()
        pending = [row for row in reader.pending() if row.last_s >= now_s - PENDING_S]
        return {
            "name": known["name"], "community_id": reader.community.hex(), "currency": known["currency"],
            "timezone": known["timezone"], "slot_s": known["slot_s"], "now_s": now_s,
            "tariff": {"import_micro_per_kwh": prices[0], "export_micro_per_kwh": prices[1]},
            "counts": {
                "entries": reader.last_cursor(), "rejected": rejected,
                "rejected_text": {reason: reason_texts.text(reason) for reason in rejected}, "pending": len(pending),
                "sealed": sum(inputs.sealed.values()),
            },
            "ledger": blocks.ledger(reader, known),
        }  # fmt: skip

    def meters(self) -> list[Json]:
        return meters.rows(self._held(), self._seen_s())

    def meter(self, kid: bytes) -> Json:
        held = self._held()
        _check_meter(held, kid)
        return meters.row(held, kid, self._seen_s().get(kid, 0))

    def readings(self, meter: bytes, from_s: int | None, to_s: int | None, step_s: int | None) -> Json:
        held = self._held()
        start_s, stop_s, step_s = readings.period(from_s, to_s, step_s, held.now_s)
        _check_meter(held, meter)
        inputs = held.inputs
        points = readings.points(
            held.reader, meter, profile_of(held.reader, meter, inputs.slot_s), range(start_s, stop_s + 1, step_s)
        )
        more = {"label": inputs.labels[meter], "tenures": inputs.payers(meter, start_s, stop_s)}
        return {"meter": meter.hex(), "step_s": step_s, "from_s": start_s, "to_s": stop_s, "points": points, **more}

    def contracts(
        self, states: Sequence[str] = (), meter: bytes | None = None, ended_after_s: int | None = None
    ) -> list[Json]:
        held = self._held()
        if meter is not None:
            _check_meter(held, meter)
        after_s = 0 if ended_after_s is None else ended_after_s - 1
        chosen: Iterable[Shown] = contracts.shown(held.reader.contracts(ends_after_s=after_s, meter=meter))
        if states:
            chosen = (one for one in chosen if contracts.state_of(one, held.now_s) in states)
        if ended_after_s is not None:
            since_s = ended_after_s
            chosen = (one for one in chosen if (contracts.ended_s(one, held.now_s) or held.now_s) >= since_s)
        return self._contract_rows(held, list(islice(chosen, contracts.MAX_ROWS)))

    def contract(self, contract_id: bytes) -> Json:
        held = self._held()
        found = held.reader.contract(contract_id)
        if found is None:
            raise NotFound(f"There is no contract {contract_id.hex()} here.")
        (row,) = self._contract_rows(held, list(contracts.shown([found])))
        return {**row, "life": blocks.life(held.reader, contract_id, held.label)}

    def _contract_rows(self, held: Held, chosen: Sequence[Shown]) -> list[Json]:
        flowing = contracts.flows(held.live, held.powers, held.now_s)
        placed, witnessed = held.reader.ordered_by_id([one.contract.id for one in chosen]), Witnessed(held.reader)
        return [
            self._contract_row(
                held, one, flowing.get(one.contract.id, 0), witnessed.place(placed.get(one.contract.id))
            )
            for one in chosen
        ]  # fmt: skip

    def _contract_row(self, held: Held, one: Shown, flow_w: int, block: Json | None) -> Json:
        kids = (one.contract.supplier, one.contract.consumer)
        row = {**contracts.row(one, held.inputs.labels, flow_w, held.now_s), "block": block}
        row["audience"] = held.parties(kids, one.contract.start_s, one.contract.end_s)
        row["sealed"] = not held.unread.isdisjoint(kids)
        return row

    def log(self, meter: bytes | None, names: Sequence[str], before: int | None, limit: int) -> Json:
        numbers = [kinds.KINDS[name] for name in names]
        held = self._held()
        if meter is not None and meter not in held.inputs.labels:
            raise NotFound(f"There is no author {meter.hex()} here.")
        found = held.reader.entries(before=before, of_kinds=numbers, author=meter, limit=limit + 1, newest_first=True)
        rows = self._log_rows(held, found[:limit])
        return {"entries": rows, "next": rows[-1]["cursor"] if len(found) > limit else None}

    def log_after(self, cursor: int, limit: int) -> list[Json]:
        held = self._held()
        return self._log_rows(held, held.reader.entries(after=cursor, limit=limit, newest_first=True)[::-1])

    def _log_rows(self, held: Held, rows: list[Stored]) -> list[Json]:
        sentences, unsealer = Sentences(held.inputs, held.offer), self._unsealer()
        placed, witnessed = held.reader.ordered([row.cursor for row in rows]), Witnessed(held.reader)
        made = []
        for row in rows:
            new = unsealer.look(entry.decode(row.raw, held.reader.community))
            place = placed.get(row.cursor)
            made.append({**_log_row(held, sentences, row, new, place), "block": witnessed.place(place)})
        return made

    def bills(self, month: str | None, owner: bytes | None) -> list[Json]:
        held = self._held()
        accounts, timezone = held.accounts, (held.inputs.community or {})["timezone"]
        month = month or bill.month_of(held.now_s, timezone)
        try:
            payers = accounts.payers(*bill.month_window(month, timezone))
            if owner is not None:
                if owner not in payers:
                    raise NotFound(f"{owner.hex()} has no bill for that month: no meter's energy goes to that account.")
                payers = [owner]
            stated = None if self._host is None else bill.stated_in(held.reader, held.now_s, self._host)
            made = [bill.make(accounts, payer, month, stated) for payer in payers]
        except (bill.BillError, AccountsError) as error:
            raise BadRequest(f"No bill can be made for {month}: {error}.") from None
        return sorted((_bill(one) for one in made), key=lambda row: (row["label"], row["owner"]))


def _check_meter(held: Held, kid: bytes) -> None:
    if kid not in held.inputs.meters:
        raise NotFound(f"There is no meter {kid.hex()} here.")


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


def _audience(held: Held, row: Stored, new: entry.Entry) -> set[bytes]:
    """Whom an entry with private content is for: the author's payer, the subject of a bill, both sides of a usage."""
    inputs, unix_s = held.inputs, row.received_s if row.unix_s is None else row.unix_s
    if row.kind == kinds.READING and not new.is_sealed:
        tenures = inputs.payers(row.author, new.body["t0_s"], max(end_s(new.body), new.body["t0_s"] + 1))
        return {tenures[0][2]} if len(tenures) == 1 else set()  # one that spans two tenures is neither owner's
    found = {inputs.payer_at(row.author, unix_s)}
    if row.kind == kinds.STATEMENT:
        found.add(new.body["subject"])
    contract = inputs.contracts.by_id.get(new.body["contract"]) if row.kind in _USED else None
    if contract is not None:
        found |= held.parties((contract.supplier, contract.consumer), contract.start_s, contract.end_s)
    return found


def _log_row(held: Held, sentences: Sentences, row: Stored, new: entry.Entry, place: Ordered | None) -> Json:
    void_reason = row.void_reason or (None if place is None else place.reason)
    return {
        "cursor": row.cursor, "id": row.id.hex(), "author": row.author.hex(),
        "author_label": sentences.label(row.author), "kind": kinds.NAMES[row.kind],
        "generation": row.generation, "sequence": row.sequence, "time_s": row.unix_s,
        "clock_status": new.stamp.clock_status, "text": sentences.sentence(new), "void_reason": void_reason,
        "void_text": reason_texts.text(void_reason) if void_reason else None,
        "audience": _audience(held, row, new), "sealed": new.is_sealed,
    }  # fmt: skip
