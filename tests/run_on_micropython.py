"""Run test files under MicroPython: every test_* function of every file named, then one line with the counts.

    tools/micropython -X heapsize=8m tests/run_on_micropython.py tests/protocol/test_cbor.py ...

The exit status is 1 if a test failed, a file could not be imported, or no test was found.
"""

import sys

CHECKOUT = (__file__.rsplit("/", 2)[0] if __file__.count("/") >= 2 else ".") or "/"
for _folder in ("tests", "firmware", "protocol"):
    sys.path.insert(0, CHECKOUT + "/" + _folder)

import case  # noqa: E402
from wattpact_meter import load_order  # noqa: E402

load_order.load_protocol()  # imports that nest as deep as they can need more stack than there is


def load(path):
    """Import a test file by its path, so that two folders may each hold a file of the same name."""
    folder, name = path.rsplit("/", 1) if "/" in path else (".", path)
    module_name = name[:-3] if name.endswith(".py") else name
    if module_name in sys.modules:
        del sys.modules[module_name]
    sys.path.insert(0, folder)
    try:
        return __import__(module_name)
    finally:
        sys.path.remove(folder)


def run_test(label, test):
    """Run one test; return "passed", "failed" or "skipped"."""
    try:
        test()
    except case.Skip as skip:
        if case.is_missed(skip):
            print("FAILED %s: it must not skip where WATTPACT_REQUIRE_ALL=1: %s" % (label, skip))
            return "failed"
        print("SKIPPED %s: %s" % (label, skip))
        return "skipped"
    except Exception as error:
        print("FAILED %s" % label)
        sys.print_exception(error)
        return "failed"
    return "passed"


def run(paths):
    """Run all files and print the closing line; return the exit status."""
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for path in paths:
        try:
            module = load(path)
        except Exception as error:
            print("FAILED %s: it could not be imported" % path)
            sys.print_exception(error)
            counts["failed"] += 1
            continue
        for name in sorted(dir(module)):
            if name.startswith("test_"):
                counts[run_test("%s %s" % (path, name), getattr(module, name))] += 1
    print("%(passed)d passed, %(failed)d failed, %(skipped)d skipped" % counts)
    ran = counts["passed"] + counts["skipped"]
    return 0 if ran and not counts["failed"] else 1


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
