"""The virtual meter's console: one JSON object a line, events out on standard output, buttons in on standard input.

What always holds: the meter never waits for whoever reads or writes here; a line that does not fit is dropped and
counted, and nonsense is answered with an error line.
"""

import json
import select
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BUTTONS = ("consent", "reset_on_site", "owner_open", "over_temperature")
_LONGEST = 256


class Console:
    """buttons: what is pressed, by name; ended: whether standard input is closed."""

    def __init__(self) -> None:
        self.buttons = dict.fromkeys(BUTTONS, False)
        self.dropped = 0
        self.ended = False
        self._line = ""
        self._output = select.poll()
        self._output.register(sys.stdout, select.POLLOUT)
        self._input: Any = select.poll()
        try:
            self._input.register(sys.stdin, select.POLLIN)
        except OSError:
            self._input = None

    def write(self, event: "dict[str, Any]") -> None:
        """One line, if it can be written at once."""
        if not [True for _, ready in self._output.poll(0) if ready & select.POLLOUT]:
            self.dropped += 1
            return
        try:
            sys.stdout.write(json.dumps(event) + "\n")
        except OSError:  # nobody reads any more
            self.dropped += 1

    def read(self) -> None:
        """Read what has come on standard input: {"consent": true} presses, {"consent": false} lets go."""
        some = select.POLLIN | select.POLLHUP
        while self._input is not None and [True for _, ready in self._input.poll(0) if ready & some]:
            character = sys.stdin.read(1)
            if not character:
                self._input = None
                self.ended = True
            elif character == "\n":
                self._press(self._line)
                self._line = ""
            elif len(self._line) < _LONGEST:
                self._line += character

    def _press(self, line: str) -> None:
        try:
            pressed = json.loads(line)
        except ValueError:
            pressed = None
        if not isinstance(pressed, dict) or [key for key in pressed if key not in BUTTONS]:
            self.write({"event": "error", "text": "buttons are %s, each true or false" % ", ".join(BUTTONS)})
            return
        for name, value in pressed.items():
            self.buttons[name] = value is True
