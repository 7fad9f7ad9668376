"""What only a start needs is freed once it was used."""

import gc
import sys

import case
from wattpact_meter import once

NAME = "wattpact_meter.setting_checks"


def use():
    return once.once(NAME).number("n", 5, 0, 9)


def test_a_module_is_let_go_after_its_use():
    package = sys.modules["wattpact_meter"]
    held = sys.modules.pop(NAME, None)
    try:
        assert use() == 5
        assert NAME not in sys.modules and not hasattr(package, "setting_checks")
        assert use() == 5
    finally:
        if held is not None:
            sys.modules[NAME] = held
            package.setting_checks = held


def test_its_memory_is_free_again():
    case.only_micropython("only MicroPython shows what it allocates")
    use()  # its names stay
    gc.collect()
    before = gc.mem_alloc()
    module = once.once(NAME)
    gc.collect()
    loaded = gc.mem_alloc()
    del module
    gc.collect()
    assert loaded - before > 1000
    assert gc.mem_alloc() - before < 200
