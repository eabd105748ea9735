"""Devices and conversations are listed, titled and flagged from the command line."""

from __future__ import annotations

from typing import Any

import pytest

from nodes.cli.failure import Exit
from nodes.cli.people import short

pytestmark = pytest.mark.slow


def test_devices_conversations_and_flags(shell: Any) -> None:
    for user in ("ppl-ann", "ppl-bob"):
        shell.json("user", "add", user, "--generate")
    shell.json("send", "ppl-ann", "see you\nat eight", "--as", "ppl-bob")

    found = shell.json("devices", "--as", "ppl-ann")
    (current,) = [one for one in found if one["current"]]
    done = shell.run("rename", current["device"], "My errands", "--as", "ppl-ann")
    assert done.returncode == Exit.OK, done.stderr
    assert "My errands" in shell.run("devices", "--as", "ppl-ann").stdout

    (line,) = shell.json("conversations", "--as", "ppl-ann")
    assert (line["conv"], line["unread"], line["last"]["seq"]) == ("ppl-bob", 1, 1)
    (flags,) = shell.json("flag", "ppl-bob", "--muted", "--pinned", "--as", "ppl-ann")
    assert flags == {"muted": True, "archived": False, "pinned": True}
    shown = shell.run("conversations", "--as", "ppl-ann").stdout
    assert "see you at eight" in shown
    assert "muted pinned" in shown
    assert shell.run("flag", "nobody", "--muted", "--as", "ppl-ann").returncode == Exit.REFUSED


def test_profile_and_contacts(shell: Any) -> None:
    for user in ("ppl-cat", "ppl-dan"):
        shell.json("user", "add", user, "--generate")
    said = shell.json("profile", "--title", "Cat", "--about", "at sea", "--as", "ppl-cat")
    assert said == [{"user": "ppl-cat", "title": "Cat", "about": "at sea"}]
    assert shell.json("profile", "ppl-cat", "--as", "ppl-dan") == said
    assert "at sea" in shell.run("profile", "ppl-cat", "--as", "ppl-dan").stdout
    wrong = shell.run("profile", "ppl-cat", "--title", "Dan", "--as", "ppl-dan")
    assert wrong.returncode == Exit.USAGE
    assert shell.json("contacts", "--add", "ppl-dan") == [{"contacts": ["ppl-dan"]}]
    assert "ppl-dan" in shell.run("contacts").stdout
    assert shell.json("contacts", "--remove", "ppl-dan") == [{"contacts": []}]


def test_long_message_is_cut_to_one_line() -> None:
    assert short("a\n b") == "a b"
    assert len(short("x" * 100)) == 40
