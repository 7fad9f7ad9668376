"""The table of register ids in the specification is the one that programs use."""

from pathlib import Path

from wattpact_protocol.log import register_table

SPECIFICATION = Path(__file__).parents[2] / "docs" / "spec" / "registers.md"


def test_the_specification_and_the_program_list_the_same_registers():
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in SPECIFICATION.read_text().splitlines()
        if line.startswith("| ") and line[2].isdigit()
    ]
    expected = [
        [str(number), name, unit, "cumulative" if register_table.is_cumulative(number) else "instantaneous"]
        for number, (name, unit) in sorted(register_table.TABLE.items())
    ]
    assert rows == expected and len(rows) == 21
