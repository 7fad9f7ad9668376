"""What every command shares: the root command with its errors, the data directory, tables, exact prices and times.

What always holds: an error that Wattpact raises itself is a sentence for a person, so it is shown as it is; any other
is an error in Wattpact, and is shown with how to find it.
"""

import importlib
import importlib.util
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from wattpact.node.data_directory import DataDirectory, DataDirectoryError

DEFAULT_DATA = "wattpact-data"
WIDTH = 80
MICRO = 1_000_000
_MOST_MICRO = (1 << 32) - 1  # a price on the wire has 32 bits
_OURS = ("wattpact", "wattpact_protocol")


class Session:
    """The options before the command."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def data_directory(self) -> DataDirectory:
        try:
            return DataDirectory(self.data)
        except DataDirectoryError as error:
            raise DataDirectoryError(
                f"{error}; make one with `wattpact keys init`, or choose another with --data"
            ) from None


class Root(click.Group):
    """The `wattpact` command: its subcommands are imported when used, and its errors are single lines."""

    def __init__(self, modules: dict[str, str]) -> None:
        super().__init__(
            name="wattpact",
            callback=_begin,
            params=_OPTIONS,
            help="Neighbours buy and sell electricity from each other.\n\n"
            "A node stores what meters sign, grants their contracts and makes the bills. All other commands work on "
            "its data directory, whether the node runs or not. Start with `wattpact demo`, or for a real community "
            "with `wattpact keys init`.",
            context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        )
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name, module in self._modules.items() if importlib.util.find_spec(module) is not None]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(self._modules[cmd_name]).command
        return command

    def main(self, *args: Any, **extra: Any) -> Any:
        arguments = list(args[0] if args else extra.pop("args", None) or sys.argv[1:])
        extra["standalone_mode"] = False
        try:
            status = super().main(arguments, "wattpact", **extra)
            sys.stdout.flush()
        except click.exceptions.Exit as done:
            status = done.exit_code
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # `wattpact ... | head`
            status = 0
        except (click.Abort, KeyboardInterrupt):
            _fail("stopped", 130)
        except Exception as error:
            if "--debug" in arguments:
                raise
            _explain(error)
        sys.exit(status if isinstance(status, int) else 0)


def _explain(error: Exception) -> NoReturn:
    if isinstance(error, click.exceptions.NoArgsIsHelpError) and error.ctx is not None:
        group, path = error.ctx.command, error.ctx.command_path
        if isinstance(group, Root):
            print(error.ctx.get_help(), file=sys.stderr)
            sys.exit(2)
        names = ", ".join(group.list_commands(error.ctx)) if isinstance(group, click.Group) else ""
        _fail(f"{path} needs a command: {names}; try `{path} --help`", 2)
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else "wattpact"
        _fail(f"{error.format_message().rstrip('.')}; try `{path} --help`", 2)
    if isinstance(error, click.ClickException):
        _fail(error.format_message(), 1)
    if type(error).__module__.partition(".")[0] in _OURS:
        _fail(str(error), 1)
    if isinstance(error, OSError) and error.strerror:
        _fail(f"{error.filename or 'this machine'}: {error.strerror}", 1)
    _fail(f"an error in Wattpact itself ({type(error).__name__}: {error}); --debug shows where", 70)


def _fail(text: str, status: int) -> NoReturn:
    line = " ".join(text.split())
    print(f"wattpact: {line}", file=sys.stderr)
    sys.exit(status)


def _begin(data: Path, debug: bool) -> None:
    click.get_current_context().obj = Session(data)


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"wattpact {version('wattpact')}")
        context.exit()


_OPTIONS: list[click.Parameter] = [
    click.Option(
        ["--data"], type=click.Path(file_okay=False, path_type=Path), default=DEFAULT_DATA, metavar="DIR",
        envvar="WATTPACT_HOME", show_default=True, show_envvar=True, help="The data directory of the node.",
    ),
    click.Option(["--debug"], is_flag=True, help="Show the traceback of an error."),
    click.Option(
        ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."
    ),
]  # fmt: skip

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for a program.")


def show_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2))


def show_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table as narrow as its cells; where that is wider than WIDTH, the widest column of names is cut, and never a
    time or a number."""
    widths = [max(len(cell) for cell in column) for column in zip(titles, *rows, strict=True)]
    names = [at for at in range(len(titles)) if any(row[at][:1].isalpha() for row in rows)] or [0]
    while sum(widths) + 2 * (len(widths) - 1) > WIDTH and max(widths[at] for at in names) > 1:
        widths[max(names, key=lambda at: widths[at])] -= 1
    for row in (titles, *rows):
        cells = (_cut(cell, width).ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _cut(cell: str, width: int) -> str:
    return cell if len(cell) <= width else cell[: width - 1] + "…"


def show_fields(fields: dict[str, object]) -> None:
    """One `name  value` a line; what is None is left out."""
    width = max(map(len, fields))
    for name, value in fields.items():
        if value is not None:
            click.echo(f"{name.ljust(width)}  {value}")


class Price(click.ParamType[int]):
    """A price per kWh, exactly: at most six decimals, in micro-units."""

    name = "price"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        matched = re.fullmatch(r"([0-9]{1,9})(?:\.([0-9]{1,6}))?", str(value))
        if matched is None:
            self.fail(f"{value!r} is not a price per kWh; write one like 0.20, with at most six decimals", param, ctx)
        micro = int(matched[1]) * MICRO + int((matched[2] or "").ljust(6, "0"))
        if micro > _MOST_MICRO:
            self.fail(f"{value!r} is more than the highest price, {price(_MOST_MICRO)} per kWh", param, ctx)
        return micro


class Hours(click.ParamType[int]):
    """A duration in hours, in whole seconds."""

    name = "hours"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        matched = re.fullmatch(r"([0-9]{1,6})(?:\.([0-9]{1,4}))?", str(value))
        whole, decimals = (matched[1], matched[2] or "") if matched else ("0", "")
        seconds = int(whole + decimals) * 3600 // int("1".ljust(len(decimals) + 1, "0"))
        if seconds <= 0:
            self.fail(f"{value!r} is not a number of hours above 0; write one like 2 or 0.5", param, ctx)
        return seconds


def price(micro_per_kwh: int) -> str:
    """A price for a person: 0.2, 0.185."""
    whole, rest = divmod(micro_per_kwh, MICRO)
    decimals = f"{rest:06}".rstrip("0")
    return f"{whole}.{decimals.ljust(2, '0')}"


def age(seconds: int) -> str:
    """A time span for a person, in its largest whole unit: 12 s, 5 min, 3 h, 2 days."""
    for unit_s, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit_s:
            return f"{seconds // unit_s} {unit}"
    return f"{max(0, seconds)} s"


def energy(wh: int) -> str:
    """Energy for a person: 512 Wh, 3,432.827 kWh."""
    return f"{wh} Wh" if wh < 10_000 else f"{wh // 1000:,}.{wh % 1000:03} kWh"
