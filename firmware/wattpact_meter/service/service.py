"""The service start's loop: it serves until it is done, or nobody uses it, and never longer than an hour.

A board has: relay, settings_path, chip (a name), serial (read() -> bytes, write(bytes)), radio (scan(), leave() and
join(ssid, password), which begin to, and is_joined) and the functions uptime_ms(), sleep_ms(n), feed() and
report(event).

What always holds: the relay is open from the first moment on, since no guard decides; nothing is measured, signed or
written to the log.
"""

from wattpact_meter.service.wifi_settings import WifiSettings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What is served, a row for each: a class made with the board. It has poll(now_ms) -> whether somebody used it, is_done
# and rejected. Bluetooth and updates, which need the memory too, will be rows.
SERVICES = (WifiSettings,)

IDLE_MS = 600_000
DONE_MS = 10_000  # after the last use, where a service is done: whoever used it may still have a request
LONGEST_MS = 3_600_000
REOPEN_MS = 10_000  # a relay that is sensed closed
TICK_MS = 10


def serve(board: "Any", reason: str) -> str:
    """Why it ended: "done", "idle" or "longest". `reason` is why it began, of `service_wanted`."""
    board.relay.drive(False)
    start_ms = used_ms = opened_ms = board.uptime_ms()
    board.report({"event": "service", "reason": reason})
    services = [make(board) for make in SERVICES]
    ended = ""
    while not ended:
        board.sleep_ms(TICK_MS)
        board.feed()
        now_ms = board.uptime_ms()
        if now_ms - opened_ms >= REOPEN_MS and board.relay.sensed():
            opened_ms = now_ms
            board.relay.drive(False)
        for service in services:
            if service.poll(now_ms):
                used_ms = now_ms
        idle_ms = now_ms - used_ms
        if idle_ms >= DONE_MS and [service for service in services if service.is_done]:
            ended = "done"
        elif idle_ms >= IDLE_MS:
            ended = "idle"
        elif now_ms - start_ms >= LONGEST_MS:
            ended = "longest"
    rejected = [service.rejected for service in services]
    board.report({"event": "service_ended", "reason": ended, "rejected": rejected})
    return ended
