"""The relay does what was decided and nothing else."""

from wattpact_meter.control.relay import Relay
from wattpact_protocol.guard.guard import Decision


class Driver:
    def __init__(self):
        self.driven = []
        self.position = None

    def drive(self, closed):
        self.driven.append(closed)
        self.position = closed

    def sensed(self):
        return self.position


def decision(closed, operate=False, reassert=False):
    made = Decision("a reason", closed, operate)
    made.reassert = reassert
    return made


def test_only_what_is_decided_is_done():
    driver = Driver()
    relay = Relay(driver)
    assert driver.driven == [] and relay.sensed() is None
    assert not relay.apply(decision(True))
    assert not relay.apply(decision(False))
    assert driver.driven == []
    assert relay.apply(decision(True, operate=True))
    assert driver.driven == [True] and relay.sensed() is True
    assert not relay.apply(decision(True))
    assert relay.apply(decision(True, reassert=True))
    assert driver.driven == [True, True] and relay.operations == 1
    assert relay.apply(decision(False, operate=True))
    assert driver.driven == [True, True, False] and relay.sensed() is False and relay.operations == 2
