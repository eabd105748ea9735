"""A conversation and the homes of its members keep their promises, whatever is lost on the way."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.chat_world import World, play, small_limits

PAIR = ("ann", "bob")
DEVICES = [("ann", "a1"), ("bob", "b1"), ("bob", "b2")]
# What happens, and how often.
COMMON = ("send", "send", "resend", "turn", "turn", "turn", "turn", "write", "sync", "commit")
CLIENTS = ("read", "read", "ack", "connect", "hang_up", "mark", "timer")
TROUBLE = ("crash_actor", "crash_node", "fill_disk", "drop", "repeat", "clash")
STEPS = (*COMMON, *COMMON, *CLIENTS, *TROUBLE)


@pytest.fixture(autouse=True, scope="module")
def limits() -> Iterator[None]:
    with small_limits():
        yield


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 63)), max_size=120))
def test_promises_hold_in_any_order_of_steps(steps: list[tuple[str, int]]) -> None:
    world = World([PAIR], DEVICES)
    for number in range(len(DEVICES)):
        world.step("connect", number)
    play(world, steps)


@pytest.mark.parametrize("seed", range(40))
def test_promises_hold_in_a_long_run(seed: int) -> None:
    random = Random(seed)
    world = World([PAIR], DEVICES)
    trouble = TROUBLE if seed % 4 else ()
    steps = (*COMMON * 4, *CLIENTS * 2, *trouble)
    play(world, ((random.choice(steps), random.randrange(64)) for _ in range(600)))


@pytest.mark.parametrize("kind", TROUBLE)
@pytest.mark.parametrize("seed", range(8))
def test_promises_hold_under_one_kind_of_trouble(kind: str, seed: int) -> None:
    random = Random(seed)
    world = World([PAIR], DEVICES)
    steps = (*COMMON * 3, *CLIENTS, kind)
    play(world, ((random.choice(steps), random.randrange(64)) for _ in range(300)))
