"""All that is one's own is written to a file, once, in order, and nothing of others."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from actorchat.client import blocking
from nodes.cli.failure import Exit

pytestmark = pytest.mark.slow


def test_everything_is_in_the_file(shell: Any, tmp_path: Path) -> None:
    (ann,) = shell.json("user", "add", "exp-ann", "--generate")
    for user in ("exp-bob", "exp-eve"):
        shell.json("user", "add", user, "--generate")
    shell.run("profile", "--title", "Ann", "--as", "exp-ann")
    shell.run("contacts", "--add", "exp-bob", "--as", "exp-ann")
    shell.run("block", "exp-eve", "--as", "exp-ann")
    with blocking.connect(
        ann["server"], user="exp-ann", device="api", password=ann["password"]
    ) as chat:
        for number in range(60):
            chat.send("exp-bob", f"message {number}")
        group = chat.create_group("friends", ["exp-bob"])
        chat.send(group, "hello, all")
        assert [line.conv for line in chat.groups()] == [group]
        facts = list(chat.export())
    shell.run("send", "exp-ann", "never shown", "--as", "exp-eve")
    file = tmp_path / "ann.jsonl"
    assert shell.run("export", str(file), "--as", "exp-ann").returncode == Exit.OK
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    kinds = [line["kind"] for line in lines]
    assert kinds[:5] == ["profile", "devices", "contacts", "blocks", "privacy"]
    assert sorted(set(kinds[5:])) == ["conversation", "group", "message"]
    (friends,) = [line for line in lines if line["kind"] == "group"]
    assert sorted(friends["members"]) == ["exp-ann", "exp-bob"]
    assert friends["conv"] == group
    assert friends["pinned"] is False
    assert len(lines) == len(facts)
    assert lines[0]["title"] == "Ann"
    assert lines[3]["blocks"] == ["exp-eve"]
    said = [one["text"] for one in lines if one["kind"] == "message" and one["conv"] == "exp-bob"]
    assert said == [f"message {number}" for number in range(60)]
    told = [one for one in lines if one["kind"] == "message" and one["conv"] == group]
    assert [one["text"] for one in told] == ["", "hello, all"]
    assert told[0]["change"]["kind"] == "create"
    assert "never shown" not in file.read_text(encoding="utf-8")
    printed = shell.run("export", "-", "--as", "exp-ann").stdout.splitlines()
    assert len(printed) == len(lines)
