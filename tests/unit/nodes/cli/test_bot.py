"""A bot is made by the operator, signs in by its token, and reads what it was granted."""

from __future__ import annotations

from typing import Any

import pytest

from nodes.cli.failure import Exit

pytestmark = pytest.mark.slow


def test_a_bot_reads_events_with_its_token(shell: Any) -> None:
    shell.json("user", "add", "bot-ann", "--generate")
    (made,) = shell.json("bot", "add", "bot-robot", "--events", "message")
    assert made["events"] == ["message"]
    token = shell.data.parent / "bot.token"
    token.write_text(made["token"] + "\n", encoding="utf-8")
    shell.json("send", "bot-robot", "for the robot", "--as", "bot-ann")
    shell.json("send", "bot-ann", "a note to myself", "--as", "bot-ann")
    read = ("bot", "events", "bot-robot", "--token-file")
    mine = [event for event in shell.json(*read, str(token)) if event["from"] == "bot-ann"]
    assert [event["body"] for event in mine] == ["for the robot", "a note to myself"]
    assert mine[0]["to"] == "bot-robot"
    rest = shell.run(*read, "-", "--after", str(mine[0]["id"]), typed=made["token"])
    assert rest.returncode == Exit.OK, rest.stderr
    assert "a note to myself" in rest.stdout
    assert "for the robot" not in rest.stdout
    (card,) = shell.json("profile", "bot-robot", "--as", "bot-ann")
    assert card["bot"] is True
    shell.json("bot", "add", "bot-robot")
    gone = shell.run(*read, str(token))
    assert gone.returncode == Exit.REFUSED
    assert "Traceback" not in gone.stderr


def test_a_person_is_no_bot_and_kinds_are_known(shell: Any) -> None:
    shell.json("user", "add", "bot-eve", "--generate")
    taken = shell.run("bot", "add", "bot-eve")
    assert (taken.returncode, "exists" in taken.stderr) == (Exit.REFUSED, True)
    unknown = shell.run("bot", "add", "bot-x", "--events", "everything")
    assert unknown.returncode != Exit.OK
    assert "Traceback" not in unknown.stderr


def test_a_bot_that_may_deletes_what_others_wrote(shell: Any) -> None:
    for user in ("mod-ann", "mod-bob"):
        shell.json("user", "add", user, "--generate")
    shell.json("send", "mod-bob", "something vile", "--as", "mod-ann")
    (made,) = shell.json("bot", "add", "mod-robot")
    assert (made["events"], made["moderates"]) == ([], False)
    token = shell.data.parent / "moderator.token"
    token.write_text(made["token"], encoding="utf-8")
    delete = ("bot", "delete", "mod-robot", "mod-ann", "1")
    named = ("--of", "mod-bob", "--token-file", str(token))
    refused = shell.run(*delete, *named)
    assert (refused.returncode, "forbidden" in refused.stderr) == (Exit.REFUSED, True)
    (made,) = shell.json("bot", "add", "mod-robot", "--moderate")
    assert made["moderates"] is True
    token.write_text(made["token"], encoding="utf-8")
    assert shell.run(*delete, "--token-file", str(token)).returncode == Exit.USAGE
    (done,) = shell.json(*delete, *named)
    assert done["seq"] == 2
    told = shell.run("history", "mod-ann", "--as", "mod-bob").stdout
    assert "(deleted)" in told
    assert "mod-robot: * deleted #1 as a moderator" in told
    assert "vile" not in told
