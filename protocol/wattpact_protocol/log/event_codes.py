"""What an EVENT entry tells of, by its `code`. docs/spec/bodies.md."""

BOOT = 1
POWER_FAILURE = 2
CLOCK_SET = 3
RELAY_CLOSED = 4
RELAY_OPENED = 5
WELD = 6
OVER_CURRENT = 7
OVER_TEMPERATURE = 8
REGISTER_OPEN = 9
REGISTER_CLOSE = 10
JUMP_REFUSED = 11
TAMPER = 12
STATE_CORRUPT = 13
WARNING = 14
SOURCE_REJECTED = 15
NAMES = {
    1: "boot", 2: "power failure", 3: "clock set", 4: "relay closed", 5: "relay opened", 6: "relay welded",
    7: "over-current", 8: "over-temperature", 9: "register opened", 10: "register closed", 11: "jump refused",
    12: "tamper", 13: "state corrupt", 14: "supply warning", 15: "source telegrams rejected",
}  # fmt: skip
