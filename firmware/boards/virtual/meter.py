"""The virtual meter itself: board and application, started anew as often as they must be."""

import asyncio
import sys

from boards.virtual.board import Board, read_configuration
from boards.virtual.flash_file import FlashError
from wattpact_meter.app import App
from wattpact_meter.log.identity import IdentityError
from wattpact_meter.settings import SettingsError
from wattpact_meter.storage.journal import JournalError
from wattpact_meter.storage.store import StateError


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
