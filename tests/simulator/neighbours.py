"""A roof, a battery and a wallbox that trade, and what must hold of all that meters published."""

from wattpact_protocol.log import kinds
from wattpact_protocol.settlement import register_rules

from simulator.authors import StandIn
from simulator.household import Household
from simulator.network import World
from simulator.peer import with_peer

SOLAR_W, BATTERY_W, WALLBOX_W = 8000, 9000, 7200


def households(crypto=StandIn, network=None, step_ms=100, **settings):
    """A roof, a battery and a wallbox behind its relay, each with an owner, enrolled, under the demo's policy."""
    community = with_peer(crypto)
    roof = Household(community, "roof", lambda ms, closed: -SOLAR_W, **settings)
    battery = Household(community, "battery", lambda ms, closed: -BATTERY_W, **settings)
    wallbox = Household(community, "wallbox", lambda ms, closed: WALLBOX_W if closed else 0, **settings)
    world = World(community, [roof, battery, wallbox], network, step_ms)
    world.owners = [community.person(household.name + "'s owner") for household in world.households]
    for number, owner in enumerate(world.owners):
        community.enrol(world.households[number], owner)
    community.quick_policy()
    return world


def trade(world, name="1", sold_wh=40, bought_wh=80):
    """Both producers sell, the wallbox buys."""
    roof, battery, wallbox = world.households
    community, owners = world.community, world.owners
    community.mandate(owners[0], roof, kinds.SELL, 180_000, sold_wh)
    community.mandate(owners[1], battery, kinds.SELL, 220_000, sold_wh)
    community.mandate(owners[2], wallbox, kinds.BUY, 250_000, bought_wh)


def codes(household):
    return [new.body["code"] for new in household.entries(kinds.EVENT)]


def check_readings(world):
    """Everything the host holds of every meter's readings is good, by the rules that the host applies."""
    for household in world.households:
        registers = register_rules.RegisterRules(10_000)
        for new in world.community.entries:
            if new.kid == household.kid and new.kind == kinds.READING:
                assert registers.apply(new.body) is None, (household.name, new, new.body)


def check_usage(household):
    """Each contract began and ended at most once, and all that was attributed was imported."""
    begun, ended, attributed = {}, {}, {}
    for new in household.entries():
        contract = new.body.get("contract")
        if new.kind == kinds.USAGE_START:
            assert contract not in begun, "begun twice"
            begun[contract] = new.body["import_wh"]
        elif new.kind in (kinds.USAGE, kinds.USAGE_END):
            assert contract not in ended, "published after its end"
            assert new.body["attributed_wh"] >= attributed.get(contract, 0), "attributed Wh fell"
            attributed[contract] = new.body["attributed_wh"]
            if new.kind == kinds.USAGE_END:
                ended[contract] = new.body["reason"]
            total = sum(attributed.values())
            assert total <= new.body["import_wh"], "%d Wh attributed of %d" % (total, new.body["import_wh"])
    return attributed, ended


def check_mandates(world):
    """Nobody committed to more than the mandate allows."""
    accepted, confirmed = {}, {}
    for household in world.households:
        demands = {new.id: new.body["mandate"] for new in household.entries(kinds.DEMAND)}
        for new in household.entries(kinds.ACCEPTANCE):
            mandate = demands[new.body["demand"]]
            accepted[mandate] = accepted.get(mandate, 0) + new.body["wh"]
    for new in world.community.sink.contracts.values():
        acceptance = world.community.sink.acceptances[new.body["acceptance"]]
        mandate = world.community.sink.offers[acceptance.body["offer"]].body["mandate"]
        confirmed[mandate] = confirmed.get(mandate, 0) + acceptance.body["wh"]
    limits = {new.id: new.body["wh"] for new in world.community.entries if new.kind == kinds.MANDATE}
    for committed in (accepted, confirmed):
        for mandate, wh in committed.items():
            assert wh <= limits[mandate], "%d Wh committed of %d" % (wh, limits[mandate])
