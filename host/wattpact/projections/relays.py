"""Relays: what each meter last reported of its own, and until when a wait that it is in lasts."""

from wattpact_protocol.guard.policy import Policy
from wattpact_protocol.log import entry, event_codes, kinds
from wattpact_protocol.log.entry import Entry

from wattpact.store.interface import Store
from wattpact.store.records import RelayState

REST_S = Policy().rest_s  # where no policy sets another

_SWITCHED = (event_codes.RELAY_CLOSED, event_codes.RELAY_OPENED)
_EXPLAINED = (event_codes.WARNING, event_codes.WELD)


def apply(store: Store, new: Entry) -> None:
    """An event, inside a transaction of the caller's."""
    code, body, unix_s = new.body["code"], new.body, new.stamp.unix_s
    if code in _SWITCHED:
        closed = code == event_codes.RELAY_CLOSED
        rested_s = None if closed or unix_s is None else min(unix_s + _rest_s(store, new.kid), kinds.MAX_UINT)
        store.keep_relay(new.kid, RelayState(closed, body.get("text", ""), unix_s, body.get("contract"), rested_s))
    elif code in _EXPLAINED:
        known = store.relays().get(new.kid)
        if known is not None:
            wait_s = body.get("detail", 0)
            until_s = min(unix_s + wait_s, kinds.MAX_UINT) if unix_s is not None and wait_s > 0 else None
            store.keep_relay(new.kid, known._replace(reason=body.get("text", ""), wait_until_s=until_s))


def _rest_s(store: Store, meter: bytes) -> int:
    """How long the relay of a meter stays open at least, by its policy."""
    newest: dict[bytes | None, tuple[int, int]] = {}
    for row in store.stream(of_kinds=(kinds.POLICY,)):
        body = entry.decode(row.raw, store.community).body
        if body["version"] >= newest.get(body.get("meter"), (0, 0))[0]:
            newest[body.get("meter")] = (body["version"], body.get("rest_s", REST_S))
    return newest.get(meter, newest.get(None, (0, REST_S)))[1]
