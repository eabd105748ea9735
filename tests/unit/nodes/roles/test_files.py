"""A node's files: cleared at the start, said where, granted as the settings say."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from actorchat.settings import Settings
from nodes.roles.files import DIRECTORY, FileRoom, file_policy_of
from tests.unit.broker.stage import Stage


@pytest.mark.parametrize(
    ("base_url", "base"),
    [("", "http://127.0.0.1:1"), ("https://chat.example", "https://chat.example")],
)
async def test_room_is_made_and_cleared_and_says_where_it_is(
    tmp_path: Path, base_url: str, base: str
) -> None:
    settings = msgspec.convert({"files": {"base_url": base_url}}, Settings)

    data = tmp_path
    partial = data / DIRECTORY / "partial"
    partial.mkdir(parents=True)
    (partial / "half").write_bytes(b"x")
    context = Stage().broker.context
    assert context.files_base() == ""
    room = FileRoom(settings, data, context)
    await room.start(lambda: "http://127.0.0.1:1")
    assert list(partial.iterdir()) == []
    assert context.files_base() == base
    assert room.depot.counts()["file_transfers"] == 0
    await room.close()


def test_settings_are_what_is_granted() -> None:
    settings = msgspec.convert(
        {"files": {"file_bytes_max": 5, "quota_bytes": 7, "ticket_s": 9.0}}, Settings
    )
    policy = file_policy_of(settings)
    assert (policy.file_bytes_max, policy.quota_bytes, policy.ticket_s) == (5, 7, 9.0)
