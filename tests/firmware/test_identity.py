"""The identity: RFC 8032 test 1 as its seed, made once, kept over resets, and never shown."""

import binascii

import case
from case import raises
from simulator import flash
from wattpact_meter.log.identity import Identity, IdentityError
from wattpact_meter.storage.store import StateError, Store
from wattpact_protocol import steps
from wattpact_protocol.crypto import ed25519
from wattpact_protocol.log import ids

# RFC 8032, 7.1, test 1
SEED = binascii.unhexlify("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC_KEY = binascii.unhexlify("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
SIGNATURE = binascii.unhexlify(
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
    "d25bf5f0595bbe24655141438e7a100b"
)


class Randomness:
    """Gives the seed of RFC 8032, then codes; counts what is drawn."""

    def __init__(self):
        self.drawn = []

    def __call__(self, n):
        self.drawn.append(n)
        return SEED if n == 32 else case.Bits("code").bytes(n)


def test_the_first_boot_makes_it_and_later_ones_find_it():
    with flash.Folder() as folder:
        chance = Randomness()
        for _ in range(3):
            identity = Identity(Store(folder), chance)
            assert identity.public_key == PUBLIC_KEY
            assert identity.kid == ids.kid_of(PUBLIC_KEY)
            assert identity.code == case.Bits("code").bytes(16)
            assert steps.finish(identity.sign_steps(b"")) == SIGNATURE
        assert chance.drawn == [32, 16]
        assert ed25519.verify(identity.public_key, b"x", steps.finish(identity.sign_steps(b"x")))


def test_it_is_in_flash_before_it_can_sign():
    class Rejecting:
        corrupt = set()

        def load(self, name):
            return None

        def save(self, name, value):
            raise OSError(5, "no flash")

    raises(OSError, Identity, Rejecting(), Randomness())


def test_a_damaged_one_is_never_replaced():
    with flash.Folder() as folder:
        Identity(Store(folder), Randomness())
        data = flash.read(folder + "/identity")
        for place in range(len(data)):
            flash.write(folder + "/identity", data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
            raises(IdentityError, Identity, Store(folder), Randomness())
        for wrong in ([SEED], [SEED, b"x" * 15], [SEED, 1], 5, {1: SEED}):
            Store(folder).save("identity", wrong)
            raises(IdentityError, Identity, Store(folder), Randomness())


def test_broken_randomness_is_rejected_and_nothing_is_kept():
    for broken in (lambda n: bytes(n), lambda n: b"\xff" * n, lambda n: b"short"):
        with flash.Folder() as folder:
            raises(IdentityError, Identity, Store(folder), broken)
            assert flash.names(folder) == []


def test_the_seed_is_not_shown():
    with flash.Folder() as folder:
        identity = Identity(Store(folder), Randomness())
        shown = repr(identity) + str(identity) + "%r %s" % (identity, identity)
        public = [name for name in dir(identity) if not name.startswith("_")]
        for name in public:
            shown += repr(getattr(identity, name))
        assert SEED not in [getattr(identity, name) for name in public]
        assert SEED.hex() not in shown and repr(SEED) not in shown


def test_a_fault_in_signing_does_not_show_the_seed():
    with flash.Folder() as folder:
        identity = Identity(Store(folder), Randomness())
        backend_sign_steps = ed25519._backend.sign_steps

        def disturbed(seed, message):
            yield
            return None

        ed25519._backend.sign_steps = disturbed
        try:
            fault = raises(ed25519.FaultError, steps.finish, identity.sign_steps(b"message"))
        finally:
            ed25519._backend.sign_steps = backend_sign_steps
        told = [fault] + [raises(ed25519.SeedError, ed25519.sign, seed, b"") for seed in (SEED[:31], SEED + b"x")]
        work = identity.sign_steps(b"message")
        next(work)
        for shown in [repr(one) + str(one) for one in told] + [repr(work)]:
            assert SEED.hex() not in shown and repr(SEED)[2:20] not in shown, shown
        assert steps.finish(identity.sign_steps(b"")) == SIGNATURE


def test_a_value_that_cannot_be_kept_is_not_shown():
    with flash.Folder() as folder:
        store = Store(folder)
        for wrong in ([SEED, 1.5], [SEED, object()], [SEED * 400, SEED], {SEED: SEED}):
            error = raises(StateError, store.save, "identity", wrong)
            shown = repr(error) + str(error) + repr(store)
            assert SEED.hex() not in shown and repr(SEED)[2:20] not in shown, shown
