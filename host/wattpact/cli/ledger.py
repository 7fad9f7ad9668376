"""`wattpact ledger`: the order of what binds others: its head, its blocks, proofs, and following it."""

from pathlib import Path
from typing import Any

import click
from wattpact_protocol.ledger import blocks
from wattpact_protocol.log import entry, ids, kind_texts

from wattpact.audit import program, read_pin
from wattpact.audit.times import utc
from wattpact.bundle import cosigned
from wattpact.cli import times, witness
from wattpact.cli.frame import Session, as_json, show_fields, show_json, show_table
from wattpact.ordering import cosigning, exported, following, keeping, reported, writer
from wattpact.ordering.following import Follower
from wattpact.store.interface import Reader
from wattpact.store.records import WAITS, Block


class LedgerCommandError(ValueError):
    """What a command cannot show; the text says why and what to do."""


@click.group(short_help="Show and check the order of what binds others.")
def command() -> None:
    """The ledger: blocks give everything that binds others one order and one time, which nobody changes afterwards.

    Its head names all of it. Whoever follows the blocks computes the same head."""


command.add_command(witness.command)


@command.command()
@as_json
@click.pass_obj
def head(session: Session, as_json: bool) -> None:
    """Show the signed head: how many blocks there are, the root over them, and who cosigned it when.

    The ledger's key is what a witness needs to know this ledger by."""
    with session.data_directory().reader() as reader:
        text, last = _head(reader)
        header, zone = blocks.decode_header(last.header), times.zone_of(reader)
        key = witness.ledger_key(reader)
        rows = [witness.state_of(reader, one) for one in reader.witnesses()]
        waits = reader.text(WAITS)
    if as_json:
        show_json({
            "head": text, "blocks": header.height + 1, "time_s": header.time_s,
            "state_root": header.state_root.hex(), "last_block": header.id.hex(), "key": key,
            "witnesses": [row.as_json() for row in rows], "waits": waits or None,
        })  # fmt: skip
        return
    click.echo(text)
    show_fields({
        "blocks": header.height + 1, "last block": f"{header.id.hex()[:16]}, {times.shown(header.time_s, zone)}",
        "state": header.state_root.hex(), "key": key,
    })  # fmt: skip
    for row in rows:
        click.echo(f"{row.witness.name}: {row.sentence(header.height + 1, zone)}")
    if waits:
        click.echo(f"Nothing is ordered now: {waits}.")


@command.command()
@click.argument("height", type=click.IntRange(0), required=False)
@as_json
@click.pass_obj
def block(session: Session, height: int | None, as_json: bool) -> None:
    """Show a block, the last if no HEIGHT is given: what it ordered, and when."""
    with session.data_directory().reader() as reader:
        _, last = _head(reader)
        height = last.height if height is None else height
        raw = writer.block_bytes(reader, height)
        if raw is None:
            raise LedgerCommandError(f"there is no block {height}; the last is {last.height}")
        header, raws, anchors = blocks.decode(raw)
        entries = [entry.decode(one, reader.community) for one in raws]
        labels = {known.kid: known.body["label"] for known in reader.certificates()}
        seen, zone = cosigning.seen_by(reader, height), times.zone_of(reader)
    if as_json:
        show_json({
            "height": height, "id": header.id.hex(), "time_s": header.time_s, "before": header.before.hex(),
            "state_root": header.state_root.hex(),
            "entries": [{"id": new.id.hex(), "kind": new.name, "author": new.kid.hex()} for new in entries],
            "heads": [_anchor(anchor) for anchor in anchors], "seen_by": seen,
        })  # fmt: skip
        return
    show_fields({
        "block": f"{height} ({header.id.hex()[:16]})", "time": times.shown(header.time_s, zone),
        "before": header.before.hex()[:16], "state": header.state_root.hex(), "heads of logs": len(anchors),
        "seen by": ", ".join(f"{name} at {times.shown(time_s, zone)}" for name, time_s in seen.items()) or "no witness",
    })  # fmt: skip
    if entries:
        click.echo()
        show_table(("entry", "kind", "author", "stamped"), [
            (new.id.hex()[:16], new.name, labels.get(new.kid, new.kid.hex()), times.shown(new.stamp.unix_s, zone))
            for new in entries
        ])  # fmt: skip


def _anchor(anchor: tuple[bytes, int, int, bytes]) -> dict[str, Any]:
    kid, generation, next_sequence, name = anchor
    return {"author": kid.hex(), "generation": generation, "next_sequence": next_sequence, "last": name.hex()}


@command.command()
@click.argument("name", metavar="ENTRY")
@click.option("-o", "--output", "target", type=click.Path(dir_okay=False, path_type=Path), required=True,
              metavar="FILE", help="Where to write the proof.")  # fmt: skip
@click.pass_obj
def prove(session: Session, name: str, target: Path) -> None:
    """Write the proof that ENTRY was ordered, and when; ENTRY is its whole id."""
    try:
        found = bytes.fromhex(name)
    except ValueError:
        found = b""
    if len(found) != 32:
        raise LedgerCommandError(f"{name!r} is no id of an entry: write its 64 hex digits, as `wattpact ledger block "
                                 f"--json` shows them")  # fmt: skip
    with session.data_directory().reader() as reader:
        data = following.prove(reader, found)
    target.write_bytes(data)
    click.echo(f"The proof is in {target}. Check it anywhere with:\n  wattpact ledger verify {target} --root KEY")


@command.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--root", required=True, metavar="KEY", help="The community's root key: 64 hex digits, or a file.")
@click.option("--witness", "witnesses", multiple=True, metavar="KEY", help=program.WITNESS_HELP)
@click.option("--cosigned", "least", type=click.IntRange(0), metavar="N", help=program.COSIGNED_HELP)
@as_json
def verify(file: Path, root: str, witnesses: tuple[str, ...], least: int | None, as_json: bool) -> None:
    """Check a proof, with the root key that you trust; no network or data directory is used."""
    if file.stat().st_size > following.MAX_PROOF_BYTES:
        raise LedgerCommandError(f"{file} is too large to be a proof")
    shown = following.verify(file.read_bytes(), read_pin(root), cosigned.required(witnesses, least))
    new, header = shown.entry, shown.header
    if as_json:
        show_json({
            "entry": new.id.hex(), "kind": new.name, "author": new.kid.hex(), "height": header.height,
            "time_s": header.time_s, "blocks": shown.head.size, "cosigned": shown.cosigned,
        })  # fmt: skip
        return
    click.echo(f"The {new.name} {new.id.hex()[:16]} of {new.kid.hex()} was ordered in block {header.height} at "
               f"{utc(header.time_s)}, under the signed head over {shown.head.size} blocks.")  # fmt: skip
    for name, time_s in shown.cosigned.items():
        click.echo(f"Cosigned by {name} at {utc(time_s)}.")


@command.command()
@click.option("-o", "--output", "target", type=click.Path(dir_okay=False, path_type=Path), required=True,
              metavar="FILE", help="Where to write the blocks.")  # fmt: skip
@click.pass_obj
def export(session: Session, target: Path) -> None:
    """Write every block, for who follows the ledger elsewhere: an auditor, or a witness."""
    with session.data_directory().reader() as reader:
        count = exported.write(target, reader)
    click.echo(
        f"{count} blocks are in {target}. Check them anywhere with:\n  wattpact ledger follow {target} --root KEY"
    )


@command.command()
@click.argument("source", metavar="PATH", type=click.Path(exists=True, path_type=Path))
@click.option("--root", required=True, metavar="KEY", help="The community's root key: 64 hex digits, or a file.")
@click.option("--witness", "witnesses", multiple=True, metavar="KEY", help=program.WITNESS_HELP)
@click.option("--cosigned", "least", type=click.IntRange(0), metavar="N", help=program.COSIGNED_HELP)
def follow(source: Path, root: str, witnesses: tuple[str, ...], least: int | None) -> None:
    """Apply every block of PATH again, from the first on, and compare the head: PATH is a data directory, or a file
    that `wattpact ledger export` wrote.

    Every signature and every rule is checked, with the root key that you trust. So is each head that a meter reported
    in its log, where PATH is a data directory: one that is of other blocks is named."""
    follower = Follower(ids.community_id(read_pin(root)))
    wanted = cosigned.required(witnesses, least)
    told = reported.heads_of(source)  # first, so that a running node has no newer ones than blocks
    text = exported.head_of(source)
    with click.progressbar(exported.blocks_of(source), label="blocks") as raws:
        for raw in raws:
            follower.apply(raw)
    point = follower.check_head(text)
    found = cosigned.check(point, follower.promised if wanted is None else wanted)
    click.echo(f"AGREES: {point.size} blocks, applied again from the first on, give the signed head.")
    if found:
        click.echo(f"Cosigned by {', '.join(found)}.")
    if follower.promised.witnesses:
        click.echo(f"The community's entry, version {follower.promised.version}: {follower.promised.sentence}.")
    others = reported.differing(follower.ledger, told)
    if told:
        click.echo(f"Heads that meters reported: {len(told)}, of which {len(told) - len(others)} are of these blocks.")
    for one in others:
        at = "an unknown time" if one.unix_s is None else utc(one.unix_s)
        head = f"a head of {one.blocks} blocks, root {kind_texts.short_root(one.root)}, that is not of these"
        click.echo(
            f"DOUBTFUL: {one.label} reported at {at} {head}: a host signed two ledgers, or that meter is at fault."
        )


def _head(reader: Reader) -> tuple[str, Block]:
    """The signed head, and the last block."""
    text, last = reader.text(keeping.CHECKPOINT), reader.last_block()
    if last is None:
        raise LedgerCommandError("nothing is ordered here yet; start the node with `wattpact node`")
    return text, last
