"""The real settlement against the oracle's: allocation and rounding, then whole communities over many slots."""

from fractions import Fraction

import case
from settlement_oracle import WH, Agreement, Oracle, one_slot, register
from simulator.community import START_S
from simulator.generated import Generated
from wattpact.accounts import GRID, Accounts, balances
from wattpact_protocol.settlement import allocation

S = START_S
NANO = Fraction(1, 1_000_000_000)


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


def test_allocation_agrees_with_the_oracle():
    contended = shared = 0
    count = case.cases(10_000, 1_000)
    for seed in range(count):
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
    assert contended > count // 5 and shared > count // 10


def oracle_of(made: Generated) -> Oracle:
    oracle = Oracle(made.slot_s, made.imports, made.exports, made.agreements, made.tariffs)
    oracle.settle(S, made.end)
    return oracle


def test_whole_settlements_agree():
    carried = unused = 0
    count = case.cases(400, 60)
    for seed in range(count):
        made = Generated(seed)
        accounts, oracle = made.accounts(), oracle_of(made)
        for one in made.agreements:
            fill = accounts.fill(one.name)
            assert fill.carried_wh * WH == oracle.carried[one.name], (seed, one)
            assert fill.short_wh * WH == oracle.short[one.name], (seed, one)
            assert fill.unused_wh * WH == oracle.unused[one.name], (seed, one)
            carried += fill.carried_wh > 0
            unused += fill.unused_wh > 0
        agree_on_statements(made, accounts, oracle)
    assert carried > count // 2 and unused > count // 4, (carried, unused)


def agree_on_statements(made: Generated, accounts: Accounts, oracle: Oracle) -> None:
    owners = {meter.name: accounts.inputs.payer_at(meter.kid, S) for meter in made.meters}
    for person in made.people:
        fields = accounts.statement(person.kid, S, made.end).figures()
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
    sums = balances(accounts.postings(S, made.end))
    assert sum(sums.values()) == 0
    for person in made.people:
        fields = accounts.statement(person.kid, S, made.end).figures()
        assert sums.get(person.kid, 0) == -fields["net_nano"]
    assert GRID in sums


def test_registers_agree_at_any_time():
    for seed in range(case.cases(100, 20)):
        made = Generated(seed)
        accounts = made.accounts()
        for meter in made.meters:
            load = accounts.inputs.load_profiles[meter.kid]
            for _ in range(20):
                when = S - 100 + made.bits.below(made.end - S + 200)
                expected = register(made.imports[meter.name], when), register(made.exports[meter.name], when)
                assert tuple(wh * WH for wh in load.at(when)) == expected
