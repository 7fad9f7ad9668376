"""The community's host and its operator, for one meter: certificates, a policy, grants, receipts; and what it keeps.

It uses the protocol of peers on both sides of a link that loses datagrams, stores only what follows in the meter's log,
and certifies a new generation for a meter whose log cannot go on.
"""

from wattpact_protocol.crypto import x25519
from wattpact_protocol.log import chain, entry, kinds, roles
from wattpact_protocol.sync import datagram

from simulator import bodies
from simulator.authors import Author, StandIn, named

YEAR_S = 365 * 86_400
_RENEW_S = 60  # how long after a certificate the operator waits before renewing it
_BATCH = 8


class Host:
    """Host(now_s). rows: what is for the meter, in order; heads: generation -> the log's head; rejected: by reason."""

    def __init__(self, now_s):
        self.now_s = now_s
        self.root = Author(named("field root", StandIn))
        self.community = self.root.community_id
        self.issuer = Author(named("field issuer", StandIn), self.community)
        self.host = Author(named("field host", StandIn), self.community)
        self.store_id = b"field-01"
        self.rows = []
        self.head = None
        self.known = {}  # (generation, sequence) -> id
        self.rejected = {}
        self.grants = {}  # contract -> body
        self.kid = None
        self.version = 0
        self.generation = 0
        self._certified_s = 0
        self._certify(self.root, self.root, roles.ROOT)
        sealing_key = x25519.public_key(self.issuer.key.sealing_secret)
        self.issuer.begin(0, self._certify(self.root, self.issuer, roles.ISSUER, sealing_key=sealing_key).id)
        self.host.begin(0, self._certify(self.issuer, self.host, roles.HOST).id)

    def _certify(self, by, subject, role, version=1, **more):
        body = {
            "version": version, "public_key": subject.public_key, "role": role, "label": "field", "generation": 0,
            "epoch": 0, "not_before_s": self.now_s - 86_400, "not_after_s": self.now_s + 200 * YEAR_S, "assurance": 0,
        }  # fmt: skip
        body.update(more)
        return self.publish(by, kinds.CERTIFICATE, body)

    def publish(self, author, kind, body):
        new = author.publish(kind, body, self.now_s)
        self.rows.append(new.raw)
        return new

    def certify_meter(self, meter, generation):
        """A certificate for the meter (kid, public_key); its log begins with it."""
        self.kid = meter.kid
        self.version += 1
        self.generation = generation
        self._certified_s = self.now_s
        new = self._certify(
            self.issuer, meter, roles.METER, self.version, generation=generation, rated_w=10_000
        )  # fmt: skip
        self.head = chain.start(meter.kid, generation, new.id)

    def policy(self, version, fields):
        self.publish(self.issuer, kinds.POLICY, dict(fields, version=version))

    def grant(self, wh, seconds):
        """Grant the meter so many Wh from now on; the contract."""
        number = len(self.grants) + 1
        contract = number.to_bytes(32, "big")
        body = {
            "number": number, "meter": self.kid, "contract": contract, "wh": wh, "max_w": 11_000,
            "from_s": self.now_s, "to_s": self.now_s + seconds, "price_micro_per_kwh": 200_000, "priority": 1,
            "start_by_s": self.now_s + seconds, "default_supply": False,
        }  # fmt: skip
        self.grants[contract] = body
        self.publish(self.issuer, kinds.GRANT, body)
        return contract

    def terminate(self, contract):
        self.publish(self.issuer, kinds.TERMINATE, {"contract": contract, "reason": "over"})

    # The link

    def receive(self, data, meter):
        """One datagram in, the answers out; `meter` has the kid and the public key that the operator knows."""
        try:
            kind, body = datagram.decode(data, self.community)
        except datagram.DatagramError as error:
            return self._reject(str(error))
        if kind == datagram.ENROL:
            self._enrol(meter)
            return []
        if self.head is None:
            return []
        if kind == datagram.ENTRY:
            self._ingest(body, meter)
        elif body[1] > self.generation:
            self._enrol(meter)
        answers = [datagram.encode(datagram.HEAD, self.community, [self.kid, self.generation, self.head.next_sequence])]
        return answers + (self._inbox(body[3], body[4]) if kind == datagram.DIGEST else [])

    def _reject(self, reason):
        self.rejected[reason] = self.rejected.get(reason, 0) + 1
        return []

    def _enrol(self, meter):
        """A meter without a log: its first, or a new generation where it had one."""
        if self.head is None:
            self.certify_meter(meter, 0)
        elif self.now_s - self._certified_s >= _RENEW_S:
            self.certify_meter(meter, self.generation + 1)

    def has_more(self, kind, body):
        """Whether the answer to what a meter sends is an entry or more; most digests bring nothing new."""
        return kind == datagram.ENROL or (kind == datagram.DIGEST and self._first(body[3], body[4]) < len(self.rows))

    def _first(self, inbox, cursor):
        return cursor if inbox == self.store_id and cursor <= len(self.rows) else 0

    def _inbox(self, inbox, cursor):
        first = self._first(inbox, cursor)
        batch = self.rows[first : first + _BATCH]
        return [
            datagram.encode(datagram.INBOX, self.community, [self.store_id, at, at + 1, raw])
            for at, raw in enumerate(batch, first)
        ]

    def _ingest(self, raw, meter):
        try:
            new = entry.decode(raw, self.community)
        except entry.EntryError:
            return self._reject("entry_malformed")
        if new.kid != self.kid or not entry.verify(new, meter.public_key, StandIn.verify):
            return self._reject("bad_signature")
        place = (new.generation, new.sequence)
        verdict = chain.judge(self.head, new, self.known.get(place))
        if verdict != chain.NEXT:
            return self._reject(verdict)
        self.head.accept(new)
        self.known[place] = new.id
        if new.sequence % 16 == 15:
            self.publish(self.host, kinds.RECEIPT, bodies.receipt(new))
        return []


class Link:
    """The radio link: loses, repeats, delays and damages datagrams, by permille. is_up: whether there is Wi-Fi."""

    def __init__(self, bits, host):
        self._bits = bits
        self._host = host
        self.meter = None
        self.is_up = True
        self.raises = 0  # calls of the radio that fail
        self.failed = 0
        self.lose = self.repeat = self.damage = 0
        self.delay_ms = 40
        self._to_meter = []  # (ms, count, data)
        self._count = 0
        self._come = []
        self.ms = 0
        self.sent = None  # called with what the meter sends

    def send(self, data):
        """The meter sends."""
        self._fail()
        self.sent(data)
        if self.is_up and not self._is(self.lose):
            for _ in range(1 + self._is(self.repeat)):
                for answer in self._host.receive(self._mangled(data), self.meter):
                    self._answer(answer)

    def receive(self):
        """What has come for the meter."""
        self._fail()
        return self._come.pop(0) if self._come else None

    def _fail(self):
        if self.raises:
            self.raises -= 1
            raise RuntimeError("Wifi Unknown Error 0x0101")

    def _is(self, permille):
        return permille > 0 and self._bits.below(1000) < permille

    def _mangled(self, data):
        if not self._is(self.damage):
            return data
        at = self._bits.below(len(data))
        return data[:at] + bytes([data[at] ^ (1 << self._bits.below(8))]) + data[at + 1 :]

    def _answer(self, data):
        if not self._is(self.lose):
            self._count += 1
            late_ms = self.delay_ms + (self._bits.below(self.delay_ms * 20) if self.lose else 0)
            self._to_meter.append((self.ms + late_ms, self._count, self._mangled(data)))

    def arrive(self, ms):
        self.ms = ms
        due = [row for row in self._to_meter if row[0] <= ms]
        if due:
            self._to_meter = [row for row in self._to_meter if row[0] > ms]
            if self.is_up:
                self._come += [data for _, _, data in sorted(due)]

    def arrives_ms(self):
        return min([row[0] for row in self._to_meter]) if self._to_meter else 1 << 60

    def forget(self):
        """The meter was reset."""
        self._come = []
