from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from nodes import dump as dumps
from nodes.dump import Dump

MANY = 200


@pytest.fixture
def dump() -> Iterator[Dump]:
    former = signal.getsignal(signal.SIGUSR1)
    dump = Dump()
    dump.install()
    yield dump
    dump.remove()
    signal.signal(signal.SIGUSR1, former)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a dump writes to stderr, in place of that."""
    shown: list[str] = []

    def write(descriptor: int, data: bytes) -> int:
        assert descriptor == dumps.STDERR
        shown.append(data.decode())
        return len(data)

    monkeypatch.setattr(dumps.os, "write", write)
    return shown


async def signalled(is_answered: Callable[[], bool]) -> None:
    os.kill(os.getpid(), signal.SIGUSR1)
    async with asyncio.timeout(10):
        while not is_answered():
            await asyncio.sleep(0)


async def test_sigusr1_shows_stacks_and_has_the_loop_show_the_actors(
    dump: Dump, shown: list[str]
) -> None:
    turns: list[threading.Thread] = []
    dump.install()  # a second time changes nothing
    await signalled(lambda: len(shown) == 1)
    dump.begin(asyncio.get_running_loop(), lambda: turns.append(threading.current_thread()))
    await signalled(lambda: len(turns) == 1)
    assert turns == [threading.main_thread()]
    dump.end()
    await signalled(lambda: len(shown) == 3)
    await asyncio.sleep(0)
    assert len(turns) == 1
    for words in shown:
        assert words.count("Thread MainThread (0x") == 1
        assert "Thread dump" not in words


def test_a_thread_that_never_gives_way_is_shown(dump: Dump, shown: list[str]) -> None:
    os.kill(os.getpid(), signal.SIGUSR1)
    while not shown:  # pure Python, no wait and no system call, as a loop that hangs
        pass
    assert "in test_a_thread_that_never_gives_way_is_shown\n" in shown[0]


def test_a_flood_is_answered_and_ends(dump: Dump, shown: list[str]) -> None:
    for _ in range(MANY):
        os.kill(os.getpid(), signal.SIGUSR1)
    dump.remove()
    assert 0 <= len(shown) <= MANY
    dump.install()
    before = len(shown)
    os.kill(os.getpid(), signal.SIGUSR1)
    while len(shown) == before:
        pass


async def test_a_loop_that_is_closed_is_no_longer_asked(dump: Dump, shown: list[str]) -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    dump.begin(loop, lambda: None)
    await signalled(lambda: len(shown) == 1)
    await signalled(lambda: len(shown) == 2)


async def test_a_signal_that_reaches_an_older_thread_is_passed_on(
    dump: Dump, shown: list[str]
) -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
    async with asyncio.timeout(10):
        while not shown:
            await asyncio.sleep(0)
    assert "Thread MainThread" in shown[0]
