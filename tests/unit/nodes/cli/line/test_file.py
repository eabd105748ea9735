"""Lines send files, fetch them, list one's own and drop one."""

from __future__ import annotations

from pathlib import Path

import pytest

from actorchat.client import DroppedFile, Entry, Extra, FileRef, OwnFile, OwnFiles, Page
from nodes.cli.failure import CommandFailed
from nodes.cli.line.command import Unclear
from tests.unit.nodes.cli.line.seat import FakeSeat


async def test_file_is_sent_beside_what_else_is_done(tmp_path: Path) -> None:
    path = tmp_path / "a cat.png"
    path.touch()
    seat = FakeSeat()
    await seat.type(f"/file {path}")
    assert seat.did == [("send_file", path)]
    with pytest.raises(CommandFailed, match="no such file"):
        await seat.type(f"/file {tmp_path}")
    with pytest.raises(Unclear, match="Choose whom"):
        await FakeSeat(None).type(f"/file {path}")


async def test_files_of_a_message_are_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    seat, file = FakeSeat(), FileRef(bytes(32), 3, "a/b", "../cat.png")
    entry = Entry("bob", 1, 0, bytes(16), "look", extra=Extra(kind="file", files=[file]))
    seat.fake.answers["history"] = Page([entry], 1, False, {})
    await seat.type("/get 1")
    assert seat.asked[-1] == ("download", file, Path("cat.png"))
    assert seat.said == ["  cat.png"]


async def test_own_files_are_listed_and_dropped() -> None:
    seat = FakeSeat(None)
    seat.fake.answers["files"] = OwnFiles([OwnFile(bytes(32), 80, "a/b", 0)], 80, 1, 1_024)
    seat.fake.answers["drop_file"] = DroppedFile(True, 0, 0)
    await seat.type("/files")
    assert seat.said[0].startswith("000000000000        80 B")
    assert seat.said[1] == "  80 B of 1.0 KiB in 1 file"
    await seat.type("/drop 000000")
    assert seat.asked[-1] == ("drop_file", bytes(32))
    with pytest.raises(CommandFailed, match="is no hash"):
        await seat.type("/drop cat.png")


@pytest.mark.parametrize("line", ["/file", "/get", "/get x", "/files all", "/drop"])
async def test_a_line_that_lacks_something_asks_for_nothing(line: str) -> None:
    seat = FakeSeat()
    with pytest.raises(Unclear):
        await seat.type(line)
    assert (seat.asked, seat.did) == ([], [])
