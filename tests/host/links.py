"""Links for tests: the application of a store, and who signs in to it.

app = app_at(street.path, street.clock, dist)            the application, by the street's clock
TestClient(app, headers=by(code(store)))                 as the operator; code(store, kid) as that person
"""

from host_community import key
from wattpact import access
from wattpact.access import Access
from wattpact.api import app_of
from wattpact.views.stored import StoredViews
from wattpact_protocol import entry

YEAR_S = 366 * access.DAY_S
ISSUER = (key("issuer"),)


def app_at(path, clock, dist=None, heard_s=dict, refused=lambda source: None, signers=ISSUER):
    return app_of(StoredViews(path, clock, heard_s, signers), Access(path, clock, refused), dist)


def code(store, person=None, now_s=1_790_000_000, for_s=10 * YEAR_S):
    """A code for a person (8 bytes), or for the operator; each store's are always the same."""
    made = entry.sha256(b"test code" + (person or b""))[: access.CODE_BYTES]
    access.revoke(store, [entry.sha256(made)])
    return access.issue(store, made, person, "", now_s, for_s)


def by(text):
    """The header of a program that comes by a link."""
    return {"authorization": f"Bearer {text}"}
