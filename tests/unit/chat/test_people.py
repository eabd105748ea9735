"""What a user sees and sets of devices and conversations."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.chat.event import Answer, Refused
from actorchat.chat.people import (
    NOBODY,
    Asked,
    Card,
    ConversationFacts,
    DeviceFacts,
    KeepCard,
    KeepContact,
    KeepFlags,
    KeepTitle,
    PeopleDesk,
    Refuse,
    TellWhenDurable,
    flags_shown,
)
from actorchat.limits import CONTACTS_MAX, HISTORY_PAGE_BYTES_MAX, UNREAD_COUNTED_MAX
from actorchat.protocol.ops import (
    Contact,
    Contacts,
    Conversations,
    Describe,
    Devices,
    Flag,
    Profile,
    Rename,
)
from actorchat.testing.playbook import Playbook
from tests.unit.chat.cast import Peer

SESSION = Peer("session")
PHONE = DeviceFacts("phone", 1, 2, "Anns", 7)
NONE = {"muted": False, "archived": False, "pinned": False}


def asked(op: Any, **facts: Any) -> Asked:
    return Asked(SESSION, "ann", "phone", op, **facts)


def facts(conv: str, *senders: str, record: bytes = b"r") -> ConversationFacts:
    return ConversationFacts(conv, 9, record, list(senders), {}, 4)


def shown(op: Conversations, *found: ConversationFacts) -> dict[str, object]:
    (effect,) = PeopleDesk().handle(asked(op, conversations=list(found)), 0)
    assert isinstance(effect, TellWhenDurable)
    return effect.answer.ok


def test_devices_are_shown_and_the_one_that_asks_is_named() -> None:
    other = DeviceFacts("web", 3, 0, "", None)
    play = Playbook(PeopleDesk()) >> asked(Devices(1), devices=[PHONE, other])
    told = [
        {"device": "phone", "title": "Anns", "created": 1, "seen": 2, "cursor": 7, "current": True},
        {"device": "web", "title": "", "created": 3, "seen": 0, "cursor": None, "current": False},
    ]
    assert play << TellWhenDurable(SESSION, Answer(1, {"devices": told}))


def test_only_a_device_that_is_there_gets_a_title() -> None:
    play = Playbook(PeopleDesk()) >> asked(Rename(1, "phone", "x"), devices=[PHONE])
    play = play << KeepTitle(SESSION, "ann", "phone", "x", Answer(1, {}))
    play = play >> asked(Rename(2, "tv", "x"), devices=[PHONE])
    refused = Refused(2, "no_such_device", "the user has no such device")
    assert play << Refuse(SESSION, refused)


def test_unread_is_what_others_wrote_up_to_a_bound() -> None:
    many = ["bob"] * (UNREAD_COUNTED_MAX + 1)
    ok = shown(Conversations(1), facts("bob", "bob", "ann", "bob"), facts("cat", *many))
    lines = ok["conversations"]
    assert isinstance(lines, list)
    assert [line["unread"] for line in lines] == [2, UNREAD_COUNTED_MAX]
    assert lines[0]["pinned"]
    assert not lines[0]["muted"]
    assert ok["more"] is False


def test_page_ends_at_the_limit_and_says_that_there_are_more() -> None:
    ok = shown(Conversations(1, None, 2), facts("a"), facts("b"), facts("c"))
    lines = ok["conversations"]
    assert isinstance(lines, list)
    assert [line["conv"] for line in lines] == ["a", "b"]
    assert ok["more"] is True


@pytest.mark.parametrize(("size", "count"), [(HISTORY_PAGE_BYTES_MAX * 2, 1), (10, 3)])
def test_page_is_bounded_in_bytes_but_never_empty(size: int, count: int) -> None:
    long = [facts(name, record=b"x" * size) for name in "abc"]
    lines = shown(Conversations(1), *long)["conversations"]
    assert isinstance(lines, list)
    assert len(lines) == count


def test_flag_changes_what_is_named_and_leaves_the_rest() -> None:
    play = Playbook(PeopleDesk()) >> asked(Flag(1, "bob", muted=True, pinned=False), flags=0b110)
    now = {"muted": True, "archived": True, "pinned": False}
    play = play << KeepFlags(SESSION, "ann", "phone", "bob", 0b011, Answer(1, now))
    play = play >> asked(Flag(2, "bob"), flags=0)
    assert play << KeepFlags(SESSION, "ann", "phone", "bob", 0, Answer(2, NONE))


def test_conversation_that_nobody_began_has_no_flags() -> None:
    refused = Refused(1, "no_such_conversation", "nobody wrote anything there")
    assert Playbook(PeopleDesk()) >> asked(Flag(1, "bob", muted=True)) << Refuse(SESSION, refused)


def test_each_bit_has_a_name() -> None:
    assert flags_shown(0) == NONE
    assert flags_shown(0b111) == dict.fromkeys(NONE, True)


def test_profile_is_what_a_user_says() -> None:
    ok = {"user": "bob", "title": "Bob", "about": "here"}
    play = Playbook(PeopleDesk()) >> asked(Profile(1, "bob"), card=Card("Bob", "here"))
    play = play << TellWhenDurable(SESSION, Answer(1, ok))
    play = play >> asked(Profile(2, "eve"))
    assert play << Refuse(SESSION, Refused(2, "no_such_user", NOBODY))


def test_text_that_is_not_named_stays_as_it_is() -> None:
    ok = {"user": "ann", "title": "Ann", "about": ""}
    play = Playbook(PeopleDesk()) >> asked(Describe(1, about=""), card=Card("Ann", "here"))
    assert play << KeepCard(SESSION, "ann", Card("Ann"), Answer(1, ok))


def test_contacts_are_users_and_not_too_many() -> None:
    full = [f"u{number}" for number in range(CONTACTS_MAX)]
    play = Playbook(PeopleDesk()) >> asked(Contact(1, "bob"), is_known=True)
    play = play << KeepContact(SESSION, "ann", "bob", True, Answer(1, {}))
    play = play >> asked(Contact(2, "eve")) << Refuse(SESSION, Refused(2, "no_such_user", NOBODY))
    play = play >> asked(Contact(3, "bob"), is_known=True, contacts=full)
    reason = f"a user has at most {CONTACTS_MAX} contacts"
    play = play << Refuse(SESSION, Refused(3, "too_many_contacts", reason))
    play = play >> asked(Contact(4, "u7"), is_known=True, contacts=full)
    play = play << KeepContact(SESSION, "ann", "u7", True, Answer(4, {}))
    play = play >> asked(Contact(5, "gone", keep=False))
    play = play << KeepContact(SESSION, "ann", "gone", False, Answer(5, {}))
    play = play >> asked(Contacts(6), contacts=["bob"])
    assert play << TellWhenDurable(SESSION, Answer(6, {"contacts": ["bob"]}))
