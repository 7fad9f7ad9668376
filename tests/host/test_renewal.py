"""A meter that lost its log: the operator sees it, renews the certificate, and the log begins anew for all to see."""

import json

import pytest
from simulator.community import START_S
from simulator.host import hosted_with_node, key
from simulator.month import TradedMonth
from test_audit import check
from test_cli import founded_for_east, run
from wattpact.membership import members, renewal
from wattpact.node import data_directory
from wattpact.store.records import Rejection
from wattpact_protocol.log import reasons, roles
from wattpact_protocol.sync import datagram


@pytest.fixture
def community(tmp_path):
    with hosted_with_node(tmp_path) as made:
        yield made


def known(community, meter):
    return members.find(community.sink.store.certificates(), roles.METER, meter.kid.hex())


def report_lost(community, meter, generation=1, times=1):
    """The meter's DIGESTs, and what the node stores of them."""
    body = [meter.kid, generation, 0, community.node.inbox.id, 0]
    for _ in range(times):
        community.node.link.receive(datagram.encode(datagram.DIGEST, community.id, body), ("10.0.0.1", 1), 0, START_S)
    community.sink.store.count_rejections(community.node.pipeline.rejections.drain(community.now_s))


def test_a_lost_log_is_reported_once_and_shown_until_the_certificate_is_renewed(community):
    meter, other = community.owned_meter("House 1"), community.owned_meter("House 2")
    community.node.catch_up()
    community.now_s += 1
    report_lost(community, other, 0)
    assert renewal.lost_logs(community.sink.store) == {}
    report_lost(community, meter, times=5)
    assert renewal.lost_logs(community.sink.store) == {meter.kid: community.now_s}
    assert community.sink.store.rejected() == {reasons.LOG_LOST: 1}
    community.now_s += 1
    renewal.renew_meter(community.sink.store, community.issuer, known(community, meter), community.now_s)
    assert renewal.lost_logs(community.sink.store) == {}
    community.node.catch_up()
    community.now_s += 1
    report_lost(community, meter)
    assert renewal.lost_logs(community.sink.store) == {}, "a late datagram of the log before"
    report_lost(community, meter, 2)
    assert renewal.lost_logs(community.sink.store) == {meter.kid: community.now_s}


def test_a_renewed_meter_is_as_it_was_and_begins_its_log_anew(community):
    meter = community.owned_meter("House 1", supply_point="SP 1", epoch=3)
    before = known(community, meter).body
    community.now_s = START_S + 10 * 365 * members.DAY_S
    made = renewal.renew_meter(community.sink.store, community.issuer, known(community, meter), community.now_s)
    changed = {name for name in made.body if made.body[name] != before[name]}
    assert changed == {"version", "generation", "not_before_s", "not_after_s"}
    assert (made.body["version"], made.body["generation"]) == (2, 1)
    community.sink.stored(meter.sign_at("event", {"code": 1}, (1, 0, made.id), community.now_s))
    late = meter.publish("event", {"code": 2}, community.now_s)
    assert community.sink.reasons([late]) == ["stale_generation"]


def test_a_renewal_does_not_reach_back_into_the_time_of_another_owner(community):
    meter, new = community.owned_meter("House 1"), community.person("new tenant")
    body = {**known(community, meter).body, "version": 2, "owner": new.kid, "not_before_s": community.now_s - 60}
    community.publish(community.issuer, "certificate", body)
    made = renewal.renew_meter(community.sink.store, community.issuer, known(community, meter), community.now_s)
    assert (made.body["owner"], made.body["not_before_s"]) == (new.kid, community.now_s - 60)


@pytest.fixture
def founded(tmp_path):
    return founded_for_east(tmp_path / "data", "House 1")


def test_the_operator_sees_a_lost_log_and_renews_it_by_a_command(founded):
    renew = ("--data", founded.path, "meter", "renew", "House 1")
    rejected = run(*renew)
    assert rejected.status == 1 and "has not reported a lost log" in rejected.errors
    later_s = data_directory.clock() + 1
    with founded.store() as store:
        store.count_rejections([Rejection(reasons.LOG_LOST, key("House 1").kid, "10.0.0.1", 1, later_s, later_s)])
    shown = run("--data", founded.path, "meter", "list").out
    assert 'House 1 lost its log: `wattpact meter renew "House 1"`' in shown
    assert "reported lost" in run("--data", founded.path, "meter", "show", "House 1").out
    rows = json.loads(run("--data", founded.path, "meter", "list", "--json").out)
    assert rows[0]["log_lost_s"] == later_s
    renewed = run(*renew)
    assert (renewed.status, renewed.out) == (0, "House 1 is certified anew and begins generation 1 of its log.\n")
    assert run(*renew, "--anyway").status == 0
    with founded.reader() as reader:
        body = members.find(reader.certificates(), roles.METER, "House 1").body
    assert (body["version"], body["generation"]) == (3, 2)


class Renewed(TradedMonth):
    """The pump loses its log before its last reading of the month."""

    def measure(self):
        community, terminate = self.community, self.community.terminate

        def terminate_and_renew(*arguments):
            terminate(*arguments)
            community.certify(self.pump, community.issuer, roles.METER, 2, generation=1, owner=self.north.kid)

        community.terminate = terminate_and_renew
        super().measure()


def test_an_audit_shows_where_a_log_began_anew():
    for traded, generations in ((Renewed("lost", sealed=False), 1), (TradedMonth("whole", sealed=False), 0)):
        report = check(traded.bundle(traded.north), traded)
        begun = [text for text in report.missing if "generation 1 of its log begins at 2026-10-01" in text]
        assert len(begun) == generations and all("pump" in text for text in begun), report.missing
