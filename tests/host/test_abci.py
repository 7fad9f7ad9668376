"""The application's socket: frames, their bounds, and what an application's answers become. No CometBFT here."""

import asyncio
import contextlib
import logging

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from wattpact.consensus import abci_pb2 as abci
from wattpact.consensus import abci_server, sockets
from wattpact.consensus.abci_server import Finalized, FrameError, Server

KEY = bytes(range(32))


class Application:
    """Answers from a table, and remembers its calls."""

    def __init__(self, **answers):
        self.answers = answers
        self.calls = []

    def __getattr__(self, name):
        def called(*arguments):
            self.calls.append((name, *arguments))
            answer = self.answers.get(name)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return called


def request(**value):
    return abci.Request(**value)


def frame(message):
    return abci_server.encode(message)


def responses(data):
    """All that is in the frames of an answer."""
    found = []
    while data:
        size = shift = 0
        while True:
            byte, data = data[0], data[1:]
            size, shift = size | (byte & 127) << shift, shift + 7
            if byte < 128:
                break
        found.append(abci.Response.FromString(data[:size]))
        data = data[size:]
    return found


async def exchange(path, data, application, ends=True):
    """What comes back for some bytes until the server closes, or, where they end, is done with them."""
    server = Server(application, path)
    await server.start()
    try:
        with sockets.reachable(path) as name:
            reader, writer = await asyncio.open_unix_connection(name)
        writer.write(data)
        if ends:
            writer.write_eof()
        with contextlib.suppress(ConnectionResetError):
            return responses(await asyncio.wait_for(reader.read(), 10))
    finally:
        writer.close()
        await server.stop()


def call(path, *requests, **answers):
    application = Application(**answers)
    data = b"".join(map(frame, requests))
    return asyncio.run(exchange(path, data, application)), application.calls


@pytest.fixture
def path(tmp_path):
    return tmp_path / "abci.sock"


def test_a_block_from_its_proposal_to_its_commit(path):
    time = {"seconds": 1_700_000_000, "nanos": 5}
    update = {"pub_key": {"ed25519": KEY}, "power": 10}
    found, calls = call(
        path,
        request(info={"version": "0.38.26"}),
        request(init_chain={"chain_id": "c", "validators": [update], "app_state_bytes": b"{}"}),
        request(check_tx={"tx": b"one"}),
        request(check_tx={"tx": b"two", "type": abci.RECHECK}),
        request(prepare_proposal={"max_tx_bytes": 99, "txs": [b"one", b"two"], "height": 8}),
        request(process_proposal={"txs": [b"one"], "height": 8}),
        request(finalize_block={"txs": [b"one", b"two"], "height": 8, "time": time}),
        request(commit={}),
        info=(7, b"hash"), init_chain=b"first", check=None, prepare=[b"two"], process=True,
        finalize=Finalized(b"next", [None, "too late"], [(KEY, 0)]),
    )  # fmt: skip
    assert calls == [
        ("info",), ("init_chain", b"{}", [(KEY, 10)]), ("check", b"one", True), ("check", b"two", False),
        ("prepare", [b"one", b"two"], 99), ("process", 8, [b"one"]),
        ("finalize", 8, 1_700_000_000, [b"one", b"two"]), ("commit",),
    ]  # fmt: skip
    info, first, new, again, proposal, verdict, done, committed = found
    assert (info.info.last_block_height, info.info.last_block_app_hash) == (7, b"hash")
    assert first.init_chain.app_hash == b"first"
    assert new.check_tx.code == again.check_tx.code == 0 and new.WhichOneof("value") == "check_tx"
    assert list(proposal.prepare_proposal.txs) == [b"two"]
    assert verdict.process_proposal.status == abci.ResponseProcessProposal.ACCEPT
    assert [(one.code, one.log) for one in done.finalize_block.tx_results] == [(0, ""), (1, "too late")]
    assert [(one.pub_key.ed25519, one.power) for one in done.finalize_block.validator_updates] == [(KEY, 0)]
    assert done.finalize_block.app_hash == b"next"
    assert committed.WhichOneof("value") == "commit" and committed.commit.retain_height == 0


def test_what_is_rejected(path):
    calls = [request(check_tx={"tx": b"one"}), request(process_proposal={"txs": [b"one"], "height": 8})]
    (checked, proposed), _ = call(path, *calls, check="it is none", process=False)
    assert (checked.check_tx.code, checked.check_tx.log) == (1, "it is none")
    assert proposed.process_proposal.status == abci.ResponseProcessProposal.REJECT


def test_what_is_not_used_is_answered(path):
    names = [
        "echo", "flush", "query", "list_snapshots", "offer_snapshot", "load_snapshot_chunk", "apply_snapshot_chunk",
        "extend_vote", "verify_vote_extension",
    ]  # fmt: skip
    found, calls = call(path, *(request(**{name: {}}) for name in names))
    assert calls == []
    assert [one.WhichOneof("value") for one in found] == names
    assert found[-1].verify_vote_extension.status == abci.ResponseVerifyVoteExtension.ACCEPT
    assert found[names.index("query")].query.code == 1


def test_every_request_of_the_protocol_has_its_response(path):
    """By name, as CometBFT matches them."""
    answers = {
        "info": (1, b""), "init_chain": b"", "prepare": [], "process": True, "finalize": Finalized(b"", [], []),
    }  # fmt: skip
    for field in abci.Request.DESCRIPTOR.fields:
        (found,), _ = call(path, request(**{field.name: {}}), **answers)
        assert found.WhichOneof("value") == field.name


def test_an_application_that_raises_stops_cometbft(path, caplog):
    found, calls = call(path, request(commit={}), request(check_tx={"tx": b"1"}), commit=OSError("the disk is full"))
    assert [one.exception.error for one in found] == ["commit: OSError: the disk is full"]
    assert calls == [("commit",)]
    assert "commit failed" in caplog.text and "Traceback" in caplog.text


@pytest.mark.parametrize("reasons", [[], [None, None]])
def test_an_outcome_for_each_transaction_or_none_at_all(path, reasons):
    block = request(finalize_block={"txs": [b"one"], "height": 1})
    found, _ = call(path, block, finalize=Finalized(b"", reasons, []))
    assert found[0].WhichOneof("value") == "exception"


def test_a_transaction_may_be_as_long_as_a_frame_allows(path):
    longest = abci_server.MAX_FRAME_BYTES - 16
    (found,), calls = call(path, request(check_tx={"tx": bytes(longest)}))
    assert found.check_tx.code == 0 and len(calls[0][1]) == longest


@pytest.mark.parametrize(
    "data",
    [
        frame(abci.Request(check_tx={"tx": bytes(abci_server.MAX_FRAME_BYTES)})),
        b"\xff\xff\xff\xff\x7f",
        b"\xff" * 99,
        b"\x80\x80\x80\x80\x80\x00",
        b"\x00",
        b"\x03abc",
        b"\x02\x0a\x05",
        frame(abci.Response(check_tx={"log": "a response is no request"})),
    ],
    ids=["long", "longer", "endless", "padded", "empty", "text", "cut", "response"],
)
def test_what_is_no_frame_with_a_request_ends_its_connection_alone(path, data, caplog):
    """Though what came before it is answered, and others still are."""

    async def live():
        application = Application()
        server = Server(application, path)
        await server.start()
        reader, writer = await asyncio.open_unix_connection(str(path))
        other_reader, other_writer = await asyncio.open_unix_connection(str(path))
        writer.write(frame(request(flush={})) + data)
        with contextlib.suppress(ConnectionResetError):
            assert len(responses(await asyncio.wait_for(reader.read(), 10))) == 1
        other_writer.write(frame(request(check_tx={"tx": b"one"})))
        assert await asyncio.wait_for(other_reader.read(99), 10)
        assert application.calls == [("check", b"one", True)]
        writer.close()
        other_writer.close()
        await server.stop()

    asyncio.run(live())
    assert "a connection of CometBFT was closed" in caplog.text


@given(st.lists(st.binary(max_size=9), max_size=9), st.integers(1, 7))
def test_requests_are_answered_in_their_order_however_they_come(tmp_path_factory, transactions, step):
    path = tmp_path_factory.mktemp("abci") / "abci.sock"

    async def live():
        application = Application()
        server = Server(application, path)
        await server.start()
        reader, writer = await asyncio.open_unix_connection(str(path))
        data = b"".join(frame(request(check_tx={"tx": one})) for one in transactions) + frame(request(flush={}))
        for at in range(0, len(data), step):
            writer.write(data[at : at + step])
            await asyncio.sleep(0)
        writer.write_eof()
        found = responses(await asyncio.wait_for(reader.read(), 10))
        writer.close()
        await server.stop()
        assert [one.WhichOneof("value") for one in found] == ["check_tx"] * len(transactions) + ["flush"]
        assert application.calls == [("check", one, True) for one in transactions]

    asyncio.run(live())


FIELDS = st.builds(
    lambda number, kind, rest: bytes([(number << 3 | kind) & 127]) + rest,
    st.integers(0, 20), st.integers(0, 7), st.binary(max_size=40),
)  # fmt: skip


@given(st.one_of(st.binary(max_size=200), st.lists(FIELDS, max_size=5).map(b"".join)))
def test_decode_raises_its_one_error(data):
    try:
        found = abci_server.decode(data)
    except FrameError:
        return
    assert found.WhichOneof("value")
    with contextlib.suppress(DecodeError):
        assert abci_server.answer(Application(finalize=1, info=(1, b"")), found).WhichOneof("value")


def test_the_socket_is_its_owners_alone_and_a_stale_one_is_replaced(tmp_path, caplog):
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    path = folder / "abci.sock"
    sockets.listening(path).close()
    assert path.is_socket() and path.stat().st_mode & 0o777 == 0o600
    with caplog.at_level(logging.ERROR):
        found = asyncio.run(exchange(path, frame(request(flush={})), Application()))
    assert len(found) == 1 and not path.exists()
    assert caplog.text == ""


def test_nothing_is_called_after_stop(path):
    async def live():
        application = Application()
        server = Server(application, path)
        await server.start()
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(frame(request(flush={})))
        await reader.read(99)
        await server.stop()
        writer.write(frame(request(commit={})))
        await asyncio.sleep(0.05)
        assert application.calls == []
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()

    asyncio.run(live())
