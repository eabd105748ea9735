"""Lines make groups, say what they are, and change them."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.client import GroupInfo
from actorchat.errors import Refusal
from nodes.cli.line.command import Unclear
from tests.unit.nodes.cli.line.seat import GROUP, FakeSeat

INFO = GroupInfo(
    GROUP, "friends", "old ones", "members", "admins", "all", 3, 9,
    {"ann": "owner", "cid": "member", "bob": "member"}, ["abcd", "abef"],
)  # fmt: skip


async def test_groups_are_listed_by_name() -> None:
    seat = FakeSeat(None)
    await seat.type("/groups")
    assert seat.said == [
        "#BAAAAAAAAAAAAAAAAAAAAA French: 9 members, you are reader",
        f"{GROUP} friends: 3 members, you are owner, 2 unread",
    ]
    seat.fake.answers["groups"] = []
    await seat.type("/groups")
    assert "/create" in seat.said[-1]


@pytest.mark.parametrize(
    ("line", "name", "members"),
    [
        ("/create Hiking club: bob, cid", "Hiking club", ["bob", "cid"]),
        ("/create Hiking club", "Hiking club", []),
        ("/create Hiking :", "Hiking", []),
    ],
)
async def test_group_is_made_and_turned_to(line: str, name: str, members: list[str]) -> None:
    seat = FakeSeat(None)
    seat.fake.answers["create_group"] = GROUP
    await seat.type(line)
    assert seat.asked == [("create_group", name, members)]
    assert seat.did == [("turn_to", GROUP)]


async def test_it_is_told_what_a_group_is() -> None:
    seat = FakeSeat(GROUP)
    seat.fake.answers["group"] = INFO
    await seat.type("/group")
    assert seat.said == [
        f"{GROUP} friends: 3 members, 9 messages",
        "  old ones",
        "  members may write, admins may add; who joins reads all of the past",
        "  owner: ann",
        "  member: bob, cid",
        "  link: abcd",
        "  link: abef",
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("/name Hikers of Vienna", ("set_group", GROUP, {"name": "Hikers of Vienna"})),
        ("/describe", ("set_group", GROUP, {"description": ""})),
        ("/describe boots on", ("set_group", GROUP, {"description": "boots on"})),
        ("/set post admins", ("set_group", GROUP, {"post": "admins"})),
        ("/set add members", ("set_group", GROUP, {"add": "members"})),
        ("/set history all", ("set_group", GROUP, {"history": "all"})),
        ("/set size 40", ("set_group", GROUP, {"size": 40})),
        ("/add bob cid", ("add", GROUP, "bob", "cid", {"role": "member"})),
        ("/add bob as reader", ("add", GROUP, "bob", {"role": "reader"})),
        ("/remove bob", ("remove", GROUP, "bob")),
        ("/role bob admin", ("set_role", GROUP, "bob", "admin")),
    ],
)
async def test_a_line_is_one_change(line: str, expected: tuple[Any, ...]) -> None:
    seat = FakeSeat(GROUP)
    await seat.type(line)
    assert seat.asked == [expected]
    assert seat.said == ["  ✓ done, as #9"]


async def test_one_leaves_only_if_it_is_meant() -> None:
    seat = FakeSeat(GROUP, "no", "yes")
    with pytest.raises(Unclear, match="You stay"):
        await seat.type("/leave")
    assert seat.asked == []
    await seat.type("/leave")
    assert seat.asked == [("leave", GROUP)]


async def test_link_is_made_and_made_void() -> None:
    seat = FakeSeat(GROUP)
    seat.fake.answers |= {"new_link": f"{GROUP}/secret", "group": INFO}
    await seat.type("/link")
    assert seat.said[0] == f"{GROUP}/secret"
    await seat.type("/unlink abc")
    assert seat.asked[-1] == ("void_link", GROUP, "abcd")
    for wrong, said in (("ab", "several"), ("x", "no such link")):
        with pytest.raises(Unclear, match=said):
            await seat.type(f"/unlink {wrong}")


async def test_group_is_joined_by_a_link_and_turned_to() -> None:
    seat = FakeSeat(None)
    await seat.type(f"/join {GROUP}/secret")
    seat.fake.answers["join"] = Refusal("exists", "you are in it")
    await seat.type(f"/join {GROUP}/secret")
    assert seat.did == [("turn_to", GROUP)] * 2
    seat.fake.answers["join"] = Refusal("no_such_group", "no")
    with pytest.raises(Refusal):
        await seat.type(f"/join {GROUP}/secret")


@pytest.mark.parametrize(
    "line",
    [
        "/groups all",
        "/create",
        "/create :bob",
        "/create x: Bob",
        "/group now",
        "/name",
        "/set",
        "/set colour red",
        "/set post everybody",
        "/set post",
        "/set size many",
        "/set size",
        "/set name",
        "/add",
        "/add as reader",
        "/remove",
        "/remove bob cid",
        "/role bob",
        "/role bob king",
        "/leave now",
        "/leave",  # nobody answers
        "/link now",
        "/unlink",
        "/join",
        "/join friends",
        f"/join {GROUP}",
    ],
)
async def test_a_line_that_lacks_something_asks_for_nothing(line: str) -> None:
    seat = FakeSeat(GROUP)
    with pytest.raises(Unclear):
        await seat.type(line)
    assert (seat.asked, seat.did) == ([], [])


@pytest.mark.parametrize(
    "line", ["/group", "/name x", "/add bob", "/leave", "/link", "/set post admins"]
)
async def test_what_is_a_groups_wants_one(line: str) -> None:
    with pytest.raises(Unclear, match="Turn to a group first"):
        await FakeSeat("bob").type(line)
