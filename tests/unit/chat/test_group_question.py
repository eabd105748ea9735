"""What a group answers who asks about it, and whom it tells nothing."""

from __future__ import annotations

import pytest

from actorchat.chat import group_question
from actorchat.chat.effect import Push, ReadPage, Refuse
from actorchat.chat.event import Answer, Fetch, Reached, Refused
from actorchat.chat.group import Group
from actorchat.chat.group_event import AskReceipts, Describe
from actorchat.chat.roster import NO_GROUP
from actorchat.protocol.ops.group import Add
from tests.unit.chat.test_group import ADDRESS, SESSION, changing, playbook, post


def test_page_begins_where_the_member_came_in() -> None:
    play = playbook(1)
    play.machine.handle(changing(1, Add(["dan"])), 0)
    for number in range(3, 9):
        play.machine.handle(post(number), 0)
    page = ReadPage(SESSION, 7, 1, 9, 50, True, "dan")
    play = play >> Fetch("dan", SESSION, 7, 0, None, 50) << page
    page = ReadPage(SESSION, 7, 0, 4, 50, True, "ann")
    play = play >> Fetch("ann", SESSION, 7, 0, 4, 50) << page
    page = ReadPage(SESSION, 7, 4, 9, 50, True, "ann")
    assert play >> Fetch("ann", SESSION, 7, 4, 99, 50) << page


def test_group_is_described_with_its_links_to_who_may_void_them() -> None:
    play = playbook(4)
    play.machine.roster.links.add("x" * 22)
    about = {
        "conv": ADDRESS,
        "name": "g",
        "description": "",
        "post": "members",
        "add": "admins",
        "history": "since_join",
        "size": 256,
        "head": 4,
        "members": {"ann": "owner", "bob": "member", "cid": "member"},
    }
    owner, member = {**about, "links": ["x" * 22]}, {**about, "links": []}
    play = play >> Describe("ann", SESSION, 3) << Push(SESSION, Answer(3, owner))
    assert play >> Describe("bob", SESSION, 3) << Push(SESSION, Answer(3, member))


def test_members_and_marks_of_many_come_in_pages_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_question, "MEMBERS_PAGE_MAX", 2)
    monkeypatch.setattr(group_question, "RECEIPTS_PAGE_MAX", 2)
    machine = playbook().machine

    def answered(event: object) -> dict[str, object]:
        (push,) = machine.handle(event, 0)
        assert isinstance(push, Push) and isinstance(push.event, Answer)
        return push.event.ok

    first = answered(Describe("bob", SESSION, 1))
    assert (first["members"], first["more"]) == ({"ann": "owner", "bob": "member"}, True)
    last = answered(Describe("bob", SESSION, 1, "bob"))
    assert last["members"] == {"cid": "member"} and "more" not in last
    nothing = {"delivered": 0, "read": 0}
    first = answered(AskReceipts("bob", SESSION, 1))
    assert (first["marks"], first["more"]) == ({"ann": nothing, "bob": nothing}, True)
    last = answered(AskReceipts("bob", SESSION, 1, "bob"))
    assert last["marks"] == {"cid": nothing} and "more" not in last


def test_marks_are_shown_up_to_a_number_of_members() -> None:
    group = playbook(4).machine
    group.handle(Reached("bob", 3, 2), 0)
    nothing = {"delivered": 0, "read": 0}
    bob = {"delivered": 3, "read": 2}
    assert group.shown_marks(3) == {"ann": nothing, "bob": bob, "cid": nothing}
    assert group.shown_marks(2) == {}
    assert Group(ADDRESS).shown_marks(2) == {}


@pytest.mark.parametrize(
    "question",
    [
        Fetch("eve", SESSION, 1, 0, None, 50),
        Describe("eve", SESSION, 1),
        AskReceipts("eve", SESSION, 1),
    ],
)
def test_question_of_a_stranger_is_refused_and_changes_nothing(question: object) -> None:
    group = playbook(4).machine
    no = [Refuse(SESSION, Refused(1, "no_such_group", NO_GROUP))]
    assert group.handle(question, 0) == no
    assert (group.seq, group.marks, group.is_settled) == (4, {}, True)
