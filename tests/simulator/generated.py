"""Generated communities: meters, contracts, ends and tariffs as a seed has them, for accounts and for the oracle."""

from fractions import Fraction

import case
from settlement_oracle import WH, Agreement
from wattpact.accounts import Accounts
from wattpact_protocol.log import kinds

from simulator.authors import StandIn
from simulator.community import START_S, Community

S = START_S
SLOT = 900
MICRO = Fraction(1, 1_000_000)


class Generated:
    """A generated community: as entries for the accounts, as numbers for the oracle."""

    def __init__(self, seed: int, crypto=StandIn, silence_s: "int | None" = None) -> None:
        self.bits = case.Bits(f"community {seed}")
        self.slot_s = SLOT
        self.community = Community(SLOT, silence_s, crypto, name=str(seed))
        self.slots = 4 + self.bits.below(12)
        self.end = S + self.slots * SLOT
        self.tariffs = []
        begins = {S + self.bits.below(self.slots * SLOT) for _ in range(self.bits.below(3))}
        for since in (0, *sorted(begins)):
            prices = self.bits.below(500_000), self.bits.below(200_000)
            self.community.tariff(since, *prices)
            self.tariffs.append((since, prices[0] * MICRO, prices[1] * MICRO))
        self.people = [self.community.person(f"person {i}") for i in range(1 + self.bits.below(4))]
        self.meters = [
            self.community.meter(f"meter {i}", self.bits.choice(self.people)) for i in range(2 + self.bits.below(4))
        ]
        self.agreements = [self.agree() for _ in range(self.bits.below(7))]
        self.imports: dict[str, list] = {}
        self.exports: dict[str, list] = {}
        for meter in self.meters:
            self.measure(meter)

    def agree(self) -> Agreement:
        bits, community = self.bits, self.community
        supplier = bits.choice(self.meters)
        consumer = bits.choice([meter for meter in self.meters if meter is not supplier])
        start = S + bits.below(self.slots * SLOT)
        end = start + 1 + bits.below(6 * SLOT)
        wh, watts, price = 1 + bits.below(1500), bits.below(9000), bits.below(400_000)
        offered = wh + bits.below(300)
        sells = community.backed(supplier, kinds.SELL, price, offered, start, end)
        offer = community.offer(supplier, price, offered, watts, start, end, sells)
        timeout = bits.choice([0, 60, SLOT])
        priority = 1 + bits.below(3)
        demand = community.need(consumer, offer, wh)
        acceptance = community.accept(consumer, offer, wh, priority, timeout, demand=demand.id)
        confirmed = community.confirm(supplier, acceptance)
        community.grant(confirmed, offer, acceptance)
        made = Agreement(
            confirmed.id, supplier.name, consumer.name, wh * WH, Fraction(watts, 1000), price * MICRO, priority,
            start, end, min(start + timeout, end), None,
        )  # fmt: skip
        if bits.below(6):
            started_s = start - 30 + bits.below(timeout + 60)
            community.start(consumer, confirmed, started_s)
            made.used_from = max(started_s, start)
        for _ in range(bits.choice([0, 0, 0, 1, 2])):
            self.end_one(made, confirmed, supplier, consumer)
        return made

    def end_one(self, made, confirmed, supplier, consumer) -> None:
        parties = [(supplier, "supplier"), (consumer, "consumer"), (self.community.issuer, "operator")]
        who, party = self.bits.choice(parties)
        when = self.bits.choice([made.start - 100 + self.bits.below(made.end - made.start + 200), made.end, made.start])
        # The supplier's and the operator's count from the second slot boundary after.
        counts = when if party == "consumer" else -(-(when + SLOT) // SLOT) * SLOT
        if counts in [end for end, _ in made.ends]:
            return  # which of two ends of one second counts is by their order, and the oracle has none
        self.community.terminate(who, confirmed, when)
        made.ends.append((counts, party))

    def measure(self, meter) -> None:
        """Points at most boundaries, some between, some missing; the last slot always complete."""
        bits = self.bits
        values, when = [bits.below(10_000), bits.below(10_000)], S
        rows = [(S, values[0], values[1])]
        while when < self.end:
            boundary = (when // SLOT + 1) * SLOT
            when = min(self.end, bits.choice([boundary] * 16 + [boundary + SLOT, when + SLOT // 3, when + 450]))
            values = [values[0] + bits.choice([0, bits.below(700)]), values[1] + bits.choice([0, bits.below(900)])]
            rows.append((when, values[0], values[1]))
        for when, imported, exported in rows:
            self.community.reading(meter, when, [imported], [exported])
        self.imports[meter.name] = [(when, wh * WH) for when, wh, _ in rows]
        self.exports[meter.name] = [(when, wh * WH) for when, _, wh in rows]

    def accounts(self) -> Accounts:
        accounts = Accounts()
        accounts.apply(self.community.entries)
        accounts.settle(self.end)
        return accounts
