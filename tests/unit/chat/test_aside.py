"""Who sees which reactions, where some are aside."""

from __future__ import annotations

from actorchat.chat.aside import ASIDE, joined, put_aside, shown_to, split
from actorchat.ids import is_name
from actorchat.protocol.ops import Record


def record(**reactions: list[str]) -> Record:
    return Record("ann", 1, 0, bytes(16), "hi", reactions=reactions)


def test_mark_is_nobodys_name() -> None:
    assert not is_name(ASIDE)


def test_reaction_that_is_aside_is_seen_by_who_put_it_alone() -> None:
    said = record(x=["ann", "bob"])
    put_aside(said, "x", "bob")
    assert said.reactions == {"x": ["ann", ASIDE, "bob"]}
    assert shown_to(said.reactions, "bob") == {"x": ["ann", "bob"]}
    assert shown_to(said.reactions, "ann") == {"x": ["ann"]}


def test_emoji_of_nobody_else_is_not_there() -> None:
    said = record(x=["bob"], y=["ann"])
    put_aside(said, "x", "bob")
    assert shown_to(said.reactions, "ann") == {"y": ["ann"]}
    assert shown_to(said.reactions, "") == {"y": ["ann"]}


def test_nothing_is_made_anew_where_nothing_is_aside() -> None:
    reactions = {"x": ["ann"]}
    assert shown_to(reactions, "bob") is reactions


def test_parts_are_put_together_as_they_were() -> None:
    assert split(["ann"]) == (["ann"], [])
    assert split(joined(["ann"], ["bob"])) == (["ann"], ["bob"])
    assert joined(["ann"], []) == ["ann"]
