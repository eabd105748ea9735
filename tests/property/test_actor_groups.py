"""Process groups against a simple model, and under real threads."""

from __future__ import annotations

import itertools
import random
import sys
import threading
from collections import Counter
from collections.abc import Hashable, Iterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from actorchat.actor import (
    NOPROC,
    Actor,
    ActorSystem,
    Down,
    Joined,
    Left,
    LocalRef,
    PinnedDispatcher,
    SeededDispatcher,
)
from actorchat.actor.groups import Groups
from actorchat.errors import ActorDead

ROOMS = ("x", "y", "z")
SCOPES = ("pg", "other")
rooms = st.sampled_from(ROOMS)
scopes = st.sampled_from(SCOPES)
numbers = st.integers(0, 30)


class Resident(Actor):
    """Keeps a view of the groups that it watches, made of the changes that it is told alone."""

    def __init__(self) -> None:
        self.views: dict[tuple[str, Hashable], Counter[Any]] = {}
        self.breaches: list[str] = []

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, Exception):
            raise message
        if not isinstance(message, Joined | Left):
            return None
        key = (message.scope, message.group)
        view = self.views.get(key)
        if view is None and (message.scope, None) in self.views:  # it watches the whole scope
            view = self.views[key] = Counter()
        if view is None:
            self.breaches.append(f"{message} is no change of what it watches")
            return None
        for ref in message.refs:
            view[ref] += 1 if isinstance(message, Joined) else -1
            if view[ref] < 0:
                self.breaches.append(f"{message} came before its join, or twice")
        return None


class GroupsAgainstModel(RuleBasedStateMachine):
    """The model is a list of members for each group, and a set of monitors.

    Actors are dead to the model when their `ended()` says so; nothing else of the runtime is
    believed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.actors: list[tuple[LocalRef, Resident, Any]] = []
        self.model: dict[tuple[str, str], list[LocalRef]] = {}

    @initialize(seed=st.integers(0, 2**32), haste=st.sampled_from([0.0, 0.3]))
    def start(self, seed: int, haste: float) -> None:
        self.dispatcher = SeededDispatcher(seed, haste)
        self.system = ActorSystem(self.dispatcher, rng=random.Random(seed))
        self.system.on_crash(lambda *_: None)
        for _ in range(3):
            self.spawn()

    def pick(self, number: int) -> tuple[LocalRef, Resident, bool]:
        ref, actor, ended = self.actors[number % len(self.actors)]
        return ref, actor, ended.done()

    def scope(self, name: str) -> Groups:
        return self.system.groups.scope(name)

    def bury(self) -> None:
        dead = {ref for ref, _, ended in self.actors if ended.done()}
        for key, refs in list(self.model.items()):
            refs[:] = [ref for ref in refs if ref not in dead]
            if not refs:
                del self.model[key]

    # -- steps ------------------------------------------------------------------------------

    @rule()
    def spawn(self) -> None:
        ref = self.system.spawn(Resident)
        actor: Any = ref._actor
        self.actors.append((ref, actor, ref.ended()))

    @rule(number=numbers, scope=scopes, room=rooms)
    def join(self, number: int, scope: str, room: str) -> None:
        ref, _, is_dead = self.pick(number)
        if is_dead:
            with pytest.raises(ActorDead):
                self.scope(scope).join(room, ref)
            return
        self.scope(scope).join(room, ref)
        refs = self.model.setdefault((scope, room), [])
        # Behind its other memberships, if there are any.
        last = max((index for index, other in enumerate(refs) if other is ref), default=len(refs))
        refs.insert(last, ref)

    @rule(number=numbers, scope=scopes, room=rooms)
    def leave(self, number: int, scope: str, room: str) -> None:
        ref, _, _ = self.pick(number)
        refs = self.model.get((scope, room), [])
        assert self.scope(scope).leave(room, ref) is (ref in refs)
        if ref in refs:
            refs.remove(ref)
            if not refs:
                del self.model[scope, room]

    @rule(number=numbers, scope=scopes, room=rooms)
    def monitor(self, number: int, scope: str, room: str) -> None:
        ref, actor, is_dead = self.pick(number)
        if is_dead:
            with pytest.raises(ActorDead):
                self.scope(scope).monitor(ref, room)
        elif (scope, None) in actor.views:
            with pytest.raises(ValueError, match="all groups"):
                self.scope(scope).monitor(ref, room)
        else:
            members = self.scope(scope).monitor(ref, room)
            assert list(members) == self.model.get((scope, room), [])
            actor.views[scope, room] = Counter(members)

    @rule(number=numbers, scope=scopes, room=rooms)
    def demonitor(self, number: int, scope: str, room: str) -> None:
        ref, actor, is_dead = self.pick(number)
        has_one = not is_dead and (scope, room) in actor.views and (scope, None) not in actor.views
        assert self.scope(scope).demonitor(ref, room) is has_one
        if has_one:
            del actor.views[scope, room]

    @rule(number=numbers, scope=scopes)
    def monitor_scope(self, number: int, scope: str) -> None:
        ref, actor, is_dead = self.pick(number)
        if is_dead:
            with pytest.raises(ActorDead):
                self.scope(scope).monitor_scope(ref)
            return
        for key in [key for key in actor.views if key[0] == scope]:
            del actor.views[key]
        actor.views[scope, None] = Counter()
        for room, members in self.scope(scope).monitor_scope(ref).items():
            actor.views[scope, room] = Counter(members)

    @rule(number=numbers, scope=scopes)
    def demonitor_scope(self, number: int, scope: str) -> None:
        ref, actor, is_dead = self.pick(number)
        has_one = not is_dead and (scope, None) in actor.views
        assert self.scope(scope).demonitor_scope(ref) is has_one
        if has_one:
            for key in [key for key in actor.views if key[0] == scope]:
                del actor.views[key]

    @rule(number=numbers, ending=st.sampled_from(["stop", "kill", "crash"]))
    def end(self, number: int, ending: str) -> None:
        ref, _, is_dead = self.pick(number)
        if is_dead:
            return
        if ending == "crash":
            ref.tell(ZeroDivisionError())
        else:
            getattr(ref, ending)()

    @rule(steps=st.integers(1, 6))
    def run_a_little(self, steps: int) -> None:
        count = itertools.count()
        self.dispatcher.run(until=lambda: next(count) >= steps)
        self.bury()

    @rule()
    def run_until_quiet(self) -> None:
        self.dispatcher.run(steps_max=100_000)
        self.bury()
        for ref, actor, ended in self.actors:
            if ended.done():
                assert ref not in self.system.groups._watches
                continue
            for (scope, room), view in actor.views.items():
                if room is not None:
                    assert +view == Counter(self.scope(scope).members(room))
            for scope in SCOPES:
                if (scope, None) in actor.views:
                    seen = {
                        key[1] for key, view in actor.views.items() if key[0] == scope and +view
                    }
                    assert seen == set(self.scope(scope).which_groups())

    # -- what always holds ------------------------------------------------------------------

    @invariant()
    def the_members_are_those_of_the_model(self) -> None:
        if not self.actors:
            return
        for scope in SCOPES:
            groups = self.scope(scope)
            known = {room for name, room in self.model if name == scope}
            assert set(groups.which_groups()) == known
            for room in ROOMS:
                assert list(groups.members(room)) == self.model.get((scope, room), [])

    @invariant()
    def nobody_saw_what_did_not_happen(self) -> None:
        assert [actor.breaches for _, actor, _ in self.actors if actor.breaches] == []

    @invariant()
    def the_books_balance(self) -> None:
        if self.actors:
            counts = self.system.counts()
            assert counts["told"] == counts["handled"] + counts["dead"] + counts["queued"]

    def teardown(self) -> None:
        """Let all end; nothing of any group is left."""
        if not self.actors:
            return
        ended = self.system.shutdown()
        self.dispatcher.run(steps_max=100_000)
        assert ended.done()
        for scope in SCOPES:
            assert self.scope(scope).which_groups() == ()
            assert self.scope(scope)._watches == {}


TestGroupsAgainstModel = GroupsAgainstModel.TestCase
TestGroupsAgainstModel.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)


# -- threads --------------------------------------------------------------------------------


@pytest.fixture
def switches_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def dispatchers() -> Iterator[tuple[PinnedDispatcher, PinnedDispatcher]]:
    pair = (PinnedDispatcher("one"), PinnedDispatcher("two"))
    yield pair
    for dispatcher in pair:
        dispatcher.close()


class Spectator(Resident):
    """Watches a room, begins anew when told so, and asks for the Down of each member it sees."""

    def __init__(self, room: str | None) -> None:
        super().__init__()
        self.room = room

    def on_start(self) -> None:
        self.begin()

    def begin(self) -> None:
        groups = self.system.groups
        if self.room is not None:
            self.views = {("pg", self.room): Counter(groups.monitor(self.ref, self.room))}
        else:
            members = groups.monitor_scope(self.ref)
            self.views = {("pg", room): Counter(refs) for room, refs in members.items()}
            self.views["pg", None] = Counter()

    def on_receive(self, message: Any) -> Any:
        if message == "again":
            self.begin()
        elif message == "view":
            return {key[1]: +view for key, view in self.views.items() if +view}
        elif isinstance(message, Down):
            # What is dead already when it is monitored has no order: its Left may be on its way.
            if message.reason != NOPROC and any(view[message.ref] for view in self.views.values()):
                self.breaches.append("a Left came after the Down")
        else:
            super().on_receive(message)
            if isinstance(message, Joined):
                for ref in message.refs:
                    self.monitor(ref)  # type: ignore[arg-type]
        return None


@pytest.mark.slow
@pytest.mark.usefixtures("switches_often")
def test_joins_leaves_and_deaths_in_several_threads_leave_true_views(
    dispatchers: tuple[PinnedDispatcher, PinnedDispatcher],
) -> None:
    system = ActorSystem(dispatchers[0])
    groups = system.groups
    spectators = [
        system.spawn(Spectator, room, dispatcher=dispatcher)
        for room in (*ROOMS, None)
        for dispatcher in dispatchers
    ]
    watching: list[Any] = [ref._actor for ref in spectators]
    members: list[LocalRef] = []
    breaches: list[str] = []

    def live(index: int) -> None:
        rng = random.Random(index)
        for step in range(4_000):
            if step % 8 == 0:
                ref = system.spawn(Resident, dispatcher=rng.choice(dispatchers))
                members.append(ref)
            ref, room = rng.choice(members[-12:]), rng.choice(ROOMS)
            action = rng.choices(["join", "leave", "stop", "kill", "again"], [10, 5, 1, 1, 1])[0]
            if action == "join":
                try:
                    groups.join(room, ref)
                except ActorDead:
                    pass
            elif action == "leave":
                groups.leave(room, ref)
            elif action == "again":
                rng.choice(spectators).tell("again")
            else:
                getattr(ref, action)()
            with system.lock:
                for name in groups.which_groups():
                    found = groups.local_members(name)
                    if not found:
                        breaches.append("a group is empty")
                    if not all(member._limit for member in found):
                        breaches.append("a member is dead")

    threads = [threading.Thread(target=live, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    for ref in members[::2]:
        ref.stop()
    assert all(ref.ended().wait(30) for ref in members[::2])
    assert breaches == []
    views = [ref.call_blocking("view", timeout_s=30.0) for ref in spectators]
    for room, view in zip([room for room in (*ROOMS, None) for _ in range(2)], views, strict=True):
        watched = [room] if room is not None else list(groups.which_groups())
        now = {name: Counter(groups.members(name)) for name in watched if groups.members(name)}
        assert view == now
    assert [actor.breaches for actor in watching] == [[]] * len(spectators)
    assert any(views), "every member has gone, so nothing was compared"
    for ref in members:
        ref.stop()
    assert all(ref.ended().wait(30) for ref in members)
    assert groups.which_groups() == ()
    assert system.shutdown().wait(30)
    assert groups._watches == {} and not groups._news.waiting
