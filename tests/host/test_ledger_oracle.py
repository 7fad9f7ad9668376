"""The ledger against a second implementation of its specification, and against itself restarted and in other blocks."""

import case
import on_micropython
import pytest
from ledger_oracle import Oracle
from simulator import ledger_root
from simulator.host import key
from simulator.transactions import Transactions
from wattpact.ordering import writer
from wattpact.quorum import transactions
from wattpact.quorum.application import Application
from wattpact.store.sqlite.store import Store
from wattpact_protocol.encoding import cbor
from wattpact_protocol.ledger import records
from wattpact_protocol.ledger.ledger import Ledger, Storage


def records_of(ledger):
    return {
        tuple(cbor.decode(key, limit=records.MAX_BYTES)): cbor.decode(value, limit=records.MAX_BYTES)
        for key, value in ledger.values.items()
    }


class Followed:
    """A ledger in memory that is opened anew now and then, as after a restart."""

    def __init__(self, community):
        self.values = {}
        self._storage, self._community = Storage(self.values, {}, {}), community
        self.last = None
        self.reopen()

    def reopen(self):
        self.ledger = Ledger(self._storage, self._community, self.last)

    def propose(self, entries, heads, now_s):
        rejected = self.ledger.propose(entries, heads, now_s)[1]
        self.last = self.ledger.last
        return rejected


@pytest.mark.parametrize("seed", range(4))
def test_two_implementations_agree_on_state_and_reasons(seed):
    """And so do a ledger that is restarted at any height, and for a time one that orders each entry in a block of its
    own."""
    generated = Transactions(seed)
    community = generated.community.id
    oracle, whole, single = Oracle(community), Followed(community), Followed(community)
    bits, orders, reasons = case.Bits(f"restarts {seed}"), 0, {}
    until = case.cases(6000, 1000)  # which costs a root for each
    while orders < case.cases(25_000, 1000):
        now_s, entries, heads = generated.block()
        expected = [oracle.order(new, now_s) for new in entries]
        for head in heads:
            oracle.note(head[0], head[1:], now_s)
        rejected = whole.propose(entries, heads, now_s)
        if orders < until:
            alone = [single.propose([new], [], now_s).get(new.id) for new in entries]
            single.propose([], heads, now_s)
            assert alone == expected, (orders, [new.name for new in entries])
            assert single.last.state_root == whole.last.state_root
        assert {new.id: why for new, why in zip(entries, expected, strict=True) if why} == rejected
        if bits.below(20) == 0:
            whole.reopen()
        orders += len(entries)
        generated.rejected(rejected)
        for why in expected:
            reasons[why] = reasons.get(why, 0) + 1
    assert records_of(whole) == oracle.records()
    assert whole.last.state_root == oracle.root()
    assert reasons[None] > orders // 4 and len(reasons) > 26, reasons
    assert {"period_closed", "corrects_nothing", "stated_before"} <= set(reasons)
    assert any("corrects" in stated[-1].body for stated in generated.statements.values() if stated)


class Host:
    """One of those that order together: what was decided goes through its application into its store."""

    def __init__(self, folder, generated, name):
        folder.mkdir()
        self.store = Store(folder / "wattpact.db", generated.community.id)
        self._signer, self._verify = key(name), generated.community.crypto.verify
        self.height = 0
        self.restart()

    def restart(self):
        self.application = Application(self.store, self._signer, lambda: 0, lambda: None, lambda: None)
        self.application._verify = self._verify

    def decide(self, transactions):
        self.height += 1
        made = self.application.finalize(self.height, 0, transactions)
        self.application.commit()
        return made


@pytest.mark.parametrize("seed", range(2))
def test_both_engines_give_one_root(seed, tmp_path):
    """And the same reasons, at hosts of which one is restarted at any height, and one joins at the end."""
    generated = Transactions(seed)
    community, bits = generated.community, case.Bits(f"engines {seed}")
    alone = Followed(community.id)
    hosts = [Host(tmp_path / name, generated, name) for name in ("one", "two")]
    note_key = community.host.key
    decided, orders = [], 0
    while orders < case.cases(1000, 300):
        now_s, entries, heads = generated.block()
        entries = list(dict.fromkeys(entries))
        rejected = alone.propose(entries, heads, now_s)
        entries = [new for new in entries if rejected.get(new.id) != "unknown_author"]  # not passed on
        block = [transactions.opening(now_s), *[new.raw for new in entries]]
        if heads and alone.ledger.state.get(records.AUTHOR, heads[0][0]) is not None:
            last = [new.raw for new in community.entries if new.id == heads[0][3]]
            block.append(transactions.note(note_key, community.id, now_s, last))
        decided.append(block)
        made = [host.decide(block) for host in hosts]
        assert made[0] == made[1]
        assert [rejected.get(new.id) for new in entries] == made[0].reasons[1 : len(entries) + 1]
        assert made[0].app_hash == alone.ledger.root()
        if bits.below(10) == 0:
            hosts[0].restart()
        orders += len(entries)
        generated.rejected(rejected)
    late = Host(tmp_path / "late", generated, "late")
    assert [late.decide(block).app_hash for block in decided][-1] == alone.ledger.root()
    for host in (*hosts, late):
        assert follow(host.store, community.crypto.verify) == alone.ledger.root()
        host.store.close()


def follow(store, verify):
    """The root that who follows the blocks of a store computes."""
    ledger = Ledger(Storage({}, {}, {}), store.community)
    for height in range(store.last_block().height + 1):
        ledger.append(writer.block_bytes(store, height), verify)
    return ledger.root()


def test_both_pythons_have_one_root():
    count = case.cases(2000, 300)
    folders = [str(on_micropython.CHECKOUT / name) for name in ("protocol", "tests")]
    program = f"import sys, binascii; sys.path[:0] = {folders!r}; "
    # One after the other: MicroPython's stack does not hold all that a module imports by way of others.
    program += "from wattpact_protocol.log import entry, roles; from wattpact_protocol.ledger import blocks, trades; "
    program += "from simulator import community, ledger_root; "
    program += f"print(binascii.hexlify(ledger_root.run(5, {count})).decode())"
    assert on_micropython.run("-c", program, heap="24m").stdout.strip() == ledger_root.run(5, count).hex()
