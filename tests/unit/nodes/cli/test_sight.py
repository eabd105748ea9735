from __future__ import annotations

import asyncio
from typing import cast

import pytest

from actorchat.client import Chat, Presence, Signal
from actorchat.client.presence import Sightings
from actorchat.errors import Refusal
from nodes.cli.sight import Sight, presence_line


class FakeChat:
    """A server that knows `there`."""

    def __init__(self) -> None:
        self.sightings = Sightings()
        self.there = {"bob": Presence("bob", True), "cat": Presence("cat", False)}
        self.unwatched: list[str] = []
        self.presence = lambda: self.sightings.presence
        self.signals = lambda: self.sightings.signals

    async def watch(self, *users: str) -> list[Presence]:
        if not self.there.keys() >= set(users):
            raise Refusal("too_many", "no")
        return [self.there[user] for user in users]

    def unwatch(self, *users: str) -> None:
        self.unwatched += users


@pytest.fixture
def fake() -> FakeChat:
    return FakeChat()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def sight(fake: FakeChat, said: list[str]) -> Sight:
    return Sight(cast(Chat, fake), said.append)


def test_presence_is_told_in_words() -> None:
    assert presence_line(Presence("bob", True)) == "bob is online"
    assert presence_line(Presence("bob", False)) == "bob is offline"
    assert presence_line(Presence("bob", False, 0)).startswith("bob was last seen 19")


async def test_only_the_one_who_is_talked_with_is_shown(
    fake: FakeChat, said: list[str], sight: Sight
) -> None:
    await sight.turn_to("bob")
    await sight.turn_to("bob")
    await sight.turn_to("cat")
    assert said == ["  bob is online", "  bob is online", "  cat is offline"]
    assert fake.unwatched == ["bob"]
    fake.sightings.presence.put(Presence("bob", False))
    fake.sightings.presence.put(Presence("cat", True))
    fake.sightings.close(None)
    await sight.watch()
    assert said[3:] == ["  cat is online"]


async def test_server_that_does_not_tell_is_no_failure(said: list[str], sight: Sight) -> None:
    await sight.turn_to("nobody")
    assert said == []


async def test_typing_is_shown_once_in_a_while(
    fake: FakeChat, said: list[str], sight: Sight
) -> None:
    await sight.turn_to("bob")
    now_s = asyncio.get_running_loop().time()
    for kind, until_s in (
        ("typing", now_s + 5),
        ("typing", now_s + 6),
        ("stopped", now_s + 6),
        ("recording", now_s - 1),
        ("recording", now_s + 6),
    ):
        sight._on_signal(Signal("bob", kind, until_s), now_s)  # type: ignore[arg-type]
    sight._on_signal(Signal("cat", "typing", now_s + 5), now_s)
    assert said[1:] == ["  bob is typing…", "  bob is recording…"]
    fake.sightings.signals.put(Signal("bob", "typing", now_s + 60))
    fake.sightings.close(None)
    await sight.listen()


async def test_others_are_shown_too_until_one_looks_away(
    fake: FakeChat, said: list[str], sight: Sight
) -> None:
    await sight.see(["bob", "cat"])
    await sight.turn_to("bob")
    await sight.turn_to("cat")
    assert fake.unwatched == []  # bob is still looked at
    fake.sightings.presence.put(Presence("bob", False))
    fake.sightings.presence.put(Presence("dan", True))
    sight.unsee(["bob", "cat"])
    assert fake.unwatched == ["bob"]  # cat is talked with
    fake.sightings.presence.put(Presence("cat", True))
    fake.sightings.close(None)
    await sight.watch()
    assert said[-1] == "  cat is online"
    assert "  dan is online" not in said


async def test_at_a_group_there_is_nothing_to_be_seen(
    fake: FakeChat, said: list[str], sight: Sight
) -> None:
    await sight.turn_to("bob")
    await sight.turn_to("#AAAAAAAAAAAAAAAAAAAAAA")
    assert said == ["  bob is online"]
    assert fake.unwatched == ["bob"]
