"""What drives a meter's core in one go, and measurements to give it."""

from wattpact_meter.metering.measurement import Measurement
from wattpact_protocol import steps


class Around:
    """What a board shows the guard besides energy: contacts, faults and buttons."""

    def __init__(self):
        self.sensed_closed = None
        self.over_current = self.over_temperature = False
        self.owner_open = self.reset_on_site = self.consent = False


def power(active_mw, duration_us, shown=None, quality=0):
    """Of one phase at a constant power."""
    return Measurement([active_mw * duration_us], duration_us, shown or {}, quality)


def measure(meter, now, measurement):
    steps.finish(meter.measure_steps(now, measurement))


def receive(meter, now, data):
    steps.finish(meter.receive_steps(now, data))


def tick(meter, now, around=None):
    """A round of the core; the decision, which the caller carries out."""
    steps.finish(meter.catch_up_steps(now))
    inputs = meter.inputs(now)
    for name, value in (around or Around()).__dict__.items():
        setattr(inputs, name, value)
    decision = steps.finish(meter.decide_steps(now, inputs))
    steps.finish(meter.work_steps(now))
    return decision
