"""`wattpact replay`: recorded input through the whole path, with every sum checked."""

import sys
from pathlib import Path

import click

from wattpact.cli.frame import as_json, show_json
from wattpact.simulation import Check

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group(short_help="Play recorded input through firmware and node, and check it.")
def command() -> None:
    """Play recorded input through real firmware and a real node, in virtual time, and check every sum.

    Exit status: 0 all checks passed, 1 one failed."""


@command.command(short_help="Play what a P1 port sent.")
@click.argument("file", type=_FILE)
@click.option("--no-crc", is_flag=True, help="Also accept telegrams without a checksum (DSMR 2.2 and 3).")
@click.option("--checksum", default="arc", show_default=True, type=click.Choice(("arc", "x25")),
              help="The kind of CRC-16 that the port sends.")  # fmt: skip
@as_json
def p1(file: Path, no_crc: bool, checksum: str, as_json: bool) -> None:
    """FILE is the output of a P1 port: are the meter's registers those of its telegrams, and is each rejection
    counted?"""
    from wattpact.simulation.p1 import P1Replay

    _finish(P1Replay(file, not no_crc, _progress, checksum).run(), as_json)


@command.command(short_help="Play recorded homes, which trade with each other.")
@click.argument("folder", type=_FOLDER)
@click.option("--homes", default=6, show_default=True, type=click.IntRange(2, 100), help="How many homes.")
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 31), help="How many days.")
@click.option(
    "--first-day", default=0, show_default=True, type=click.IntRange(0, 366), help="The first day, counted from 0."
)
@click.option("--keep", type=click.Path(path_type=Path), metavar="DIR",
              help="Keep the data directory in DIR, for `wattpact --data DIR bill` and other commands.")  # fmt: skip
@as_json
def homes(folder: Path, homes: int, days: int, first_day: int, keep: Path | None, as_json: bool) -> None:
    """FOLDER holds recorded homes (CityLearn 2022): do they trade, and is every Wh and cent accounted for?"""
    from wattpact.simulation.homes import HomesReplay

    _finish(HomesReplay(folder, homes, days, first_day, _progress).run(keep), as_json)


@command.command(short_help="Play recorded voltage and current.")
@click.argument("file", type=_FILE)
@click.option("--phase", "phases", multiple=True, default=("U1,I1", "U2,I2", "U3,I3"), show_default=True,
              metavar="V,I", help="A channel of voltage and one of current; may be repeated.")  # fmt: skip
@as_json
def waveform(file: Path, phases: tuple[str, ...], as_json: bool) -> None:
    """FILE is the .CFG of a COMTRADE recording: is what meters sign within 1 % of the sums over all samples?"""
    from wattpact.simulation.waveform import WaveformReplay

    pairs = [_pair(phase) for phase in phases]
    _finish(WaveformReplay(file, pairs, _progress).run(), as_json)


def _pair(text: str) -> tuple[str, str]:
    voltage, comma, current = text.partition(",")
    if not (voltage and comma and current):
        raise click.BadParameter(f"{text!r} is not a pair of channels; write one like U1,I1", param_hint="--phase")
    return voltage, current


def _progress(text: str) -> None:
    click.echo(text, err=True)


def _finish(checks: list[Check], as_json: bool) -> None:
    if as_json:
        show_json([check._asdict() for check in checks])
    else:
        width = max(len(check.what) for check in checks)
        for check in checks:
            click.echo(f"{'ok  ' if check.holds else 'FAIL'}  {check.what.ljust(width)}  {check.figures}")
    failed = sum(not check.holds for check in checks)
    if failed:
        click.echo(f"{failed} of {len(checks)} checks failed", err=True)
        sys.exit(1)
