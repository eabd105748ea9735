"""Who is online is asked, followed and hidden from the shell."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nodes.cli.failure import Exit

pytestmark = pytest.mark.slow


def make(shell: Any, *users: str) -> None:
    for user in users:
        shell.json("user", "add", user, "--generate")


def test_presence_is_printed_followed_and_hidden(shell: Any) -> None:
    make(shell, "pre-ann", "pre-bob")
    asked = ("presence", "pre-ann", "--as", "pre-bob")
    assert shell.run(*asked).stdout == "pre-ann is offline\n"
    with shell.start(*asked, "--follow", "--json") as follower:
        try:
            assert json.loads(follower.stdout.readline())["online"] is False
            shell.json("send", "pre-bob", "hi", "--as", "pre-ann")
            assert json.loads(follower.stdout.readline()) == {
                "user": "pre-ann",
                "online": True,
                "last_seen": None,
            }
            assert shell.run("privacy", "nobody", "--as", "pre-ann").stdout == "nobody\n"
            assert json.loads(follower.stdout.readline())["online"] is False
        finally:
            follower.kill()
    assert shell.run("privacy", "--as", "pre-ann").stdout == "nobody\n"
    assert shell.run("privacy", "friends", "--as", "pre-ann").returncode == Exit.USAGE
