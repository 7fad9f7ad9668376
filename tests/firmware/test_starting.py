"""A start from flash that another firmware wrote: values that check and make no sense never stop a meter."""

import case
from simulator import flash
from wattpact_meter import load_order

load_order.load()  # from the bottom up: nested imports take more stack than MicroPython has

from simulator.driving import measure, power, tick  # noqa: E402
from wattpact_meter import status  # noqa: E402
from wattpact_meter.clock import Now  # noqa: E402
from wattpact_meter.core.boot import KEPT, start  # noqa: E402
from wattpact_meter.log import own_log, sealer  # noqa: E402
from wattpact_meter.log.identity import Identity  # noqa: E402
from wattpact_meter.settings import Settings  # noqa: E402
from wattpact_meter.storage.journal import Journal  # noqa: E402
from wattpact_meter.storage.store import Store  # noqa: E402

STRANGE = [
    0,
    -1,
    True,
    "text",
    b"\xff" * 40,
    [],
    [1],
    [1, 2, 3, 4],
    [1, 2, 3, 4, 5, 6, 7, 8],
    [[]],
    [None, None, None],
    {},
    {"a": 1},
]
SETTINGS = {"host": ["h", 1], "root_public_key": "07" * 32, "rated_w": 5000, "source": {"kind": "none"}, "step_s": 5}


def _boot(folder, now):
    bits = case.Bits("randomness")
    store = Store(folder + "/state")
    journal = Journal(folder + "/journal")
    identity = Identity(store, case.Bits("identity").bytes)
    meter = start((identity, journal, store, Settings(dict(SETTINGS))), lambda n: n // 2, bits.bytes, now, False, None)
    journal.close()
    return meter


def _run(meter, seconds):
    for second in range(1, seconds + 1):
        now = Now(second * 1000, 1_760_000_000 + second)
        measure(meter, now, power(3_600_000, 1_000_000))
        tick(meter, now)


def test_strange_values_are_given_up_and_the_meter_goes_on():
    bits = case.Bits("strange")
    with flash.Folder() as folder:
        meter = _boot(folder, Now(0, 1_760_000_000))
        _run(meter, 20)
        kid = status.of(meter)["kid"]
        for _ in range(case.scale(60, 15)):
            store = Store(folder + "/state")
            for name in KEPT + (sealer.NAME, own_log.NAME):
                if bits.below(2):
                    store.save(name, bits.choice(STRANGE))
            meter = _boot(folder, Now(0, 1_760_000_000))
            _run(meter, 12)
            assert status.of(meter)["kid"] == kid
            assert meter.registers()[1] >= 0


def test_each_value_strange_by_itself():
    with flash.Folder() as folder:
        _run(_boot(folder, Now(0, 1_760_000_000)), 12)
        for name in KEPT + (sealer.NAME, own_log.NAME):
            for strange in STRANGE:
                Store(folder + "/state").save(name, strange)
                _run(_boot(folder, Now(0, 1_760_000_000)), 2)
