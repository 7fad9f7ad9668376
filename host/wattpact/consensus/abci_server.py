"""The socket at which CometBFT calls the application: ABCI 2.0, as CometBFT 0.38 has it.

    a frame -> a request -> a method of the Application -> a response, in a frame

What always holds: the application is called from one thread, one call at a time, and the requests of a connection are
answered in their order; what it raises is logged and stops CometBFT, which then orders nothing; a frame that is longer
than MAX_FRAME_BYTES or is no request closes its connection. Protobuf stays in this module.
"""

import asyncio
import logging
import time
from pathlib import Path
from typing import NamedTuple, Protocol

from google.protobuf.message import DecodeError

from wattpact.consensus import abci_pb2 as abci
from wattpact.consensus import sockets

MAX_FRAME_BYTES = 4 << 20  # a block has at most 1 MB, and its proposal comes with what the validators voted
READ_BYTES = 1 << 18  # at once
TURN_S = 0.005  # of answering, before everything else gets a turn
REJECTED = 1  # the code of whatever has a reason

_LOG = logging.getLogger("wattpact.consensus")

Validators = list[tuple[bytes, int]]
"""Ed25519 public key and power of each; in an update, power 0 removes."""


class Finalized(NamedTuple):
    """What a block did: the state's hash after it, why each transaction had no effect (None where it had), and whose
    power changes."""

    app_hash: bytes
    reasons: list[str | None]
    validators: Validators


class Application(Protocol):
    """What is ordered, and what follows from it. Whatever a method raises stops CometBFT."""

    def info(self) -> tuple[int, bytes]:
        """Height and app hash of the last committed block; (0, b"") before the first."""

    def init_chain(self, app_state: bytes, validators: Validators) -> bytes:
        """The app hash that the chain starts with. Called again where CometBFT ended before the first block."""

    def check(self, transaction: bytes, is_new: bool) -> str | None:
        """Why it is no transaction; None where it may be ordered. Not new: a block was committed since it was one."""

    def prepare(self, transactions: list[bytes], max_bytes: int) -> list[bytes]:
        """What this host proposes as the next block, of at most that many bytes."""

    def process(self, height: int, transactions: list[bytes]) -> bool:
        """Whether a proposal may become a block; each host must decide the same, at whatever time."""

    def finalize(self, height: int, time_s: int, transactions: list[bytes]) -> Finalized:
        """Apply a decided block. It is durable only after `commit`; until then it may be called again."""

    def commit(self) -> None:
        """Keep what the block finalized last did, durably."""


class FrameError(ValueError):
    """What came is no frame with a request."""


class Server:
    """Listens at a socket of the file system from `start` to `stop`."""

    def __init__(self, application: Application, path: Path) -> None:
        self._application = application
        self._path = path
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Raises OSError."""
        self._server = await asyncio.start_unix_server(self._connected, sock=sockets.listening(self._path))

    async def stop(self) -> None:
        """The application is not called any more once this returns."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)
        connections = list(self._connections)
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = _Frames()
        try:
            while data := await reader.read(READ_BYTES):
                frames.add(data)
                while await self._answer_some(frames, writer):
                    await asyncio.sleep(0)
        except FrameError as error:
            _LOG.error("a connection of CometBFT was closed: %s", error)
        except OSError:
            pass  # CometBFT ended; its supervisor logs it
        finally:
            writer.close()

    async def _answer_some(self, frames: "_Frames", writer: asyncio.StreamWriter) -> bool:
        """Answer frames that are here, for as long as everything else may wait; whether there may be more. Raises
        FrameError, also where the application failed."""
        until_s = time.monotonic() + TURN_S
        answers = []
        try:
            while (data := frames.next()) is not None:
                response = answer(self._application, decode(data))
                answers.append(encode(response))
                if response.WhichOneof("value") == "exception":
                    raise FrameError("the application failed")
                if time.monotonic() >= until_s:
                    return True
            return False
        finally:
            writer.write(b"".join(answers))
            await writer.drain()


class _Frames:
    """What came of a connection, cut into frames."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._at = 0  # where the next one begins

    def add(self, data: bytes) -> None:
        del self._data[: self._at]
        self._at = 0
        self._data += data

    def next(self) -> bytes | None:
        """None where it is not here as a whole yet; raises FrameError."""
        size = shift = 0
        for at in range(self._at, len(self._data)):
            byte = self._data[at]
            size |= (byte & 0x7F) << shift
            shift += 7
            if size > MAX_FRAME_BYTES or shift > 28:
                raise FrameError(f"a frame is longer than {MAX_FRAME_BYTES} bytes")
            if byte < 0x80:
                end = at + 1 + size
                if end > len(self._data):
                    return None
                self._at = end
                return bytes(self._data[at + 1 : end])
        return None


def decode(data: bytes) -> abci.Request:
    """Raises FrameError."""
    try:
        request: abci.Request = abci.Request.FromString(data)
    except (DecodeError, ValueError) as error:
        raise FrameError(f"a frame has no request: {error}") from None
    if request.WhichOneof("value") is None:
        raise FrameError("a frame has a request that CometBFT 0.38 does not know")
    return request


def encode(response: abci.Response) -> bytes:
    """As a frame: how many bytes follow, seven bits a byte, the lowest first."""
    data: bytes = response.SerializeToString()
    head, size = bytearray(), len(data)
    while size >= 0x80:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head) + data


def answer(application: Application, request: abci.Request) -> abci.Response:
    """What the application answers; where it raises, an exception, after which CometBFT stops."""
    name = request.WhichOneof("value")
    try:
        return _answer(application, name, request)
    except Exception as error:
        _LOG.exception("nothing is ordered until CometBFT starts again: %s failed", name)
        return abci.Response(exception=abci.ResponseException(error=f"{name}: {type(error).__name__}: {error}"))


def _answer(application: Application, name: str, request: abci.Request) -> abci.Response:
    match name:
        case "flush":
            return abci.Response(flush=abci.ResponseFlush())
        case "check_tx":
            asked = request.check_tx
            reason = application.check(asked.tx, asked.type == abci.NEW)
            return abci.Response(check_tx=abci.ResponseCheckTx(code=_code(reason), log=reason or ""))
        case "prepare_proposal":
            chosen = application.prepare(list(request.prepare_proposal.txs), request.prepare_proposal.max_tx_bytes)
            return abci.Response(prepare_proposal=abci.ResponsePrepareProposal(txs=chosen))
        case "process_proposal":
            accepted = application.process(request.process_proposal.height, list(request.process_proposal.txs))
            verdict = abci.ResponseProcessProposal.ACCEPT if accepted else abci.ResponseProcessProposal.REJECT
            return abci.Response(process_proposal=abci.ResponseProcessProposal(status=verdict))
        case "finalize_block":
            return abci.Response(finalize_block=_finalize(application, request.finalize_block))
        case "commit":
            application.commit()
            return abci.Response(commit=abci.ResponseCommit(retain_height=0))
        case "info":
            height, app_hash = application.info()
            told = abci.ResponseInfo(data="wattpact", last_block_height=height, last_block_app_hash=app_hash)
            return abci.Response(info=told)
        case "init_chain":
            validators = [(one.pub_key.ed25519, one.power) for one in request.init_chain.validators]
            app_hash = application.init_chain(request.init_chain.app_state_bytes, validators)
            return abci.Response(init_chain=abci.ResponseInitChain(app_hash=app_hash))
        case _:
            return _UNUSED[name] if name in _UNUSED else abci.Response(echo={"message": request.echo.message})


def _finalize(application: Application, block: abci.RequestFinalizeBlock) -> abci.ResponseFinalizeBlock:
    transactions = list(block.txs)
    done = application.finalize(block.height, block.time.seconds, transactions)
    if len(done.reasons) != len(transactions):
        raise ValueError(f"{len(transactions)} transactions have {len(done.reasons)} outcomes")
    return abci.ResponseFinalizeBlock(
        app_hash=done.app_hash,
        tx_results=[abci.ExecTxResult(code=_code(reason), log=reason or "") for reason in done.reasons],
        validator_updates=[
            abci.ValidatorUpdate(pub_key=abci.PublicKey(ed25519=key), power=power) for key, power in done.validators
        ],
    )


def _code(reason: str | None) -> int:
    return 0 if reason is None else REJECTED


# What CometBFT requests of applications that have queries, snapshots or extended votes.
_UNUSED = {
    "query": abci.Response(query=abci.ResponseQuery(code=REJECTED, log="nothing is answered here")),
    "list_snapshots": abci.Response(list_snapshots=abci.ResponseListSnapshots()),
    "offer_snapshot": abci.Response(
        offer_snapshot=abci.ResponseOfferSnapshot(result=abci.ResponseOfferSnapshot.REJECT)
    ),
    "load_snapshot_chunk": abci.Response(load_snapshot_chunk=abci.ResponseLoadSnapshotChunk()),
    "apply_snapshot_chunk": abci.Response(
        apply_snapshot_chunk=abci.ResponseApplySnapshotChunk(result=abci.ResponseApplySnapshotChunk.ABORT)
    ),
    "extend_vote": abci.Response(extend_vote=abci.ResponseExtendVote()),
    "verify_vote_extension": abci.Response(
        verify_vote_extension=abci.ResponseVerifyVoteExtension(status=abci.ResponseVerifyVoteExtension.ACCEPT)
    ),
}
