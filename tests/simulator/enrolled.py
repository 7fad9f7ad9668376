"""An enrolled meter: the application on a board of stand-ins, and a community whose peer answers it."""

import case
from wattpact_meter.app import App
from wattpact_protocol.crypto import ed25519
from wattpact_protocol.log import chain, entry

from simulator.authors import REAL
from simulator.board import Board
from simulator.community import START_S
from simulator.peer import with_peer

ROUND_MS = 250


class EnrolledApp:
    """An application on a stand-in board, enrolled in a community whose peer answers it."""

    def __init__(self, folder, board=Board):
        self.community = with_peer(REAL)
        self.name = "enrolled"
        self.seed = self.community.key(self.name).seed
        self.folder = folder
        self.kind = board
        self.round = 0
        self.answers = []
        self.drawn = [self.seed, self.seed]  # for who it is; after that what is random
        self.randomness = case.Bits("randomness")
        self._verified = set()
        self.start()
        self.community.enrol(self, self.community.person("owner"))
        self.community.quick_policy()

    def start(self):
        self.board = self.kind(self.folder, self.community.root.public_key, step_s=1)
        self.board.urandom = lambda n: self.drawn.pop()[:n] if self.drawn else self.randomness.bytes(n)
        self.board.start_s = START_S
        self.board.uptime_ms = self.round * ROUND_MS
        self.app = App(self.board)
        self.kid = self.app.identity.kid

    def turn(self, between):
        """One round of the core; `between(work)` drives it, and lets come what comes."""
        self.round += 1
        self.board.uptime_ms = self.round * ROUND_MS
        self.community.now_s = START_S + self.board.uptime_ms // 1000
        work = self.app.tick_steps(self.board.now())
        try:
            between(work)
        finally:
            work.close()
        for data in self.app.meter.pop_datagrams():
            self.answers += self.community.sink.receive_datagram(data, self.kid)

    def rest(self):
        """Rounds until nothing more is to be sent or received."""
        for _ in range(90):
            while self.answers and self.app.waiting.has_room:
                self.app.waiting.datagrams.append(self.answers.pop(0))
            self.turn(driven)
        assert not self.app.waiting.datagrams

    def published(self):
        journal = self.app.journal
        return [journal.read(sequence) for sequence in range(journal.first, journal.next_sequence)]

    def check_log(self):
        """Every entry follows the one before it, and is signed."""
        head = chain.start(self.kid, 0, self.community.authors[self.kid].certificate_id)
        for raw in self.published():
            new = entry.decode(raw, self.community.id)
            assert chain.judge(head, new, None) == chain.NEXT, new
            if raw not in self._verified:
                assert entry.verify(new, self.app.identity.public_key, ed25519.verify), new
                self._verified.add(raw)
            head.accept(new)
        return head


def driven(work):
    for _ in work:
        pass
