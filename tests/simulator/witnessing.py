"""Heads of a ledger that grows as a test wants it, honest or not; and witnesses without a network.

log = Log(community)
log.append(3); log.head()                  the head over all blocks, signed by the community's host
other = log.branch(2)                      another history from block 2 on, by the same host
answer = keeper.add_checkpoint(log.submission(old), now_s)

WITNESSES cosign the head in the bundle of a month without a program; KEYS are theirs.
"""

import io
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from wattpact.bundle import cosigned
from wattpact.bundle import format as bundle_format
from wattpact.keys import Signer
from wattpact.ordering import cosigning, submitting
from wattpact.witness import keeper as keeping
from wattpact.witness.keeper import Keeper, Pinned
from wattpact_protocol.encoding import cbor
from wattpact_protocol.ledger import checkpoints, tree
from wattpact_protocol.log import ids

from simulator.community import START_S

NAME = "pi.example/house-4"
NOW_S = START_S + 5
WITNESSES = [(f"w{number}.example", Signer(ids.sha256(bytes([number])))) for number in range(3)]
KEYS = tuple(cosigned.WitnessKey(name, signer.public_key) for name, signer in WITNESSES)


class Log:
    """`leaves`: what stands for headers of blocks."""

    def __init__(self, community, leaves=()):
        self.community = community
        self.leaves = []
        self._tree = tree.Tree({})
        for leaf in leaves:
            self._append(leaf)

    def append(self, count, what="block"):
        for _ in range(count):
            self._append(f"{what} {len(self.leaves)}".encode())

    def _append(self, leaf):
        self.leaves.append(leaf)
        self._tree.append(tree.leaf_hash(leaf))

    def branch(self, size):
        return Log(self.community, self.leaves[:size])

    def point(self, size=None):
        size = len(self.leaves) if size is None else size
        return checkpoints.Checkpoint(checkpoints.origin_of(self.community.id), size, self._tree.root(size))

    def head(self, size=None, host=None):
        point, host = self.point(size), host or self.community.host
        checkpoints.sign(point, host.public_key, host.sign)
        return point

    def submission(self, old, size=None, host=None):
        head = self.head(size, host)
        proof = self._tree.consistency(old, head.size) if old <= head.size else []
        return submitting.encode(old, proof, head.text)


class Direct:
    """Submissions that reach a keeper by a call; `bodies` are all of them."""

    def __init__(self, keeper, clock):
        self.keeper, self.clock = keeper, clock
        self.bodies = []

    def __call__(self, url, body):
        self.bodies.append(body)
        return self.keeper.add_checkpoint(body, self.clock())


def keeper_of(directory, community, name=NAME):
    keeping.create(directory, Pinned(name, community.root.public_key, community.host.public_key))
    return Keeper(directory)


def witnesses_of(directory, host):
    """Three, to which the host submits its head from now on."""
    made = [keeper_of(directory / f"w{number}", host, f"w{number}.example") for number in range(3)]
    for keeper in made:
        cosigning.add(host.sink.store, keeper.key, f"http://{keeper.key.name}", host.now_s)
    return made


def everybody(witnesses, clock):
    """Submissions that reach each witness at its own address."""
    by_url = {f"http://{keeper.key.name}": Direct(keeper, clock) for keeper in witnesses}
    return lambda url, body: by_url[url](url, body)


def cosigned_bundle(traded, signed_by):
    """The bundle of a month with cosignatures of its head."""
    data = traded.bundle()
    first = next(raw for _, raw in bundle_format.read(io.BytesIO(data)))
    head = bundle_format.decode_head(first)
    point = checkpoints.decode(head.checkpoint)
    for name, signer in signed_by:
        checkpoints.cosign(point, name, signer.public_key, NOW_S, signer.sign)
    return cbor.encode(cbor.encode(list(head._replace(checkpoint=point.text)))) + data[len(first) :]


def served_by(behave):
    """(server, its address): each request is treated as `behave(handler)` does; `server.shutdown()` ends it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            behave(self)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}"


def answering(keeper, clock):
    """A server's behaviour: what a witness answers."""

    def behave(handler):
        answer = keeper.add_checkpoint(handler.rfile.read(int(handler.headers["Content-Length"])), clock())
        handler.send_response(answer.status)
        handler.end_headers()
        handler.wfile.write(answer.text.encode())

    return behave
