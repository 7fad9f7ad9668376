"""Wattpact's protocol: encodings, signatures, entries and rules, the same on MicroPython and CPython.

Nothing here does I/O, reads a clock or draws a random number: bytes and time come in as arguments.
"""
