"""A bad network in virtual time, and the world that it joins: households and the peer that they send to.

Datagrams are late, lost, repeated, damaged and overtaken; power goes; the meters under test are the real ones.
"""

from simulator.community import START_S
from simulator.driving import receive
from simulator.household import Household
from simulator.memory_flash import PowerCut
from simulator.peer import with_peer


class Network:
    """Carries datagrams with a delay; loses, repeats, reorders and damages some, by permille and a seeded generator."""

    def __init__(self, bits=None, lose=0, repeat=0, damage=0, delay_ms=20, jitter_ms=0):
        self.bits = bits
        self.lose, self.repeat, self.damage = lose, repeat, damage
        self.delay_ms, self.jitter_ms = delay_ms, jitter_ms
        self.up = True
        self._under_way = []
        self._count = 0

    def send(self, to, data, world_ms):
        if not self.up or (self.lose and self.bits.below(1000) < self.lose):
            return
        copies = 2 if self.repeat and self.bits.below(1000) < self.repeat else 1
        for _ in range(copies):
            if self.damage and self.bits.below(1000) < self.damage:
                place = self.bits.below(len(data))
                data = data[:place] + bytes([data[place] ^ (1 << self.bits.below(8))]) + data[place + 1 :]
            late_ms = self.delay_ms + (self.bits.below(self.jitter_ms) if self.jitter_ms else 0)
            self._count += 1
            self._under_way.append((world_ms + late_ms, self._count, to, data))

    def arrivals(self, world_ms):
        due = sorted([packet for packet in self._under_way if packet[0] <= world_ms], key=lambda packet: packet[:2])
        self._under_way = [packet for packet in self._under_way if packet[0] > world_ms]
        return [(to, data) for _, _, to, data in due]


class World:
    """Households, a peer and the network between them, in steps of virtual time."""

    def __init__(self, community, households, network=None, step_ms=100):
        self.community = community
        self.households = households
        self.network = network or Network()
        self.step_ms = step_ms
        self.ms = 0
        self.on_cut = None  # called with the household whose power went; None: it is a failure
        for household in households:
            if household.meter is None:
                household.boot(0)

    def step(self):
        self.ms += self.step_ms
        self.community.now_s = START_S + self.ms // 1000
        for to, data in self.network.arrivals(self.ms):
            if isinstance(to, Household):
                self._guarded(
                    to, lambda household=to, data=data: receive(household.meter, household.now(self.ms), data)
                )
            else:
                household = to[0]
                for answer in self.community.sink.receive_datagram(data, household.kid):
                    self.network.send(household, answer, self.ms)
        for household in self.households:
            datagrams = self._guarded(household, lambda household=household: household.step(self.ms))
            for data in datagrams or []:
                self.network.send((household,), data, self.ms)

    def _guarded(self, household, action):
        try:
            return action()
        except PowerCut:
            if self.on_cut is None:
                raise
            self.on_cut(household)
            return None

    def run(self, seconds):
        end_ms = self.ms + seconds * 1000
        while self.ms < end_ms:
            self.step()

    def run_until(self, condition, seconds):
        """Step until the condition holds; how many ms that took. Fails after so many seconds."""
        start_ms = self.ms
        while not condition():
            assert self.ms - start_ms < seconds * 1000, "not within %d s" % seconds
            self.step()
        return self.ms - start_ms


def alone(load=lambda ms, closed: 0, step_ms=100, policy=True, **settings):
    """(World, Community, Household) of one enrolled meter with an owner."""
    community = with_peer()
    household = Household(community, "alone", load, **settings)
    world = World(community, [household], step_ms=step_ms)
    world.owner = community.person("owner")
    community.enrol(household, world.owner)
    if policy:
        community.quick_policy()
    return world, community, household
