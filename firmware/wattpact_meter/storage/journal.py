"""The journal: this meter's own entries in flash, durable before `append` returns.

A folder of segments, each named by the sequence of its first record; all but the last are never written again.

    record = "WJ" | length (2) | sequence (8) | CRC-32 (4) | entry          numbers big-endian, the CRC over all else

What always holds: sequences follow one another, and nothing that `append` returned from is lost to a power cut at any
byte. Unsealing drops what was being written when power went. A record that does not check anywhere else, or that the
flash cannot read, is damage: it is named in `missing`, and the records after it that check are kept; nothing is
appended to a segment that has it. Whether the newest records are there only who appended them can know: `skip_to`.
A segment ends where the next begins, so that a record whose append failed gives way to the one in its place.
"""

import binascii
import os

from wattpact_protocol import steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from typing import BinaryIO

SEGMENT_BYTES = 16 * 1024
MAX_RECORD_BYTES = 1024
_MAX_MISSING = 16  # ranges that are remembered
_MAX_SEGMENTS = 32  # whose names fit half a block: littlefs splits a larger folder, and half of a new one has no twin
_MAGIC = b"WJ"
_HEAD_BYTES = 16
_RECORDS_A_STEP = 4
_NO_SPACE = 28  # ENOSPC
_SUFFIX = ".log"


class JournalError(Exception):
    """The journal cannot do that; nothing was changed that an append had acknowledged."""


class JournalFull(JournalError):
    """There is no room for another entry until some are pruned."""


class Segment:
    """One file: records `first` to `end` - 1, in its `size` bytes. is_broken: littlefs cannot follow it."""

    def __init__(self, first: int, end: int, size: int) -> None:
        self.first = first
        self.end = end
        self.size = size
        self.is_broken = False


def flushed(file: "BinaryIO") -> None:
    """What littlefs needs to make a file's content durable, and a POSIX file to survive the end of the process."""
    file.flush()


class Journal:
    """Journal(directory): opens it, or makes it. `fsync(file)` makes what was written durable.

    missing: [first, after) ranges of lost sequences, _MAX_MISSING of them, of which the last may cover more than was
    lost; dropped_bytes: what was cut off from writes that power cuts interrupted.
    """

    def __init__(
        self,
        directory: str,
        fsync: "Callable[[BinaryIO], None]" = flushed,
        limit_bytes: int = 512 * 1024,
        segment_bytes: int = 0,
    ) -> None:
        self._directory = directory
        self._fsync = fsync
        self._limit_bytes = limit_bytes
        self._segment_bytes = segment_bytes or max(SEGMENT_BYTES, limit_bytes // _MAX_SEGMENTS)
        self._segments: list[Segment] = []
        self._file: BinaryIO | None = None
        self._sealed = True  # nothing more may be written to the last segment
        self._after_read = (-1, 0, 0)  # segment, the sequence after the one last read, and where it is
        self._next = 0  # as long as there is no segment
        self.missing: list[tuple[int, int]] = []
        self.dropped_bytes = 0
        _make_directory(directory)
        self._open()

    @property
    def first(self) -> int:
        """The lowest sequence that is held; next_sequence when none is."""
        return self._segments[0].first if self._segments else self._next

    @property
    def next_sequence(self) -> int:
        return self._segments[-1].end if self._segments else self._next

    @property
    def size_bytes(self) -> int:
        return sum([segment.size for segment in self._segments])

    def append(self, raw: bytes, sequence: int) -> None:
        """Keep the entry; durable when this returns. Raises JournalFull or JournalError, and the entry is not kept."""
        if sequence != self.next_sequence:
            raise JournalError("sequence %d does not follow, %d is next" % (sequence, self.next_sequence))
        if not 0 < len(raw) <= MAX_RECORD_BYTES:
            raise JournalError("an entry has 1 to %d bytes, not %d" % (MAX_RECORD_BYTES, len(raw)))
        if self.size_bytes + _HEAD_BYTES + len(raw) > self._limit_bytes:
            raise JournalFull("the journal has reached its %d bytes" % self._limit_bytes)
        record = _frame(raw, sequence)
        try:
            file = self._writable(len(record))
            if file.write(record) != len(record):
                raise OSError(_NO_SPACE, "written in part")
            self._fsync(file)
        except Exception as error:
            self._seal()  # whatever is there of the record gives way to the one in its place
            if not isinstance(error, OSError):
                raise
            if error.errno == _NO_SPACE:
                raise JournalFull("flash is full")
            raise JournalError("flash failed: %s" % error)
        self._segments[-1].size += len(record)
        self._segments[-1].end = sequence + 1

    def read(self, sequence: int) -> "bytes | None":
        """The entry with that sequence, or None where there is none or it is damaged."""
        return steps.finish(self.read_steps(sequence))

    def read_steps(self, sequence: int) -> "Generator[None, None, bytes | None]":
        """As `read`, giving way between records: a place that is not behind the last one read is looked for from the
        begin of its segment."""
        segment = self._find(sequence)
        if segment is None:
            return None
        first, known, start = self._after_read
        if first != segment.first or known > sequence:
            start = 0
        try:
            with open(self._path(segment.first), "rb") as file:
                for looked_at, (found, at, raw) in enumerate(_records(file, segment.size, start), 1):
                    if looked_at % _RECORDS_A_STEP == 0:
                        yield
                    if found == sequence:
                        self._after_read = (segment.first, sequence + 1, at + _HEAD_BYTES + len(raw))
                        return raw
                    if found > sequence:
                        break
        except OSError:
            segment.is_broken = True
        self._note_missing(sequence, sequence + 1)
        return None

    @property
    def lost_to(self) -> int:
        """The sequence behind the last entry that was lost, 0 where none was."""
        return max([after for _, after in self.missing] + [0])

    def prune(self, before_sequence: int) -> None:
        """Drop segments that hold nothing at or after that sequence; the last segment stays, whatever it holds."""
        while len(self._segments) > 1 and self._segments[0].end <= before_sequence:
            self._remove(self._segments[0])
        self.missing = [found for found in self.missing if found[1] > self.first]

    def skip_to(self, sequence: int) -> None:
        """Go on at that sequence: what is between here and there was appended, and is lost."""
        self._seal()
        if sequence > self.next_sequence:
            self._note_missing(self.next_sequence, sequence)
            self._next = sequence
            if self._segments:
                self._segments[-1].end = sequence

    def drop_broken(self) -> None:
        """Drop the segments that littlefs cannot follow: while it meets one it finds no free block to write to."""
        after = self.next_sequence
        for segment in [segment for segment in self._segments if segment.is_broken]:
            self._seal()
            self._note_missing(segment.first, segment.end)
            self._remove(segment)
        self.skip_to(after)

    def clear(self) -> None:
        """Drop everything, and begin again at sequence 0."""
        self._seal()
        while self._segments:
            self._remove(self._segments[0])  # the newest last: where flash fails in between no sequence is free again
        self.missing = []
        self._next = 0

    def close(self) -> None:
        self._seal()

    def _remove(self, segment: Segment) -> None:
        try:
            os.remove(self._path(segment.first))
        except OSError as error:
            raise JournalError("flash failed: %s" % error)
        self._segments.remove(segment)

    def _open(self) -> None:
        firsts = sorted([int(name[: -len(_SUFFIX)]) for name in os.listdir(self._directory) if _is_segment(name)])
        for place, first in enumerate(firsts):
            limit = firsts[place + 1] if place + 1 < len(firsts) else None
            segment = Segment(first, first, 0)
            self._sealed = self._scan(segment, limit)
            self._segments.append(segment)
            if limit is not None and segment.end < limit:
                self._note_missing(segment.end, limit)
                segment.end = limit

    def _scan(self, segment: Segment, limit: "int | None") -> bool:
        """Find where the segment's records end; True if nothing may follow them in it: it holds other bytes too."""
        end, is_whole = 0, True
        try:
            with open(self._path(segment.first), "rb") as file:
                segment.size = file.seek(0, 2)
                for sequence, at, raw in _records(file, segment.size, 0):
                    if limit is not None and sequence >= limit:
                        break
                    if sequence > segment.end:
                        self._note_missing(segment.end, sequence)
                    is_whole = is_whole and at == end
                    segment.end = max(segment.end, sequence + 1)
                    end = at + _HEAD_BYTES + len(raw)
        except OSError:
            segment.is_broken = True
            is_whole = False
        self.dropped_bytes += segment.size - end
        return segment.size > end or not is_whole

    def _writable(self, length: int) -> "BinaryIO":
        """The file to append to: the last segment, or a new one where that is full or its tail was torn."""
        last = self._segments[-1] if self._segments else None
        if last is None or self._sealed or last.size + length > self._segment_bytes:
            self._seal()
            self._begin_segment()
        elif self._file is None:
            self._file = open(self._path(last.first), "ab", 0)
        assert self._file is not None
        return self._file

    def _begin_segment(self) -> None:
        first = self.next_sequence
        self._file = open(self._path(first), "wb", 0)  # what may be there under this name holds no record
        if self._segments and self._segments[-1].first == first:
            del self._segments[-1]
        self._segments.append(Segment(first, first, 0))
        self._sealed = False

    def _seal(self) -> None:
        self._sealed = True
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError:
                pass  # what it held was flushed, or not acknowledged

    def _find(self, sequence: int) -> "Segment | None":
        for segment in self._segments:
            if segment.first <= sequence < segment.end:
                return segment
        return None

    def _note_missing(self, first: int, after: int) -> None:
        if any(begin <= first and after <= end for begin, end in self.missing):
            return
        if len(self.missing) == _MAX_MISSING:
            begin, end = self.missing.pop()
            first, after = min(begin, first), max(end, after)
        self.missing.append((first, after))

    def _path(self, first: int) -> str:
        return "%s/%010d%s" % (self._directory, first, _SUFFIX)


def _frame(raw: bytes, sequence: int) -> bytes:
    head = _MAGIC + len(raw).to_bytes(2, "big") + sequence.to_bytes(8, "big")
    return head + _crc(head, raw) + raw


def _crc(head: bytes, raw: bytes) -> bytes:
    return (binascii.crc32(raw, binascii.crc32(head)) & 0xFFFFFFFF).to_bytes(4, "big")


def _records(file: "BinaryIO", size: int, at: int) -> "Iterator[tuple[int, int, bytes]]":
    """(sequence, where, entry) of every record that checks, from `at` on; what does not check is stepped over."""
    while at + _HEAD_BYTES < size:
        found = _record_at(file, at)
        if found is None:
            at = _next_magic(file, size, at + 1)
            continue
        sequence, raw = found
        yield sequence, at, raw
        at += _HEAD_BYTES + len(raw)


def _record_at(file: "BinaryIO", at: int) -> "tuple[int, bytes] | None":
    file.seek(at)
    head = file.read(_HEAD_BYTES)
    if len(head) < _HEAD_BYTES or head[:2] != _MAGIC:
        return None
    length = int.from_bytes(head[2:4], "big")
    if not 0 < length <= MAX_RECORD_BYTES:
        return None
    raw = file.read(length)
    if len(raw) != length or _crc(head[:12], raw) != head[12:]:
        return None
    return int.from_bytes(head[4:12], "big"), raw


def _next_magic(file: "BinaryIO", size: int, at: int) -> int:
    """Where the next record may begin, `size` if nowhere."""
    while at + _HEAD_BYTES < size:
        file.seek(at)
        chunk = file.read(256)
        place = chunk.find(_MAGIC)
        if place >= 0:
            return at + place
        at += max(1, len(chunk) - 1)
    return size


def _is_segment(name: str) -> bool:
    return name.endswith(_SUFFIX) and name[: -len(_SUFFIX)].isdigit()


def _make_directory(path: str) -> None:
    try:
        os.mkdir(path)
    except OSError as error:
        if error.errno != 17:  # EEXIST
            raise JournalError("%s cannot be made: %s" % (path, error))
