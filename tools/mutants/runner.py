"""Runs the tests of a target against one mutant after the other, each in a private copy of the sources.

The parent imports what the tests need of other people's code, and then forks for each mutant: pytest starts in a child
at once, with only our own modules left to import.
"""

import contextlib
import importlib
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from tools.mutants.operators import Mutant
from tools.mutants.targets import CHECKOUT, Target

COPIED = ("protocol", "firmware", "host", "tests", "tools", "docs", "hardware", "pyproject.toml")
LINKED = (".cache", ".venv")
LEFT_OUT = shutil.ignore_patterns("node_modules", "dist", ".mypy_cache", ".hypothesis")
SPARE_S = 20
SPARE_TIMES = 3
# A helper process is in a session of its own: where its mutant loops, these bounds end it when nobody else can.
MOST_BYTES = 2 << 30
MOST_PROCESSOR_S = 300

KILLED, LIVED, TIMED_OUT = "killed", "lived", "timed out"


class Job(NamedTuple):
    """A mutant of the file at `path`, a path from the checkout."""

    path: str
    mutant: Mutant


class _Run:
    """Tests that run in a child of their own, in a session of its own, so that all it started ends with it."""

    def __init__(self, copy: Path, tests: "tuple[str, ...]", limit_s: "float | None") -> None:
        self.copy = copy
        self._limit_s = limit_s
        self._start_s = time.monotonic()
        self._child = os.fork()
        if self._child == 0:
            _be_child(copy, tests)

    def verdict(self) -> "str | None":
        """None while it runs."""
        child, status = os.waitpid(self._child, os.WNOHANG)
        if child:
            self._end()
            return LIVED if status == 0 else KILLED
        if self._limit_s is not None and self.seconds() > self._limit_s:
            self._end()
            os.waitpid(self._child, 0)
            return TIMED_OUT
        return None

    def seconds(self) -> float:
        return time.monotonic() - self._start_s

    def output(self) -> str:
        return (self.copy / "output").read_text(errors="replace")

    def _end(self) -> None:
        try:
            os.killpg(self._child, signal.SIGKILL)
        except ProcessLookupError:
            pass


def judge(target: Target, jobs: "Iterable[Job]", at_once: int, report: "Callable[[Job, str], None]") -> None:
    """Run all jobs and report each with its verdict. Raises SystemExit where the tests fail without a mutant."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copies = [Path(folder) / str(number) for number in range(at_once)]
        for copy in copies:
            _copy_sources(copy)
        limit_s = SPARE_S + SPARE_TIMES * max(_seconds_unmutated(copy, target) for copy in copies)
        _import_foreign(copies[0])
        _judge_all(target, iter(jobs), copies, limit_s, report)


def _judge_all(
    target: Target, jobs: "Iterator[Job]", copies: "list[Path]", limit_s: float, report: "Callable[[Job, str], None]"
) -> None:
    running: list[tuple[_Run, Job]] = []
    while True:
        while copies and (job := next(jobs, None)):
            copy = copies.pop()
            (copy / job.path).write_bytes(job.mutant.text)
            running.append((_Run(copy, target.tests, limit_s), job))
        if not running:
            return
        time.sleep(0.02)
        for run, job in list(running):
            verdict = run.verdict()
            if verdict is None:
                continue
            shutil.copy2(CHECKOUT / job.path, run.copy / job.path)
            running.remove((run, job))
            copies.append(run.copy)
            report(job, verdict)


def _copy_sources(copy: Path) -> None:
    for name in COPIED:
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=LEFT_OUT)
        else:
            shutil.copy2(source, copy / name)
    for name in LINKED:
        if (CHECKOUT / name).exists():
            (copy / name).symlink_to((CHECKOUT / name).resolve())


def _seconds_unmutated(copy: Path, target: Target) -> float:
    run = _Run(copy, target.tests, None)
    while (verdict := run.verdict()) is None:
        time.sleep(0.02)
    if verdict != LIVED:
        raise SystemExit(run.output() + "\nmutants: the tests fail on the code as it is")
    return run.seconds()


def _import_foreign(copy: Path) -> None:
    """Import what the tests imported that is not ours, so that no child does it again."""
    with warnings.catch_warnings(action="ignore"):
        for name in (copy / "modules").read_text().split():
            with contextlib.suppress(ImportError):  # a few are to be had through their packages alone
                importlib.import_module(name)


def _foreign(copy: Path) -> "Iterator[str]":
    for name, module in list(sys.modules.items()):
        origin = getattr(getattr(module, "__spec__", None), "origin", None) or ""
        if origin.startswith(sys.prefix + "/") and not origin.startswith(str(copy)):
            yield name


def _be_child(copy: Path, tests: "tuple[str, ...]") -> None:
    """Run pytest in the copy as if it had been started there, and end."""
    status = 1
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (MOST_PROCESSOR_S, MOST_PROCESSOR_S))
        os.chdir(copy)
        output = os.open("output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        own = [str(copy / name) for name in ("host", "protocol", "firmware")]
        os.environ["PYTHONPATH"] = os.pathsep.join(own)
        os.environ.setdefault("WATTPACT_DATA", str(CHECKOUT.parent / "shared" / "data"))
        sys.path[:] = [str(copy), *own] + [path for path in sys.path if not _is_ours(path)]
        for name in [name for name in sys.modules if name.split(".")[0] == "tools"]:
            del sys.modules[name]
        import pytest

        options = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "-o", "timeout=0"]
        status = int(pytest.main([*options, *tests]))
        (copy / "modules").write_text("\n".join(_foreign(copy)))
    finally:
        os._exit(status)


def _is_ours(path: str) -> bool:
    return path == "" or any((Path(path) / name).is_dir() for name in ("wattpact", "wattpact_protocol", "tools"))
