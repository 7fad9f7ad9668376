"""Bytes on the wire for each reading: the sealed, signed entry, its datagram, and the same numbers as unsigned JSON."""

import json
from typing import NamedTuple

from wattpact_protocol.log import entry, kinds
from wattpact_protocol.sync import datagram

from tools.bench import corpus


class Result(NamedTuple):
    """Bytes for each interval, in hundredths so that they stay integers."""

    entry_centibytes: int
    datagram_centibytes: int
    json_centibytes: int


def measure(intervals: int, entries: int = 512) -> Result:
    """Means over so many entries of so many intervals each, of registers with some past behind them."""
    root, _, meters = corpus.community(4)
    by_kid = {meter.kid: meter for meter in meters}
    readings = [one for one in corpus.readings_of(meters, entries, intervals) if one.kind == kinds.READING]
    count = entries * intervals
    sent = sum(len(datagram.encode(datagram.ENTRY, root.community, one.raw)) for one in readings)
    return Result(
        100 * sum(len(one.raw) for one in readings) // count,
        100 * sent // count,
        100 * sum(_json_bytes(by_kid[one.kid].unsealed(one)) for one in readings) // count,
    )


def _json_bytes(reading: entry.Entry) -> int:
    """Each interval as one message of the kind that meters without signatures send."""
    body, size = reading.body, 0
    imported, deltas = body["registers"][1]
    exported, power = body["registers"][2][0], body["registers"][64][0]
    for number, delta in enumerate(deltas, 1):
        imported += delta
        message = {
            "meter": reading.kid.hex(), "time": body["t0_s"] + number * body["step_s"], "import_wh": imported,
            "export_wh": exported, "power_w": power,
        }  # fmt: skip
        size += len(json.dumps(message, separators=(",", ":")))
    return size
