"""Register ids: the closed table of what a reading may carry (docs/spec/registers.md).

Cumulative registers are whole watt-hours that never fall within one (source serial, generation). Instantaneous
values are for display only: nothing is billed on them. An id that is not in the table is not carried.
"""

IMPORT_WH = 1
EXPORT_WH = 2
IMPORT_TARIFF_1_WH = 3
EXPORT_TARIFF_1_WH = 4
IMPORT_TARIFF_2_WH = 5
EXPORT_TARIFF_2_WH = 6
IMPORT_PHASE_1_WH = 11
EXPORT_PHASE_1_WH = 12
IMPORT_PHASE_2_WH = 21
EXPORT_PHASE_2_WH = 22
IMPORT_PHASE_3_WH = 31
EXPORT_PHASE_3_WH = 32

POWER_W = 64
VOLTAGE_1_MV = 65
VOLTAGE_2_MV = 66
VOLTAGE_3_MV = 67
CURRENT_1_MA = 68
CURRENT_2_MA = 69
CURRENT_3_MA = 70
FREQUENCY_MHZ = 71
POWER_FACTOR_MILLI = 72

FIRST_INSTANTANEOUS = 64
MAX_WH = (1 << 63) - 1  # what a reading can carry

# id -> (name, unit)
TABLE = {
    IMPORT_WH: ("import", "Wh"),
    EXPORT_WH: ("export", "Wh"),
    IMPORT_TARIFF_1_WH: ("import tariff 1", "Wh"),
    EXPORT_TARIFF_1_WH: ("export tariff 1", "Wh"),
    IMPORT_TARIFF_2_WH: ("import tariff 2", "Wh"),
    EXPORT_TARIFF_2_WH: ("export tariff 2", "Wh"),
    IMPORT_PHASE_1_WH: ("import phase 1", "Wh"),
    EXPORT_PHASE_1_WH: ("export phase 1", "Wh"),
    IMPORT_PHASE_2_WH: ("import phase 2", "Wh"),
    EXPORT_PHASE_2_WH: ("export phase 2", "Wh"),
    IMPORT_PHASE_3_WH: ("import phase 3", "Wh"),
    EXPORT_PHASE_3_WH: ("export phase 3", "Wh"),
    POWER_W: ("active power", "W"),
    VOLTAGE_1_MV: ("voltage 1", "mV"),
    VOLTAGE_2_MV: ("voltage 2", "mV"),
    VOLTAGE_3_MV: ("voltage 3", "mV"),
    CURRENT_1_MA: ("current 1", "mA"),
    CURRENT_2_MA: ("current 2", "mA"),
    CURRENT_3_MA: ("current 3", "mA"),
    FREQUENCY_MHZ: ("frequency", "mHz"),
    POWER_FACTOR_MILLI: ("power factor", "1/1000"),
}


def is_known(register_id: int) -> bool:
    return register_id in TABLE


def is_cumulative(register_id: int) -> bool:
    """Whether this id is a whole-Wh register that may only rise."""
    return register_id in TABLE and register_id < FIRST_INSTANTANEOUS


def phase_ids(phase: int) -> "tuple[int, int]":
    """The import and export register ids of phase 1, 2 or 3."""
    if phase not in (1, 2, 3):
        raise ValueError("phase must be 1, 2 or 3")
    return 10 * phase + 1, 10 * phase + 2
