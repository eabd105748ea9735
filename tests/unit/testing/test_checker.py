"""Differences that are planted in a world that ended well: each must be reported."""

from __future__ import annotations

from collections import Counter, defaultdict
from copy import copy

import pytest

from actorchat.ids import direct_pair
from actorchat.store import keys, kinds
from actorchat.testing.checker import Checker
from actorchat.testing.journal import Pair, Posting
from actorchat.testing.world import World
from tests.unit.testing.scene import CALM


class Aftermath:
    """A world that ended well, and who judges it again."""

    def __init__(self) -> None:
        self.world = World(1, CALM)
        report = self.world.run()
        assert report.is_well, str(report)
        self.journal = self.world.journal
        self.device = max(self.world.devices, key=lambda device: len(device.ledger.held))
        assert len(self.device.ledger.held) >= 3
        # A conversation in which a device wrote more than once.
        lanes = Counter((p.user, p.device, p.to) for p in map(self.post_of, self.journal.acked))
        (user, _, to), count = lanes.most_common(1)[0]
        assert count >= 2
        self.pair: Pair = direct_pair(user, to)

    @property
    def alone(self) -> Posting:
        """A message that no device but its recipient's had to get."""
        for post in map(self.post_of, self.journal.acked):
            mine = [d for d in self.world.devices if d.user == post.user != post.to]
            others = [d for d in mine if d.name != post.device]
            if mine and not any(d.ledger.first_order < post.order for d in others):
                return post
        raise AssertionError("nobody was alone")

    def post_of(self, cid: bytes) -> Posting:
        return self.journal.posts[cid]

    def checker(self, may_lose_marks: bool = False) -> Checker:
        return Checker(
            self.world.disk.engine,
            self.journal,
            self.world.devices,
            is_calm=True,
            may_lose_marks=may_lose_marks,
            may_drop_hints=False,
        )

    def found(self, may_lose_marks: bool = False) -> set[str]:
        """Judge everything; return the rules that do not hold."""
        self.checker(may_lose_marks).check()
        return {text.split(" ")[0] for text in self.journal.violations}

    def drop(self, family: str, key: bytes) -> None:
        engine = self.world.disk.engine
        assert engine.get(key, engine.family(family)) is not None
        batch = engine.batch()
        batch.delete(key, engine.family(family))
        engine.write(batch)


@pytest.fixture
def after() -> Aftermath:
    return Aftermath()


def test_world_that_ended_well_is_well_again(after: Aftermath) -> None:
    assert after.found() == set()
    assert after.checker().unreceived() == []
    assert after.checker().unacked() == []
    assert after.checker().owed() == []


def test_message_that_a_device_lost_is_reported(after: Aftermath) -> None:
    del after.device.ledger.held[1]
    assert after.found() == {"I3"}
    assert after.device.label in after.journal.violations[0]


def test_message_that_a_device_has_twice_is_reported(after: Aftermath) -> None:
    held = after.device.ledger.held
    held.insert(1, copy(held[0]))
    assert after.found() == {"I3"}


def test_messages_that_a_device_has_in_another_order_are_reported(after: Aftermath) -> None:
    held = after.device.ledger.held
    held[0], held[1] = held[1], held[0]
    assert after.found() == {"I3"}


def test_messages_of_two_senders_in_another_order_are_reported(after: Aftermath) -> None:
    held, at = next(
        (held, at)
        for held in (device.ledger.held for device in after.world.devices)
        for at in range(1, len(held))
        if held[at].conv != held[at - 1].conv
    )
    held[at - 1], held[at] = held[at], held[at - 1]
    assert after.found() == {"I3"}


def test_message_sent_on_another_device_that_was_not_shown_is_reported(after: Aftermath) -> None:
    own = [
        (device.ledger.held, receipt)
        for device in after.world.devices
        for receipt in device.ledger.held
        if (post := after.post_of(receipt.cid)).user == device.user != post.to
        and post.device != device.name
    ]
    assert own
    held, receipt = own[0]
    held.remove(receipt)
    assert after.found() == {"I3"}
    assert any("lacks" in text for text in after.journal.violations)


def test_message_with_another_body_is_reported(after: Aftermath) -> None:
    after.journal.posts[after.device.ledger.held[0].cid].body += "?"
    assert after.found() == {"I4"}


def test_message_that_nobody_sent_is_reported(after: Aftermath) -> None:
    cid = after.alone.cid
    del after.journal.posts[cid]
    del after.journal.acked[cid]
    assert after.found() == {"I4"}


def test_message_that_was_refused_and_is_there_is_reported(after: Aftermath) -> None:
    after.journal.failed[after.device.ledger.held[0].cid] = "no_user"
    assert after.found() == {"I4"}


def test_ack_that_names_another_place_is_reported(after: Aftermath) -> None:
    after.journal.acked[after.alone.cid] += 1
    assert after.found() == {"I1"}


def test_acked_message_that_is_not_in_the_history_is_reported(after: Aftermath) -> None:
    user, to = "carol", "bob"
    cid, seq = b"lost" * 4, after.journal.acked_head["bob", "carol"] + 1
    after.journal.posts[cid] = Posting(user, "phone", to, cid, "hello", 1_000, 0)
    after.journal.accepted(cid, seq)
    assert after.found() == {"I1"}


def test_history_that_a_member_saw_otherwise_is_reported(after: Aftermath) -> None:
    after.journal.pages[after.pair[0], after.pair].pop()
    assert after.found() == {"I2"}


def test_messages_that_passed_an_older_one_are_reported(after: Aftermath) -> None:
    posts, sent = after.journal.posts, defaultdict(list)
    for record in after.checker().history(after.pair):
        post = posts[record.cid]
        sent[post.user, post.device].append(post)
    first, second, *_ = max(sent.values(), key=len)
    first.order, second.order = second.order, first.order
    assert after.found() == {"I2"}


def test_message_sent_after_a_later_one_was_acked_is_reported(after: Aftermath) -> None:
    after.journal.posts[after.device.ledger.held[0].cid].floor = 1_000
    assert after.found() == {"I2"}


def test_hole_in_an_update_log_is_reported(after: Aftermath) -> None:
    log = after.journal.updates[after.device.user]
    del log[max(log)]
    assert "I6" in after.found()


def test_answer_that_never_came_is_reported(after: Aftermath) -> None:
    cid = after.device.ledger.held[0].cid
    after.device.ledger.outbox[cid] = after.journal.posts[cid]
    assert after.found() == {"rest"}


def test_debt_that_is_left_is_reported(after: Aftermath) -> None:
    engine, key = after.world.disk.engine, keys.conversation_key(*after.pair)
    batch = engine.batch()
    batch.put(keys.outbox_key(key), keys.pack_outbox(1), engine.family("outbox"))
    engine.write(batch)
    assert "rest" in after.found()
    assert after.checker().owed() == [keys.outbox_key(key)]


@pytest.mark.parametrize("may_lose_marks", [False, True])
def test_mark_that_did_not_arrive_is_reported_unless_it_may_be_lost(
    after: Aftermath, may_lose_marks: bool
) -> None:
    user = after.device.user
    posts = [after.post_of(receipt.cid) for receipt in after.device.ledger.held]
    pair = next(post.pair for post in posts if post.user != user)
    key = keys.state_key(keys.conversation_key(*pair), kinds.MARKS, user.encode())
    after.drop("state", key)
    assert after.found(may_lose_marks) == (set() if may_lose_marks else {"I5"})
    assert after.journal.counts["marks_lost"] == may_lose_marks


def test_device_that_never_signed_in_is_reported(after: Aftermath) -> None:
    after.device.ledger.first_cursor = None
    assert after.found() == {"devices"}


def test_device_that_waits_for_messages_is_named(after: Aftermath) -> None:
    after.device.ledger.taken = 0
    assert [text.split(" ")[0] for text in after.checker().unreceived()] == [after.device.label]
