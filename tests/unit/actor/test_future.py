"""A reply is settled once and wakes whoever waits, however they wait."""

from __future__ import annotations

import asyncio
import queue
import traceback
from typing import Any

import pykka
import pytest

from actorchat.actor import Reply
from actorchat.errors import CallTimeout
from tests.unit.actor.cast import Boom


def test_the_first_to_settle_wins() -> None:
    reply: Reply[int] = Reply()
    assert reply.settle(1)
    assert not reply.settle(2)
    assert not reply.settle(None, Boom())
    assert reply.result() == 1
    with pytest.raises(queue.Full):
        reply.set(3)


def test_a_waiter_is_called_once_whether_early_or_late() -> None:
    seen: list[Any] = []
    reply: Reply[int] = Reply()
    reply.on_settled(seen.append)
    assert seen == []
    reply.settle(1)
    reply.on_settled(seen.append)
    assert seen == [reply, reply]


def test_a_pending_reply_has_no_result() -> None:
    with pytest.raises(asyncio.InvalidStateError):
        Reply().result()


def test_an_error_looked_at_twice_does_not_grow_its_traceback() -> None:
    reply: Reply[int] = Reply()
    reply.settle(None, Boom("x"))
    depths = []
    for _ in range(3):
        with pytest.raises(Boom) as caught:
            reply.result()
        depths.append(len(traceback.extract_tb(caught.value.__traceback__)))
    assert depths[0] == depths[2]


def test_expiry_names_what_did_not_answer() -> None:
    reply: Reply[int] = Reply()
    reply.expire("the store", 1.5)
    with pytest.raises(CallTimeout, match=r"the store did not answer within 1\.5 s"):
        reply.result()


@pytest.mark.timeout(5)
def test_get_blocks_for_no_longer_than_its_timeout() -> None:
    with pytest.raises(pykka.Timeout):
        Reply().get(timeout=0)


async def test_get_on_a_running_loop_is_an_error_not_a_standstill() -> None:
    with pytest.raises(RuntimeError, match="block the event loop"):
        Reply().get(timeout=1)


async def test_a_task_can_await_a_reply() -> None:
    reply: Reply[int] = Reply()
    task = asyncio.ensure_future(reply)
    asyncio.get_running_loop().call_soon(reply.settle, 5)
    assert await task == 5 == await reply


async def test_gather_and_wait_for_take_replies_as_they_are() -> None:
    one: Reply[int] = Reply()
    two: Reply[int] = Reply()
    loop = asyncio.get_running_loop()
    loop.call_soon(one.settle, 1)
    loop.call_soon(two.settle, 2)
    assert await asyncio.gather(one, two) == [1, 2]
    three: Reply[int] = Reply()
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(three, 0.001)
    assert three.cancelled()
    assert not three.settle(3)


async def test_a_reply_settled_in_another_thread_wakes_the_loop() -> None:
    reply: Reply[int] = Reply()
    loop = asyncio.get_running_loop()
    loop.run_in_executor(None, reply.settle, 7)
    assert await reply == 7
    await loop.shutdown_default_executor()


async def test_a_removed_callback_is_not_called() -> None:
    seen: list[Any] = []
    reply: Reply[int] = Reply()
    reply.add_done_callback(seen.append)
    assert reply.remove_done_callback(seen.append) == 1
    reply.settle(1)
    await asyncio.sleep(0)
    assert seen == []


async def test_an_error_is_raised_at_the_await() -> None:
    reply: Reply[int] = Reply()
    reply.settle(None, Boom("x"))
    with pytest.raises(Boom, match="x"):
        await reply


async def test_pykkas_map_can_be_awaited() -> None:
    reply: Reply[int] = Reply()
    doubled = reply.map(lambda n: n * 2)
    reply.settle(4)
    assert await doubled == 8
    await asyncio.get_running_loop().shutdown_default_executor()
