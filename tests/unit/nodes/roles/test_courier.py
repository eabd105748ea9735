"""Posts leave a few at a time, and each is answered once, whatever becomes of it."""

from __future__ import annotations

import asyncio

from nodes.roles.courier import HttpCourier


class FakeOutside:
    """Answers when the test says so."""

    def __init__(self) -> None:
        self.asked: list[asyncio.Future[tuple[int, bytes]]] = []
        self.is_closed = False

    async def request(
        self, method: str, url: str, headers: dict[str, str], body: bytes, bytes_max: int
    ) -> tuple[int, bytes]:
        assert (method, url, headers, body, bytes_max) == ("POST", "http://h/", {}, b"x", 0)
        answer: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        self.asked.append(answer)
        return await answer

    async def close(self) -> None:
        self.is_closed = True


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_places_are_few_and_all_posts_are_answered() -> None:
    outside = FakeOutside()
    courier = HttpCourier(outside, posts_max=2)  # type: ignore[arg-type]
    done: list[tuple[int, str]] = []
    for _ in range(4):
        courier.post("http://h/", {}, b"x", lambda status, reason: done.append((status, reason)))
    await settle()
    assert len(outside.asked) == 2
    outside.asked[0].set_result((204, b""))
    outside.asked[1].set_exception(TimeoutError())
    await settle()
    assert done == [(204, ""), (0, "no answer in time")]
    assert len(outside.asked) == 4
    outside.asked[2].set_exception(OSError("refused"))
    await settle()
    assert done[2] == (0, "OSError: refused")
    await courier.close()
    assert outside.is_closed
    assert len(done) == 3  # who is closed answers nobody
