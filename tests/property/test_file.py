"""A file is taken if and only if what came is what was declared, however it was cut to pieces."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from actorchat.broker.depot import Upload
from actorchat.chat.file import Asked as FileAsked
from actorchat.chat.file import FileDesk, FilePolicy, Pass, Usage
from actorchat.errors import Refusal
from actorchat.protocol.ops.file import Upload as UploadOp
from actorchat.store.blobs import Blobs
from tests.unit.chat.cast import Peer


class Depot:
    """A directory, and what was recorded."""

    def __init__(self, root: Path) -> None:
        self.blobs = Blobs(root)
        self.blobs.start()
        self.recorded: list[Pass] = []

    async def begin(self, size: int) -> Any:
        return self.blobs.begin(size)

    async def run(self, work: Callable[..., Any], *args: Any) -> Any:
        return work(*args)

    async def record(self, granted: Pass) -> None:
        self.recorded.append(granted)


async def take(depot: Any, declared: Pass, pieces: list[bytes]) -> str:
    upload = Upload(depot, declared)
    try:
        for piece in pieces:
            await upload.write(piece)
        await upload.finish()
    except Refusal as error:
        return str(error.code)
    finally:
        await upload.end()
    return ""


@given(
    st.lists(st.binary(max_size=40), max_size=8),
    st.sampled_from(("right", "size", "hash")),
    st.integers(-3, 3),
)
def test_file_is_taken_if_and_only_if_it_is_what_was_declared(
    pieces: list[bytes], lie: str, off: int
) -> None:
    body = b"".join(pieces)
    size = max(0, len(body) + off) if lie == "size" else len(body)
    sha256 = hashlib.sha256(body + (b"x" if lie == "hash" else b"")).digest()
    declared = Pass("ann", "phone", sha256, size, "a/b", 0, True)
    with tempfile.TemporaryDirectory() as root:
        depot = Depot(Path(root))
        code = asyncio.run(take(depot, declared, pieces))
        files = [path for path in Path(root).rglob("*") if path.is_file()]
        if size == len(body) and lie != "hash":
            assert code == ""
            assert [path.read_bytes() for path in files] == [body]
            assert depot.recorded == [declared]
        else:
            assert code == ("size_mismatch" if size != len(body) else "hash_mismatch")
            assert (files, depot.recorded) == ([], [])


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 60)), max_size=30))
def test_no_user_is_ever_promised_more_than_the_quota(asks: list[tuple[str, int]]) -> None:
    desk = FileDesk(FilePolicy(file_bytes_max=50, quota_bytes=100, tickets_user_max=100))
    granted: dict[str, int] = {}
    for number, (user, size) in enumerate(asks):
        op = UploadOp(1, number.to_bytes(32, "big"), size, "a/b")
        event = FileAsked(Peer("session"), user, "d", op, f"t{number}", "http://h", usage=Usage())
        (effect,) = desk.handle(event, 0)
        if hasattr(effect.event, "ok"):  # type: ignore[attr-defined]
            granted[user] = granted.get(user, 0) + size
        assert desk.reserved(user) == granted.get(user, 0) <= 100
    desk.handle(event, 10**9) if asks else None
    assert all(desk.reserved(user) <= 60 for user in granted)
