"""Files as an application sees them: brought and fetched through trouble, but not for ever."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from actorchat.client import event
from actorchat.client import file as module
from actorchat.client.file import DroppedFile, FileCalls
from actorchat.client.link import Address
from actorchat.client.message import Sent
from actorchat.client.transfer import Broken, Door, Grant
from actorchat.errors import ConnectionLost, Refusal
from actorchat.limits import FILE_TRIES_MAX
from actorchat.protocol import ops
from actorchat.protocol.ops import Extra, FileRef

BODY = b"a picture of a cat"
HASH = hashlib.sha256(BODY).digest()


class Client(FileCalls):
    """Answers by the script, and notes what is asked."""

    def __init__(self, **facts: Any) -> None:
        self.asked: list[event.Request] = []
        self.sent: list[object] = []
        self.facts = facts

    async def _ask(self, request: event.Request) -> dict[str, object]:
        self.asked.append(request)
        ticket = f"t{len(self.asked)}"
        return {"base": "http://h", "path": "/p", "ticket": ticket, "expires": 0, **self.facts}

    async def send(
        self, to: str, text: str, *, cid: bytes | None = None, extra: Extra | None = None
    ) -> Sent:
        self.sent.append((to, text, cid, extra))
        return Sent(1, 2)

    def _door(self) -> Door:
        return Address("tcp", "h", 1), None


class Way:
    """What happens on the way, once for each try."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *happens: Exception | None) -> None:
        self.tickets: list[str] = []
        self.waits: list[float] = []
        self._happens = list(happens)
        monkeypatch.setattr(module, "bring", self.go)
        monkeypatch.setattr(module, "fetch", self.go)
        monkeypatch.setattr(module.asyncio, "sleep", self.wait)

    async def go(self, door: Door, grant: Grant, *rest: object) -> None:
        self.tickets.append(grant.ticket)
        happens = self._happens.pop(0) if self._happens else None
        if happens is not None:
            raise happens

    async def wait(self, duration_s: float) -> None:
        self.waits.append(duration_s)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "cat.png"
    path.write_bytes(BODY)
    return path


async def test_file_is_asked_for_and_brought(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    way, client = Way(monkeypatch), Client(stored=False)
    assert await client.upload(source) == FileRef(HASH, len(BODY), "image/png", "cat.png")
    assert client.asked == [ops.Upload(0, HASH, len(BODY), "image/png")]
    assert way.tickets == ["t1"]


async def test_file_that_is_there_is_not_brought(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    way, client = Way(monkeypatch), Client(stored=True)
    seen: list[tuple[int, int]] = []
    await client.upload(source, type="x/y", on_progress=lambda *at: seen.append(at))
    assert (way.tickets, seen) == ([], [(len(BODY), len(BODY))])


async def test_each_try_has_its_own_ticket(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spent = Refusal("unauthenticated", "used")
    busy = Refusal("busy", "later", "after", "none", 2_500)
    way = Way(monkeypatch, Broken("cut"), spent, busy)
    await Client().upload(source)
    assert way.tickets == ["t1", "t2", "t3", "t4"]
    assert way.waits[2] == 2.5


async def test_it_ends_some_time(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    way = Way(monkeypatch, *[Broken("cut")] * FILE_TRIES_MAX)
    with pytest.raises(ConnectionLost, match="cut"):
        await Client().upload(source)
    assert len(way.tickets) == FILE_TRIES_MAX
    Way(monkeypatch, *[Refusal("busy", "later", "after", "none", 1)] * FILE_TRIES_MAX)
    with pytest.raises(Refusal, match="busy"):
        await Client().upload(source)


async def test_refusal_for_good_is_raised_at_once(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = Way(monkeypatch, Refusal("quota_exceeded", "full"))
    with pytest.raises(Refusal, match="quota_exceeded"):
        await Client().upload(source)
    assert len(way.tickets) == 1


async def test_file_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    way, client = Way(monkeypatch, Broken("cut")), Client(size=18, type="image/png")
    assert await client.download(HASH, tmp_path / "out") == 18
    assert client.asked == [ops.Download(0, HASH)] * 2
    assert way.tickets == ["t1", "t2"]
    await client.download(FileRef(HASH, 18, "a/b", "cat"), tmp_path / "out")
    assert client.asked[2:] == [ops.Download(0, HASH)]


async def test_message_refers_to_the_file_once_it_is_there(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    way, client = Way(monkeypatch), Client(stored=False)
    await client.send_file("bob", source, "look", cid=bytes(16))
    file = FileRef(HASH, len(BODY), "image/png", "cat.png")
    assert client.sent == [("bob", "look", bytes(16), Extra(kind="file", files=[file]))]
    assert way.tickets == ["t1"]
    Way(monkeypatch, Refusal("quota_exceeded", "full"))
    with pytest.raises(Refusal):
        await client.send_file("bob", source)
    assert len(client.sent) == 1


async def test_file_that_is_not_there_is_the_systems_word(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await Client().upload(tmp_path / "none")


async def test_own_files_are_gathered_from_all_pages() -> None:
    counts = {"used": 160, "count": 2, "quota": 1_000}
    client = Client()
    pages: list[dict[str, object]] = [
        {"files": [own(b"1" * 32)], "more": True, **counts},
        {"files": [own(b"2" * 32)], "more": False, **counts},
    ]

    async def ask(request: event.Request) -> dict[str, object]:
        client.asked.append(request)
        return pages[len(client.asked) - 1]

    client._ask = ask  # type: ignore[method-assign]
    found = await client.files()
    assert [one.sha256 for one in found.files] == [b"1" * 32, b"2" * 32]
    assert (found.used, found.count, found.quota, found.more) == (160, 2, 1_000, False)
    assert client.asked == [ops.Files(0), ops.Files(0, b"1" * 32)]


async def test_file_is_dropped_by_its_hash() -> None:
    client = Client(dropped=True, used=0, count=0)
    assert await client.drop_file(HASH) == DroppedFile(True, 0, 0)
    assert client.asked == [ops.DropFile(0, HASH)]


def own(sha256: bytes) -> dict[str, object]:
    return {"sha256": sha256, "size": 80, "type": "a/b", "created": 1}
