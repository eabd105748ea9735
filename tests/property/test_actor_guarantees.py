"""What the runtime promises, checked on random programs under random schedules.

Each example is a small society of actors that tell, call, spawn, monitor, stop, crash and sleep
at random; all randomness and the schedule come from one seed, which Hypothesis prints.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorchat.actor import Actor, ActorSystem, Mailbox, Reply, SeededDispatcher
from actorchat.errors import Unavailable
from tests.property import actor_stress
from tests.property.actor_society import ACTIONS, Society


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    haste=st.sampled_from([0.0, 0.05, 0.3]),
    budget=st.integers(50, 600),
)
def test_random_societies_keep_every_promise(seed: int, haste: float, budget: int) -> None:
    society = Society(seed, haste, budget)
    society.live()
    assert society.breaches == []


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_thousand_random_societies_keep_every_promise() -> None:
    outcome = actor_stress.live_in_societies(range(actor_stress.SEEDS))
    assert outcome.broken == []
    assert all(outcome.notes[action] > 1_000 for action in (*ACTIONS, "crashes", "restarts"))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    ops=st.lists(st.sampled_from(["tell", "call", "stop", "kill", "run"]), max_size=60),
    overflow=st.sampled_from(["fail", "drop_new", "drop_old"]),
)
def test_bounded_mailboxes_keep_order_bounds_and_books(
    seed: int, ops: list[str], overflow: Any
) -> None:
    class Bounded(Actor):
        mailbox = Mailbox(3, overflow)

        def on_receive(self, message: int) -> int:
            handled.append(message)
            return message

    dispatcher = SeededDispatcher(seed)
    system = ActorSystem(dispatcher)
    ref = system.spawn(Bounded)
    handled: list[int] = []
    calls: list[Reply[Any]] = []
    for number, op in enumerate(ops):
        if op == "tell":
            try:
                ref.tell(number)
            except Unavailable:
                pass
        elif op == "call":
            calls.append(ref.call(number))
        elif op == "stop":
            ref.stop()
        elif op == "kill":
            ref.kill()
        else:
            dispatcher.run(until=dispatcher.now_s(), steps_max=10_000)
        assert sum(type(item).__name__ != "Stop" for item in ref._queue) <= 3
        counts = system.counts()
        assert counts["told"] == counts["handled"] + counts["dead"] + counts["queued"]
    dispatcher.run(steps_max=10_000)
    assert handled == sorted(handled)
    assert all(call.done() for call in calls)
