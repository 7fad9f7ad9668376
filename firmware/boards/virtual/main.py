"""The virtual meter: this firmware as a process.

    MICROPYPATH=protocol:firmware:.frozen tools/micropython firmware/boards/virtual/main.py CONFIG.json

Events are JSON lines on standard output (`console`); docs/how-to/virtual-meter.md has the configuration. It ends with
status 0 on Ctrl-C and 1 where it cannot start. Ending it in any other way loses nothing that it published.
"""

import asyncio
import sys

from wattpact_meter.load_order import load

load()

from boards.virtual.board import Board, read_configuration  # noqa: E402
from boards.virtual.flash_file import FlashError  # noqa: E402
from wattpact_meter.app import App  # noqa: E402
from wattpact_meter.log.identity import IdentityError  # noqa: E402
from wattpact_meter.settings import SettingsError  # noqa: E402
from wattpact_meter.storage.journal import JournalError  # noqa: E402
from wattpact_meter.storage.store import StateError  # noqa: E402


def run(path: str) -> int:
    """Run the meter of a configuration file until Ctrl-C; the exit status."""
    try:
        board = Board(read_configuration(path))
        while True:
            app = App(board)
            if not asyncio.run(app.run()):
                return 0
            board.report({"event": "restart"})
            asyncio.new_event_loop()
    except KeyboardInterrupt:
        board.report({"event": "stopped"})
        return 0
    except (SettingsError, FlashError, IdentityError, JournalError, StateError) as error:
        sys.stderr.write("%s: %s\n" % (path, error))
        return 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.stderr.write("usage: main.py CONFIG.json\n")
        sys.exit(2)
    sys.exit(run(sys.argv[1]))
