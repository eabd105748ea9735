"""A user's home shows every update once and in order to each device, whatever the devices do."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.chat_world import World, play, small_limits

# Ann is the home of three conversations, one of them with herself; Bob and Cat get deliveries.
PAIRS = [("ann", "ann"), ("ann", "bob"), ("ann", "cat"), ("bob", "cat")]
DEVICES = [("ann", "a1"), ("ann", "a2"), ("ann", "a3"), ("bob", "b1"), ("cat", "c1"), ("cat", "c2")]
SENDS = ("send", "send", "send", "turn", "turn", "turn", "turn", "write", "sync", "commit")
READS = ("read", "read", "read", "ack", "ack", "timer", "connect")
LEAVES = ("hang_up", "revoke", "mark")
TROUBLE = ("crash_actor", "crash_node", "fill_disk", "drop", "repeat", "resend")


@pytest.fixture(autouse=True, scope="module")
def limits() -> Iterator[None]:
    with small_limits():
        yield


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from((*SENDS, *READS, *LEAVES)), st.integers(0, 63)), max_size=150
    )
)
def test_devices_get_everything_while_they_come_and_go(steps: list[tuple[str, int]]) -> None:
    world = World(PAIRS, DEVICES)
    for number in (0, 3, 4):
        world.step("connect", number)
    play(world, steps)


@pytest.mark.parametrize("seed", range(40))
def test_devices_get_everything_in_a_long_run_with_trouble(seed: int) -> None:
    random = Random(seed)
    world = World(PAIRS, DEVICES)
    steps = (*SENDS * 4, *READS * 6, *LEAVES, *(TROUBLE if seed % 3 else ()))
    play(world, ((random.choice(steps), random.randrange(64)) for _ in range(1_000)))


@pytest.mark.parametrize("seed", range(20))
def test_a_single_device_on_the_short_way_gets_everything(seed: int) -> None:
    random = Random(seed)
    world = World([("ann", "bob")], [("ann", "a1"), ("bob", "b1")])
    world.step("connect", 0)
    world.step("connect", 1)
    steps = (*SENDS, "read", "read", "ack", "ack", "ack", "timer")
    play(world, ((random.choice(steps), random.randrange(64)) for _ in range(400)))
