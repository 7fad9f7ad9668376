"""One submission of a head to a witness over HTTP: C2SP tlog-witness, `POST /add-checkpoint`.

    old 811                      how many blocks the witness's last head had
    PlRNCrwHpqhGrupue0L7gx...    the proof that the tree grew from that one, a hash a line

    wattpact/0f3c...             an empty line, then the head

What always holds: a submission ends within DEADLINE_S and reads at most MAX_ANSWER_BYTES, whatever answers; it goes to
the address that it was given and follows no redirect.
"""

import base64
import contextlib
import http.client
import socket
import threading
from typing import NamedTuple
from urllib.parse import urlsplit

DEADLINE_S = 5
MAX_ANSWER_BYTES = 16 << 10
MAX_REQUEST_BYTES = 32 << 10
MAX_PROOF_LINES = 63
PATH = "/add-checkpoint"
SIZE_TYPE = "text/x.tlog.size"
OK, BAD_REQUEST, FORBIDDEN, NOT_FOUND, CONFLICT, UNPROCESSABLE = 200, 400, 403, 404, 409, 422


class SubmissionError(ValueError):
    """An address that is none, a witness that does not answer, or bytes that are no request; the text shows which."""


class Answer(NamedTuple):
    status: int
    text: str


def check_url(url: str) -> str:
    """The address of a witness without a slash at its end; raises SubmissionError."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if (
        not good
        or parts.username is not None
        or parts.query
        or parts.fragment
        or not url.isascii()
        or not url.isprintable()
        or " " in url
    ):
        raise SubmissionError(f"{url!r} is no address of a witness; write it like https://witness.example/path")
    return url.rstrip("/")


def encode(old: int, proof: list[bytes], head: str) -> bytes:
    lines = [f"old {old}", *(base64.b64encode(one).decode() for one in proof), "", head]
    return "\n".join(lines).encode()


def decode(body: bytes) -> tuple[int, list[bytes], str]:
    """(old size, proof, head) of a request; raises SubmissionError."""
    try:
        above, head = body.decode().split("\n\n", 1)
        first, *lines = above.split("\n")
        old = first.removeprefix("old ")
        proof = [base64.b64decode(line, validate=True) for line in lines]
    except ValueError:
        raise SubmissionError("the request has no size, proof and head") from None
    if not first.startswith("old ") or not is_size(old) or len(proof) > MAX_PROOF_LINES:
        raise SubmissionError("the request has no old size, or too long a proof")
    return int(old), proof, head


def is_size(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19 and (text == "0" or text[0] != "0")


def post(url: str, body: bytes) -> Answer:
    """Submit to the witness at that address; raises SubmissionError."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=DEADLINE_S)
    connected: list[socket.socket] = []
    is_late = threading.Event()
    ending = threading.Timer(DEADLINE_S, _cut, [connection, connected, is_late])
    ending.daemon = True
    ending.start()
    try:
        connection.connect()
        connected.append(connection.sock)  # which a connection lets go of once an answer begins
        headers = {"Content-Type": "text/plain; charset=utf-8", "Connection": "close"}
        connection.request("POST", parts.path + PATH, body, headers)
        response = connection.getresponse()
        text = response.read(MAX_ANSWER_BYTES + 1).decode()
        if is_late.is_set():
            raise TimeoutError(f"it did not end within {DEADLINE_S} s")
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise SubmissionError(f"no answer from {url}: {_reason(error)}") from None
    finally:
        ending.cancel()
        connection.close()
    if len(text) > MAX_ANSWER_BYTES:
        raise SubmissionError(f"the answer from {url} is longer than {MAX_ANSWER_BYTES} bytes")
    return Answer(response.status, text)


def _cut(connection: http.client.HTTPConnection, connected: list[socket.socket], is_late: threading.Event) -> None:
    """End a connection for the thread that waits for it, which then knows why."""
    is_late.set()
    held = connected[0] if connected else connection.sock
    if held is not None:
        with contextlib.suppress(OSError):
            held.shutdown(socket.SHUT_RDWR)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
