"""The host's requests to its CometBFT: JSON-RPC over HTTP, on a socket of the file system.

What always holds: nothing is waited for longer than TIMEOUT_S, and no more than MAX_ANSWER_BYTES are read; whatever
goes wrong is an RpcError; to do it again is harmless, since a transaction that CometBFT has already is ordered once.
"""

import asyncio
import base64
import contextlib
import http.client
import json
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from wattpact.consensus import sockets

TIMEOUT_S = 10
MAX_ANSWER_BYTES = 4 << 20
# What one HTTP request may carry. CometBFT is configured to take that much.
MAX_BATCH = 256
MAX_BODY_BYTES = 4_000_000
MAX_TRANSACTION_BYTES = 65_536
MAX_VALIDATORS = 100  # of one page of CometBFT's

_IN_CACHE = "tx already exists in cache"
_OVERHEAD_BYTES = 100  # of one transaction's request


class RpcError(Exception):
    """CometBFT did not answer, or cannot do now what was requested; the text is why."""


class Status(NamedTuple):
    """Where CometBFT is. `height` and `time_s` are of the last block, 0 before the first; it is `catching_up` while it
    fetches blocks that others ordered before; `validators` decide the next block: public key and power of each."""

    height: int
    time_s: int
    catching_up: bool
    peers: int
    validators: list[tuple[bytes, int]]


class Client:
    """One connection, made when it is needed; requests are sent one after another."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: http.client.HTTPConnection | None = None
        self._calling = threading.Lock()  # of the threads: one that nobody waits for any more still has the connection

    async def broadcast(self, transactions: Sequence[bytes]) -> list[str | None]:
        """Give transactions to be ordered: for each None where CometBFT has it now, had it or ordered it a short while
        ago, else why the application rejects it. Each is waited for before the next, some milliseconds.
        Raises RpcError where some could not be taken now."""
        return await self._give("broadcast_tx_sync", transactions)

    async def send(self, transactions: Sequence[bytes]) -> list[str | None]:
        """As `broadcast`, without waiting for what the application makes of them, so that many are as fast as one."""
        return await self._give("broadcast_tx_async", transactions)

    async def _give(self, method: str, transactions: Sequence[bytes]) -> list[str | None]:
        reasons: list[str | None] = []
        for batch in _batches(transactions):
            requests = [(method, {"tx": base64.b64encode(one).decode()}) for one in batch]
            answers = iter(await self._ask([one for one, bare in zip(requests, batch, strict=True) if _fits(bare)]))
            reasons += [_reason(next(answers)) if _fits(one) else _TOO_LONG for one in batch]
        return reasons

    async def status(self) -> Status:
        """Raises RpcError."""
        validators = {"page": "1", "per_page": str(MAX_VALIDATORS)}
        answers = await self._ask([("status", {}), ("net_info", {}), ("validators", validators)])
        state, net, chosen = (_result(one) for one in answers)
        with _understood():
            return Status(
                height=int(state["sync_info"]["latest_block_height"]),
                time_s=_unix_s(state["sync_info"]["latest_block_time"]),
                catching_up=bool(state["sync_info"]["catching_up"]),
                peers=int(net["n_peers"]),
                validators=[
                    (base64.b64decode(one["pub_key"]["value"]), int(one["voting_power"]))
                    for one in chosen["validators"]
                ],
            )

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    async def _ask(self, requests: list[tuple[str, dict[str, str]]]) -> list[Any]:
        """The answer to each, in their order."""
        if not requests:
            return []
        calls = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}
            for number, (method, parameters) in enumerate(requests)
        ]
        raw = await asyncio.to_thread(self._post, json.dumps(calls).encode())
        with _understood():
            found = json.loads(raw)
            answers = found if isinstance(found, list) else [found]  # CometBFT answers one request without a list
            if len(answers) == 1 and answers[0]["id"] is None:
                _result(answers[0])  # what is wrong with the request as a whole
            by_number = {one["id"]: one for one in answers}
            return [by_number[number] for number in range(len(requests))]

    def _post(self, body: bytes) -> bytes:
        """Once more on a new connection, where CometBFT closed the one that was not used for a while."""
        with self._calling:
            try:
                if self._connection is not None:
                    with contextlib.suppress(ConnectionError, http.client.BadStatusLine):
                        return self._exchange(self._connection, body)
                self.close()
                self._connection = _Connection(self._path)
                return self._exchange(self._connection, body)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                raise RpcError(f"CometBFT does not answer: {error or type(error).__name__}") from None

    def _exchange(self, connection: http.client.HTTPConnection, body: bytes) -> bytes:
        connection.request("POST", "/", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        data = answer.read(MAX_ANSWER_BYTES + 1)
        if len(data) > MAX_ANSWER_BYTES:
            raise http.client.HTTPException(f"its answer has more than {MAX_ANSWER_BYTES} bytes")
        return data


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = sockets.connected(self._path, TIMEOUT_S)


_TOO_LONG = f"a transaction has at most {MAX_TRANSACTION_BYTES} bytes"


def _fits(transaction: bytes) -> bool:
    return len(transaction) <= MAX_TRANSACTION_BYTES


def _batches(transactions: Sequence[bytes]) -> Iterator[list[bytes]]:
    """In their order, each as much as one request carries."""
    batch: list[bytes] = []
    room = MAX_BODY_BYTES
    for one in transactions:
        needed = _OVERHEAD_BYTES + 4 * (len(one) // 3 + 1) if _fits(one) else 0
        if len(batch) == MAX_BATCH or needed > room:
            yield batch
            batch, room = [], MAX_BODY_BYTES
        batch.append(one)
        room -= needed
    if batch:
        yield batch


def _reason(answer: Any) -> str | None:
    """Why a transaction was not taken; raises RpcError where that is not for its content."""
    with _understood():
        if str((answer.get("error") or {}).get("data", "")) == _IN_CACHE:
            return None
        result = _result(answer)
        return None if result["code"] == 0 else str(result["log"])


def _result(answer: Any) -> Any:
    with _understood():
        if answer.get("error"):
            error = answer["error"]
            raise RpcError(f"CometBFT: {error.get('data') or error['message']}")
        return answer["result"]


@contextlib.contextmanager
def _understood() -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise RpcError(f"CometBFT's answer is not understood: {type(error).__name__}: {error}") from None


def _unix_s(text: str) -> int:
    """Of a time as CometBFT writes it; 0 for the year 1, its "never"."""
    return max(0, int(datetime.fromisoformat(text[:19] + "+00:00").timestamp()))
