"""Several hosts that order one ledger together, without CometBFT: what it calls at each is called here.

with quorum(tmp_path) as made:
    made.order(new.raw, ...)            proposed by the first, checked by all, decided, committed
    made.seats[1].store                 the database of another host
"""

import json
from contextlib import contextmanager

from wattpact.quorum import founded
from wattpact.quorum.application import HELD_S, Application
from wattpact.store.sqlite.store import Store

from simulator.host import hosted, key


class Seat:
    """One host: its store, and its application."""

    def __init__(self, made, number, store, signer):
        self.made = made
        self.number = number
        self.store = store
        self.signer = signer
        self.clock_off_s = 0
        self.problem = None
        self.blocks = 0  # that were committed here
        self.restart()

    def clock(self):
        return self.made.community.now_s + self.clock_off_s

    def restart(self):
        self.application = Application(self.store, self.signer, self.clock, lambda: self.problem, self._committed)

    def _committed(self):
        self.blocks += 1


class Quorum:
    def __init__(self, folder, count):
        self.community = hosted(folder / "founder")
        self.founder = self.community.sink
        founder = self.founder.store
        founded.begin(founder)
        self.file = folder / "founded.ledger"
        founded.write(self.file, founder)
        self.genesis = json.loads(founded.genesis(founder))
        self.height = 0
        self.decided = []  # every block, as the engine keeps them
        self.seats = [Seat(self, 0, founder, self.community.host.key)]
        for number in range(1, count):
            self.join(folder / f"host{number}", key(f"host {number}"))

    def join(self, folder, signer):
        """Another host, which knows what the founder wrote before, and is started."""
        folder.mkdir()
        store = Store(folder / "wattpact.db", self.community.id)
        founded.join(store, self.file, signer, self.community.now_s)
        self.seats.append(Seat(self, len(self.seats), store, signer))
        return self.seats[-1]

    def begin(self, seat):
        """What CometBFT does at its first start: then every block that was decided."""
        state = json.dumps(self.genesis["app_state"]).encode()
        seat.application.init_chain(state, [(self.community.host.public_key, founded.POWER)])
        for height, block in enumerate(self.decided, 1):
            self.decide(seat, height, block)

    def decide(self, seat, height, block):
        made = seat.application.finalize(height, self.community.now_s, block)
        seat.application.commit()
        return made

    def proposed(self, *raws, by=0):
        """The block of these that a host proposes, of those that it takes."""
        application = self.seats[by].application
        return application.prepare([raw for raw in raws if application.check(raw, True) is None], 1 << 20)

    def order(self, *raws, by=0):
        """What became of each transaction of the block, the opening left out; all hosts agree on all of it."""
        return self.vote(self.proposed(*raws, by=by))

    def order_after_waiting(self, *raws):
        """The same of what names entries that nobody has, which is waited for first."""
        self.proposed(*raws)
        self.community.now_s += HELD_S
        return self.order(*raws)

    def decide_everywhere(self, block):
        """Though nobody voted for it: what the first makes of it, and all others have to."""
        self.height += 1
        self.decided.append(block)
        made = [self.decide(seat, self.height, block) for seat in self.seats]
        assert all(one == made[0] for one in made)
        return made[0]

    def vote(self, block):
        assert all(seat.application.process(self.height + 1, block) for seat in self.seats)
        return self.decide_everywhere(block).reasons[1:]


@contextmanager
def quorum(folder, count=4):
    """`count` hosts that have begun, of which only the founder is certified yet."""
    made = Quorum(folder, count)
    for seat in made.seats:
        made.begin(seat)
    yield made
    for seat in made.seats[1:]:
        seat.store.close()
    made.founder.close()
