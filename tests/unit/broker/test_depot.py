"""Files in and out of a broker: what is declared is what is kept, and all else leaves nothing."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from actorchat.broker.depot import Depot, Upload
from actorchat.broker.file import FILES
from actorchat.chat.file import FileFacts, Usage
from actorchat.errors import Refusal, StoreFull, Unavailable
from actorchat.protocol import ops
from actorchat.store.blobs import Blobs
from actorchat.store.memory import Fault
from actorchat.store.verify import verify
from tests.unit.broker.stage import Stage

BODY = b"a picture of a cat" * 100
HASH = hashlib.sha256(BODY).digest()
FULL = Fault("write", StoreFull("full"))


class Place:
    """A broker in virtual time, a directory, and a depot between them."""

    def __init__(self, root: Path) -> None:
        self.stage = Stage()
        self.stage.add_users("ann", "bob")
        self.blobs = Blobs(root)
        self.blobs.start()
        self.fault: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.depot = self.open()
        self._pump = asyncio.create_task(self._turn())

    def open(self, **bounds: Any) -> Depot:
        context = self.stage.broker.context
        context.files_base = lambda: "http://127.0.0.1:7780"
        self.depot = Depot(context, self.blobs, self._offload, **bounds)
        return self.depot

    async def close(self) -> None:
        self._pump.cancel()
        await asyncio.gather(self._pump, return_exceptions=True)

    async def _turn(self) -> None:
        while True:
            self.stage.run(0.001)
            await asyncio.sleep(0)

    async def _offload(self, work: Callable[..., Any], *args: Any) -> Any:
        await self.gate.wait()
        fault, self.fault = self.fault, None
        if fault is not None:
            raise fault
        return work(*args)

    def ticket(self, user: str = "ann", size: int = len(BODY), sha256: bytes = HASH) -> str:
        device = self.stage.hello(user)
        grant = device.ask(lambda rid: ops.Upload(rid, sha256, size, "image/png"))["ok"]
        return str(grant["ticket"])

    async def bring(self, body: bytes = BODY, **declared: Any) -> None:
        async with self.depot.upload(self.ticket(**declared), HASH) as upload:
            for at in range(0, len(body), 500):
                await upload.write(body[at : at + 500])
            await upload.finish()

    def left(self) -> list[str]:
        return [path.name for path in self.blobs.root.rglob("*") if path.is_file()]

    @property
    def usage(self) -> Usage:
        return self.stage.broker.context.shelf.usage("ann")


@pytest_asyncio.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    place = Place(tmp_path / "files")
    yield place
    await place.close()
    assert place.depot.transfers == 0
    assert verify(place.stage.engine).is_sound


async def test_file_that_came_whole_is_on_disk_and_the_users(place: Place) -> None:
    await place.bring()
    assert place.blobs.path(HASH).read_bytes() == BODY
    assert place.usage == Usage(len(BODY), 1)
    place.stage.crash()
    assert place.usage == Usage(len(BODY), 1)
    assert place.left() == [HASH.hex()]


async def test_file_brought_twice_counts_once(place: Place) -> None:
    await place.bring()
    await place.bring()
    assert place.usage == Usage(len(BODY), 1)
    assert place.depot.counts() == {
        "file_transfers": 0,
        "files_received": 2,
        "files_sent": 0,
        "files_refused": 0,
    }


@pytest.mark.parametrize(
    ("body", "declared", "code"),
    [
        (BODY[:-1], {}, "size_mismatch"),
        (BODY + b"x", {}, "size_mismatch"),
        (b"", {}, "size_mismatch"),
        (b"y" + BODY[1:], {}, "hash_mismatch"),
        (BODY, {"size": len(BODY) - 1}, "size_mismatch"),
        (BODY, {"size": 0}, "size_mismatch"),
    ],
)
async def test_what_is_not_as_declared_leaves_nothing(
    place: Place, body: bytes, declared: dict[str, Any], code: str
) -> None:
    with pytest.raises(Refusal) as refused:
        await place.bring(body, **declared)
    assert (refused.value.code, refused.value.outcome) == (code, "none")
    assert (place.left(), place.usage) == ([], Usage())
    await place.bring()


async def test_empty_file_is_a_file(place: Place) -> None:
    sha256 = hashlib.sha256(b"").digest()
    async with place.depot.upload(place.ticket(size=0, sha256=sha256), sha256) as upload:
        await upload.finish()
    assert place.blobs.path(sha256).read_bytes() == b""
    assert place.usage == Usage(0, 1)


@pytest.mark.parametrize(
    ("fault", "code"), [(StoreFull("full"), "store_full"), (Unavailable("I/O"), "unavailable")]
)
async def test_disk_that_fails_is_told(place: Place, fault: Exception, code: str) -> None:
    async with place.depot.upload(place.ticket(), HASH) as upload:
        await upload.write(BODY[:100])
        place.fault = fault
        with pytest.raises(Refusal) as refused:
            await upload.write(BODY[100:])
        assert (refused.value.code, refused.value.retry) == (code, "after")
    assert place.left() == []


async def test_peer_that_goes_leaves_nothing_and_gets_its_quota_back(place: Place) -> None:
    with pytest.raises(ConnectionResetError):
        async with place.depot.upload(place.ticket(), HASH) as upload:
            await upload.write(BODY[:100])
            assert place.left() != []
            raise ConnectionResetError
    assert place.left() == []
    assert (await held(place)) == 0


async def held(place: Place) -> int:
    for _ in range(5):
        await asyncio.sleep(0)
    desk = place.stage.system.names.whereis(FILES)
    reserved: int = desk._actor._desk.reserved("ann")  # type: ignore[union-attr]
    return reserved


@pytest.mark.parametrize("at", [0, 100])
async def test_upload_that_is_stopped_waits_for_its_job(place: Place, at: int) -> None:
    entered = asyncio.Event()

    async def work() -> None:
        async with place.depot.upload(place.ticket(), HASH) as upload:
            if at:
                await upload.write(BODY[:at])
            place.gate.clear()
            entered.set()
            await upload.write(BODY[at:])

    task = asyncio.create_task(work())
    await entered.wait()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    place.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(10):
        await asyncio.sleep(0)
    assert place.left() == []


async def test_ticket_that_is_none_opens_nothing(place: Place) -> None:
    with pytest.raises(Refusal, match="unauthenticated"):
        async with place.depot.upload("guess", HASH):
            raise AssertionError("let in")
    assert place.depot.counts()["files_refused"] == 1


async def test_transfers_are_bounded(place: Place) -> None:
    place.open(transfers_max=2, transfers_user_max=1)
    first, second, third = (place.ticket(user) for user in ("ann", "ann", "bob"))
    async with place.depot.upload(first, HASH):
        with pytest.raises(Refusal, match="busy"):
            async with place.depot.upload(second, HASH):
                raise AssertionError("let in")
        async with place.depot.upload(third, HASH):
            with pytest.raises(Refusal, match="busy") as refused:
                async with place.depot.upload("any", HASH):
                    raise AssertionError("let in")
            assert refused.value.after_ms == 1_000


async def test_file_is_fetched_as_a_device_and_by_ticket(place: Place) -> None:
    await place.bring()
    secret = "token of bob phone"
    async with place.depot.download(HASH, "", "bob", "phone", secret) as outgoing:
        assert outgoing == (place.blobs.path(HASH), len(BODY), "image/png")
    grant = place.stage.hello("bob").ask(lambda rid: ops.Download(rid, HASH))["ok"]
    async with place.depot.download(HASH, grant["ticket"]) as outgoing:
        assert outgoing.size == len(BODY)
    for wrong in ("", "token of ann phone"):
        with pytest.raises(Refusal, match="unauthenticated"):
            async with place.depot.download(HASH, "", "bob", "phone", wrong):
                raise AssertionError("let in")
    with pytest.raises(Refusal, match="no_such_file"):
        async with place.depot.download(bytes(32), "", "bob", "phone", secret):
            raise AssertionError("let in")


async def test_file_that_is_missing_is_said_so(place: Place) -> None:
    await place.bring()
    place.blobs.remove(HASH)
    with pytest.raises(Refusal, match="no_such_file"):
        async with place.depot.download(HASH, "", "bob", "phone", "token of bob phone"):
            raise AssertionError("let in")


async def test_desk_that_does_not_answer_leaves_the_outcome_unknown(place: Place) -> None:
    place.open(timeout_s=0.01)
    async with place.depot.upload(place.ticket(), HASH) as upload:
        await upload.write(BODY)
        await place.close()
        with pytest.raises(Refusal) as refused:
            await upload.finish()
    assert (refused.value.code, refused.value.outcome) == ("unavailable", "unknown")
    assert place.left() == [HASH.hex()]  # nobody's; a sweep takes it away


async def test_full_store_keeps_no_record(place: Place) -> None:
    ticket = place.ticket()
    async with place.depot.upload(ticket, HASH) as upload:
        await upload.write(BODY)
        place.stage.engine.inject(FULL)
        with pytest.raises(Refusal, match="store_full"):
            await upload.finish()
    assert place.usage == Usage()


def test_upload_says_what_was_declared() -> None:
    facts: Any = FileFacts(7, "a/b", 0)
    upload = Upload(None, facts)  # type: ignore[arg-type]
    assert (upload.size, upload.type) == (7, "a/b")
