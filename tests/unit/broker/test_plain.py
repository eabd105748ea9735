"""The short way of plain messages: it is taken, and nobody can tell it from the long one."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actorchat.broker.plain import SessionRef
from actorchat.chat.conversation import Conversation
from actorchat.chat.effect import Effect, Store
from actorchat.chat.event import Accepted, FannedOut, Post, Prior, Refused, Update
from actorchat.errors import MailboxFull
from actorchat.limits import SESSION_MAILBOX_MAX
from actorchat.protocol import ops
from tests.unit.broker.stage import Device, Stage
from tests.unit.chat.cast import PAIR, Peer, cid

KEY = bytes(18)


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.add_users("ann", "bob")
    return stage


def ref_of(device: Device) -> Any:
    return device.connection.inlet._ref


def test_update_passes_an_idle_session_without_its_mailbox(stage: Stage) -> None:
    ann = stage.hello("ann")
    ref = ref_of(ann)
    assert isinstance(ref, SessionRef)
    handled = ref._handled
    ref.tell(Update(b"\xa0"))
    assert ann.connection.pushes[-1] == {}
    assert ref._handled == handled
    assert not ref._queue


def test_update_behind_another_message_waits_for_its_turn(stage: Stage) -> None:
    ann = stage.hello("ann")
    count = len(ann.connection.pushes)
    ref_of(ann).tell(Refused(7, "busy", "why"))
    ref_of(ann).tell(Update(b"\xa0"))
    assert len(ann.connection.pushes) == count
    stage.run()
    assert ann.connection.pushes[-1] == {}


def test_trace_sees_what_else_would_pass(stage: Stage) -> None:
    ann = stage.hello("ann")
    seen: list[object] = []
    stage.system.trace(lambda _ref, message, _reply: seen.append(message))
    update = Update(b"\xa0")
    ref_of(ann).tell(update)
    stage.run()
    assert update in seen


def test_nothing_passes_a_session_that_is_over(stage: Stage) -> None:
    ann = stage.hello("ann")
    ann.leave()
    stage.run()
    count = len(ann.connection.pushes)
    ref_of(ann).tell(Update(b"\xa0"))
    ref_of(ann).tell(Accepted(1, 1, 1))
    stage.run()
    assert len(ann.connection.pushes) == count


def test_nothing_passes_a_session_before_its_welcome(stage: Stage) -> None:
    stranger = stage.connect()
    ref_of(stranger).tell(Update(b"\xa0"))
    stage.run()
    assert not stranger.connection.pushes


def test_many_ops_are_told_at_once_or_not_at_all(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    sends = [ops.Send(100 + n, "bob", stage.new_cid(), f"m{n}") for n in range(5)]
    ref_of(ann).tell_each(sends)
    stage.run()
    assert bob.bodies == [f"m{n}" for n in range(5)]
    ping = ops.Ping()
    ref_of(ann).tell_each([ping] * (SESSION_MAILBOX_MAX - 1))
    with pytest.raises(MailboxFull):
        ref_of(ann).tell_each([ping, ping])
    assert len(ref_of(ann)._queue) == SESSION_MAILBOX_MAX - 1
    ref_of(ann).tell_each([ping])


def test_many_ops_for_a_dead_session_are_dead_letters(stage: Stage) -> None:
    ann = stage.hello("ann")
    ann.leave()
    stage.run()
    dead = stage.system.counts()["dead"]
    ref_of(ann).tell_each([ops.Ping(), ops.Ping()])
    assert stage.system.counts()["dead"] == dead + 2


# -- the machine's two ways -----------------------------------------------------------------------


def post(number: int, sender: str = "ann", **fields: object) -> Post:
    event = Post(sender, Peer("session"), number, cid(number), "hi")
    return msgspec.structs.replace(event, **fields)


def unknown(_conversation: bytes, _key: bytes) -> Prior | None:
    return None


def twins(owed: int | None = 1) -> tuple[Conversation, Conversation]:
    return Conversation(PAIR, 3, owed), Conversation(PAIR, 3, owed)


@pytest.mark.parametrize("sender", PAIR)
@pytest.mark.parametrize("has_company", [True, False])
def test_short_way_stores_what_the_long_one_would(sender: str, has_company: bool) -> None:
    short, long = twins()
    for number in range(1, 300):
        event = post(number, sender, has_company=has_company)
        same = post(number, sender, has_company=has_company)
        same.session = event.session
        found = short.post_plain(event, 5, unknown, KEY)
        expected: list[Effect] = long.handle(same, 5)
        event.key = same.key
        assert [found] == expected
        assert isinstance(found, Store)


@pytest.mark.parametrize(
    ("owed", "event"),
    [
        (None, post(1)),  # the marker, and a timer
        (1, post(1, "eve")),
        (1, post(1, "eve", has_company=True)),
    ],
)
def test_short_way_leaves_what_is_unusual_as_it_is(owed: int | None, event: Post) -> None:
    short, long = twins(owed)
    assert short.post_plain(event, 5, unknown, KEY) is None
    assert short.seq == 3
    assert short.handle(event, 5) == long.handle(event, 5)


def test_short_way_stores_nothing_twice() -> None:
    machine, _ = twins()
    assert machine.post_plain(post(1), 5, unknown, KEY) is not None
    assert machine.post_plain(post(1), 5, unknown, KEY) is None
    assert machine.post_plain(post(2), 5, lambda *_: Prior(1, 1, None), KEY) is None
    assert machine.seq == 4


def test_short_way_is_shut_where_one_blocks_the_other() -> None:
    machine, _ = twins()
    machine.blocks["bob"] = ((4, 0),)
    assert machine.post_plain(post(1), 5, unknown, KEY) is None


def test_short_way_is_shut_when_nothing_is_owed_any_more() -> None:
    machine, _ = twins()
    assert machine.post_plain(post(1), 5, unknown, KEY) is not None
    machine.handle(FannedOut("bob", 4), 5)
    assert machine.post_plain(post(2), 5, unknown, KEY) is None
    assert machine.post_plain(post(2, "bob"), 5, unknown, KEY) is not None
