"""Links for tests: the application of a store, and who signs in to it.

app = app_at(trading.path, trading.clock, dist)            the application, by the trading's clock
TestClient(app, headers=by(code(store)))                 as the operator; code(store, kid) as that person
"""

from wattpact.api import app_of
from wattpact.membership import access_links
from wattpact.membership.access_links import Access
from wattpact.node.events import Events
from wattpact.views.stored import StoredViews
from wattpact_protocol.log import ids

from simulator.host import key

YEAR_S = 366 * access_links.DAY_S
ISSUER = (key("issuer"),)


def app_at(path, clock, dist=None, seen_s=dict, count_guess=lambda source: None, signers=ISSUER):
    return app_of(StoredViews(path, clock, seen_s, signers), Access(path, clock, count_guess), Events(), dist)


def code(store, person=None, now_s=1_790_000_000, for_s=10 * YEAR_S):
    """A code for a person (8 bytes), or for the operator; each store's are always the same."""
    made = ids.sha256(b"test code" + (person or b""))[: access_links.CODE_BYTES]
    access_links.revoke(store, [ids.sha256(made)])
    return access_links.issue(store, made, person, "", now_s, for_s)


def by(text):
    """The header of a program that comes by a link."""
    return {"authorization": f"Bearer {text}"}
