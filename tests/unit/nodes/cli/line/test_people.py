"""Lines tell who somebody is, keep contacts, and keep people away."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.client import Profile
from nodes.cli.line.command import Unclear
from tests.unit.nodes.cli.line.seat import GROUP, FakeSeat


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        (Profile("bob", "", ""), "bob: says nothing of oneself"),
        (Profile("bob", "Bob\x1b", "busy"), "bob: Bob\\x1b; busy"),
        (Profile("bob", "", "", bot=True), "bob: a bot"),
        (Profile("bob", "", "", gone=True), "bob: a deleted account"),
    ],
)
async def test_it_is_told_what_somebody_says_of_oneself(profile: Profile, said: str) -> None:
    seat = FakeSeat()
    seat.fake.answers["profile"] = profile
    await seat.type("/profile")
    assert seat.said == [said]


@pytest.mark.parametrize(
    ("other", "line", "expected"),
    [
        ("bob", "/profile", ("profile", "bob")),
        ("bob", "/profile cid", ("profile", "cid")),
        (None, "/profile", ("profile", "ann")),
    ],
)
async def test_profile_is_of_whom_one_talks_with_unless_named(
    other: str | None, line: str, expected: tuple[Any, ...]
) -> None:
    seat = FakeSeat(other)
    seat.fake.answers["profile"] = Profile("x", "", "")
    await seat.type(line)
    assert seat.asked == [expected]


@pytest.mark.parametrize(
    ("word", "call"),
    [
        ("/contact", "add_contact"),
        ("/uncontact", "remove_contact"),
        ("/block", "block"),
        ("/unblock", "unblock"),
    ],
)
async def test_somebody_is_kept_or_kept_away(word: str, call: str) -> None:
    seat = FakeSeat("bob")
    await seat.type(word)
    await seat.type(f"{word} cid")
    assert seat.asked == [(call, "bob"), (call, "cid")]
    with pytest.raises(Unclear):
        await FakeSeat(GROUP).type(word)


@pytest.mark.parametrize("what", ["contacts", "blocks"])
async def test_those_are_listed(what: str) -> None:
    seat = FakeSeat()
    for found in (["bob", "cid"], []):
        seat.fake.answers[what] = found
        await seat.type(f"/{what}")
    assert seat.said[0] == "bob, cid"
    assert "no" in seat.said[1]


async def test_others_are_looked_at() -> None:
    seat = FakeSeat(None)
    await seat.type("/see bob, cid")
    await seat.type("/unsee cid")
    assert seat.did == [("see", "bob", "cid"), ("unsee", "cid")]


async def test_privacy_is_set_and_told() -> None:
    seat = FakeSeat(None)
    for level in ("everyone", "contacts", "nobody"):
        seat.fake.answers["privacy"] = level
        await seat.type(f"/privacy {level}")
        assert seat.said[-1].endswith(f": {level}")
    await seat.type("/privacy")
    assert seat.asked[-1] == ("privacy", None)


@pytest.mark.parametrize(
    "line",
    [
        "/profile Bob",
        "/contacts x",
        "/contact",
        "/contact B",
        "/see",
        "/unsee",
        "/privacy friends",
        "/block",
        "/block two names",
        "/blocks x",
    ],
)
async def test_a_line_that_lacks_something_asks_for_nothing(line: str) -> None:
    seat = FakeSeat(None)
    with pytest.raises(Unclear):
        await seat.type(line)
    assert (seat.asked, seat.did) == ([], [])
