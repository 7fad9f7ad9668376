"""The virtual meter: this firmware as a process.

    MICROPYPATH=protocol:firmware:.frozen tools/micropython firmware/boards/virtual/main.py CONFIG.json

Events are JSON lines on standard output (`console`); docs/how-to/virtual-meter.md has the configuration. It ends with
status 0 on Ctrl-C and 1 where it cannot start. Ending it in any other way loses nothing that it published. A service
start, where one is wanted, comes first, and the meter after it in the same process.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MARK = ".service"


def run(path: str) -> int:
    """Run what this start is for, and then the meter, until Ctrl-C; the exit status."""
    try:
        serve(path)
    except KeyboardInterrupt:
        return 0
    from wattpact_meter.load_order import load

    load()
    from boards.virtual.meter import run as run_meter

    return run_meter(path)


def serve(path: str) -> None:
    """A service start, where one is wanted; a configuration that cannot be used is the meter's to report."""
    from wattpact_meter import service_wanted

    try:
        configuration = service_wanted.read(path)
    except (OSError, ValueError):
        return
    image = configuration.get("flash")
    if not isinstance(image, str):
        return
    reason = service_wanted.reason(path, image + MARK, configuration.get("button_held") is True)
    if reason == "no_wifi" and "networks" not in configuration:
        return  # without a radio it wants no settings for one
    if reason and service_wanted.begin(image + MARK):
        _serve(path, image, configuration, reason)


def _serve(path: str, image: str, configuration: "dict[str, Any]", reason: str) -> None:
    from boards.virtual.service_board import ServiceBoard
    from wattpact_meter.service.service import serve

    board = ServiceBoard(path, image, configuration)
    try:
        serve(board, reason)
    except KeyboardInterrupt:
        board.report({"event": "stopped"})
        raise


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.stderr.write("usage: main.py CONFIG.json\n")
        sys.exit(2)
    sys.exit(run(sys.argv[1]))
