"""The meters' peer, for tests of meters: a host in memory that uses the link's protocol.

It keeps entries that are signed and fit their log, sends each meter what concerns it, grants contracts and signs
receipts. It is where the entries of a community go: `community = with_peer()`, and `community.sink` is the peer.
"""

from wattpact_protocol.log import chain, entry, kinds, reasons
from wattpact_protocol.sync import datagram

from simulator import bodies
from simulator.authors import StandIn
from simulator.community import BY_THEMSELVES, Community, InMemory
from simulator.unsealing import Unsealer

RECEIPT_EACH = 16  # entries of a log
INBOX_EACH = 8  # datagrams that answer a DIGEST


class Peer(InMemory):
    """`entries` are in order of arrival, unsealed where the issuer can; entry n has cursor n + 1."""

    def __init__(self, community, grants=True):
        super().__init__()
        self.community = community
        self.grants = grants
        self.inbox = b"stub-db0"
        self.offers = {}
        self.acceptances = {}
        self.contracts = {}
        self.rejected = {}
        self.ledger = {}  # what receipts state of it, and of what it noted
        self.received = {}  # kind of datagram: how many
        self.pending = {}  # kid: the body of its ENROL
        self._ids = {}
        self._concerned = {}  # kid: (cursors of what concerns it, entries that were looked at)
        self.forget_keys()

    def forget_keys(self):
        """As after a restart: what was followed of keys is not known any more."""
        self.unsealer = Unsealer(self.community.id, [self.community.issuer])

    def unsealed(self, new):
        """As the operator reads it. Every number of a key is used once, or the meter is at fault."""
        assert self.unsealer.follow(new), "a number was used twice: %r" % new
        return self.unsealer.unseal(new)

    def append(self, new):
        new = self.unsealed(new)
        super().append(new)
        self._ids[new.kid, new.generation, new.sequence] = new.id
        if new.kind == kinds.OFFER:
            self.offers[new.id] = new
        elif new.kind == kinds.ACCEPTANCE:
            self.acceptances[new.id] = new
        elif new.kind == kinds.CONTRACT:
            self.contracts[new.id] = new
            acceptance = self.acceptances[new.body["acceptance"]]
            if self.grants:
                self.community.grant(new, self.offers[acceptance.body["offer"]], acceptance)

    def reject(self, reason):
        self.rejected[reason] = self.rejected.get(reason, 0) + 1

    def receive_entry(self, raw):
        try:
            new = entry.decode(raw, self.community.id)
        except entry.EntryError:
            return self.reject(reasons.ENTRY_MALFORMED)
        author = self.community.authors.get(new.kid)
        if author is None:
            return self.reject(reasons.UNKNOWN_AUTHOR)
        verdict = chain.judge(author.head, new, self._ids.get((new.kid, new.generation, new.sequence)))
        if verdict in (chain.NEXT, reasons.FORK) and not self._is_signed(author, new):
            return self.reject(reasons.BAD_SIGNATURE)
        assert verdict != reasons.FORK, "two entries at %r" % new
        if verdict != chain.NEXT:
            return self.reject(verdict)
        author.head.accept(new)
        self.append(new)
        if new.sequence % RECEIPT_EACH == RECEIPT_EACH - 1:
            self.community.publish(self.community.host, kinds.RECEIPT, bodies.receipt(new, **self.ledger))

    def _is_signed(self, author, new):
        return self.community.crypto.verify(author.public_key, new.signed, new.signature)

    def concerns(self, new, kid):
        """Whether a meter is sent this entry."""
        kind, body = new.kind, new.body
        if kind in (kinds.CERTIFICATE, kinds.COMMUNITY):
            return True
        if kind in (kinds.MANDATE, kinds.GRANT):
            return body["meter"] == kid
        if kind == kinds.POLICY:
            return body.get("meter", kid) == kid
        if kind in (kinds.OFFER, kinds.DEMAND):
            return new.kid != kid and body["valid_until_s"] >= self.community.now_s
        if kind == kinds.ACCEPTANCE:
            return self.offers[body["offer"]].kid == kid
        if kind == kinds.CONTRACT:
            return self.acceptances[body["acceptance"]].kid == kid
        if kind == kinds.RECEIPT:
            return body["author"] == kid
        return kind == kinds.TERMINATE

    def inbox_after(self, kid, inbox, cursor, limit=INBOX_EACH):
        """INBOX datagrams for a meter at that cursor; from the start where the cursor is none of this peer's."""
        cursors, seen = self._concerned.get(kid, ([], 0))
        cursors += [place + 1 for place, new in enumerate(self.entries[seen:], seen) if self.concerns(new, kid)]
        self._concerned[kid] = (cursors, len(self.entries))
        if inbox != self.inbox or cursor > len(self.entries) or (cursor and cursor not in cursors):
            cursor = 0
        found = []
        first = cursors.index(cursor) + 1 if cursor else 0
        for place in cursors[first : first + limit]:
            found.append(self.datagram(datagram.INBOX, [self.inbox, cursor, place, self.entries[place - 1].raw]))
            cursor = place
        return found

    def newest(self, kid):
        """The datagram with the newest entry that concerns a meter, for one that has all before it."""
        self.inbox_after(kid, self.inbox, 0, 0)
        cursors = self._concerned[kid][0]
        return self.inbox_after(kid, self.inbox, cursors[-2], 1)

    def datagram(self, kind, body):
        return datagram.encode(kind, self.community.id, body)

    def receive_datagram(self, data, sender):
        """The answers to a datagram of the meter with that kid."""
        try:
            kind, body = datagram.decode(data, self.community.id)
        except datagram.DatagramError as error:
            self.reject(str(error))
            return []
        self.received[kind] = self.received.get(kind, 0) + 1
        if kind == datagram.ENROL:
            self.pending[sender] = body
            return []
        author = self.community.authors.get(sender)
        if author is None:
            return []
        if kind == datagram.ENTRY:
            self.receive_entry(body)
        answers = [self.datagram(datagram.HEAD, [sender, author.generation, author.sequence])]
        if kind == datagram.DIGEST and body[0] == sender:
            answers += self.inbox_after(sender, body[3], body[4])
        return answers


def with_peer(crypto=StandIn, grants=True, seals=BY_THEMSELVES, **more):
    """A community whose entries go to a peer; it grants contracts, unless `grants` is false."""
    return Community(None, crypto=crypto, seals=seals, sink=lambda community: Peer(community, grants), **more)
