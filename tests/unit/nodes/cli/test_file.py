"""Files are sent and fetched from the command line, and swept with the store's command."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nodes.cli import file as module
from nodes.cli.failure import CommandFailed, Exit
from nodes.cli.file import seq_in, shown
from nodes.replay.child import ChildNode

BODY = bytes(range(256)) * 5_000


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChildNode]:
    child = ChildNode(tmp_path_factory.mktemp("files") / "node", ("http",))
    child.start()
    yield child
    child.stop()


@pytest.mark.slow
def test_file_is_sent_and_fetched_and_swept(
    child: ChildNode, make_shell: Callable[[Path], Any], tmp_path: Path
) -> None:
    shell = make_shell(child.data)
    for user in ("ann", "bob"):
        shell.json("user", "add", user, "--generate")
    source = tmp_path / "cat.png"
    source.write_bytes(BODY)
    (sent,) = shell.json("send-file", "bob", str(source), "--text", "look", "--as", "ann")
    sha256 = hashlib.sha256(BODY).hexdigest()
    assert sent == {
        "seq": 1,
        "hash": sha256,
        "size": len(BODY),
        "type": "image/png",
        "name": "cat.png",
    }
    plain = shell.run("send-file", "bob", str(source), "--as", "ann")
    assert plain.stdout == f"2\t{sha256}\n", plain.stderr
    history = shell.run("history", "ann", "--as", "bob").stdout
    assert "look" in history
    assert "cat.png (image/png, 1,280,000 bytes)" in history

    inbox = tmp_path / "inbox"
    inbox.mkdir()
    to = ("--to", str(inbox), "--as", "bob")
    (got,) = shell.json("download", "1", "--with", "ann", *to)
    assert got == {"path": str(inbox / "cat.png"), "hash": sha256, "size": len(BODY)}
    assert (inbox / "cat.png").read_bytes() == BODY
    again = shell.run("download", "2", sha256, "--with", "ann", *to)
    assert again.stdout.splitlines() == [str(inbox / "cat (1).png"), str(inbox / sha256)]

    assert shell.run("download", "7", *to).returncode == Exit.USAGE
    assert shell.run("download", "x", "--with", "ann", *to).returncode == Exit.USAGE
    assert shell.run("download", "9", "--with", "ann", *to).returncode == Exit.REFUSED
    assert shell.run("download", "ab" * 32, *to).returncode == Exit.REFUSED
    missing = shell.run("send-file", "bob", str(tmp_path / "none"), "--as", "ann")
    assert (missing.returncode, "no such file" in missing.stderr) == (Exit.USAGE, True)
    talked = shell.run("chat", "ann", "--as", "bob", typed=f"/file {source}\n/file none\n")
    assert talked.returncode == Exit.FAILED  # there is no file `none`
    assert "✓ #3" in talked.stdout

    (listed,) = shell.json("files", "--as", "ann")
    assert [(one["sha256"], one["size"]) for one in listed["files"]] == [(sha256, len(BODY))]
    assert shell.run("files", "--drop", "nothing", "--as", "ann").returncode == Exit.USAGE
    (listed,) = shell.json("files", "--drop", sha256[:8], "--as", "ann")
    assert (listed["files"], listed["used"]) == ([], 0)
    assert shell.run("files", "--drop", sha256, "--as", "ann").returncode == Exit.REFUSED
    assert shell.run("download", sha256, *to).returncode == Exit.OK  # bob's message has it

    assert shell.run("store", "files").returncode == Exit.BUSY
    assert child.stop() == Exit.OK
    (counts,) = shell.json("store", "files", "--check", "--older-than", "0")
    assert (counts["files"], counts["referenced"], counts["unreferenced"]) == (1, 1, 0)
    assert "stray" in shell.run("store", "files").stdout
    (place,) = (child.data / "files").glob("??/*")
    place.write_bytes(b"rotten")
    broken = shell.run("store", "files", "--check")
    assert (broken.returncode, f"broken: {sha256}" in broken.stderr) == (Exit.CONFIG, True)
    place.unlink()
    assert f"missing: {sha256}" in shell.run("store", "files").stderr


def test_number_of_a_message_is_one() -> None:
    assert seq_in("12") == 12
    for text in ("0", "-1", "1.5", "٣", "9" * 20, ""):
        with pytest.raises(CommandFailed):
            seq_in(text)


def test_how_far_a_file_is_is_shown_to_people_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown("cat.png") is None
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True)
    show = shown("cat.png")
    assert show is not None
    for done in (0, 5, 5, 10):
        show(done, 10)
    show = shown("empty")
    assert show is not None
    show(0, 0)
    err = capsys.readouterr().err
    assert err.split("\r")[1:] == [
        "cat.png: 0 % of 10 B",
        "cat.png: 50 % of 10 B",
        "cat.png: 100 % of 10 B\n",
        "empty: 100 % of 0 B\n",
    ]
