"""What a client costs its loop: tasks, timers, calls."""

from __future__ import annotations

import asyncio

import pytest

from actorchat.client import event
from actorchat.client.life import Options
from actorchat.client.link import Address
from actorchat.client.shell import Shell
from actorchat.client.signin import Identity
from actorchat.errors import CallTimeout
from tests.unit.client.scripted import ScriptedServer


def shell(address: str, number: int = 0) -> Shell:
    host, port = address.removeprefix("tcp://").split(":")
    return Shell(
        [Address("tcp", host, int(port))],
        Identity("ann", f"device{number}", "token", "t"),
        Options(),
        is_auto=True,
        inbox_max=8,
        tls=None,
    )


async def close(one: Shell) -> None:
    link = one.link
    one.handle(event.Close())
    if link is not None:
        await link.wait_gone(5)


async def test_a_client_at_rest_has_one_timer_and_no_task() -> None:
    async with ScriptedServer() as server:
        loop = asyncio.get_running_loop()
        shells = [shell(server.address, number) for number in range(20)]
        for one in shells:
            one.start()
        for _ in shells:
            await (await server.peer()).welcome()
        for one in shells:
            await one.wait(lambda one=one: one.welcome is not None, 5, "not signed in")
        for _ in range(5):
            await asyncio.sleep(0)
        names = [task.get_coro().__qualname__ for task in asyncio.all_tasks()]
        assert not [name for name in names if name.startswith("Link")]
        for one in shells:
            assert one._timer is not None
            assert 0 < one._timer.when() - loop.time() <= 25
            await close(one)
            assert one._timer is None or one._timer.cancelled()


async def test_what_never_becomes_so_is_told_with_the_trouble() -> None:
    async with ScriptedServer() as server:
        one = shell(server.address)
        one.start()
        peer = await server.peer()
        one.trouble = "moon phase"
        with pytest.raises(CallTimeout, match=r"not full in 0\.01 s: moon phase"):
            await one.wait(lambda: False, 0.01, "not full")
        await close(one)
        await peer.gone()
