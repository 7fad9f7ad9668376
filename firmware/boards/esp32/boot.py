"""What /boot.py of an ESP32 imports, before main: room to report an error in when memory has run out, and garbage
collected before it is everywhere, since signatures and files want 4 KB in a piece. With PSRAM there is room, and a
collection goes through all of it: there the application chooses when (app.py).
"""

import gc

import micropython

COLLECT_BYTES = 20 * 1024
ROOMY_BYTES = 256 * 1024

micropython.alloc_emergency_exception_buf(100)
if gc.mem_free() < ROOMY_BYTES:  # type: ignore[attr-defined]
    gc.threshold(COLLECT_BYTES)  # type: ignore[attr-defined]
