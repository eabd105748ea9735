"""Groups are made, kept and written to from the shell."""

from __future__ import annotations

from typing import Any

import pytest

from nodes.cli.failure import Exit

pytestmark = pytest.mark.slow


def test_group_is_made_written_to_and_left(shell: Any) -> None:
    for user in ("grp-ann", "grp-bob", "grp-cid"):
        shell.json("user", "add", user, "--generate")
    as_ann, as_bob, as_cid = (("--as", f"grp-{name}") for name in ("ann", "bob", "cid"))
    done = shell.run("group", "create", "friends", "grp-bob", "--history", "all", *as_ann)
    group = done.stdout.strip()
    assert group.startswith("#")
    assert shell.run("send", group, "hello all", *as_bob).stdout == "2\n"
    # What ann did herself, by another command and so on another device, is no news to her.
    (told,) = shell.json("tail", "--count", "1", "--with", group, *as_ann)
    assert (told["seq"], told["from"], told["text"]) == (2, "grp-bob", "hello all")
    assert told["group"] == group
    (told,) = shell.json("tail", "--count", "1", "--with", group, *as_bob)
    assert (told["seq"], told["from"], told["change"]["kind"]) == (1, "grp-ann", "create")
    (line,) = shell.json("group", "list", *as_bob)
    expected = {"conv": group, "title": "friends", "role": "member", "size": 2, "head": 2}
    assert line == {**expected, "unread": 0}
    plain = shell.run("group", "list", *as_ann).stdout
    assert "friends" in plain and "owner" in plain
    shell.json("flag", group, "--muted", *as_ann)
    (listed,) = shell.json("conversations", *as_ann)
    assert (listed["conv"], listed["title"], listed["size"]) == (group, "friends", 2)
    assert listed["flags"]["muted"] and listed["unread"] == 1
    assert f"friends {group}" in shell.run("conversations", *as_ann).stdout

    refused = shell.run("group", "add", group, "grp-cid", *as_bob)
    assert refused.returncode == Exit.REFUSED
    assert "forbidden" in refused.stderr and "admin" in refused.stderr
    (added,) = shell.json("group", "add", group, "grp-cid", "--reader", *as_ann)
    assert added["seq"] == 3
    shell.json("group", "role", group, "grp-cid", "member", *as_ann)
    shell.json("group", "set", group, "--name", "foes", "--post", "admins", *as_ann)
    nothing = shell.run("group", "set", group, *as_ann)
    assert nothing.returncode == Exit.USAGE
    (info,) = shell.json("group", "info", group, *as_cid)
    assert (info["name"], info["post"], info["members"]["grp-cid"]) == ("foes", "admins", "member")
    plain = shell.run("history", group, *as_cid).stdout
    assert "grp-ann: * added grp-cid as readers" in plain

    link = shell.run("group", "link", group, *as_ann).stdout.strip()
    shell.json("group", "leave", group, *as_cid)
    assert shell.json("group", "join", link, *as_cid) == [{"group": group}]
    (info,) = shell.json("group", "info", group, *as_ann)
    shell.json("group", "unlink", group, info["links"][0], *as_ann)
    shell.json("group", "remove", group, "grp-cid", *as_ann)
    gone = shell.run("group", "info", group, *as_cid)
    assert gone.returncode == Exit.REFUSED
    assert "no_such_group" in gone.stderr


def test_line_mode_works_with_a_group(shell: Any) -> None:
    for user in ("grp-dan", "grp-eve"):
        shell.json("user", "add", user, "--generate")
    (made,) = shell.json("group", "create", "talk", "grp-eve", "--as", "grp-dan")
    shell.json("send", made["group"], "from dan", "--as", "grp-dan")
    typed = "from eve\n/quit\n"
    done = shell.run("chat", made["group"], "--as", "grp-eve", typed=typed)
    assert done.returncode == 0, done.stderr
    assert "grp-dan: from dan" in done.stdout
    assert "✓ #3" in done.stdout
