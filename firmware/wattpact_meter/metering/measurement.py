"""What every source yields: one measurement, whether it measures power, counts pulses or reads a meter's registers.

What always holds: energy is a whole number of nanojoules (1 mW for 1 µs is 1 nJ), so that measurements add up and what
is added loses nothing.
"""

from wattpact_protocol.log import register_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Measurement:
    """Of energy: energy_nj holds what each phase used in the duration_us that end now, import positive, and serial is
    None. A pulse is energy too: [pulses * nJ of one pulse].

    Of a meter with registers: its serial, and registers_wh as register id -> Wh; energy_nj is empty. unix_s is the time
    by its own clock, None where it has none that is plausible.

    Of both: instantaneous is register id -> value for display, quality the quality bits of a reading.
    """

    def __init__(
        self,
        energy_nj: "Sequence[int]",
        duration_us: int,
        instantaneous: "dict[int, int]",
        quality: int = 0,
        serial: "str | None" = None,
        registers_wh: "dict[int, int] | None" = None,
        unix_s: "int | None" = None,
    ) -> None:
        self.energy_nj = energy_nj
        self.duration_us = duration_us
        self.instantaneous = instantaneous
        self.quality = quality
        self.serial = serial
        self.registers_wh = registers_wh or {}
        self.unix_s = unix_s

    @property
    def power_w(self) -> "int | None":
        """Mean power, halves up; what a meter with registers shows, or None."""
        if self.duration_us:
            milliwatts_us = 1000 * self.duration_us
            return (2 * sum(self.energy_nj) + milliwatts_us) // (2 * milliwatts_us)
        return self.instantaneous.get(register_table.POWER_W)

    def add(self, later: "Measurement") -> bool:
        """Join the measurement that follows this one: energy adds up, and newer registers replace older ones. False,
        and nothing is changed, where they are of two meters or of two kinds."""
        if later.serial != self.serial or len(later.energy_nj) != len(self.energy_nj):
            return False
        self.energy_nj = [first + then for first, then in zip(self.energy_nj, later.energy_nj)]
        self.duration_us += later.duration_us
        self.instantaneous = later.instantaneous or self.instantaneous
        self.quality |= later.quality
        self.registers_wh = later.registers_wh
        self.unix_s = later.unix_s
        return True
