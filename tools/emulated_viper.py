"""The viper backends on CPython, with their machine code executed as a chip's: what calls it is Python's own work."""

import builtins
import importlib
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from unittest import mock

import wattpact_protocol.crypto

from tools import machine_code
from tools.device_files import ROOTS

MODULES = tuple(
    path.stem
    for path in sorted((ROOTS["wattpact_protocol"] / "crypto").glob("_*_viper.py"))
    if "@micropython.viper" in path.read_text()
)
TYPES = ("ptr8", "ptr16", "ptr32", "uint")  # names that viper knows and Python does not


@contextmanager
def loaded(machine: machine_code.Machine, name: str) -> Iterator[ModuleType]:
    """The backend of this name, loaded anew, and forgotten after."""
    before = set(vars(wattpact_protocol.crypto))
    stub = ModuleType("micropython")
    vars(stub)["viper"] = lambda function: _executed(machine, function)
    with mock.patch.dict(sys.modules, {"micropython": stub}), mock.patch.object(sys, "maxsize", 0x7FFFFFFF):
        for module in MODULES:
            sys.modules.pop(f"wattpact_protocol.crypto.{module}", None)
        with mock.patch.multiple(builtins, create=True, **dict.fromkeys(TYPES)):
            backend = importlib.import_module(f"wattpact_protocol.crypto.{name}")
    try:
        yield backend
    finally:
        for left in set(vars(wattpact_protocol.crypto)) - before:
            delattr(wattpact_protocol.crypto, left)


def _executed(machine: machine_code.Machine, function: Callable[..., object]) -> Callable[..., object]:
    """The function's machine code; one that calls another is Python, because it does so through the runtime."""
    if set(function.__code__.co_names) - {*TYPES, "int"}:
        return function
    module, name = function.__module__.rpartition(".")[2], function.__name__
    return lambda *arguments: machine.call(module, name, *arguments)


def instructions(chip: machine_code.Chip, name: str, work: Callable[[ModuleType], object]) -> int:
    """How many of the machine code's instructions some work with a backend takes; what calls it is not among them."""
    with tempfile.TemporaryDirectory() as folder:
        with (
            machine_code.Machine(chip, MODULES, Path(folder), counted=True) as machine,
            loaded(machine, name) as backend,
        ):
            work(backend)
        return machine.instructions
