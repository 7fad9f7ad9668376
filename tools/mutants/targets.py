"""What `make mutants` works on: a target's modules, and the tests that must notice, the fastest first."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).parent.parent.parent

PROTOCOL = "protocol/wattpact_protocol/"
METER = "firmware/wattpact_meter/"
HOST = "host/wattpact/"


class Target(NamedTuple):
    """`modules` are files, or folders of which every file counts; `tests` are what pytest is called with."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]


TARGETS = {
    "guard": Target((PROTOCOL + "guard",), ("tests/protocol/test_guard.py",)),
    "contracts": Target(
        (PROTOCOL + "settlement/contracts.py",),
        ("tests/protocol/test_contracts.py", "tests/protocol/test_settlement.py"),
    ),
    "ledger": Target(
        (PROTOCOL + "ledger",),
        (
            "tests/protocol/test_ledger_machine.py",
            "tests/protocol/test_ledger_statements.py",
            "tests/protocol/test_ledger_witnesses.py",
            "tests/protocol/test_ledger_tree.py",
            "tests/protocol/test_ledger_state_map.py",
            "tests/protocol/test_ledger.py",
            "tests/protocol/test_ledger_vectors.py",
            "tests/test_spec_numbers.py",
        ),
    ),
    "settlement": Target(
        tuple(
            PROTOCOL + "settlement/%s.py" % name
            for name in ("slots", "allocation", "load_profile", "statement", "register_rules", "inputs", "tariff")
        ),
        (
            "tests/protocol/test_settlement.py",
            "tests/protocol/test_contracts.py",
            "tests/protocol/test_readings.py",
            "tests/host/test_settlement_oracle.py",
        ),
    ),
    "accounts": Target((HOST + "accounts",), ("tests/host/test_accounts.py", "tests/host/test_bill.py")),
    "ingest": Target(
        (HOST + "ingest", HOST + "membership/directory.py"),
        ("tests/host/test_verifying.py", "tests/host/test_ingest.py", "tests/host/test_ingest_batches.py"),
    ),
    "link": Target(
        (HOST + "sync", METER + "sync"),
        (
            "tests/host/test_link.py",
            "tests/host/test_inbox.py",
            "tests/firmware/test_link.py",
            "tests/test_spec_numbers.py",
        ),
    ),
}

# Mutants that no test can kill: file, the line before, the line after. They change nothing but the time it takes, or
# what cannot be reached: a termination is verified before anybody looks up who its author is, `advance` has a time, and
# a person has no log whose head anybody reads.
_SLOTS = PROTOCOL + "settlement/slots.py"
_CONCERNS = "if not matters or first_s >= to_s or contract.active_to_s <= max(first_s, from_s):"
EQUIVALENT = (
    (PROTOCOL + "ledger/machine.py", "return False", "return None"),
    (_SLOTS, _CONCERNS, "if False:"),
    (_SLOTS, _CONCERNS, "if not matters or first_s > to_s or contract.active_to_s <= max(first_s, from_s):"),
    (_SLOTS, _CONCERNS, "if not matters or first_s >= to_s and contract.active_to_s <= max(first_s, from_s):"),
    (_SLOTS, _CONCERNS, "if not matters or first_s >= to_s or contract.active_to_s < max(first_s, from_s):"),
    (_SLOTS, "if held:", "if True:"),
    (_SLOTS, "self._now_s = 0", "self._now_s = (-1)"),
    (PROTOCOL + "settlement/load_profile.py", "if times[low] <= unix_s:", "if False:"),
    (PROTOCOL + "settlement/load_profile.py", "if times[low] <= unix_s:", "if times[low] < unix_s:"),
    (PROTOCOL + "settlement/load_profile.py", "self._near = low", "pass"),
    (PROTOCOL + "settlement/register_rules.py", "if most_wh is None:", "if True:"),
    (HOST + "ingest/pipeline.py", "if author.chained:", "if True:"),
    (HOST + "ingest/pipeline.py", "if self._groups and self._group:", "if False:"),
    (HOST + "ingest/pipeline.py", "if len(self._group) == _GROUP:", "if len(self._group) != _GROUP:"),
    (HOST + "ingest/signature_pool.py", "_PIPE_BYTES = 1 << 18", "_PIPE_BYTES = 1 >> 18"),
    (
        HOST + "ingest/signature_pool.py",
        "while self.groups and select.select([self._stdout], [], [], 0)[0]:",
        "while self.groups and select.select([self._stdout], [], [], 0)[(-1)]:",
    ),
    (HOST + "ingest/signature_pool.py", "elif group.verdicts is None:", "elif False:"),
    (HOST + "ingest/signature_pool.py", "elif group.verdicts is None:", "elif True:"),
    (HOST + "sync/host_link.py", "if len(peer.in_flight) < WINDOW:", "if True:"),
    (METER + "sync/inbox.py", "return False", "return True"),
)


def files(name: str) -> "Iterator[str]":
    """The Python files of a module or a folder, as paths from the checkout."""
    path = CHECKOUT / name
    for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
        yield str(file.relative_to(CHECKOUT))
