from __future__ import annotations

import pytest

from actorchat.chat.visibility import LEVELS, Apart, may_see
from actorchat.protocol.ops import PrivacyLevel

NOBODY_KNOWN: set[tuple[str, str]] = set()


def sees(
    owner: PrivacyLevel, watcher: PrivacyLevel, contacts: set[tuple[str, str]] = NOBODY_KNOWN
) -> bool:
    return may_see("ann", owner, "bob", watcher, lambda user, other: (user, other) in contacts)


def test_everybody_is_seen_unless_they_say_otherwise() -> None:
    assert sees("everyone", "everyone")
    assert not sees("nobody", "everyone")


def test_who_hides_does_not_see_others() -> None:
    assert not sees("everyone", "nobody")
    assert not sees("contacts", "nobody", {("ann", "bob"), ("bob", "ann")})


def test_contacts_are_those_whom_the_owner_chose() -> None:
    assert not sees("contacts", "everyone", {("bob", "ann")})
    assert sees("contacts", "everyone", {("ann", "bob")})


def test_two_who_show_themselves_to_contacts_must_both_be_contacts() -> None:
    assert not sees("contacts", "contacts", {("ann", "bob")})
    assert sees("contacts", "contacts", {("ann", "bob"), ("bob", "ann")})


@pytest.mark.parametrize("one", LEVELS)
@pytest.mark.parametrize("other", LEVELS)
@pytest.mark.parametrize("contacts", [set(), {("a", "b")}, {("a", "b"), ("b", "a")}])
def test_it_holds_both_ways(
    one: PrivacyLevel, other: PrivacyLevel, contacts: set[tuple[str, str]]
) -> None:
    def has_contact(user: str, whom: str) -> bool:
        return (user, whom) in contacts

    assert may_see("a", one, "b", other, has_contact) == may_see("b", other, "a", one, has_contact)


@pytest.mark.parametrize("level", LEVELS)
def test_users_see_themselves(level: PrivacyLevel) -> None:
    assert may_see("ann", level, "ann", level, lambda user, other: False)


def test_nobody_is_looked_up_who_shows_themselves_to_everyone() -> None:
    def never(user: str, other: str) -> bool:
        raise AssertionError("looked up")

    assert may_see("ann", "everyone", "bob", "everyone", never)
    assert not may_see("ann", "nobody", "bob", "everyone", never)


def test_blocks_keep_apart_whichever_of_the_two_blocks() -> None:
    blocks = {"ann": ["bob"]}
    apart = Apart(lambda user: blocks.get(user, ()))
    assert not apart
    apart.learn("ann")
    apart.learn("bob")
    assert apart.parts("ann", "bob")
    assert not apart.parts("bob", "ann")  # until bob's watcher says so
    apart.note("bob", "ann", ["bob"])
    assert apart.parts("bob", "ann")
    apart.note("bob", "ann", [])
    assert not apart.parts("bob", "ann")
    blocks.clear()
    apart.learn("ann")
    assert not apart.parts("ann", "bob")
    blocks["ann"] = ["eve"]
    apart.learn("ann")
    apart.forget("ann")
    assert not apart
