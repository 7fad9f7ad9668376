"""XOR of bytes in place, as long integers."""


def xor_into(target: bytearray, mask: bytes) -> None:
    """Change the target; the mask is as long or longer."""
    size = len(target)
    target[:] = (int.from_bytes(target, "big") ^ int.from_bytes(mask[:size], "big")).to_bytes(size, "big")
