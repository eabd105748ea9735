"""What is told to all reaches each in order, and one full mailbox keeps it from nobody else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actorchat.actor import (
    Actor,
    ActorSystem,
    LocalRef,
    LoopDispatcher,
    Mailbox,
    Reply,
    SeededDispatcher,
    tell_all,
)
from actorchat.actor.broadcast import Burst
from actorchat.actor.dispatcher import Dispatcher
from actorchat.actor.mailbox import Call
from actorchat.limits import VISIT_MESSAGES_MAX


class Member(Actor):
    mailbox = Mailbox(limit=2)

    def __init__(self, seen: list[Any]) -> None:
        self.seen = seen

    def on_receive(self, message: Any) -> None:
        self.seen.append(message)


def test_every_ref_is_told_in_order_and_the_accounts_balance() -> None:
    dispatcher = SeededDispatcher(1)
    system = ActorSystem(dispatcher)
    seen: list[list[Any]] = [[] for _ in range(5)]
    refs = [system.spawn(Member, each) for each in seen]
    dispatcher.run()
    assert tell_all(refs, "one") == tell_all(iter(refs), "two") == 5
    dispatcher.run()
    assert seen == [["one", "two"]] * 5
    counts = system.counts()
    assert counts["told"] == counts["handled"] + counts["dead"] + counts["queued"]


def test_full_mailbox_keeps_it_from_nobody_else() -> None:
    dispatcher = SeededDispatcher(1)
    system = ActorSystem(dispatcher)
    seen: list[list[Any]] = [[], []]
    full, free = (system.spawn(Member, each) for each in seen)
    dispatcher.run()
    full.tell(1)
    full.tell(2)
    assert tell_all((full, free), 3) == 1
    dispatcher.run()
    assert seen == [[1, 2], [3]]
    assert system.counts()["refused"] == 1


def test_dead_ref_makes_a_dead_letter() -> None:
    dispatcher = SeededDispatcher(1)
    system = ActorSystem(dispatcher)
    ref = system.spawn(Member, [])
    ref.stop()
    dispatcher.run()
    before = system.counts()["dead"]
    tell_all((ref,), "late")
    assert system.counts()["dead"] == before + 1


# -- on a loop, where one entry of the run queue stands for all ------------------------------------


class Witness(Actor):
    """Notes what it is told, in one list for all."""

    mailbox = Mailbox(limit=4)

    def __init__(self, name: int, log: list[Any]) -> None:
        self.name = name
        self.log = log

    def on_receive(self, message: Any) -> Any:
        self.log.append((self.name, message))
        if callable(message):
            return message(self)
        return None

    def on_stop(self, reason: object) -> None:
        self.log.append((self.name, f"ends: {reason}"))


class House:
    """Some witnesses on the loop that runs."""

    def __init__(self, count: int, system: ActorSystem | None = None) -> None:
        self.log: list[Any] = []
        self.system = ActorSystem(LoopDispatcher()) if system is None else system
        self.crashes: list[object] = []
        self.system.on_crash(lambda _ref, crash, _trace: self.crashes.append(crash))
        self.refs = [self.system.spawn(Witness, number, self.log) for number in range(count)]

    async def rest(self) -> None:
        """Let everybody come to rest, and hold the books against it."""
        while self.system.dispatcher.awake:  # nothing else would say so
            await asyncio.sleep(0)
        counts = self.system.counts()
        assert counts["told"] == counts["handled"] + counts["dead"] and not counts["queued"]

    def seen_by(self, number: int) -> list[Any]:
        return [message for name, message in self.log if name == number]


def dispatcher_of(house: House) -> Dispatcher:
    return house.system.dispatcher


async def test_each_has_a_visit_in_order_however_many_they_are() -> None:
    house = House(3 * VISIT_MESSAGES_MAX + 1)
    await house.rest()
    assert tell_all(house.refs, "one") == len(house.refs)
    assert len(house.system.dispatcher.run_queue) == 1
    house.refs[0].tell("two")
    await house.rest()
    assert house.log[: len(house.refs)] == [(n, "one") for n in range(len(house.refs))]
    assert house.log[len(house.refs) :] == [(0, "two")]
    assert all(ref._handled == 1 for ref in house.refs[1:])
    await house.system.stop()


async def test_what_was_told_before_and_after_keeps_its_order() -> None:
    house = House(3)
    await house.rest()
    house.refs[1].tell(1)
    tell_all(house.refs, 2)
    house.refs[1].tell(3)
    tell_all(house.refs, 4)
    await house.rest()
    assert [house.seen_by(number) for number in range(3)] == [[2, 4], [1, 2, 3, 4], [2, 4]]
    await house.system.stop()


async def test_who_has_more_than_a_share_to_do_first_does_that_first() -> None:
    house = House(2, ActorSystem(LoopDispatcher(visit_max=2)))
    await house.rest()
    for number in range(3):
        house.refs[0].tell(number)
    tell_all(house.refs, "all")
    await house.rest()
    assert house.seen_by(0) == [0, 1, 2, "all"] and house.seen_by(1) == ["all"]
    await house.system.stop()


async def test_it_can_be_told_from_within_one_of_them() -> None:
    house = House(3)
    await house.rest()

    def again(actor: Witness) -> None:
        if actor.name == 1:
            tell_all(house.refs, "again")

    tell_all(house.refs, again)
    await house.rest()
    assert [house.seen_by(number) for number in range(3)] == [[again, "again"]] * 3
    await house.system.stop()


async def test_a_crash_a_stop_and_a_kill_in_the_middle_concern_nobody_else() -> None:
    house = House(5)
    await house.rest()

    def act(actor: Witness) -> None:
        if actor.name == 1:
            raise ValueError("one")
        if actor.name == 2:
            actor.stop()

    house.refs[4].kill()  # gets through before any visit
    house.refs[3].stop("asked before")
    assert tell_all(house.refs, act) == 5
    tell_all(house.refs, "late")
    await house.rest()
    assert house.seen_by(0) == [act, "late"]
    assert house.seen_by(1)[0] is act and "late" not in house.seen_by(1)
    assert house.seen_by(2) == [act, "ends: normal"]
    assert house.seen_by(3) == ["ends: asked before"]
    assert house.seen_by(4) == []
    assert len(house.crashes) == 1 and house.system.counts()["dead"] >= 5
    await house.system.stop()


async def test_one_that_waits_takes_it_when_it_goes_on() -> None:
    house = House(3)
    await house.rest()
    gate: Reply[None] = Reply()

    async def wait(_actor: Witness) -> None:
        await gate

    house.refs[1].tell(wait)
    await asyncio.sleep(0)
    tell_all(house.refs, "all")
    for _ in range(5):
        await asyncio.sleep(0)
    assert [house.seen_by(number) for number in range(3)] == [["all"], [wait], ["all"]]
    gate.settle(None)
    await house.rest()
    assert house.seen_by(1) == [wait, "all"]
    await house.system.stop()


async def test_each_may_wait_in_its_handler() -> None:
    house = House(3)
    await house.rest()
    gate: Reply[None] = Reply()

    async def wait(_actor: Witness) -> None:
        await gate
        house.log.append("went on")

    tell_all(house.refs, wait)
    tell_all(house.refs, "behind")
    for _ in range(5):
        await asyncio.sleep(0)
    assert house.log == [(0, wait), (1, wait), (2, wait)]
    gate.settle(None)
    await house.rest()
    assert house.log.count("went on") == 3 and house.log.index((0, "behind")) > 3
    await house.system.stop()


async def test_a_full_mailbox_a_dead_ref_and_a_stranger_are_told_as_one_by_one() -> None:
    house, dispatcher = House(4), LoopDispatcher()
    stranger = House(1, ActorSystem(dispatcher))
    await house.rest()
    await stranger.rest()
    for number in range(4):
        house.refs[1].tell(number)
    house.refs[2].kill()
    await asyncio.sleep(0)
    before = house.system.counts()["dead"]
    for number in range(4):
        house.refs[1].tell(number)
    assert tell_all([*house.refs, *stranger.refs], "all") == 4
    visited = [entry.refs for entry in dispatcher_of(house).run_queue if type(entry) is Burst]
    assert visited == [house.refs], "a stranger's visit belongs to the stranger's thread"
    assert house.system.counts()["refused"] == 1
    await house.rest()
    await stranger.rest()
    assert "all" not in house.seen_by(1)
    assert house.seen_by(0) == house.seen_by(3) == stranger.seen_by(0) == ["all"]
    assert house.system.counts()["dead"] == before + 1
    await house.system.stop()
    await stranger.system.stop()


async def test_one_in_a_thread_of_its_own_runs_there() -> None:
    house = House(2)
    pinned = house.system.pinned("aside")
    apart = house.system.spawn(Witness, 9, house.log, dispatcher=pinned)
    await apart.call("here?")
    where: list[bool] = []

    def look(actor: Witness) -> None:
        where.append(actor.ref._dispatcher.is_here())

    assert tell_all([*house.refs, apart], look) == 3
    await apart.call("done")
    await house.rest()
    assert where == [True] * 3
    await house.system.stop()


async def test_who_has_put_itself_before_drain_sees_each_visit() -> None:
    house = House(3)
    await house.rest()
    visits: list[LocalRef] = []
    dispatcher = house.system.dispatcher

    def drain(ref: LocalRef) -> int:
        visits.append(ref)
        return Dispatcher.drain(dispatcher, ref)

    dispatcher.drain = drain  # type: ignore[method-assign]
    tell_all(house.refs, "all")
    await house.rest()
    assert visits == house.refs
    await house.system.stop()


async def test_a_signal_told_to_all_is_no_message() -> None:
    house = House(2)
    await house.rest()
    replies: list[Reply[Any]] = [Reply(), Reply()]
    tell_all(house.refs, Call("asked", replies[0]))
    await house.rest()
    assert house.log == [(0, "asked"), (1, "asked")] and replies[0].done()
    await house.system.stop()


async def test_a_turn_ends_in_the_middle_when_its_time_is_up() -> None:
    house = House(4 * VISIT_MESSAGES_MAX)
    await house.rest()
    dispatcher = house.system.dispatcher
    dispatcher.turn_s = 0.0
    seen: list[int] = []
    tell_all(house.refs, "all")
    while dispatcher.awake:
        await asyncio.sleep(0)
        seen.append(len(house.log))
    assert len(house.log) == len(house.refs)
    steps = {after - before for before, after in zip([0, *seen], seen, strict=False)}
    assert steps <= {0, VISIT_MESSAGES_MAX}, "no turn handles more than a share between two looks"
    await house.system.stop()


async def test_what_breaks_off_in_the_middle_leaves_nobody_behind() -> None:
    house = House(3)
    await house.rest()

    class Full(list[Any]):
        def append(self, item: Any) -> None:
            raise MemoryError

    house.refs[1]._queue = Full()
    with pytest.raises(MemoryError):
        tell_all(house.refs, "all")
    house.refs[1]._queue = []
    while house.system.dispatcher.awake:
        await asyncio.sleep(0)
    assert house.seen_by(0) == ["all"]
    house.refs[0].tell("next")
    house.refs[2].tell("next")
    while house.system.dispatcher.awake:
        await asyncio.sleep(0)
    assert house.seen_by(0) == ["all", "next"] and house.seen_by(2) == ["next"]
    await house.system.stop()
