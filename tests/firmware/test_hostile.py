"""What authors with good keys and bad intentions can make a meter do: nothing that it was not built for."""

import case
from simulator import damage
from simulator.network import alone
from wattpact_protocol.log import entry, kinds, roles

WHO_PUBLISHES = {
    "issuer": (kinds.CERTIFICATE, kinds.POLICY, kinds.GRANT, kinds.TERMINATE, kinds.COMMUNITY, kinds.TARIFF),
    "host": (kinds.RECEIPT, kinds.STATEMENT),
    "owner": (kinds.MANDATE, kinds.TERMINATE),
    "other": (kinds.OFFER, kinds.DEMAND, kinds.ACCEPTANCE, kinds.CONTRACT, kinds.TERMINATE),
}


def test_no_values_that_the_table_allows_stop_a_meter():
    """It goes on measuring, deciding, publishing and receiving, and does the same after a restart."""
    operations = starts = 0
    for seed in case.scale(range(20), (3, 8, 11)):  # of these, two reach a grant that is used
        bits = case.Bits("hostile %d" % seed)
        world, community, household = alone(lambda ms, closed: 3600 if closed else 0, step_ms=500)
        other = community.author("other")
        community.certify(other, community.issuer, roles.METER, owner=world.owner.kid)
        community.sink.grants = False
        community.sink.concerns = lambda new, kid: new.kid != kid
        authors = {"issuer": community.issuer, "host": community.host, "owner": world.owner, "other": other}
        world.run(5)
        ids, said = [bytes(32)], 0
        for n in range(case.scale(250, 100)):
            who = bits.choice(sorted(WHO_PUBLISHES))
            kind = bits.choice(WHO_PUBLISHES[who])
            ids += [new.id for new in household.entries()[-3:]]
            made = damage.body(
                bits, kind, (community.now_s, 60), ids[-12:], [household.kid, world.owner.kid, other.kid]
            )
            if kind == kinds.CERTIFICATE:
                made["role"] = roles.METER  # and never the meter's own: that would end its membership
                made["public_key"] = bits.bytes(32)
            if kind == kinds.GRANT:
                made["number"], made["meter"] = n + 1, household.kid
            try:
                new = publish_any(community, authors[who], kind, made, n)
            except entry.EntryError:
                continue  # too long to be published
            ids.append(new.id)
            said += 1
            if n % 8 == 0:
                world.run(2)
            if n % 100 == 50:
                household.boot(world.ms)
        world.run(30)
        operations += len(household.operations)
        starts += len(household.entries(kinds.USAGE_START))
        assert said > 40 and household.meter.rejected.get("flash_failed", 0) == 0, household.meter.rejected
        readings = len(household.entries(kinds.READING))
        heard = household.meter.inbox.cursor
        community.quick_policy(version=kinds.MAX_U32, meter=household.kid)
        world.run(20)
        assert len(household.entries(kinds.READING)) > readings and household.meter.inbox.cursor > heard
    assert operations and starts, (operations, starts)


def publish_any(community, author, kind, made, n):
    """An entry of an author that the community passes on whatever is in it."""
    if not author.chained:
        made["order_id"] = n.to_bytes(8, "big")
        made.setdefault("expires_s", community.now_s + 60)
    new = author.publish(kind, made, community.now_s)
    community.sink.entries.append(new)
    for table, names in ((community.sink.offers, kinds.OFFER), (community.sink.acceptances, kinds.ACCEPTANCE)):
        if kind == names:
            table[new.id] = new
    return new
