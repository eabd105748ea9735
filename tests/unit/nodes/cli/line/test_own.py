"""Lines about oneself: profile, devices, password, export, the end."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from actorchat.client import DeviceInfo
from actorchat.errors import Refusal
from nodes.cli.line.command import Unclear
from tests.unit.nodes.cli.line.seat import FakeSeat

DEVICES = [
    DeviceInfo("here", "My\x1b laptop", 1_000, 2_000, 7, True),
    DeviceInfo("phone", "", 1_000, 0, None, False),
]


def seat_with_devices() -> FakeSeat:
    seat = FakeSeat()
    seat.fake.answers["devices"] = DEVICES
    return seat


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("/title Ann of Ulm", ("describe", {"title": "Ann of Ulm"})),
        ("/title", ("describe", {"title": ""})),
        ("/about busy", ("describe", {"about": "busy"})),
        ("/rename phone My phone", ("rename", "phone", "My phone")),
        ("/rename phone", ("rename", "phone", "")),
    ],
)
async def test_a_line_says_how_one_is_shown(line: str, expected: tuple[Any, ...]) -> None:
    seat = FakeSeat()
    await seat.type(line)
    assert seat.asked == [expected]


async def test_devices_are_listed() -> None:
    seat = seat_with_devices()
    await seat.type("/devices")
    assert seat.said[0].startswith("here My\\x1b laptop (this one): signed in 1970")
    assert seat.said[1] == "phone: signed in -"


async def test_another_device_is_signed_out_and_not_this_one() -> None:
    seat = seat_with_devices()
    await seat.type("/revoke phone")
    assert seat.asked[-1] == ("revoke", "phone")
    for device, said in (("here", "this one"), ("watch", "no device watch")):
        with pytest.raises(Unclear, match=said):
            await seat.type(f"/revoke {device}")
    assert seat.asked.count(("revoke", "phone")) == 1


@pytest.mark.parametrize(
    ("line", "more"),
    [
        ("/password", {"revoke_others": False, "keep": ()}),
        ("/password others", {"revoke_others": True, "keep": ("here", "here-errand")}),
    ],
)
async def test_password_is_asked_for_unseen(line: str, more: dict[str, object]) -> None:
    seat = FakeSeat("bob", "old", "new one", "new one")
    await seat.type(line)
    assert seat.asked == [("change_password", "old", "new one", more)]
    assert len(seat.hidden) == 3


async def test_password_that_was_mistyped_changes_nothing() -> None:
    for answers in (("old", "new", "knew"), ("old", "new"), ()):
        seat = FakeSeat("bob", *answers)
        with pytest.raises(Unclear):
            await seat.type("/password")
        assert seat.asked == []


async def test_all_that_is_ones_own_is_written_to_a_new_file_alone(tmp_path: Path) -> None:
    seat, path = FakeSeat(), tmp_path / "ann.jsonl"

    async def export() -> AsyncIterator[dict[str, object]]:
        yield {"kind": "profile", "title": "Ännchen"}
        yield {"kind": "devices"}

    seat.client.export = export  # type: ignore[method-assign]
    await seat.type(f"/export {path}")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["profile", "devices"]
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        await seat.type(f"/export {path}")


async def test_account_ends_if_it_is_meant_and_the_password_is_right() -> None:
    seat = FakeSeat("bob", "ann", "secret")
    await seat.type("/delete-account")
    assert seat.asked == [("delete_account", "secret")]
    assert seat.did == [("leave", True)]
    assert len(seat.hidden) == 1
    for answers in (("yes", "secret"), ("ann",), ()):
        seat = FakeSeat("bob", *answers)
        with pytest.raises(Unclear):
            await seat.type("/delete-account")
        assert (seat.asked, seat.did) == ([], [])
    seat = FakeSeat("bob", "ann", "wrong")
    seat.fake.answers["delete_account"] = Refusal("unauthenticated", "wrong")
    with pytest.raises(Refusal):
        await seat.type("/delete-account")
    assert seat.did == []


@pytest.mark.parametrize(
    "line",
    [
        "/devices all",
        "/rename",
        "/rename My laptop",
        "/revoke",
        "/revoke two words",
        "/password now",
        "/export",
        "/delete-account now",
    ],
)
async def test_a_line_that_lacks_something_asks_for_nothing(line: str) -> None:
    seat = seat_with_devices()
    with pytest.raises(Unclear):
        await seat.type(line)
    assert (seat.asked, seat.did) == ([], [])
