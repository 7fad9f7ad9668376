"""A meter in the field: the real application on a virtual board, in virtual time, and all that happens to it.

    truth     what is really used: the load, and who may see it
    utility   the meter with a P1 port, which is swapped now and then, and the line to it
    flash     the files, a power that fails between writes, and blocks that rot
    host      the community's host, and the operator who grants
    board     the board: clock, relay, radio
    running   the application, run by a schedule of its own
    events    what happens, how often
    rules     what must always hold of entries and registers
    supply    what must always hold of the relay
    life      one meter's life: all of these joined; a seed gives it again

What the rules compare with is computed from the load alone, never by the firmware.
"""
