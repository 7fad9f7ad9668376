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

TABLE = frozenset((
    IMPORT_WH, EXPORT_WH, IMPORT_TARIFF_1_WH, EXPORT_TARIFF_1_WH, IMPORT_TARIFF_2_WH, EXPORT_TARIFF_2_WH,
    IMPORT_PHASE_1_WH, EXPORT_PHASE_1_WH, IMPORT_PHASE_2_WH, EXPORT_PHASE_2_WH, IMPORT_PHASE_3_WH, EXPORT_PHASE_3_WH,
    POWER_W, VOLTAGE_1_MV, VOLTAGE_2_MV, VOLTAGE_3_MV, CURRENT_1_MA, CURRENT_2_MA, CURRENT_3_MA, FREQUENCY_MHZ,
    POWER_FACTOR_MILLI,
))  # fmt: skip


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
