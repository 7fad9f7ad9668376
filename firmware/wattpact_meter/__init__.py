"""The meter: from samples and telegrams to signed whole-Wh registers and a relay that knows why it is closed.

The modules here are pure: bytes and time are arguments, every quantity is an integer whose name carries its unit,
and the same file runs on MicroPython and CPython. Only drivers/ and the boards import hardware modules.
"""
