"""Messages are edited, deleted, reacted to and passed on from the shell."""

from __future__ import annotations

from typing import Any

import pytest

from nodes.cli.failure import Exit

pytestmark = pytest.mark.slow


def test_acts_from_the_shell_are_seen_by_both(shell: Any) -> None:
    for user in ("act-ann", "act-bob", "act-cid"):
        shell.json("user", "add", user, "--generate")
    as_ann, as_bob, as_cid = (("--as", f"act-{name}") for name in ("ann", "bob", "cid"))
    shell.json("send", "act-bob", "see you at eight", *as_ann)
    options = ("--reply", "1", "--mention", "act-bob", "--expires", "3600")
    shell.json("send", "act-bob", "geo:52.5,13.4", "--kind", "location", *options, *as_ann)
    shell.json("send", "act-bob", "never mind", *as_ann)
    assert shell.json("edit", "act-bob", "1", "see you at nine", *as_ann)[0]["seq"] == 4
    assert shell.json("react", "act-ann", "1", "👍", *as_bob)[0]["seq"] == 5
    assert shell.json("delete", "act-bob", "3", *as_ann)[0]["seq"] == 6
    for other, who in (("act-bob", as_ann), ("act-ann", as_bob)):
        told = shell.json("history", other, *who)
        assert [one["text"] for one in told] == [
            *("see you at nine", "geo:52.5,13.4", "", "see you at nine", "", ""),
        ]
        assert (told[0]["edited"], told[0]["reactions"]) == (4, {"👍": ["act-bob"]})
        assert told[1]["extra"]["re"] == 1
        assert told[1]["extra"]["mentions"] == ["act-bob"]
        assert told[2]["gone"] is True
        assert told[3]["act"] == {"kind": "edit", "ref": 1}
    plain = shell.run("history", "act-ann", *as_bob).stdout
    assert "see you at nine (edited)  [👍 act-bob]" in plain
    assert "(to #1) (for act-bob) [location] geo:52.5,13.4 (for a while)" in plain
    assert "* deleted #3" in plain

    assert shell.run("forward", "act-ann", "1", "act-cid", *as_bob).stdout == "1\n"
    (passed,) = shell.json("tail", "--count", "1", *as_cid)
    assert (passed["text"], passed["extra"]["fwd"]) == ("see you at nine", {"hops": 1})

    shell.run("delete", "act-ann", "1", "--me", *as_bob)
    assert shell.json("history", "act-ann", "--before", "2", *as_bob)[0]["hidden"] is True
    assert "(edited)" not in shell.run("history", "act-ann", *as_bob).stdout
    shell.json("react", "act-ann", "2", "x", *as_bob)
    shell.json("react", "act-ann", "2", "x", "--off", *as_bob)

    for verb, expected in (
        (("edit", "act-ann", "2", "mine"), "forbidden"),
        (("edit", "act-ann", "99", "x"), "no_such_message"),
        (("delete", "act-ann", "3"), "deleted"),
        (("forward", "act-ann", "99", "act-cid"), "no_such_message"),
    ):
        refused = shell.run(*verb, *as_bob)
        assert refused.returncode == Exit.REFUSED
        assert expected in refused.stderr


def test_line_mode_acts_by_number(shell: Any) -> None:
    for user in ("act-dan", "act-eve"):
        shell.json("user", "add", user, "--generate")
    typed = "hello\n/edit 1 hullo\n/reply 1 indeed\n/react 1 x\n/delete 3\n/quit\n"
    done = shell.run("chat", "act-eve", "--as", "act-dan", typed=typed)
    assert done.returncode == Exit.OK, done.stderr
    told = shell.json("history", "act-dan", "--as", "act-eve")
    assert told[0]["text"] == "hullo"
    assert told[0]["reactions"] == {"x": ["act-dan"]}
    assert (told[2]["text"], told[2]["gone"]) == ("", True)
