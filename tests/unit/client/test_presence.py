from __future__ import annotations

import pytest

from actorchat.client.presence import (
    SIGHTINGS_MAX,
    Presence,
    Sightings,
    Signal,
    watched_states,
)
from actorchat.errors import InvalidOp
from actorchat.limits import SIGNAL_EXPIRES_S
from actorchat.protocol.ops import PresenceState, SignalPush


async def fetched(sightings: Sightings) -> list[Presence]:
    sightings.close(None)
    return [sight async for sight in sightings.presence]


async def test_what_has_changed_is_news_and_the_newest_of_each() -> None:
    sightings = Sightings()
    sightings.take([PresenceState("ann", True), PresenceState("bob", True)])
    sightings.take([PresenceState("ann", False, 5)])
    assert await fetched(sightings) == [Presence("ann", False, 5), Presence("bob", True)]


async def test_what_is_known_is_no_news() -> None:
    sightings = Sightings()
    assert sightings.learn([PresenceState("ann", True)]) == [Presence("ann", True)]
    sightings.take([PresenceState("ann", True)])
    assert await fetched(sightings) == []


async def test_feed_is_bounded_and_the_oldest_go() -> None:
    sightings = Sightings()
    sightings.take(PresenceState(f"u{number}", True) for number in range(SIGHTINGS_MAX + 3))
    assert (await fetched(sightings))[0].user == "u3"


def test_unwatched_users_are_forgotten() -> None:
    sightings = Sightings()
    sightings.watch(["ann", "bob"])
    sightings.learn([PresenceState("ann", True)])
    sightings.unwatch(["ann", "zed"])
    assert (list(sightings.users), sightings.known) == (["bob"], {})


async def test_signal_says_until_when_it_holds() -> None:
    sightings = Sightings()
    sightings.signalled(SignalPush("ann", "typing"), 100.0)
    assert await anext(sightings.signals) == Signal("ann", "typing", 100.0 + SIGNAL_EXPIRES_S)


def test_answer_that_makes_no_sense_is_told() -> None:
    assert watched_states({"states": [{"user": "ann", "online": True}]})[0].online
    with pytest.raises(InvalidOp):
        watched_states({"states": [{"user": "ann"}]})
