"""The real settlement against the oracle's: allocation and rounding, then whole communities over many slots."""

from fractions import Fraction

import case
from settlement_oracle import WH, Agreement, Oracle, one_slot, register
from village import START_S, Village
from wattpact.ledger import GRID, Ledger, balances
from wattpact_protocol import allocation

S = START_S
SLOT = 900
NANO = Fraction(1, 1_000_000_000)
MICRO = Fraction(1, 1_000_000)


def agreement(name, supplier, consumer, priority, **more):
    terms = {
        "kwh": Fraction(1), "kw": Fraction(1), "price": Fraction(1), "start": S, "end": S + 3600, "start_by": S,
        "used_from": S, **more,
    }  # fmt: skip
    return Agreement(name, supplier, consumer, priority=priority, **terms)


class Terms:
    """What the allocation reads of a contract."""

    def __init__(self, one: Agreement) -> None:
        self.id, self.priority = one.name, one.priority
        self.supplier, self.consumer = one.supplier.encode(), one.consumer.encode()


def test_allocation_agrees_on_ten_thousand_cases():
    contended = shared = 0
    for seed in range(10_000):
        bits = case.Bits(f"slot {seed}")
        suppliers = [f"S{i}" for i in range(1 + bits.below(3))]
        consumers = [f"C{i}" for i in range(1 + bits.below(4))]
        scale = bits.choice([3, 10, 1000, 10**9])
        used = {name: bits.below(scale) if bits.below(6) else 0 for name in consumers}
        given = {name: bits.below(2 * scale) if bits.below(6) else 0 for name in suppliers}
        claims = []
        for _ in range(bits.below(9)):
            name = bits.bytes(2) + bytes((len(claims),))
            one = agreement(name, bits.choice(suppliers), bits.choice(consumers), 1 + bits.below(3))
            most = bits.choice([0, bits.below(scale), scale, bits.below(4)])
            claims.append((one, most))
        got = allocation.allocate(
            {name.encode(): wh for name, wh in used.items()},
            {name.encode(): wh for name, wh in given.items()},
            [(Terms(one), most) for one, most in claims],
        )
        expected = one_slot(
            {name: wh * WH for name, wh in used.items()},
            {name: wh * WH for name, wh in given.items()},
            [(one, most * WH) for one, most in claims],
        )
        for mine, theirs in zip(got, expected, strict=True):
            assert {name: wh * WH for name, wh in mine.items()} == theirs, seed
        contended += any(wh for wh in got[1].values())
        shared += len({one.consumer for one, _ in claims if got[0].get(one.name)}) > 1
    assert contended > 2000 and shared > 1000


class Case:
    """A generated community: as entries for the ledger, as numbers for the oracle."""

    def __init__(self, seed: int) -> None:
        self.bits = case.Bits(f"community {seed}")
        self.village = Village(SLOT, name=str(seed))
        self.slots = 4 + self.bits.below(12)
        self.end = S + self.slots * SLOT
        self.tariffs = []
        for since in (0, *(S + self.bits.below(self.slots * SLOT) for _ in range(self.bits.below(3)))):
            if since in [row[0] for row in self.tariffs]:
                continue
            prices = self.bits.below(500_000), self.bits.below(200_000)
            self.village.tariff(since, *prices)
            self.tariffs.append((since, prices[0] * MICRO, prices[1] * MICRO))
        self.people = [self.village.person(f"person {i}") for i in range(1 + self.bits.below(4))]
        self.meters = [
            self.village.meter(f"meter {i}", self.bits.choice(self.people)) for i in range(2 + self.bits.below(4))
        ]
        self.agreements = [self.agree() for _ in range(self.bits.below(7))]
        self.imports: dict[str, list] = {}
        self.exports: dict[str, list] = {}
        for meter in self.meters:
            self.measure(meter)

    def agree(self) -> Agreement:
        bits, village = self.bits, self.village
        supplier = bits.choice(self.meters)
        consumer = bits.choice([meter for meter in self.meters if meter is not supplier])
        start = S + bits.below(self.slots * SLOT)
        end = start + 1 + bits.below(6 * SLOT)
        wh, watts, price = 1 + bits.below(1500), bits.below(9000), bits.below(400_000)
        offer = village.offer(supplier, price, wh + bits.below(300), watts, start, end, unix_s=S)
        timeout = bits.choice([0, 60, SLOT])
        priority = 1 + bits.below(3)
        confirmed = village.confirm(supplier, village.accept(consumer, offer, wh, priority, timeout))
        made = Agreement(
            confirmed.id, supplier.name, consumer.name, wh * WH, Fraction(watts, 1000), price * MICRO, priority,
            start, end, start + timeout, None,
        )  # fmt: skip
        if bits.below(6):
            said = start - 30 + bits.below(timeout + 60)
            village.start(consumer, confirmed, said)
            made.used_from = max(said, start)
        for _ in range(bits.choice([0, 0, 0, 1, 2])):
            self.end_one(made, confirmed, supplier, consumer)
        return made

    def end_one(self, made, confirmed, supplier, consumer) -> None:
        parties = [(supplier, "supplier"), (consumer, "consumer"), (self.village.issuer, "operator")]
        who, party = self.bits.choice(parties)
        when = self.bits.choice([made.start - 100 + self.bits.below(made.end - made.start + 200), made.end, made.start])
        self.village.terminate(who, confirmed, when)
        made.ends.append((when, party))

    def measure(self, meter) -> None:
        """Points at most boundaries, some between, some missing; the last slot always complete."""
        bits = self.bits
        values, when = [bits.below(10_000), bits.below(10_000)], S
        rows = [(S, values[0], values[1])]
        while when < self.end:
            when = min(self.end, when + bits.choice([SLOT, SLOT, SLOT, SLOT // 3, 2 * SLOT, 3 * SLOT + 7, 450]))
            values = [values[0] + bits.choice([0, bits.below(700)]), values[1] + bits.choice([0, bits.below(900)])]
            rows.append((when, values[0], values[1]))
        for when, imported, exported in rows:
            self.village.reading(meter, when, [imported], [exported])
        self.imports[meter.name] = [(when, wh * WH) for when, wh, _ in rows]
        self.exports[meter.name] = [(when, wh * WH) for when, _, wh in rows]

    def ledger(self) -> Ledger:
        ledger = Ledger()
        ledger.apply(self.village.entries)
        ledger.settle(self.end)
        return ledger

    def oracle(self) -> Oracle:
        oracle = Oracle(SLOT, self.imports, self.exports, self.agreements, self.tariffs)
        oracle.settle(S, self.end)
        return oracle


def test_whole_settlements_agree():
    carried = unused = 0
    for seed in range(400):
        made = Case(seed)
        ledger, oracle = made.ledger(), made.oracle()
        for one in made.agreements:
            fill = ledger.fill(one.name)
            assert fill.carried_wh * WH == oracle.carried[one.name], (seed, one)
            assert fill.short_wh * WH == oracle.short[one.name], (seed, one)
            assert fill.unused_wh * WH == oracle.unused[one.name], (seed, one)
            carried += fill.carried_wh > 0
            unused += fill.unused_wh > 0
        agree_on_statements(made, ledger, oracle)
    assert carried > 300 and unused > 100


def agree_on_statements(made: Case, ledger: Ledger, oracle: Oracle) -> None:
    owners = {meter.name: ledger.facts.payer_at(meter.kid, S) for meter in made.meters}
    for person in made.people:
        fields = ledger.statement(person.kid, S, made.end).fields([])
        mine = [name for name, owner in owners.items() if owner == person.kid]
        bought = [one for one in made.agreements if one.consumer in mine]
        sold = [one for one in made.agreements if one.supplier in mine]
        grid = [sum((oracle.grid[name][column] for name in mine), Fraction(0)) for column in range(4)]
        figures = {
            "bought": sum(oracle.carried[one.name] * one.price for one in bought),
            "unused": sum(oracle.unused[one.name] * one.price for one in bought),
            "sold": sum(oracle.carried[one.name] * one.price for one in sold),
            "unused_earned": sum(oracle.unused[one.name] * one.price for one in sold),
            "grid_import": grid[1],
            "grid_export": grid[3],
        }
        for name, amount in figures.items():
            assert fields[f"{name}_nano"] * NANO == amount, name
        net = figures["bought"] + figures["unused"] + figures["grid_import"]
        net -= figures["sold"] + figures["unused_earned"] + figures["grid_export"]
        assert fields["net_nano"] * NANO == net
        assert fields["saved_nano"] * NANO == sum(oracle.alone[name] for name in mine) - net
        assert fields["bought_wh"] * WH == sum(oracle.carried[one.name] for one in bought)
        assert fields["sold_wh"] * WH == sum(oracle.carried[one.name] for one in sold)
        assert (fields["grid_import_wh"] * WH, fields["grid_export_wh"] * WH) == (grid[0], grid[2])
    accounts = balances(ledger.postings(S, made.end))
    assert sum(accounts.values()) == 0
    for person in made.people:
        fields = ledger.statement(person.kid, S, made.end).fields([])
        assert accounts.get(person.kid, 0) == -fields["net_nano"]
    assert GRID in accounts


def test_registers_agree_at_any_time():
    for seed in range(100):
        made = Case(seed)
        ledger = made.ledger()
        for meter in made.meters:
            load = ledger.facts.loads[meter.kid]
            for _ in range(20):
                when = S - 100 + made.bits.below(made.end - S + 200)
                expected = register(made.imports[meter.name], when), register(made.exports[meter.name], when)
                assert tuple(wh * WH for wh in load.at(when)) == expected
