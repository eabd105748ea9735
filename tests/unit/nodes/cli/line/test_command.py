"""What stands behind a word is read strictly, and what is wrong with it is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nodes.cli.line import command
from nodes.cli.line.command import Command, Unclear
from tests.unit.nodes.cli.line.seat import GROUP, FakeSeat


@pytest.mark.parametrize(("text", "seq"), [("7", 7), ("#7", 7), ("007", 7)])
def test_number_of_a_message_may_have_its_mark(text: str, seq: int) -> None:
    assert command.seq_of(text) == seq
    assert command.split_seq(f"{text}  some text ") == (seq, "some text")


@pytest.mark.parametrize("text", ["", "0", "-1", "x", "1.5", "٣", "1" * 16])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(Unclear):
        command.split_seq(text)


def test_names_are_parted_by_blanks_or_commas() -> None:
    assert command.names_of("bob, cid dan") == ["bob", "cid", "dan"]
    assert command.name_of(" bob ") == "bob"


@pytest.mark.parametrize(
    ("read", "text", "said"),
    [
        (command.names_of, "", ""),
        (command.names_of, "bob Ann!", "'Ann!' is no name"),
        (command.name_of, "bob cid", "One name at a time"),
        (command.needed, "", ""),
        (command.nothing, "x", ""),
        (lambda text: command.choice_of(text, ("a", "b")), "c", "'c': one of a, b"),
        (lambda text: command.choice_of(text, ("a", "b")), "", ""),
    ],
)
def test_what_is_missing_or_wrong_is_said(read: Callable[[str], Any], text: str, said: str) -> None:
    with pytest.raises(Unclear) as caught:
        read(text)
    assert str(caught.value).startswith(said)
    assert bool(str(caught.value)) is bool(said)


def test_some_commands_want_somebody_and_some_a_group() -> None:
    assert command.other_of(FakeSeat("bob")) == "bob"
    assert command.group_of(FakeSeat(GROUP)) == GROUP
    for read, other in (
        (command.other_of, None),
        (command.group_of, None),
        (command.group_of, "b"),
    ):
        with pytest.raises(Unclear, match="first"):
            read(FakeSeat(other))


async def test_usage_is_word_and_form() -> None:
    async def run(*_: object) -> None:
        """Do nothing."""

    assert Command("/a", "B", "does", run).usage == "/a B"
    assert Command("/a", "", "does", run).usage == "/a"
