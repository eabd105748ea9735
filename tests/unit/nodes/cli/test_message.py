"""Messages are sent and read from the shell, and through pipes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nodes.cli.failure import Exit

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[4]


def make(shell: Any, *users: str) -> None:
    for user in users:
        shell.json("user", "add", user, "--generate")


def test_what_is_sent_is_delivered_once_and_stays_in_the_history(shell: Any) -> None:
    make(shell, "msg-ann", "msg-bob")
    assert shell.run("send", "msg-bob", "one", "--as", "msg-ann").stdout == "1\n"
    (sent,) = shell.json("send", "msg-bob", "-", "--as", "msg-ann", typed="two\nlines 🙂\n")
    assert sent["seq"] == 2
    assert not sent["dup"]
    cid = ("--cid", sent["cid"])
    (again,) = shell.json("send", "msg-bob", "two\nlines 🙂", *cid, "--as", "msg-ann")
    assert again == {**sent, "dup": True}
    other = shell.run("send", "msg-bob", "something else", *cid, "--as", "msg-ann")
    assert other.returncode == Exit.REFUSED
    assert other.stderr.startswith("actorchat: id_conflict: ")

    first = shell.json("tail", "--count", "1", "--as", "msg-bob")
    second = shell.json("tail", "--count", "1", "--as", "msg-bob")
    assert [one["text"] for one in first + second] == ["one", "two\nlines 🙂"]
    assert second[0]["cid"] == sent["cid"]
    for user, other_user in (("msg-ann", "msg-bob"), ("msg-bob", "msg-ann")):
        told = shell.json("history", other_user, "--as", user)
        assert [(one["from"], one["seq"]) for one in told] == [("msg-ann", 1), ("msg-ann", 2)]
    assert shell.json("history", "msg-bob", "--before", "2", "--as", "msg-ann") == told[:1]
    assert shell.json("history", "msg-bob", "--limit", "1", "--as", "msg-ann") == told[1:]
    assert (
        shell.json("history", "msg-bob", "--after", "0", "--limit", "1", "--as", "msg-ann")
        == (told[:1])
    )
    assert shell.json("history", "msg-bob", "--around", "1", "--as", "msg-ann") == told
    both = shell.run("history", "msg-bob", "--around", "1", "--after", "0", "--as", "msg-ann")
    assert both.returncode == 2
    from_start = ("tail", "--with", "msg-ann", "--from-start", "--count", "2", "--as", "msg-bob")
    assert [one["seq"] for one in shell.json(*from_start)] == [1, 2]
    plain = shell.run("history", "msg-ann", "--as", "msg-bob").stdout
    assert "#1 msg-ann: one" in plain


def test_tail_prints_as_messages_arrive(shell: Any) -> None:
    make(shell, "msg-cat", "msg-dan")
    with shell.start("tail", "--json", "--count", "2", "--as", "msg-dan") as listener:
        try:
            for text in ("first", "second"):
                shell.json("send", "msg-dan", text, "--as", "msg-cat")
                # The errand of the listener's own user must not end its session.
                shell.json("send", "msg-cat", f"re: {text}", "--as", "msg-dan")
                assert json.loads(listener.stdout.readline())["text"] == text
            assert listener.wait(30) == Exit.OK
        finally:
            listener.kill()


def test_a_second_listener_ends_the_first(shell: Any) -> None:
    make(shell, "msg-eve")
    with shell.start("tail", "--as", "msg-eve") as first:
        try:
            shell.json("send", "msg-eve", "to myself", "--as", "msg-eve")
            assert "to myself" in first.stdout.readline()  # so it is signed in
            shell.json("send", "msg-eve", "again", "--as", "msg-eve")
            assert "again" in first.stdout.readline()
            with shell.start("tail", "--as", "msg-eve") as second:
                try:
                    assert first.wait(30) == Exit.REFUSED
                finally:
                    second.kill()
            assert first.stderr.read().startswith("actorchat: takeover: ")
        finally:
            first.kill()


def test_refusals_are_one_line(shell: Any) -> None:
    make(shell, "msg-fay")
    nobody = shell.run("send", "msg-nobody", "hi", "--as", "msg-fay")
    assert nobody.returncode == Exit.REFUSED
    assert nobody.stderr.startswith("actorchat: no_such_user: ")
    assert len(nobody.stderr.splitlines()) == 1
    stranger = shell.run("send", "msg-fay", "hi", "--as", "msg-stranger")
    assert stranger.returncode == Exit.REFUSED
    assert stranger.stderr.startswith("actorchat: not_signed_in: ")
    bad = shell.run("send", "Not A Name", "hi", "--as", "msg-fay")
    assert bad.returncode == Exit.USAGE


def test_without_a_node_commands_say_how_to_start_one(
    make_shell: Callable[[Path], Any], tmp_path: Path
) -> None:
    shell = make_shell(tmp_path / "data")
    for command in (("send", "ann", "hi"), ("tail",), ("history", "ann"), ("chat", "ann")):
        done = shell.run(*command, "--server", "tcp://127.0.0.1:9")
        assert done.returncode == Exit.UNREACHABLE
        assert "actorchat up" in done.stderr


def test_chat_talks_through_pipes(shell: Any) -> None:
    make(shell, "msg-gus", "msg-hal")
    shell.json("send", "msg-hal", "are you there?", "--as", "msg-gus")
    with shell.start("chat", "msg-gus", "--as", "msg-hal") as hal:
        try:
            assert "with msg-gus" in hal.stdout.readline()
            assert "are you there?" in hal.stdout.readline()
            assert "msg-gus is online" in hal.stdout.readline()  # wrote a moment ago
            hal.stdin.write("yes, here\n")
            hal.stdin.flush()
            assert "✓ #2" in hal.stdout.readline()
            (heard,) = shell.json("tail", "--count", "1", "--as", "msg-gus")
            assert heard["text"] == "yes, here"
            assert "✓✓ delivered to msg-gus up to #2" in hal.stdout.readline()
            shell.json("send", "msg-hal", "good", "--as", "msg-gus")
            assert "#3 msg-gus: good" in hal.stdout.readline()
            hal.stdin.close()
            assert hal.wait(30) == Exit.OK
        finally:
            hal.kill()
    told = shell.json("history", "msg-gus", "--as", "msg-hal")
    assert [one["text"] for one in told] == ["are you there?", "yes, here", "good"]


def test_chat_reads_a_file_as_well(shell: Any, tmp_path: Path) -> None:
    make(shell, "msg-ivy")
    script = tmp_path / "script"
    script.write_text("one\n/who\ntwo", encoding="utf-8")
    with script.open(encoding="utf-8") as lines:
        done = subprocess.run(
            shell.command("chat", "msg-ivy"),
            cwd=ROOT,
            env=shell.environment,
            stdin=lines,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == Exit.OK, done.stderr
    told = shell.json("history", "msg-ivy")
    assert [one["text"] for one in told] == ["one", "two"]


def test_chat_fails_where_a_message_was_not_stored(shell: Any) -> None:
    make(shell, "msg-jim")
    done = shell.run("chat", typed="/with msg-nobody\nlost\n")
    assert done.returncode == Exit.FAILED
