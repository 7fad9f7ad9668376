"""What /boot.py of an ESP32 imports, before main: room to report an error in when memory has run out."""

import micropython

micropython.alloc_emergency_exception_buf(100)
