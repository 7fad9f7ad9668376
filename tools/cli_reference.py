"""Writes docs/reference/cli.md, the reference of the `wattpact` command, from the commands' own help.

python tools/cli_reference.py            write it
python tools/cli_reference.py --check    fail if it is not what would be written
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

TARGET = Path(__file__).resolve().parent.parent / "docs" / "reference" / "cli.md"
INTRODUCTION = """\
# The `wattpact` command

Written by `python tools/cli_reference.py` from what each command prints with `--help`.
"""


def sections(command: click.Command, context: click.Context, depth: int = 2) -> Iterator[str]:
    """The section of one command, then those of its subcommands."""
    yield f"{'#' * depth} {context.command_path}\n\n```text\n{command.get_help(context).rstrip()}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                inner = click.Context(child, info_name=name, parent=context, terminal_width=100, max_content_width=100)
                yield from sections(child, inner, min(depth + 1, 6))


def reference(command: click.Command) -> str:
    context = click.Context(command, info_name="wattpact", terminal_width=100, max_content_width=100)
    return "\n".join([INTRODUCTION, *sections(command, context)])


def main() -> int:
    from wattpact.cli import main as command

    text = reference(command)
    if sys.argv[1:] != ["--check"]:
        TARGET.write_text(text, encoding="utf-8")
        return 0
    if TARGET.read_text(encoding="utf-8") == text:
        print("docs/reference/cli.md: up to date")
        return 0
    print("docs/reference/cli.md is not what the commands print: run `python tools/cli_reference.py`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
