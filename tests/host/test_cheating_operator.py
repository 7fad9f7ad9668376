"""What an operator's own programs store counts by the ledger too: an entry that it rejects spoils nobody's bill."""

import io

from simulator import bodies
from simulator.community import DAY_S, NEVER, START_S
from simulator.host import hosted
from wattpact import audit
from wattpact.billing import bill
from wattpact.ordering.proven import Proven
from wattpact.projections import follow, stored_accounts
from wattpact.store.publishing import publish
from wattpact_protocol.log import ids, kinds


def test_what_an_issuer_signs_ahead_of_its_certificate_is_in_no_bundle(tmp_path):
    """A machine whose clock was years ahead for a moment signs a grant that no auditor could accept."""
    community = hosted(tmp_path, now_s=START_S, seals=NEVER)
    west = community.person("west")
    meter = community.meter("wallbox", west)
    community.now_s = START_S + 1800
    community.reading(meter, START_S, [0, 100, 250])
    store, issuer, host = community.sink.store, community.issuer.key, community.host.key
    ahead_s = START_S + 20 * 365 * DAY_S
    body = bodies.grant(7, meter.kid, ids.sha256(b"none"), START_S, START_S + 60, default_supply=True)
    publish(store, issuer, kinds.GRANT, body, ahead_s)
    community.now_s = START_S + 32 * DAY_S
    now_s = community.now_s
    unsealer = follow.bring_up(store, [community.issuer], now_s, host, fresh=True).on(store)
    accounts = stored_accounts.accounts_of(store, now_s)
    made = bill.make(accounts, west.kid, "2026-10")
    held = list(stored_accounts.entries_for(store, made.statement, unsealer))
    assert ahead_s not in [new.stamp.unix_s for new in held]
    data = bill.export(
        made, accounts, held, host.kid, Proven(store), lambda kind, body: publish(store, host, kind, body, now_s)
    )
    report = audit.audit(io.BytesIO(data), community.root.public_key)
    assert report.fields["grid_import_wh"] == 250
