"""A process that ends with the program that started it, however that one ended: its standard input ends then.

The virtual meter's `attended`, for processes of CPython. `watch` is called before anything else.
"""

import os
import signal
import threading
import time

END_S = 20  # to end as by Ctrl-C; then it is killed


def watch() -> None:
    threading.Thread(target=_wait, daemon=True).start()


def _wait() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(END_S)
    os.kill(os.getpid(), signal.SIGKILL)
