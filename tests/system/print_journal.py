"""On MicroPython: print the journal in a virtual meter's flash image, one `sequence hex` a line.

print_journal.py IMAGE FLASH_BYTES
"""

import sys

from boards.virtual import flash_file
from wattpact_meter.storage.journal import Journal

flash_file.mount(sys.argv[1], int(sys.argv[2]), "/flash")
journal = Journal("/flash/journal")
for sequence in range(journal.first, journal.next_sequence):
    raw = journal.read(sequence)
    print(sequence, raw.hex() if raw else "")
