"""The supervisor is asked over a socket, and says why it did not do something."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from actorchat.errors import SettingsError
from nodes.cluster.desk import Desk, DeskAway, Refused, ask


async def answer(request: dict[str, Any]) -> dict[str, Any]:
    if request["do"] == "break":
        raise Refused("broken", "as asked")
    if request["do"] == "stray":
        raise SettingsError(["no port is free"])
    return {"did": request["do"]}


async def test_request_is_answered_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "desk"
    path.write_text("left by one that was killed", encoding="ascii")
    desk = Desk(path, answer)
    await desk.open()
    assert await ask(path, {"do": "work"}) == {"did": "work"}
    with pytest.raises(Refused, match="as asked") as refused:
        await ask(path, {"do": "break"})
    assert refused.value.code == "broken"
    with pytest.raises(Refused, match="no port is free") as refused:
        await ask(path, {"do": "stray"})
    assert refused.value.code == SettingsError.code
    await desk.close()
    assert not path.exists()
    with pytest.raises(DeskAway):
        await ask(path, {"do": "work"})
    await desk.close()


@pytest.mark.parametrize("line", [b"", b"nonsense\n", b"[1]\n", b"\xff\n", b"x" * 100_000 + b"\n"])
async def test_stranger_gets_no_further(tmp_path: Path, line: bytes) -> None:
    desk = Desk(tmp_path / "desk", answer)
    await desk.open()
    reader, writer = await asyncio.open_unix_connection(tmp_path / "desk")
    writer.write(line)
    writer.write_eof()
    try:
        said = await reader.readline()
    except ConnectionResetError:
        said = b""
    writer.close()
    assert not said or json.loads(said)["code"] == "bad_request"
    assert await ask(tmp_path / "desk", {"do": "work"}) == {"did": "work"}
    await desk.close()


async def test_supervisor_that_ends_before_it_answers_is_away(tmp_path: Path) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_unix_server(hang_up, tmp_path / "desk")
    with pytest.raises(DeskAway):
        await ask(tmp_path / "desk", {"do": "work"})
    server.close()
