"""Knows all that can be typed behind a /, by section, and how that is told.
Must not know how any of it is done.
"""

from __future__ import annotations

import difflib

from nodes.cli.line import conversation, file, group, history, message, own, people
from nodes.cli.line.command import Command, Seat, Unclear

WIDTH = 96


async def _quit(seat: Seat, rest: str) -> None:
    seat.leave()


async def _help(seat: Seat, rest: str) -> None:
    seat.say(help_text(rest))


ALWAYS = (
    Command("/help", "[SECTION|WORD]", "what can be typed", _help),
    Command("/quit", "", "leave, as the end of input does", _quit),
)
SECTIONS: dict[str, tuple[Command, ...]] = {
    "talk": (*conversation.COMMANDS, *ALWAYS),
    "messages": message.COMMANDS,
    "history": history.COMMANDS,
    "files": file.COMMANDS,
    "groups": group.COMMANDS,
    "people": people.COMMANDS,
    "you": own.COMMANDS,
}
COMMANDS: dict[str, Command] = {
    command.word: command for section in SECTIONS.values() for command in section
}


def find(word: str) -> Command:
    """Return the command with this word.

    Raises:
        Unclear: There is none; the text names what is like it.
    """
    if word in COMMANDS:
        return COMMANDS[word]
    near = difflib.get_close_matches(word, COMMANDS, n=3, cutoff=0.6)
    like = f"perhaps {' or '.join(near)}?" if near else "/help shows all"
    raise Unclear(f"{word}: no such command; {like}")


def help_text(about: str = "") -> str:
    """Return what can be typed: all of it in short, or a section, or one word with what it does.

    Raises:
        Unclear: There is no such section or word.
    """
    if about in SECTIONS:
        return "\n".join(_explained(command) for command in SECTIONS[about])
    if about:
        return _explained(find(f"/{about.removeprefix('/')}"))
    lines = ["A line is sent to the one you talk with; one that begins with // is sent with one /."]
    for section, commands in SECTIONS.items():
        lines += _folded(section, [command.usage for command in commands])
    lines.append("/help messages (or another of these sections) says what each does")
    return "\n".join(lines)


def _explained(command: Command) -> str:
    return f"{command.usage:<34} {command.does}"


def _folded(section: str, usages: list[str]) -> list[str]:
    lines, line = [], f"{section:<9}"
    for usage in usages:
        if len(line) + 3 + len(usage) > WIDTH:
            lines.append(line)
            line = " " * 9
        line += f" {usage}  "
    return [each.rstrip() for each in (*lines, line)]
