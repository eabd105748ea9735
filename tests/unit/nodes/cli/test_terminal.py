"""What strangers wrote can't do anything to the reader's terminal."""

from __future__ import annotations

import json
import os
import pty
import termios

import pytest

from nodes.cli import terminal


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ünïcode, 🙂", "plain, ünïcode, 🙂"),
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("c1 \x9b31m del \x7f", "c1 \\x9b31m del \\x7f"),
        ("turned \u202etxt.exe", "turned \\u202etxt.exe"),
        ("two\r\nlines\tand a tab", "two\n    lines    and a tab"),
        ("\0", "\\x00"),
    ],
)
def test_control_characters_are_spelt_out(text: str, shown: str) -> None:
    assert terminal.visible(text) == shown


def test_a_message_is_one_line_with_its_number() -> None:
    line = terminal.message_line("ann", 7, 0, "hi \x1b[31m")
    assert "1970-01-01" in line or "1969-12-31" in line
    assert "#7" in line
    assert "\x1b[31m" not in line


def test_json_is_one_line_whatever_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"text": "two\nlines 🙂 \x1b"}
    terminal.say_json(value)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == value


def test_rows_are_parted_by_tabs_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.say_table(("name", "n"), [("ann", 1), ("bob", 2)])
    assert capsys.readouterr().out == "ann\t1\nbob\t2\n"


def test_rows_are_a_table_for_people(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "is_terminal", lambda: True)
    terminal.say_table(("name", "n"), [("[bold]ann", 1)])
    out = capsys.readouterr().out
    assert "name" in out
    assert "[bold]ann" in out


def test_what_is_typed_unseen_is_seen_again_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours), os.fdopen(theirs) as stdin:
        monkeypatch.setattr(terminal.sys, "stdin", stdin)

        def is_seen() -> bool:
            return bool(termios.tcgetattr(theirs)[3] & termios.ECHO)

        assert is_seen()
        with pytest.raises(KeyboardInterrupt), terminal.unseen():
            assert not is_seen()
            raise KeyboardInterrupt
        assert is_seen()


def test_without_a_terminal_there_is_nothing_to_hide(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.pipe()
    with os.fdopen(ours) as stdin, os.fdopen(theirs):
        monkeypatch.setattr(terminal.sys, "stdin", stdin)
        with terminal.unseen():
            assert not os.isatty(ours)
