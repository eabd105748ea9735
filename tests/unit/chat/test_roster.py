"""Who is in a group and who may do what."""

from __future__ import annotations

import pytest

from actorchat.chat.change import link_of
from actorchat.chat.roster import RIGHTS, Member, Roster, Touched, Verdict, found
from actorchat.limits import GROUP_LINKS_MAX
from actorchat.protocol.ops.group import (
    Add,
    Alter,
    AnyChange,
    Assign,
    Create,
    Enter,
    Invite,
    Leave,
    Remove,
    Uninvite,
)

TOKEN = "A" * 22


def roster(**settings: object) -> Roster:
    """Return a group of four, one of each role."""
    made = found("ann", Create("g", ["bob", "cid", "rea"], **settings), 8)  # type: ignore[arg-type]
    assert isinstance(made, Roster)
    made.members["bob"].role = "admin"
    made.members["rea"].role = "reader"
    return made


def code(verdict: Verdict | None) -> str | None:
    return None if verdict is None else verdict.code


def test_creator_is_the_owner_and_the_others_are_members() -> None:
    made = found("ann", Create("g", ["bob"]), 8)
    assert isinstance(made, Roster)
    assert made.rows == {"ann": Member("owner", 1), "bob": Member("member", 1)}
    assert made.profile.size == 8


@pytest.mark.parametrize(
    ("create", "refused"),
    [
        (Create("g", ["ann"]), "bad_request"),
        (Create("g", ["bob", "bob"]), "bad_request"),
        (Create("g", ["bob", "cid"], size=2), "group_full"),
        (Create("g", size=9), "group_full"),
    ],
)
def test_group_that_can_not_be_is_refused(create: Create, refused: str) -> None:
    assert code(found("ann", create, 8)) == refused  # type: ignore[arg-type]


# deed → who may, with the settings `members` and `admins`
MAY = {
    "read": ("ann bob cid rea", "ann bob cid rea"),
    "leave": ("ann bob cid rea", "ann bob cid rea"),
    "post": ("ann bob cid", "ann bob"),
    "add": ("ann bob cid", "ann bob"),
    "link": ("ann bob cid", "ann bob"),
    "unlink": ("ann bob", "ann bob"),
    "set": ("ann bob", "ann bob"),
    "remove": ("ann bob", "ann bob"),
    "role": ("ann bob", "ann bob"),
}


@pytest.mark.parametrize("deed", RIGHTS)
@pytest.mark.parametrize("setting", ["members", "admins"])
def test_each_role_may_what_the_table_says(deed, setting) -> None:
    group = roster(post=setting, add=setting)
    may = {user for user in ("ann", "bob", "cid", "rea", "eve") if group.may(user, deed)}
    assert may == set(MAY[deed][setting == "admins"].split())


@pytest.mark.parametrize(
    ("sender", "change", "refused"),
    [
        ("ann", Create("g"), "exists"),
        ("cid", Add(["dan"]), "forbidden"),
        ("bob", Add(["dan"]), None),
        ("bob", Add(["dan", "dan"]), "bad_request"),
        ("bob", Add(["dan", "cid"]), "exists"),
        ("bob", Add(["d1", "d2", "d3", "d4", "d5"]), "group_full"),
        ("bob", Remove("cid"), None),
        ("bob", Remove("ann"), "forbidden"),  # who stands above
        ("bob", Remove("bob"), "forbidden"),  # that is to leave
        ("bob", Remove("eve"), "forbidden"),
        ("cid", Remove("rea"), "forbidden"),
        ("bob", Assign("cid", "reader"), None),
        ("bob", Assign("cid", "admin"), "forbidden"),
        ("ann", Assign("cid", "admin"), None),
        ("ann", Assign("cid", "owner"), None),
        ("ann", Assign("ann", "member"), "forbidden"),
        ("bob", Assign("ann", "member"), "forbidden"),
        ("cid", Alter("x"), "forbidden"),
        ("bob", Alter("x"), None),
        ("bob", Alter(size=3), "group_full"),
        ("bob", Alter(size=9), "group_full"),
        ("bob", Alter(size=4), None),
        ("rea", Leave(), None),
        ("rea", Leave("ann"), "bad_request"),
        ("eve", Leave(), "forbidden"),
        ("bob", Invite(TOKEN), None),
        ("bob", Invite(), "bad_request"),
        ("bob", Invite(TOKEN, TOKEN), "bad_request"),
        ("bob", Uninvite(TOKEN), "forbidden"),
        ("eve", Enter(TOKEN), "forbidden"),
        ("eve", Enter(), "forbidden"),
    ],
)
def test_change_is_judged(sender: str, change: AnyChange, refused: str | None) -> None:
    assert code(roster().judge(sender, change, 8)) == refused


def test_link_lets_in_who_has_its_token_until_it_is_void() -> None:
    group = roster()
    touched = group.apply("bob", Invite(TOKEN), 2)
    assert touched == Touched(link=link_of(TOKEN))
    assert group.judge("eve", Enter(TOKEN), 8) is None
    assert code(group.judge("cid", Enter(TOKEN), 8)) == "exists"
    assert code(group.judge("eve", Enter("B" * 22), 8)) == "forbidden"
    group.profile.size = 4
    assert code(group.judge("eve", Enter(TOKEN), 8)) == "group_full"
    assert group.apply("eve", Enter(TOKEN), 3) == Touched(("eve",), ("eve",))
    assert group.rows["eve"] == Member("member", 3)
    assert group.judge("bob", Uninvite(link_of(TOKEN)), 8) is None
    group.apply("bob", Uninvite(link_of(TOKEN)), 4)
    assert code(group.judge("dan", Enter(TOKEN), 8)) == "forbidden"


def test_links_are_bounded() -> None:
    group = roster()
    group.links = {str(number) for number in range(GROUP_LINKS_MAX)}
    assert code(group.judge("bob", Invite(TOKEN), 8)) == "busy"


def test_who_goes_is_owed_the_record_that_says_so_and_nothing_after() -> None:
    group = roster()
    assert group.apply("ann", Remove("cid"), 5) == Touched(("cid",), left=("cid",))
    row = group.rows["cid"]
    assert "cid" not in group.members
    assert [row.owes(seq) for seq in (1, 5, 6)] == [True, True, False]
    assert group.settle(4) == ()
    assert group.settle(5) == ("cid",)
    assert "cid" not in group.rows


def test_who_comes_back_is_owed_both_spans_and_not_what_lies_between() -> None:
    group = roster()
    group.apply("ann", Remove("cid"), 5)
    group.apply("ann", Add(["cid"]), 8)
    row = group.rows["cid"]
    assert [seq for seq in range(1, 11) if row.owes(seq)] == [1, 2, 3, 4, 5, 8, 9, 10]
    assert [row.before(seq) for seq in (2, 5, 6, 8, 9)] == [1, 4, 5, 5, 8]
    assert group.first_readable("cid") == 8
    assert group.settle(6) == ("cid",)
    assert row.before(8) == 0


def test_all_may_read_from_the_start_where_the_setting_says_so() -> None:
    group = roster(history="all")
    group.apply("ann", Add(["dan"]), 8)
    assert group.first_readable("dan") == 1


def test_new_owner_stands_in_the_place_of_the_old_one() -> None:
    group = roster()
    assert group.apply("ann", Assign("cid", "owner"), 2) == Touched(("cid", "ann"))
    assert (group.members["cid"].role, group.members["ann"].role) == ("owner", "admin")
    assert group.apply("cid", Assign("rea", "member"), 3) == Touched(("rea",))


def test_owner_who_leaves_is_followed_by_the_highest_who_is_there_longest() -> None:
    group = roster()
    assert group.apply("cid", Leave(), 2) == Touched(("cid",), left=("cid",))
    assert group.apply("ann", Leave(), 3) == Touched(("ann", "bob"), left=("ann",), heir="bob")
    assert group.apply("bob", Leave(), 4).heir == "rea"
    assert group.apply("rea", Leave(), 5) == Touched(("rea",), left=("rea",))
    assert not group.members


def test_settings_that_are_given_are_set_and_the_others_stay() -> None:
    group = roster()
    assert group.apply("ann", Alter("new", post="admins", size=6), 2) == Touched(profile=True)
    profile = group.profile
    assert (profile.name, profile.post, profile.size) == ("new", "admins", 6)
    assert (profile.description, profile.add) == ("", "admins")
    assert group.apply("ann", Create("g"), 1).profile
