"""The blocking file methods are those of the asyncio face."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from actorchat.client.aio import Chat
from actorchat.client.blocking_file import BlockingFileCalls
from actorchat.client.file import FileCalls


class Recorder:
    """Says what it was called with."""

    def __getattr__(self, name: str) -> Any:
        async def answer(*args: object, **named: object) -> object:
            return name, args, named

        return answer


class Blocking(BlockingFileCalls):
    """Runs each call on a loop of its own."""

    def __init__(self) -> None:
        chat: Any = Recorder()
        self._chat: Chat = chat

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run(coroutine)


def names(kind: type) -> set[str]:
    return {name for name in vars(kind) if not name.startswith("_")}


def test_every_method_is_there_with_the_same_arguments() -> None:
    assert names(BlockingFileCalls) == names(FileCalls) - {"send"}
    for name in names(BlockingFileCalls):
        ours = inspect.signature(getattr(BlockingFileCalls, name))
        theirs = inspect.signature(getattr(FileCalls, name))
        assert ours.parameters.keys() == theirs.parameters.keys()


def test_calls_are_passed_on_whole(tmp_path: Path) -> None:
    chat = Blocking()
    assert chat.send_file("bob", tmp_path, "look", cid=b"c") == (
        "send_file",
        ("bob", tmp_path, "look"),
        {"type": None, "cid": b"c", "on_progress": None},
    )
    assert chat.upload(tmp_path, type="a/b") == (
        "upload",
        (tmp_path,),
        {"type": "a/b", "on_progress": None},
    )
    assert chat.download(b"h", tmp_path, on_progress=print) == (
        "download",
        (b"h", tmp_path),
        {"on_progress": print},
    )
