"""The table of register ids in the specification is the one that programs use."""

from pathlib import Path

from wattpact_protocol.log import register_table

UNITS = {"WH": "Wh", "W": "W", "MV": "mV", "MA": "mA", "MHZ": "mHz", "MILLI": "1/1000"}
SPECIFICATION = Path(__file__).parents[2] / "docs" / "spec" / "registers.md"


def test_the_specification_and_the_program_list_the_same_registers():
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in SPECIFICATION.read_text().splitlines()
        if line.startswith("| ") and line[2].isdigit()
    ]
    names = {
        number: name
        for name, number in vars(register_table).items()
        if isinstance(number, int) and number in register_table.TABLE and name != "FIRST_INSTANTANEOUS"
    }
    expected = []
    for number in sorted(register_table.TABLE):
        quantity, _, unit = names[number].rpartition("_")
        name = {"POWER": "active power"}.get(quantity, quantity.lower().replace("_", " "))
        kind = "cumulative" if register_table.is_cumulative(number) else "instantaneous"
        expected.append([str(number), name, UNITS[unit], kind])
    assert rows == expected and len(rows) == 21
