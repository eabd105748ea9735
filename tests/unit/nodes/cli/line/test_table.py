"""A person can do by lines what a client can: whoever adds an op adds a line, or says why not."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from actorchat.protocol.ops import CLIENT_OPS, AnyChange, Extra
from actorchat.protocol.ops.extra import MessageKind
from nodes.cli.line.command import Unclear
from nodes.cli.line.table import COMMANDS, SECTIONS, WIDTH, find, help_text
from tests.unit.nodes.cli.line.seat import FakeSeat

# What nobody types, and why.
UNTYPED = {
    "hello": "the command signs in before there is a line",
    "ping": "the client does it by itself",
    "ack": "the client does it when a message has been printed",
    "events": "for bots alone, which are programs: actorchat bot events",
    "signup": "before there is anybody who could type: actorchat signup",
    "refresh": "the client does it by itself, in time",
    "provision": "for operators: actorchat user",
    "invitation": "for operators: actorchat invitation",
    "invitations": "for operators: actorchat invitation list",
    "status": "for operators: actorchat status",
    "whereis": "for operators: actorchat whereis",
    "locate": "the client does it by itself, before it signs in",
    "actors": "for operators: actorchat actors",
    "bot": "for operators: actorchat bot",
    "hook": "for operators: actorchat hook",
    "hooks": "for operators: actorchat hook list",
    "extra:exp": "the server's word for expires_s",
}


def everything() -> set[str]:
    """Return all ops, changes of groups, kinds of messages, and what these may have beside."""
    changes = {f"change:{kind.__struct_config__.tag}" for kind in get_args(AnyChange)}
    kinds = {f"kind:{kind}" for kind in get_args(MessageKind)}
    extras = {f"extra:{field}" for field in Extra.__struct_fields__}
    return {*CLIENT_OPS, *changes, *kinds, *extras}


def served() -> set[str]:
    return {name for command in COMMANDS.values() for name in command.serves}


def test_each_op_has_a_line_or_a_reason_why_not() -> None:
    missing = everything() - served() - UNTYPED.keys()
    assert not missing, f"no line in nodes/cli/line serves {sorted(missing)}"


def test_lines_and_reasons_are_of_ops_that_there_are() -> None:
    assert served() <= everything()
    assert UNTYPED.keys() <= everything()
    assert not served() & UNTYPED.keys()


def test_each_word_is_one_command() -> None:
    words = [command.word for section in SECTIONS.values() for command in section]
    assert len(words) == len(set(words))
    assert all(word.startswith("/") and word == word.lower() for word in words)


def test_help_shows_every_command_in_its_section() -> None:
    text = help_text()
    lines = text.splitlines()
    assert all(command.usage in text for command in COMMANDS.values())
    assert max(map(len, lines)) <= WIDTH
    assert all(any(line.startswith(f"{section} ") for line in lines) for section in SECTIONS)
    for section, commands in SECTIONS.items():
        explained = help_text(section).splitlines()
        assert len(explained) == len(commands)
        assert all(command.does in line for command, line in zip(commands, explained, strict=True))


@pytest.mark.parametrize("about", ["edit", "/edit"])
def test_help_explains_one_word(about: str) -> None:
    assert help_text(about).split(None, 3)[:3] == ["/edit", "N", "TEXT"]


@pytest.mark.parametrize(("word", "said"), [("/hsitory", "/history"), ("/zzzzzz", "/help shows")])
def test_word_that_is_none_is_answered_with_what_is_like_it(word: str, said: str) -> None:
    with pytest.raises(Unclear, match=f"{word}: no such command.*{said}"):
        find(word)


async def test_help_and_quit_are_always_there() -> None:
    seat = FakeSeat(None)
    await seat.type("/help")
    await seat.type("/help groups")
    await seat.type("/quit")
    assert len(seat.said) == 2
    assert seat.did == [("leave", False)]
    with pytest.raises(Unclear):
        await seat.type("/help nonsense")


def test_every_module_of_lines_is_in_the_table() -> None:
    folder = Path(find("/help").run.__code__.co_filename).parent  # type: ignore[attr-defined]
    with_lines = {
        path.stem for path in folder.glob("*.py") if "\nCOMMANDS = (" in path.read_text("utf-8")
    }
    modules = {command.run.__module__.rpartition(".")[2] for command in COMMANDS.values()}
    assert with_lines <= modules
