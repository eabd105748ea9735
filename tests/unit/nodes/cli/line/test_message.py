"""Lines write messages of each kind, and change what was said."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.client import Entry
from actorchat.protocol.ops import Extra
from nodes.cli.line.command import Unclear
from tests.unit.nodes.cli.line.seat import GROUP, FakeSeat


@pytest.mark.parametrize(
    ("line", "text", "extra"),
    [
        ("/reply #7 and yes", "and yes", Extra(re=7)),
        ("/mention bob, cid: look here: now", "look here: now", Extra(mentions=["bob", "cid"])),
        ("/expire 90 soon", "soon", Extra(expires_s=90)),
        ("/expire 2h soon", "soon", Extra(expires_s=7_200)),
        ("/expire 1d soon", "soon", Extra(expires_s=86_400)),
        ("/location 48.2, -16.37", "geo:48.2,-16.37", Extra(kind="location")),
        ("/location geo:48.2,16", "geo:48.2,16", Extra(kind="location")),
        ("/card cid", "cid", Extra(kind="contact")),
        ("/seal c2VhbGVk", "c2VhbGVk", Extra(kind="sealed")),
    ],
)
async def test_a_line_is_one_message(line: str, text: str, extra: Extra) -> None:
    seat = FakeSeat()
    await seat.type(line)
    assert seat.did == [("post", text, extra)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("/edit 7 a new text", ("edit", "bob", 7, "a new text")),
        ("/delete 7", ("delete", "bob", 7)),
        ("/delete 7 #8", ("delete", "bob", 7, 8)),
        ("/delete 7 8 me", ("hide", "bob", 7, 8)),
        ("/react 7 x", ("react", "bob", 7, "x", True)),
        ("/react 7 x off", ("react", "bob", 7, "x", False)),
    ],
)
async def test_a_line_is_one_act_on_what_is_stored(line: str, expected: tuple[Any, ...]) -> None:
    seat = FakeSeat()
    await seat.type(line)
    assert seat.did == [("settle",)]
    assert seat.asked == [expected]


@pytest.mark.parametrize(
    ("line", "named"), [("/forward 7 #fri", False), ("/forward 7 #fri named", True)]
)
async def test_message_is_passed_on(line: str, named: bool) -> None:
    seat = FakeSeat()
    await seat.type(line)
    entry = Entry("bob", 7, 0, bytes(16), "hi")
    assert seat.asked[-1] == ("forward", entry, GROUP, {"named": named})


@pytest.mark.parametrize(
    "line",
    [
        "/reply yes",
        "/reply 7",
        "/mention bob look",
        "/mention : look",
        "/mention Bob: look",
        "/mention bob:",
        "/expire soon",
        "/expire 5w soon",
        "/expire 0 soon",
        "/expire 5m",
        "/location north",
        "/location 48.2",
        "/card",
        "/card two names",
        "/seal",
        "/edit 7",
        "/edit x y",
        "/edit 0 y",
        "/delete",
        "/delete me",
        "/delete 7 all",
        "/react 7",
        "/react 7 x on",
        "/forward 7",
        "/forward 7 cid nameless",
    ],
)
async def test_a_line_that_lacks_something_does_nothing(line: str) -> None:
    seat = FakeSeat()
    with pytest.raises(Unclear):
        await seat.type(line)
    assert (seat.did, seat.asked) == ([], [])


@pytest.mark.parametrize("line", ["/edit 7 x", "/delete 7", "/react 7 x", "/forward 7 cid"])
async def test_nothing_is_changed_with_nobody(line: str) -> None:
    with pytest.raises(Unclear, match="Choose whom"):
        await FakeSeat(None).type(line)
