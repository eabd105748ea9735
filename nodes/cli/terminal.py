"""Knows how things are shown: to people on a terminal, else to programs. Must not know commands.

What was asked for goes to standard output, all else to standard error.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import typer


def is_terminal() -> bool:
    """Say whether standard output is looked at by people."""
    return sys.stdout.isatty()


@contextlib.contextmanager
def unseen() -> Iterator[None]:
    """Have what is typed not shown meanwhile, where standard input is a terminal."""
    if not sys.stdin.isatty():
        yield
        return
    import termios

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    hidden = [*before]
    hidden[3] = before[3] & ~termios.ECHO
    termios.tcsetattr(descriptor, termios.TCSADRAIN, hidden)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def say(text: str) -> None:
    """Print a line of what was asked for; colours are left out where nobody looks."""
    typer.echo(text)


def note(text: str) -> None:
    """Print a line that is not part of what was asked for."""
    typer.echo(text, err=True)


def say_json(value: object) -> None:
    """Print a value as one line of JSON, at once."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def visible(text: str) -> str:
    """Return `text` with control characters spelt out.

    A message is what a stranger wrote: it must not move the cursor, recolour or retitle the
    reader's terminal.
    """
    return "".join(
        char
        if char >= " " and not "\x7f" <= char <= "\x9f" and char not in _TURNS
        else _spelt(char)
        for char in text
    )


# What turns the direction of writing, or breaks lines unseen.
_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")
_SPELT = {"\n": "\n    ", "\t": "    ", "\r": ""}


def _spelt(char: str) -> str:
    if char in _SPELT:
        return _SPELT[char]
    return f"\\x{ord(char):02x}" if ord(char) < 0x100 else f"\\u{ord(char):04x}"


def message_line(sender: str, seq: int, ts_wall_ms: int, text: str, to: str | None = None) -> str:
    """Return one message as people read it; `to` is named where the reader wrote it elsewhere."""
    when = datetime.fromtimestamp(ts_wall_ms / 1000).astimezone()
    today = datetime.now().astimezone().date() == when.date()
    stamp = when.strftime("%H:%M" if today else "%Y-%m-%d %H:%M")
    head = typer.style(f"{stamp} #{seq}", dim=True)
    who = sender if to is None else f"{sender} → {to}"
    return f"{head} {typer.style(visible(who), bold=True)}: {visible(text)}"


def say_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows: as a table on a terminal, else with tabs between."""
    texts = [[visible(str(cell)) for cell in row] for row in rows]
    if not is_terminal():
        for row in texts:
            say("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*headings, box=None, pad_edge=False, header_style="bold")
    for row in texts:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
