"""`wattpact disclose`: the keys with which an auditor reads what some meters measured in some time, and no more."""

from collections.abc import Sequence
from pathlib import Path

import click
from wattpact_protocol.log import roles

from wattpact.billing import disclose
from wattpact.billing.disclose import DisclosingError, KeyPeriod
from wattpact.bundle import disclosure, format
from wattpact.cli import times
from wattpact.cli.frame import Session, as_json, show_json, show_table
from wattpact.keys import KeyFileError, Signer
from wattpact.membership import members
from wattpact.node.data_directory import DataDirectory
from wattpact.projections.unsealing import Unsealer
from wattpact.store.interface import Reader

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(short_help="Give an auditor the keys to what meters measured.")
@click.option("--meter", metavar="METER", help="The meter that measured: its label or key id.")
@click.option("--from", "since", metavar="TIME", help="From when: 2026-10-01, 2026-10-01T06:00, or Unix seconds.")
@click.option("--to", "until", metavar="TIME", help="Until when (exclusive).")
@click.option(
    "--bundle",
    "source",
    type=_FILE,
    metavar="FILE",
    help="Instead of a meter: all readings that this bundle of a bill needs.",
)
@click.option(
    "--as", "party", metavar="NAME", help="As this person, for their own meters; if omitted, as the operator."
)
@click.option("-o", "--output", "target", type=_FILE, metavar="FILE", help="The file to write the keys to.")
@click.option("--dry-run", is_flag=True, help="Only list what the keys would show.")
@as_json
@click.pass_obj
def command(
    session: Session, meter: str | None, since: str | None, until: str | None, source: Path | None, party: str | None,
    target: Path | None, dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    """Write the keys that an auditor needs to read what meters measured: one meter in some time, or for a bundle.

    A key shows its whole key period, mostly a day: every reading, and how much of each contract was used. Times are in
    the community's time zone. Whoever has the file can read all this, so give it to the auditor alone."""
    if (source is None) == (meter is None) or (meter is not None and (since is None or until is None)):
        raise click.UsageError("choose what to disclose: --meter, --from and --to, or --bundle")
    if source is not None and (since is not None or until is not None):
        raise click.UsageError("a bundle has its own time: leave out --from and --to")
    if (target is None) != dry_run:
        raise click.UsageError("give the file for the keys with -o, or --dry-run to list what they would show")
    directory = session.data_directory()
    with directory.reader() as reader:
        signer = _signer(directory, reader, party)
        unsealer = Unsealer(reader, [signer])
        own = None if party is None else {kid for kid, who in disclose.owners_of(reader).items() if signer.kid in who}
        if source is not None:
            found, left = disclose.for_bundle(reader, unsealer, _read(source), own)
        else:
            found, left = _in_time(reader, unsealer, own, str(meter), str(since), str(until)), []
        given = disclose.disclose(reader, unsealer, found)
        if target is not None:
            disclosure.write(target, given)
        _show(reader, found, left, target, as_json)


def _signer(directory: DataDirectory, reader: Reader, party: str | None) -> Signer:
    """Whose key unseals: the operator's, or a person's."""
    if party is None:
        issuer = directory.issuer()
        if issuer is None:
            raise KeyFileError(
                "the operator's key, issuer.key, is not in this data directory; a person discloses with --as NAME"
            )
        return issuer
    people = directory.keyring.people()
    known = members.find_person(reader.certificates(), people, party)
    for signer in people:
        if signer.kid == known.kid:
            return signer
    raise KeyFileError(f"the key of {known.body['label']} is not in this data directory")


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(format.MAX_BYTES + 1)
    if len(data) > format.MAX_BYTES:
        raise DisclosingError(f"{path} is larger than any bundle may be")
    return data


def _in_time(
    reader: Reader, unsealer: Unsealer, own: set[bytes] | None, meter: str, since: str, until: str
) -> list[KeyPeriod]:
    """The key periods of a meter that overlap a time."""
    known = members.find(reader.certificates(), roles.METER, meter)
    label = known.body["label"]
    if own is not None and known.kid not in own:
        raise DisclosingError(f"{label} belongs to somebody else; its owner or the operator can disclose it")
    zone = times.zone_of(reader)
    from_s, to_s = times.unix_s(since, zone), times.unix_s(until, zone)
    if from_s >= to_s:
        raise click.BadParameter(f"{since!r} is not before {until!r}")
    every = disclose.periods_of(reader, unsealer, known.kid)
    found = [one for one in every if one.meets(from_s, to_s)]
    if not found:
        timed = [one for one in every if one.from_s is not None]
        what = "it has no sealed readings yet"
        if timed:
            first, last = times.shown(timed[0].from_s, zone), times.shown(timed[-1].to_s, zone)
            what = f"its sealed readings are from {first} to {last}"
        raise DisclosingError(f"{label} has no sealed readings in that time; {what}")
    return found


def _show(
    reader: Reader, found: Sequence[KeyPeriod], left: Sequence[KeyPeriod], target: Path | None, as_json: bool
) -> None:
    labels = disclose.labels_of(reader)
    if as_json:
        show_json({
            "file": None if target is None else str(target),
            "key_periods": [one.as_json(labels.get(one.meter)) for one in found if not one.is_void],
            "left": [one.as_json(labels.get(one.meter)) for one in left],
        })  # fmt: skip
        return
    void = [one for one in found if one.is_void]
    found = [one for one in found if not one.is_void]
    _show_periods(reader, found)
    if void:
        click.echo(f"Void, and no key can show them: {disclose.named(void, disclose.labels_of(reader))}.")
    if left:
        click.echo(f"Not disclosed, since the meters belong to others: {disclose.named(left, labels)}.")
    noun = "key" if len(found) == 1 else "keys"
    if target is None:
        click.echo(f"{len(found)} {noun} would be disclosed; nothing was written.")
    else:
        click.echo(
            f"{len(found)} {noun} in {target}. Whoever has this file can read all this: give it to the auditor alone."
        )


def _show_periods(reader: Reader, found: Sequence[KeyPeriod]) -> None:
    """Everything that the keys show, a line for each."""
    labels, zone = disclose.labels_of(reader), times.zone_of(reader)
    if not found:
        click.echo("Nothing of this is sealed, so no key is needed.")
        return
    rows = [
        (labels.get(one.meter, one.meter.hex()), _number(one), times.minute(one.from_s, zone),
         times.minute(one.to_s, zone), str(one.readings), str(one.others))
        for one in found
    ]  # fmt: skip
    show_table(("meter", "key period", "from", "to", "readings", "others"), rows)
    click.echo(f"\nTimes are in {zone}. A key shows its whole key period: every reading, and in the others the")
    click.echo("registers at events and how much of each contract was used.")


def _number(one: KeyPeriod) -> str:
    return f"{one.generation}/{one.key_no}" if one.generation else str(one.key_no)
