"""An audit's report as a page for people, and as JSON for programs."""

from typing import Any

from wattpact.audit.account import label
from wattpact.audit.findings import Report, Uncosigned, Undecided, key_periods
from wattpact.audit.times import utc
from wattpact.bundle import money

_PARTS = (
    ("Missing", "missing", "nothing"),
    ("Estimated, between readings or by the meter", "estimated", "nothing"),
    ("Doubtful", "doubtful", "nothing"),
    ("Void, counts for nothing", "void", "nothing"),
)
_MOST = 20


def text(report: Report) -> str:
    """What was verified, the figures, and what the bundle does not show."""
    counted = ", ".join(f"{count} {name}" for name, count in report.counts.items() if name != "entries")
    rows = [
        f"AGREES: the statement of {label(report, report.subject)} in {report.community['name']}",
        f"from {utc(report.fields['from_s'])} to {utc(report.fields['to_s'])},",
        f"made by {label(report, report.stated_by)} at {utc(report.stated_s)}.",
        "",
        f"Verified: {report.counts['entries']} signatures, every certificate back to the pinned root key, every role,",
        "every link between entries of a log, every register, every figure, both Merkle roots.",
        f"Evidence: {counted}.",
        *_cosigned(report),
        "",
        *_figures(report),
        *_correction(report),
        "",
    ]
    for line in report.lines:
        rows.append(_line(line, report))
    if report.unsealed or report.keys:
        rows += ["", "Unsealed with disclosed keys:", *(f"  {text}" for text in _unsealed(report))]
    for title, name, nothing in _PARTS:
        remarks = getattr(report, name)
        rows += ["", f"{title}:", *(f"  {remark}" for remark in remarks[:_MOST] or [nothing])]
        if len(remarks) > _MOST:
            rows.append(f"  and {len(remarks) - _MOST} more; --json shows all")
    return "\n".join(rows)


def _cosigned(report: Report) -> list[str]:
    rows = []
    if report.cosigned:
        found = ", ".join(f"by {name} at {utc(time_s)}" for name, time_s in report.cosigned.items())
        rows.append(f"Cosigned: {found}.")
    if report.promised.witnesses:
        rows.append(f"The community's entry, version {report.promised.version}: {report.promised.sentence}.")
    return rows


def _unsealed(report: Report) -> list[str]:
    """A line for each log: which key periods, and how many readings."""
    logs: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in report.unsealed:
        logs.setdefault((row["meter"], row["generation"]), []).append(row)
    lines = []
    for (meter, _), rows in logs.items():
        shown, count = key_periods(row["key_no"] for row in rows), sum(row["readings"] for row in rows)
        lines.append(f"{label(report, bytes.fromhex(meter))}: {shown}, {count} readings")
    return [*(lines or ["nothing"]), *report.keys]


def _figures(report: Report) -> list[str]:
    fields, currency = report.fields, report.community["currency"]
    net = fields["net_nano"]
    figures = (
        ("Bought", fields["bought_wh"], fields["bought_nano"]), ("Unused, owed", None, fields["unused_nano"]),
        ("Grid import", fields["grid_import_wh"], fields["grid_import_nano"]),
        ("Sold", fields["sold_wh"], -fields["sold_nano"]), ("Unused, earned", None, -fields["unused_earned_nano"]),
        ("Grid export", fields["grid_export_wh"], -fields["grid_export_nano"]),
        ("To pay" if net >= 0 else "To receive", None, abs(net)), ("Saved", None, fields["saved_nano"]),
    )  # fmt: skip
    return [
        f"{what:<16}{'' if wh is None else money.energy(wh):>16}{money.exact(nano, currency):>24}"
        for what, wh, nano in figures
    ]


def _correction(report: Report) -> list[str]:
    """Whether this is final, and what is due besides what was stated of the same period before."""
    before, currency = report.corrects, report.community["currency"]
    if before is None:
        return ["The period was not closed then: a later statement may have taken the place of this one."]

    def due(nano: int) -> str:
        return money.due(nano, currency, money.exact)

    rows = [f"The period closed with {due(before['closed_nano'])}, stated at {utc(before['closed_s'])}."]
    if before["corrections"]:
        rows.append(f"Corrections since: {before['corrections']}, the last with {due(before['net_nano'])} in all.")
    change = report.fields["net_nano"] - before["net_nano"]
    rows.append(f"This is a correction of that: {due(change)}." if change else "This has the same total.")
    return [*rows, "Whether the figures before this one were right was not checked here."]


def _line(line: dict[str, Any], report: Report) -> str:
    verb = "bought from" if line["role"] == "bought" else "sold to"
    amount = money.exact(line["carried_nano"] + line["unused_nano"], report.community["currency"])
    unused = f", {money.energy(line['unused_wh'])} unused" if line["unused_wh"] else ""
    who = line["with_label"] or line["with"]
    return f"{line['contract'][:16]}  {money.energy(line['carried_wh'])} {verb} {who}{unused}: {amount}"


def as_json(report: Report) -> dict[str, Any]:
    """Keys and ids are hex, times Unix seconds."""
    return {
        "verdict": "agrees",
        "community": report.community["name"],
        "currency": report.community["currency"],
        "subject": report.subject.hex(),
        "label": report.labels.get(report.subject),
        "stated_by": report.stated_by.hex(),
        "stated_s": report.stated_s,
        "statement": {
            name: value.hex() if isinstance(value, bytes) else value for name, value in report.fields.items()
        },
        "corrects": _corrected(report),
        "verified": report.counts,
        "cosigned": report.cosigned,
        "promised": promised_json(report),
        "lines": report.lines,
        "meters": report.meters,
        "missing": report.missing,
        "estimated": report.estimated,
        "doubtful": report.doubtful,
        "void": report.void,
        "unsealed": report.unsealed,
        "keys": report.keys,
    }


def _corrected(report: Report) -> dict[str, Any] | None:
    before = report.corrects
    if before is None:
        return None
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in before.items()}


def promised_json(report: Report) -> dict[str, Any] | None:
    """The cosignatures that the community's entry requires; None where it names no witness."""
    found = report.promised
    if not found.witnesses:
        return None
    return {"version": found.version, "cosigned": found.least, "witnesses": [one.text for one in found.witnesses]}


def uncosigned_json(found: Uncosigned) -> dict[str, Any]:
    """The report of what agrees, and what is missing all the same."""
    return {**as_json(found.report), "verdict": "undecided", "reason": found.reason}


def undecided_json(found: Undecided, command: str) -> dict[str, Any]:
    """What is missing, and the command that discloses the keys."""
    return {
        "verdict": "undecided", "reason": found.sentence().partition(": ")[2], "missing": found.missing,
        "misfits": found.misfits, "unsealed": found.unsealed, "command": command,
    }  # fmt: skip
