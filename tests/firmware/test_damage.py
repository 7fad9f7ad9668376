"""What a damaged flash does to a meter: it starts, signs nothing twice, reports what was lost, and goes on."""

import os

import case
from simulator import flash
from simulator.community import START_S
from simulator.household import Household
from simulator.network import Network, World, alone
from simulator.peer import with_peer
from simulator.snapshot import Snapshot
from wattpact_meter.storage.journal import Journal, JournalError
from wattpact_meter.storage.store import Store, settle
from wattpact_protocol.log import event_codes, kinds, readings, reasons


def load(ms, closed):
    return 3600 if closed else 0


def received(world, kind):
    """The bodies of that kind that the host has of the meter, in its newest generation."""
    generation = world.community.authors[world.households[0].kid].head.generation
    rows = [new for new in world.community.entries if new.kid == world.households[0].kid and new.kind == kind]
    return [new.body for new in rows if new.generation == generation]


def import_at_end(body):
    return readings.end_value(body, readings.IMPORT_WH)


def reported(world):
    """What the meter reported to be lost."""
    codes = received(world, kinds.EVENT)
    return [body["text"] for body in codes if body["code"] == event_codes.STATE_CORRUPT]


def traded(folder, seconds=150):
    """A meter that runs under a grant and keeps its flash in a folder; the world, the community, the meter."""
    world, community, household = alone(load, 500, folder=folder)
    world.run(10)
    community.give(household, 600, to_s=community.now_s + 3000)
    world.run(seconds)
    return world, community, household


def head(world):
    return world.community.authors[world.households[0].kid].head


def until_delivered(world):
    journal = world.households[0].journal
    world.run_until(lambda: head(world).next_sequence == journal.next_sequence, 20)


def fatal(world):
    """Why the host rejected entries, but for what is repeated or came too early."""
    return [name for name in world.community.sink.rejected if name not in (reasons.GAP, reasons.DUPLICATE)]


def renew(world):
    community, household = world.community, world.households[0]
    community.enrol_again(household, world.owner, generation=head(world).generation + 1)
    world.run(20)
    assert household.meter.log.is_open and household.meter.log.generation == head(world).generation
    assert head(world).next_sequence > 3 and household.journal.next_sequence - head(world).next_sequence <= 4


def newest_segment(folder):
    return folder + "/journal/" + [name for name in flash.names(folder + "/journal") if name.endswith(".log")][-1]


def test_a_log_whose_newest_entries_are_gone_goes_on_behind_them_where_the_host_has_them():
    with flash.Folder() as folder:
        world, community, household = traded(folder)
        until_delivered(world)
        before = household.journal.next_sequence
        household.journal.close()
        flash.write(newest_segment(folder), b"")
        household.boot(world.ms, power_failed=True)
        log = household.meter.log
        assert log.next_sequence == before and not log.is_open and not log.is_lost
        world.run(30)
        assert log.is_open and log.generation == 0 and head(world).next_sequence > before
        assert reported(world) and "journal" in reported(world)[0]
        assert not community.sink.rejected, community.sink.rejected
        household.boot(world.ms)
        world.run(10)
        assert household.meter.log.is_open and household.meter.log.generation == 0 and not community.sink.rejected


def test_a_log_that_lost_what_no_host_has_begins_anew_when_it_is_renewed():
    with flash.Folder() as folder:
        world, community, household = traded(folder)
        world.network.up = False
        world.run(40)
        used_wh, before = household.meter.registers()[1], household.journal.next_sequence
        household.journal.close()
        os.remove(newest_segment(folder))
        household.boot(world.ms, power_failed=True)
        world.run(20)
        assert household.journal.next_sequence == before, "nothing is signed before it is known what the host has"
        world.network.up = True
        world.run(40)
        log = household.meter.log
        assert log.is_lost and not log.is_open and household.journal.next_sequence == before
        assert log.claim() == (1, 0) and household.meter.decision is not None
        household.boot(world.ms)
        world.run(10)
        assert household.meter.log.is_lost
        renew(world)
        assert [text for text in reported(world) if text.startswith("log 0 ended")] and len(reported(world)) == 2
        assert import_at_end(received(world, kinds.READING)[-1]) >= used_wh, "the registers went on"
        household.boot(world.ms, power_failed=True)
        world.run(10)
        assert household.meter.log.is_open and not community.sink.rejected.get(reasons.GAP)


def test_without_its_place_a_log_waits_for_the_host_and_never_falls_behind_it():
    for is_gone, is_lost in ((False, False), (True, True)):
        with flash.Folder() as folder:
            world, community, household = traded(folder)
            until_delivered(world)
            household.journal.close()
            os.remove(folder + "/state/log")
            if is_gone:
                flash.write(newest_segment(folder), b"")
                for name in ("usage", "trader"):  # nothing else knows either
                    os.remove(folder + "/state/" + name)
            household.boot(world.ms)
            assert not household.meter.log.is_open
            world.run(20)
            assert household.meter.log.is_lost == is_lost and household.meter.log.is_open != is_lost
            if is_lost:
                renew(world)


def test_what_other_parts_stored_is_a_floor_even_for_a_host_that_has_less():
    with flash.Folder() as folder:
        world, community, household = traded(folder)
        world.network.up = False
        world.run(30)
        signed = household.journal.next_sequence
        household.journal.close()
        for name in flash.names(folder + "/journal"):
            os.remove(folder + "/journal/" + name)
        os.remove(folder + "/state/log")
        household.boot(world.ms)
        world.network.up = True
        world.run(20)
        assert household.meter.log.is_lost and household.journal.next_sequence <= signed
        assert household.journal.read(household.journal.next_sequence - 1) is None
        renew(world)


def copied(folder, name):
    return {each: flash.read("%s/%s/%s" % (folder, name, each)) for each in flash.names(folder + "/" + name)}


def test_state_that_is_older_than_the_journal_is_seen_and_no_grant_is_used_again():
    with flash.Folder() as folder:
        world, community, household = traded(folder, 30)
        old = copied(folder, "state")
        spent = community.give(household, 5, to_s=community.now_s + 3000, priority=0).body["number"]
        world.run(120)
        key_no = household.meter.sealer.key_no
        household.journal.close()
        for name in flash.names(folder + "/state"):
            os.remove(folder + "/state/" + name)
        for name, data in old.items():
            flash.write(folder + "/state/" + name, data)
        household.boot(world.ms, power_failed=True)
        meter = household.meter
        assert "state" in meter.checkpoint.lost and meter.state_corrupt and not meter.log.is_open
        assert meter.registers()[1] >= import_at_end(received(world, kinds.READING)[-1])
        world.run(40)
        assert meter.log.is_open and meter.log.generation == 0 and not fatal(world)
        assert spent not in [grant.number for grant in meter.usage.grants]
        assert meter.rejected[reasons.BEFORE_STATE_WAS_LOST] >= 1
        assert meter.sealer.key_no > key_no and any("state" in text for text in reported(world))


def test_after_lost_state_the_first_grant_counts_though_the_clock_was_ahead():
    with flash.Folder() as folder:
        world, community, household = traded(folder, 30)
        household.clock_off_s = 40 * 86_400
        world.run(20)
        household.journal.close()
        flash.write(folder + "/state/usage", b"damaged")
        household.boot(world.ms)
        world.run(20)
        assert household.meter.inbox.not_before_s > community.now_s and household.meter.inbox.cursor
        household.clock_off_s = 0
        world.run(5)
        assert household.meter.inbox.not_before_s <= community.now_s
        number = community.give(household, 5, to_s=community.now_s + 3000).body["number"]
        world.run(20)
        assert [grant.number for grant in household.meter.usage.grants] == [number]


def test_only_a_log_in_doubt_is_moved_by_a_head_that_nobody_signed():
    world, community, household = alone(load, 500)
    world.run(20)
    log = household.meter.log
    log.on_head(0, 10_000)
    assert log.is_open and not log.is_lost
    log._is_certain = False
    log.on_head(0, 10_000)
    assert log.is_lost
    log.on_head(0, log.next_sequence)
    assert log.is_open, "the next HEAD is as good as the one before"


def test_a_healthy_meter_that_is_renewed_follows_its_certificate():
    world, community, household = alone(load, 500)
    world.run(20)
    assert household.meter.log.generation == 0
    renew(world)
    household.boot(world.ms)
    world.run(10)
    assert household.meter.log.generation == 1 and household.meter.log.is_open


def test_a_new_log_begins_with_the_register_generation_and_all_its_registers():
    """Or a checkpoint that is lost after that would let registers fall that no entry names any more."""
    with flash.Folder() as folder:
        world, _, household = traded(folder)
        renew(world)
        world.run(10)
        opened = [body for body in received(world, kinds.EVENT) if body["code"] == event_codes.REGISTER_OPEN]
        held = household.meter.registers()
        assert [(body["detail"], sorted(body["registers"])) for body in opened] == [(1, sorted(held))]


def test_a_power_cut_at_any_write_of_a_renewal_ends_in_the_new_generation():
    cuts = 0
    for after in (False, True):
        for cut in range(1, 30, case.scale(1, 4)):
            world, community, household = alone(load, 500)
            world.run(20)
            world.on_cut = lambda household, world=world: household.boot(world.ms, power_failed=True)
            household.flash.cut_in, household.flash.cut_after = cut, after
            renew(world)
            cuts += household.boots - 1
    assert cuts > case.scale(30, 8), cuts


def test_a_flash_that_fails_while_a_log_ends_has_no_sequence_signed_twice():
    for good in (0, 1):
        with flash.Folder() as folder:
            world, community, household = alone(load, folder=folder)
            world.run(3)
            journal = household.journal
            journal._segment_bytes = 600
            world.run(20)
            assert len(journal._segments) > 2
            remove, left = journal._remove, [good + 1]
            signed = {number: journal.read(number) for number in range(journal.first, journal.next_sequence)}

            def fail(segment, remove=remove, left=left):
                left[0] -= 1
                if left[0] == 0:
                    raise JournalError("flash failed")
                remove(segment)

            journal._remove = fail
            log = household.meter.log
            community.enrol_again(household, world.owner, generation=1)
            for _ in range(100):
                world.step()
                for number in range(journal.first, journal.next_sequence if log.generation == 0 else 0):
                    raw = journal.read(number)
                    assert raw == signed.setdefault(number, raw), number
            assert left[0] <= 0 and log.generation == 1 and log.is_open
            assert household.meter.rejected["flash_failed"] == 1


def test_resets_together_lose_no_more_than_one_percent_and_the_grant_still_ends():
    for every_s, watts in ((20, 7200), (33, 450), (60, 2000)):
        world, community, household = alone(
            lambda ms, closed, watts=watts: watts if closed else 0, 500, step_s=900, folder=None
        )
        world.run(10)
        wh = watts // 4
        community.give(household, wh, to_s=community.now_s + 7200, start_by_s=community.now_s + 7200)
        world.run_until(lambda household=household: household.closed, 20)
        used_ms = 0
        for second in range(2 * 1200):
            if second % (2 * every_s) == 2 * every_s - 1:
                household.boot(world.ms, power_failed=True)
            world.step()
            used_ms += 500 if household.closed else 0
        used_wh = used_ms * watts // 3_600_000
        counted_wh = household.meter.registers()[1]
        assert used_wh * 99 // 100 <= counted_wh <= used_wh + 1, (every_s, counted_wh, used_wh)
        assert not household.closed and wh <= counted_wh <= wh + 2, "the grant has ended"


def test_checkpoints_become_rare_once_a_meter_runs():
    world, community, household = alone(lambda ms, closed: 3600 if closed else 0, 1000, step_s=900)
    community.give(household, 9000, to_s=community.now_s + 30_000)
    saves = []
    store = household.meter.recorder._store
    save_steps = store.save_steps

    def counted_steps(name, value):
        saves.append(name)
        return save_steps(name, value)

    store.save_steps = counted_steps
    counts = []
    for _ in range(4):
        world.run(1800)
        counts.append(saves.count("registers"))
        saves.clear()
    assert 100 < counts[0] < 700 and counts[-1] < 90, counts


if case.MICROPYTHON:

    class Dark(Network):
        """Nothing leaves a meter whose power is gone."""

        def send(self, to, data, world_ms):
            if self.blocks.writes_left is None or self.blocks.writes_left > 0:
                Network.send(self, to, data, world_ms)

    class Life:
        """A meter on littlefs, enrolled, whose journal is about to be pruned: a moment to come back to."""

        def __init__(self):
            self.blocks = flash.Blocks(64)
            with flash.Mounted(self.blocks, fresh=True) as mounted:
                os.mkdir(mounted.path + "/state")
                os.mkdir(mounted.path + "/journal")
                settle(mounted.path, mounted.path + "/state", mounted.path + "/journal")
                self.community = with_peer()
                self.household = Household(self.community, "alone", load, folder=mounted.path)
                self.world = World(self.community, [self.household], Dark(), step_ms=500)
                self.world.network.blocks = self.blocks
                self.world.owner = self.community.person("owner")
                self.community.enrol(self.household, self.world.owner)
                self.community.quick_policy()
                self.world.run(10)
                self.community.give(self.household, 600, to_s=self.community.now_s + 3000)
                self.world.run_until(lambda: self.household.journal.next_sequence >= 284, 1200)
                self.household.journal.close()
            self.image, self.ms = bytes(self.blocks.image), self.world.ms
            self._snapshot = Snapshot(self.community)

        def back(self, image):
            """The world as it was then, with that image in the flash."""
            self._snapshot.restore()
            self.world.network._under_way.clear()
            self.world.ms = self.ms
            self.community.now_s = START_S + self.ms // 1000
            self.blocks.image = image
            self.blocks.writes_left = None

        def cut_after(self, writes):
            """The flash when its power goes after so many writes from that moment on."""
            self.back(bytearray(self.image))
            with flash.Mounted(self.blocks):
                self.household.boot(self.ms)
                self.blocks.writes_left = writes
                while self.blocks.writes_left > 0:
                    self.world.step()
            self.world.network._under_way.clear()
            return bytes(self.blocks.image)

        def live_on(self, image):
            """Start with that image, and go on until the host has more of the meter; whether a renewal was needed."""
            self.blocks.image, self.blocks.writes_left = image, None
            world, household, meter_head = self.world, self.household, head(self.world)
            held, last = meter_head.next_sequence, import_at_end(received(world, kinds.READING)[-1])
            reports = len(reported(world))
            with flash.Mounted(self.blocks):
                household.boot(world.ms, power_failed=True)
                meter = household.meter
                assert meter.registers()[1] >= last, "a register fell"
                lost = bool(meter.checkpoint.lost or meter.sealer.lost or household.journal.missing)
                world.run(20)
                assert meter.decision is not None
                is_lost = meter.log.is_lost
                if is_lost:
                    renew(world)
                    reports = 0
                else:
                    assert meter.log.is_open and head(world).next_sequence > held
                assert (len(reported(world)) > reports) == (lost or is_lost), (lost, reported(world))
                assert not fatal(world), self.community.sink.rejected
                household.journal.close()
            return is_lost

    EVERYTHING = os.getenv("WATTPACT_EVERY_BLOCK") == "1"  # some minutes
    LIVES = []

    def life():
        """One for all tests of this file, since it takes long to live."""
        if not LIVES:
            LIVES.append(Life())
        return LIVES[0]

    def test_each_block_damaged_in_each_way():
        bits = case.Bits("each block")
        blocks, first = list(range(64)), bits.bytes(64)
        bits.shuffle(blocks)
        ways = range(len(flash.DAMAGE))
        trials = [(block, flash.DAMAGE[(first[block] + way) % len(ways)]) for way in ways for block in blocks]
        trials, renewed = trials if EVERYTHING else trials[: case.scale(case.cases(64, 12), 12)], 0
        for block, how in trials:
            life().back(bytearray(life().image))
            try:
                renewed += life().live_on(flash.damaged(life().image, block, how, bits))
            except Exception:
                print("block %d, %s" % (block, how))
                raise
        assert renewed * 4 <= len(trials), renewed

    def is_mounted(image):
        """Whether littlefs has a folder left to start from: not where one block of its pair was being written when
        power went, and the other is the damaged one."""
        try:
            with flash.Mounted(flash.Blocks(image=bytearray(image))):
                return True
        except OSError:
            return False

    def test_a_block_damaged_at_any_moment():
        bits = case.Bits("any moment")
        trials, hopeless = 200 if EVERYTHING else case.scale(case.cases(32, 4), 4), 0
        for _ in range(trials):
            writes, block, how = 1 + bits.below(500), bits.below(64), bits.choice(flash.DAMAGE)
            cut = life().cut_after(writes)
            image = flash.damaged(cut, block, how, bits)
            if not is_mounted(image):
                assert is_mounted(cut), "the power cut alone"
                hopeless += 1
                continue
            try:
                life().live_on(image)
            except Exception:
                print("after %d writes, block %d, %s" % (writes, block, how))
                raise
        assert hopeless * 20 <= trials, hopeless

    def test_a_segment_that_littlefs_cannot_follow_gives_way_so_that_the_flash_can_be_written():
        blocks = flash.Blocks(64)
        with flash.Mounted(blocks, fresh=True) as mounted:
            journal = Journal(mounted.path + "/journal")
            settle(mounted.path, mounted.path + "/journal")
            for sequence in range(60):
                journal.append(bytes(600), sequence)
            journal.close()
        image = bytes(blocks.image)
        broken = 0
        for block in range(64):
            with flash.Mounted(flash.Blocks(image=flash.damaged(image, block, "ff", None))) as mounted:
                journal = Journal(mounted.path + "/journal")
                if not any(segment.is_broken for segment in journal._segments):
                    continue
                broken += 1
                journal.skip_to(60)  # as the place has it
                journal.drop_broken()
                assert journal.next_sequence == 60 and journal.missing
                journal.append(b"after", 60)
                Store(mounted.path + "/state").save("trust", bytes(900))
                assert Journal(mounted.path + "/journal").read(60) == b"after"
        assert broken > 3, broken
