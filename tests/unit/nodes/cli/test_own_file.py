"""One's own files are listed for people and programs, and dropped by the beginning of a hash."""

from __future__ import annotations

from typing import cast

import pytest

from actorchat.client import Chat, DroppedFile, OwnFile, OwnFiles
from nodes.cli.failure import CommandFailed, Exit
from nodes.cli.own_file import drop_file, rows_of, shown_json, usage_line

HASHES = [bytes([0xAB] * 31 + [last]) for last in (1, 2)] + [bytes(32)]
FOUND = OwnFiles(
    [OwnFile(one, 2_048, "a/b", 1_000 + i) for i, one in enumerate(HASHES)], 6_144, 3, 2**30
)


class FakeChat:
    def __init__(self) -> None:
        self.dropped: list[bytes] = []

    async def files(self) -> OwnFiles:
        return FOUND

    async def drop_file(self, sha256: bytes) -> DroppedFile:
        self.dropped.append(sha256)
        return DroppedFile(True, 4_096, 2)


@pytest.mark.parametrize("prefix", ["000000", "0" * 64])
async def test_file_is_dropped_by_the_beginning_of_its_hash(prefix: str) -> None:
    fake = FakeChat()
    assert await drop_file(cast(Chat, fake), prefix) == (bytes(32), DroppedFile(True, 4_096, 2))
    assert fake.dropped == [bytes(32)]


@pytest.mark.parametrize(
    ("prefix", "status"),
    [
        ("", Exit.USAGE),
        ("00000", Exit.USAGE),
        ("cat.png", Exit.USAGE),
        ("0" * 65, Exit.USAGE),
        ("ABABAB", Exit.USAGE),  # two begin so
        ("123456", Exit.REFUSED),
    ],
)
async def test_hash_that_is_not_one_file_drops_none(prefix: str, status: Exit) -> None:
    fake = FakeChat()
    with pytest.raises(CommandFailed) as caught:
        await drop_file(cast(Chat, fake), prefix)
    assert caught.value.status is status
    assert fake.dropped == []


def test_files_are_shown_newest_first() -> None:
    rows = rows_of(FOUND)
    assert [row[0] for row in rows] == [one.hex() for one in reversed(HASHES)]
    assert rows[0][1:3] == ("2.0 KiB", "a/b")
    assert usage_line(FOUND) == "6.0 KiB of 1.0 GiB in 3 files"
    shown = shown_json(FOUND)
    assert shown["files"][0]["sha256"] == HASHES[0].hex()  # type: ignore[index]
    assert shown["quota"] == 2**30
