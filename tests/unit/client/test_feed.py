"""News that waits for the application."""

from __future__ import annotations

import asyncio

import pytest

from actorchat.client.feed import PROGRESS_MAX, Inbox, ProgressBoard
from actorchat.client.message import Message, Progress
from actorchat.errors import TakenOver


def message(upd: int) -> Message:
    return Message("bob", upd, 0, bytes(16), f"m{upd}", upd, lambda _: None)


def inbox(size_max: int = 4) -> Inbox:
    return Inbox(size_max, lambda: None)


def test_what_is_beyond_the_bound_does_not_count_as_held() -> None:
    box = inbox(2)
    assert box.held() == 0
    for upd in range(1, 5):
        box.put(message(upd))
    assert box.held() == 2
    assert box.is_full
    box._pop()
    assert box.held() == 3
    box._pop()
    box._pop()
    assert box.held() == 4
    assert box.is_half_empty


async def test_news_is_fetched_in_order_and_then_waited_for() -> None:
    box = inbox()
    box.put(message(1))
    box.put(message(2))
    assert [(await anext(box)).upd, (await anext(box)).upd] == [1, 2]
    waiting = asyncio.create_task(anext(box))
    await asyncio.sleep(0)
    assert not waiting.done()
    box.put(message(3))
    assert (await waiting).upd == 3


async def test_a_waiter_cancelled_as_it_is_woken_leaves_the_news_to_the_next() -> None:
    box = inbox()
    first, second = asyncio.create_task(anext(box)), asyncio.create_task(anext(box))
    await asyncio.sleep(0)
    box.put(message(1))
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    async with asyncio.timeout(20):
        assert (await second).upd == 1


async def test_a_closed_feed_gives_what_it_has_and_then_ends() -> None:
    box = inbox()
    box.put(message(1))
    box.close(None)
    assert [news.upd async for news in box] == [1]


async def test_an_error_ends_everybody_who_waits() -> None:
    box = inbox()
    waiting = [asyncio.create_task(anext(box)) for _ in range(2)]
    await asyncio.sleep(0)
    box.close(TakenOver("takeover", "elsewhere"))
    for task in waiting:
        with pytest.raises(TakenOver):
            await task


async def test_a_board_has_the_newest_of_each_and_is_bounded() -> None:
    board = ProgressBoard()
    board.put(Progress("bob", "bob", 1, 0))
    board.put(Progress("bob", "bob", 2, 1))
    assert len(board) == 1
    assert await anext(board) == Progress("bob", "bob", 2, 1)
    for number in range(PROGRESS_MAX + 5):
        board.put(Progress(f"u{number}", "x", 1, 0))
    assert len(board) == PROGRESS_MAX
    assert (await anext(board)).conv == "u5"


def test_a_message_shows_no_inner_parts() -> None:
    taken: list[int] = []
    one = Message("bob", 3, 0, bytes(16), "hi", 7, taken.append)
    assert repr(one) == "Message('bob', seq=3, upd=7, text='hi')"
    one.ack()
    assert taken == [7]
