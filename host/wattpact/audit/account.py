"""The report of an audit that agrees: what was counted, and what the bundle does not show or shows with a doubt."""

from typing import TYPE_CHECKING, Any

from wattpact_protocol.log import event_codes, kinds
from wattpact_protocol.log.entry import Entry
from wattpact_protocol.log.reasons import BAD_SEAL
from wattpact_protocol.settlement.contracts import Contract
from wattpact_protocol.settlement.slots import Settlement
from wattpact_protocol.settlement.statement import Line, Statement

from wattpact.audit import heads
from wattpact.audit.findings import Report, key_periods
from wattpact.audit.seals import KeyPeriod
from wattpact.audit.times import utc
from wattpact.bundle.cosigned import NOBODY, WitnessKeyError, promised

if TYPE_CHECKING:
    from wattpact.audit.checker import _Checker

_NAMED = 5  # how many entries a remark names


def report(checker: "_Checker", stated: Entry, made: Statement, settlement: Settlement) -> Report:
    inputs = checker.inputs
    found = Report(
        community=inputs.community or {}, subject=made.subject, fields=stated.body, stated_s=stated.stamp.unix_s or 0,
        stated_by=stated.kid, labels=dict(inputs.labels), cosigned=checker.cosigned,
        promised=checker.promised,
    )  # fmt: skip
    counted = sorted(checker.kinds.items())
    if "corrects" in stated.body and checker.proven.statement is not None:
        found.corrects = checker.proven.statement
    found.counts = {"entries": len(checker.ids) + 1, **{kinds.NAMES[kind]: times for kind, times in counted}}
    found.lines = [_line(line, found) for line in made.lines]
    _look_at_meters(checker, made, settlement, found)
    _look_at_contracts(checker, made, found)
    _look_at_orders(checker, stated, found)
    _look_at_keys(checker, found)
    _look_at_promises(checker, found)
    found.doubtful += heads.remarks(checker, stated.kid)
    void = [(*checker.numbers[name], reason) for name, reason in inputs.voids if name in checker.numbers]
    for number, new, reason in sorted(checker.voids + void, key=lambda row: row[0]):
        what = "the sealed part of entry" if reason == BAD_SEAL and new.kind != kinds.READING else "entry"
        found.void.append(f"{what} {number} ({new.name} of {label(found, new.kid)}) counts for nothing: {reason}")
    for kid, numbers in sorted(checker.doubtful.items()):
        first = ", ".join(str(number) for number in numbers[:_NAMED]) + (", …" if len(numbers) > _NAMED else "")
        found.doubtful.append(f"{label(found, kid)}: {len(numbers)} entries with a doubtful time ({first})")
    return found


def keys_wanted(checker: "_Checker") -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """For an Undecided: the key periods without a key, those whose key does not fit, and those that were unsealed."""
    labels, seals = checker.inputs.labels, checker.seals
    missing = [_period(one, labels) for one in seals.unreadable]
    misfits = [
        {**_period(one, labels), "file": file, "entry": one.named}
        for one in seals.unreadable for place, file in seals.misfits if place == one.place
    ]  # fmt: skip
    return missing, misfits, [_unsealed(one, labels) for one in seals.unsealed]


def _period(one: KeyPeriod, labels: dict[bytes, str]) -> dict[str, Any]:
    meter, generation, key_no = one.place
    return {
        "meter": meter.hex(), "label": labels.get(meter), "generation": generation, "key_no": key_no,
        "readings": one.readings, "from_s": one.from_s, "to_s": one.to_s,
    }  # fmt: skip


def _unsealed(one: KeyPeriod, labels: dict[bytes, str]) -> dict[str, Any]:
    return {**_period(one, labels), "import_wh": one.import_wh, "export_wh": one.export_wh}


def _look_at_keys(checker: "_Checker", found: Report) -> None:
    seals = checker.seals
    found.unsealed = [_unsealed(one, found.labels) for one in seals.unsealed]
    for place, file in seals.misfits:
        other = "; another given key is" if seals.key_periods[place].has_key else ""
        found.keys.append(
            f"{file}: the key for {_named(place, found)} is not the one that the meter committed to{other}"
        )
    if seals.unused:
        found.keys.append(f"{seals.unused} keys are for key periods that are not in this bundle")
    unreadable: dict[tuple[bytes, int], list[int]] = {}
    for one in seals.unreadable_others:
        unreadable.setdefault(one.place[:2], []).append(one.place[2])
    for (kid, _), numbers in unreadable.items():
        text = f"{label(found, kid)}: no key for {key_periods(numbers)}; it seals no reading, and no figure "
        found.missing.append(text + "depends on it")


def _look_at_promises(checker: "_Checker", found: Report) -> None:
    """Each version of the community's entry that requires less of witnesses than the one before it."""
    before = NOBODY
    for body in sorted((new.body for new in checker.named.of_kind(kinds.COMMUNITY)), key=lambda body: body["version"]):
        if body["version"] > found.promised.version:
            break  # the ledger did not order it
        try:
            now = promised(body)
        except WitnessKeyError:
            continue  # likewise
        if now.least < before.least or not set(before.witnesses) <= set(now.witnesses):
            found.doubtful.append(
                f"version {now.version} of the community's entry requires less of witnesses than version"
                f" {before.version}: {now.sentence}; before: {before.sentence}"
            )
        before = now


def _named(place: tuple[bytes, int, int], found: Report) -> str:
    return f"key period {place[2]} of {found.labels.get(place[0], place[0].hex())}"


def label(found: Report, kid: bytes) -> str:
    return f"{found.labels.get(kid, 'unknown')} ({kid.hex()})"


def _line(line: Line, found: Report) -> dict[str, Any]:
    contract = line.contract
    bought = line.side == kinds.BUY
    other = contract.supplier if bought else contract.consumer
    return {
        "contract": contract.id.hex(), "role": "bought" if bought else "sold", "with": other.hex(),
        "with_label": found.labels.get(other), "price_micro_per_kwh": contract.price_micro_per_kwh,
        "carried_wh": line.carried_wh, "carried_nano": line.carried_nano,
        "unused_wh": line.unused_wh, "unused_nano": line.unused_nano,
    }  # fmt: skip


def _look_at_meters(checker: "_Checker", made: Statement, settlement: Settlement, found: Report) -> None:
    for kid in made.closure:
        load, run = checker.inputs.load_profiles.get(kid), checker.links.runs.get(kid)
        name = label(found, kid)
        shown: dict[str, Any] = {"meter": kid.hex(), "label": found.labels.get(kid), "own": kid in made.meters}
        found.meters.append(shown)
        for generation, unix_s in checker.links.begun.get(kid, []):
            at = "an unknown time" if unix_s is None else utc(unix_s)
            text = f"{name}: generation {generation} of its log begins at {at}; "
            found.missing.append(text + "what it had not delivered of the one before is lost")
        shown["settled_to_s"] = settlement.settled_to(kid, made.to_s)
        if load is None or run is None or not load.times:
            found.missing.append(f"{name}: no readings")
            continue
        shown.update(readings=run.readings, first=run.first, last=run.last)
        if run.is_whole and load.times[0] > made.evidence_from_s:
            found.missing.append(f"{name}: its log begins with readings from {utc(load.times[0])}")
        if load.end_s < made.to_s:
            found.missing.append(f"{name}: no readings after {utc(load.end_s)}")
        gaps = load.gaps(made.evidence_from_s, made.to_s)
        if gaps:
            longest = max(gaps, key=lambda gap: (gap[1] - gap[0], gap))
            found.missing.append(f"{name}: {len(gaps)} gaps, the longest from {utc(longest[0])} to {utc(longest[1])}")
        estimated_wh = load.estimated_wh(made.evidence_from_s, min(made.to_s, shown["settled_to_s"]))
        if estimated_wh:
            found.estimated.append(f"{name}: {estimated_wh} Wh, from {utc(made.evidence_from_s)} on")
    if made.settled_to_s < made.to_s:
        found.missing.append(
            f"settled only until {utc(made.settled_to_s)}; readings of {len(made.unsettled)} meters are awaited"
        )


def _look_at_contracts(checker: "_Checker", made: Statement, found: Report) -> None:
    meters = set(made.closure)
    for contract in sorted(checker.inputs.contracts.by_id.values(), key=lambda one: (one.start_s, one.id)):
        overlaps = contract.start_s < made.to_s and contract.end_s > made.evidence_from_s
        if not overlaps or not meters.intersection((contract.consumer, contract.supplier)):
            continue
        name = f"contract {contract.id.hex()[:16]}"
        if contract.grant_number is None:
            found.missing.append(f"{name}: no grant")
        if contract.used_from_s is None:
            found.missing.append(f"{name}: no start of use, so no energy was delivered")
            events = checker.named.about(contract.id, kinds.EVENT)
            closed = [new for new in events if _is_closing(new, contract.consumer)]
            if closed:
                number = checker.numbers[closed[0].id][0]
                who = label(found, contract.consumer)
                found.doubtful.append(f"{name}: {who} closed its relay under it (entry {number}) and reported no start")


def _look_at_orders(checker: "_Checker", stated: Entry, found: Report) -> None:
    """What the bundle shows that its authors signed, and that the ledger did not count: it was rejected, or is left out
    of the ledger."""
    contracts = checker.inputs.contracts.by_id
    for number, new in sorted(checker.numbers.values(), key=lambda row: row[0]):
        contract = contracts.get(new.body.get("contract", b""))
        if new.kind == kinds.USAGE_START and (contract is None or contract.used_from_s is None):
            what = "a start of use"
        elif (
            new.kind == kinds.TERMINATE and contract is not None and _is_early_end(new, contract, checker.inputs.slot_s)
        ):
            what = "an end"
        else:
            continue
        about = f"contract {new.body['contract'].hex()[:16]}"
        found.doubtful.append(f"{about}: {what} by {label(found, new.kid)} (entry {number}) that no block counts")


def _is_early_end(new: Entry, contract: Contract, slot_s: int) -> bool:
    """Whether it would have ended the contract, had it been ordered when it was signed."""
    return contract.terminated_s is None and (new.stamp.unix_s or 0) + 2 * slot_s < contract.end_s


def _is_closing(new: Entry, meter: bytes) -> bool:
    return new.kid == meter and new.body["code"] == event_codes.RELAY_CLOSED
