"""The esp32 board against stand-ins for the chip's modules: that main wires up. It has not run on hardware."""

import on_micropython


def test_the_board_wires_up():
    result = on_micropython.run("tests/device/esp32_wiring.py")
    assert result.returncode == 0 and result.stdout.splitlines()[-1] == "wired up", result.stdout
