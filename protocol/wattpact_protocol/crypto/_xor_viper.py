# mypy: ignore-errors
"""XOR of bytes in place, compiled to machine code by MicroPython. Its work depends on their number and nothing else."""

import micropython


@micropython.viper
def _xor(target: ptr8, mask: ptr8, count: int):
    at = 0
    while at < count:
        target[at] = int(target[at]) ^ int(mask[at])
        at += 1


def xor_into(target: bytearray, mask: bytes) -> None:
    """Change the target; the mask is as long or longer."""
    _xor(target, mask, len(target))
