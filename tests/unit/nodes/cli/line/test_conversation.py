"""Lines choose whom one talks with, list conversations, and say how they are kept."""

from __future__ import annotations

import pytest

from actorchat.client import Conversation, Entry, Flags, State
from nodes.cli.line.command import Unclear
from tests.unit.nodes.cli.line.seat import GROUP, FakeSeat


async def test_one_turns_to_another_and_is_told_to_whom() -> None:
    seat = FakeSeat(None)
    seat.client.state = State.OPEN  # type: ignore[misc]
    await seat.type("/with #friends")
    await seat.type("/who")
    seat.other = "bob"
    await seat.type("/who")
    assert seat.did == [("turn_to", "#friends")]
    assert seat.said == ["ann talks with nobody yet; open", "ann talks with bob; open"]


def _conversation(conv: str, ts: int, *flags: str, unread: int = 0) -> Conversation:
    kept = Flags("muted" in flags, "archived" in flags, "pinned" in flags)
    title = "friends" if conv == GROUP else None
    last = Entry("bob", 3, ts, bytes(16), f"text\x1b of {conv}")
    return Conversation(conv, 3, last, unread, {}, kept, title=title)


async def test_conversations_are_listed_pinned_ones_first_and_archived_ones_on_demand() -> None:
    seat = FakeSeat(None)
    seat.fake.answers["conversations"] = [
        _conversation("old", 1_000, "pinned", "muted"),
        _conversation("away", 5_000, "archived"),
        _conversation(GROUP, 3_000, unread=4),
        _conversation("new", 4_000),
    ]
    await seat.type("/list")
    assert [line.split()[2] for line in seat.said[:3]] == ["old", "new", "friends"]
    assert "[muted pinned] bob: text\\x1b of old" in seat.said[0]
    assert "(4 unread)" in seat.said[2]
    assert seat.said[3] == "  1 archived: /list all"
    await seat.type("/list all")
    assert any("away" in line for line in seat.said)
    seat.fake.answers["conversations"] = []
    await seat.type("/list")
    assert "nobody yet" in seat.said[-1]


@pytest.mark.parametrize(
    ("line", "flag"),
    [
        ("/mute", {"muted": True}),
        ("/unmute", {"muted": False}),
        ("/archive", {"archived": True}),
        ("/unarchive", {"archived": False}),
        ("/pin", {"pinned": True}),
        ("/unpin", {"pinned": False}),
    ],
)
async def test_conversation_is_kept_as_one_says(line: str, flag: dict[str, bool]) -> None:
    seat = FakeSeat("bob")
    await seat.type(line)
    await seat.type(f"{line} cid")
    await seat.type(f"{line} #fri")
    calls = [call for call in seat.asked if call[0] == "flag"]
    assert calls == [("flag", conv, flag) for conv in ("bob", "cid", GROUP)]


@pytest.mark.parametrize("kind", ["typing", "recording", "stopped"])
async def test_it_is_shown_that_one_is_writing(kind: str) -> None:
    seat = FakeSeat("bob")
    await seat.type("/typing" if kind == "typing" else f"/typing {kind}")
    assert seat.asked == [("signal", "bob", kind)]


@pytest.mark.parametrize("line", ["/with", "/who else", "/list some", "/typing fast"])
async def test_a_line_that_lacks_something_asks_for_nothing(line: str) -> None:
    seat = FakeSeat()
    with pytest.raises(Unclear):
        await seat.type(line)
    assert (seat.asked, seat.did) == ([], [])


@pytest.mark.parametrize("line", ["/mute", "/pin", "/typing"])
async def test_some_lines_are_about_the_one_talked_with(line: str) -> None:
    with pytest.raises(Unclear, match="Choose whom"):
        await FakeSeat(None).type(line)
