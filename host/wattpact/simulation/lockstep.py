"""One meter's firmware in virtual time: the host's end of boards/virtual/lockstep.py, which describes the protocol."""

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

from wattpact.device.virtual_meter import command, environment

PATIENCE_S = 20


class LockstepError(RuntimeError):
    """The meter's process ended, or answered that it cannot do a step."""


class Lockstep:
    """A meter. `ask` and `answer` apart let several meters work at once."""

    def __init__(self, folder: Path, configuration: dict[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder.joinpath("lockstep.json")
        path.write_text(json.dumps(configuration))
        self._errors = folder.joinpath("errors.log").open("ab")
        self._process = subprocess.Popen(
            command("lockstep.py", str(path)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
            env=environment(), text=True, bufsize=1 << 16, start_new_session=True,
        )  # fmt: skip
        greeting = self.answer()
        self.kid = bytes.fromhex(greeting["kid"])
        self.public_key = bytes.fromhex(greeting["public_key"])
        self.code = str(greeting["code"])
        self.state: dict[str, Any] = greeting

    def ask(self, **line: Any) -> None:
        """Send one line; read the answer before the next."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(line) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise LockstepError("the meter's process has ended") from None

    def answer(self) -> dict[str, Any]:
        """The answer to the last line; raises LockstepError."""
        assert self._process.stdout is not None
        text = self._process.stdout.readline()
        if not text:
            raise LockstepError(f"the meter's process has ended; its errors are in {self._errors.name}")
        answer: dict[str, Any] = json.loads(text)
        if "error" in answer:
            raise LockstepError(f"the meter rejected a step: {answer['error']}")
        self.state = {**getattr(self, "state", {}), **answer}
        return answer

    def do(self, **line: Any) -> dict[str, Any]:
        self.ask(**line)
        return self.answer()

    def step(self, t_ms: int, unix_s: int | None, **more: Any) -> dict[str, Any]:
        """Go on to a moment; `more` as in the protocol."""
        return self.do(to=[t_ms, unix_s], **more)

    @property
    def registers(self) -> dict[int, int]:
        """Register id -> Wh, as of the last answer."""
        return {int(number): wh for number, wh in self.state["registers"].items()}

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait(PATIENCE_S)
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                stream.close()


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def decode(text: str) -> bytes:
    return base64.b64decode(text)
