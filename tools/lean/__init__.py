"""Device sources as they are compiled: the same code in the same lines, which takes less room in a meter.

A name at a module's top level is a slot of a table in the heap and an entry among MicroPython's strings, and so it is
again in each module that imports it. What is known before it runs is put where it is used, and its name is left out:

    constants        numbers, texts, bytes and tuples that a top level gives a name once and for all
    imports          of nothing else, and what only type checkers want
    __slots__        of which MicroPython makes no use

Then the modules that every meter loads become one (`joined`), which spares it the tables and names of the others; there
what nothing names is left out.
"""
