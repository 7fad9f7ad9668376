"""Whatever bytes come over the serial port: nothing crashes, nothing grows, and every frame in them is found."""

from pathlib import Path

import case
from hypothesis import given, settings
from hypothesis import strategies as st
from simulator.service import Board, packet, rpc, scan, wifi
from wattpact_meter.service import improv, wifi_settings

BYTES = st.binary(max_size=64)
KINDS = st.one_of(st.just(3), st.integers(0, 255))
FRAMES = st.builds(packet, KINDS, st.binary(max_size=255), st.one_of(st.just(1), st.integers(0, 255)))
COMMANDS = st.builds(rpc, st.integers(0, 255), st.binary(max_size=120))
ACCESS = st.builds(wifi, st.text(max_size=12), st.text(max_size=12))
WHOLE = st.one_of(FRAMES, COMMANDS, ACCESS)
CUT = st.builds(lambda data, at: data[:at], WHOLE, st.integers(0, 260))
HEADS = st.builds(lambda length: b"IMPROV\x01\x03" + bytes([length]), st.integers(0, 255))
PIECES = st.lists(st.one_of(BYTES, WHOLE, CUT, HEADS, st.just(b"IMPROV")), max_size=8)


@settings(max_examples=case.cases(4000, 300))
@given(PIECES)
def test_every_frame_is_found_and_no_more_is_kept_than_one(pieces: list[bytes]) -> None:
    frames = improv.Frames()
    found = []
    for piece in pieces:
        found += frames.feed(piece)
        assert len(frames._held) < improv.FRAME_BYTES and len(frames.outside) <= 2
    found += frames.cut()
    whole = b"".join(pieces)
    assert found == scan(whole)
    assert frames.rejected.keys() == improv.Frames().rejected.keys()
    taken = sum(len(data) + 10 for data in found)
    assert sum(frames.rejected.values()) <= len(whole) - taken
    assert not frames.is_within and frames.feed(rpc(2)) == [b"\x02\x00"]


def test_no_bytes_change_settings_or_end_in_an_error(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"wifi": null}')

    @settings(max_examples=case.cases(2_000, 300))
    @given(PIECES, st.integers(0, 2_000))
    def poll(pieces: list[bytes], pause_ms: int) -> None:
        board = Board(str(path), networks={})
        served = wifi_settings.WifiSettings(board)
        board.serial.incoming += pieces
        for _ in range(len(pieces) + 3):
            try:
                served.poll(board.now_ms)
            except KeyboardInterrupt:
                assert any(keys in b"".join(pieces) for keys in (b"\r\x03", b"\x03\x03"))
                break
            board.now_ms += pause_ms
        assert not served.is_done and len(board.serial.sent) < 2_000

    poll()
    assert path.read_text() == '{"wifi": null}' and [file.name for file in tmp_path.iterdir()] == ["settings.json"]
