"""A link over ZeroMQ: nothing lost or late in either direction, every end told, nothing left."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import zmq

from actorchat import limits
from actorchat.client import dealer
from actorchat.client.curve import CurveIdentity
from actorchat.client.dealer import CLOSED, DealerLink
from actorchat.client.link import Address, Link
from actorchat.protocol import ops, zmtp
from actorchat.protocol.codec import encode
from tests.unit.client.router import ScriptedRouter, until

PONG = encode(ops.Pong())
HELLO = b"hello"


def pushed(upd: int) -> bytes:
    return encode(ops.MarkPush("bob", "bob", upd, 0))


class Rig:
    """A link, and what it told."""

    def __init__(self, curve: CurveIdentity | None = None) -> None:
        self.opened = 0
        self.batches: list[list[Any]] = []
        self.ends: list[str] = []
        self.link = DealerLink(self._on_open, self.batches.append, self.ends.append, curve)

    def _on_open(self) -> None:
        self.opened += 1

    @property
    def positions(self) -> list[int]:
        return [op.delivered for batch in self.batches for op in batch]

    def open(self, port: int, host: str = "127.0.0.1") -> None:
        self.link.open(Address("zmq", host, port), None)

    async def end(self) -> str:
        """Return the reason of the end, which is the only thing that comes any more."""
        await until(lambda: self.ends)
        await self.link.wait_gone(5)
        for _ in range(20):
            await asyncio.sleep(0)
        (reason,) = self.ends
        return reason


@pytest.fixture
def router() -> Iterator[ScriptedRouter]:
    with ScriptedRouter() as router:
        yield router


@asynccontextmanager
async def linked(router: ScriptedRouter) -> AsyncIterator[tuple[Rig, bytes]]:
    """Give an open link, and its peer's id at the router, which heard its hello."""
    rig = Rig()
    rig.open(router.port)
    await until(lambda: rig.opened)
    rig.link.write(HELLO)
    peer = await router.peer()
    router.heard.clear()
    try:
        yield rig, peer
    finally:
        rig.link.drop()
        await rig.link.wait_gone(5)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


# -- what goes out, and what comes -----------------------------------------------------------------


async def test_each_payload_is_a_message_in_both_directions(router: ScriptedRouter) -> None:
    async with linked(router) as (rig, peer):
        link: Link = rig.link
        link.write(b"ab")
        link.write(b"c")
        await until(lambda: len(router.read()) == 2)
        assert router.read() == [b"ab", b"c"]
        router.say(peer, PONG, PONG)
        await until(lambda: sum(map(len, rig.batches)) == 2)
        assert rig.batches[0][0] == ops.Pong()
    assert (rig.opened, rig.ends) == (1, [])


async def test_link_chooses_no_routing_id(router: ScriptedRouter) -> None:
    async with linked(router) as (_, peer):
        assert len(peer) == 5 and peer[0] == 0


async def test_burst_that_came_while_the_loop_was_busy_is_read_to_its_end(
    router: ScriptedRouter,
) -> None:
    router.socket.sndhwm = 0
    async with linked(router) as (rig, peer):
        count = 5_000
        router.say(peer, *(pushed(upd) for upd in range(count)))
        await until(lambda: len(rig.positions) == count)
        assert rig.positions == list(range(count))
        assert max(map(len, rig.batches)) <= dealer.READ_BUDGET


async def test_nothing_is_left_unread_when_both_sides_talk_at_once(
    router: ScriptedRouter,
) -> None:
    async with linked(router) as (rig, peer):
        for upd in range(2_000):
            router.say(peer, pushed(upd))
            rig.link.write(b"%d" % upd)
            if upd % 3:
                await asyncio.sleep(0)
            router.read()
        await until(lambda: len(rig.positions) == 2_000 and len(router.read()) == 2_000)
        assert rig.positions == list(range(2_000))
        assert router.read() == [b"%d" % upd for upd in range(2_000)]


async def test_what_the_server_does_not_take_waits_here_and_not_in_libzmq() -> None:
    with ScriptedRouter(rcvhwm=1) as router:
        async with linked(router) as (rig, _):
            payloads = [b"%03d" % number + bytes(50_000) for number in range(400)]
            for payload in payloads:
                rig.link.write(payload)
            for _ in range(100):
                await asyncio.sleep(0)
            held = len(rig.link._out)
            assert held > 0
            await until(lambda: len(router.read()) == len(payloads))
            assert router.read() == payloads
            assert not rig.link._out


async def test_paused_link_is_silent_but_writes(router: ScriptedRouter) -> None:
    async with linked(router) as (rig, peer):
        rig.link.pause()
        router.say(peer, *map(pushed, range(100)))
        for number in range(100):
            rig.link.write(b"%d" % number)
        await until(lambda: len(router.read()) == 100)
        assert rig.batches == []
        rig.link.resume()
        assert rig.batches == []  # nothing is told from within a call
        await until(lambda: len(rig.positions) == 100)
        assert rig.positions == list(range(100))


async def test_idle_and_paused_links_leave_the_loop_alone(router: ScriptedRouter) -> None:
    async with linked(router) as (rig, peer):
        passes = 0
        work = rig.link._work

        def counted() -> None:
            nonlocal passes
            passes += 1
            work()

        loop = asyncio.get_running_loop()
        descriptor = int(rig.link._dealer.getsockopt(zmq.FD))
        loop.add_reader(descriptor, counted)
        for is_paused in (False, True):
            if is_paused:
                rig.link.pause()
                router.say(peer, PONG)
            for _ in range(300):
                await asyncio.sleep(0)
        assert passes < 10
        loop.add_reader(descriptor, work)


# -- how it ends -----------------------------------------------------------------------------------


async def test_end_is_told_after_all_that_came_before_it(router: ScriptedRouter) -> None:
    async with linked(router) as (rig, peer):
        router.say(peer, *map(pushed, range(10)))
        await until(lambda: rig.positions)
        router.say(peer, *map(pushed, range(10, 16)))
        router.say(peer, b"", PONG)
        assert await rig.end() == CLOSED
        assert rig.positions == list(range(16))


async def test_server_that_is_gone_is_an_end_and_its_return_is_not_noticed(
    router: ScriptedRouter,
) -> None:
    rig = Rig()
    with ScriptedRouter() as first:
        rig.open(first.port)
        await until(lambda: rig.opened)
    assert await rig.end() == CLOSED
    rig.link.write(HELLO)
    rig.link.resume()
    with ScriptedRouter(first.port) as second:
        again = Rig()
        again.open(second.port)
        await until(lambda: again.opened)
        again.link.write(b"again")
        await second.peer()
        assert second.read() == [b"again"]
        again.link.drop()
    assert (rig.opened, rig.ends) == (1, [CLOSED])


async def test_end_of_a_paused_link_is_told_when_it_reads_on() -> None:
    rig = Rig()
    with ScriptedRouter() as router:
        rig.open(router.port)
        await until(lambda: rig.opened)
        rig.link.write(HELLO)
        peer = await router.peer()
        rig.link.pause()
        router.socket.linger = 1000
        router.say(peer, *map(pushed, range(3)))
    await until(lambda: rig.link._over is not None)
    assert rig.ends == rig.batches == []
    rig.link.resume()
    assert await rig.end() == CLOSED
    assert rig.positions == [0, 1, 2]


async def test_nobody_there_is_an_end_without_an_open() -> None:
    with socket.socket() as deaf:  # bound, so that nobody else listens there
        deaf.bind(("127.0.0.1", 0))
        rig = Rig()
        port = deaf.getsockname()[1]
        rig.open(port)
        assert rig.ends == []
        assert await rig.end() == f"can't connect to 127.0.0.1:{port}"
        assert rig.opened == 0


async def test_server_that_speaks_something_else_is_an_end() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        rig = Rig()
        rig.open(server.sockets[0].getsockname()[1])
        assert "handshake" in await rig.end()
        assert rig.opened == 0


async def test_server_that_refuses_by_zmtps_own_error_is_an_end_that_says_so() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(zmtp.greeting(b"NULL", is_server=False))
        await reader.readexactly(64)
        writer.write(zmtp.Refused("no").command)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        rig = Rig()
        rig.open(server.sockets[0].getsockname()[1])
        assert "handshake" in await rig.end()
        assert rig.opened == 0


async def test_mute_server_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HANDSHAKE_TIMEOUT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        rig = Rig()
        rig.open(mute.getsockname()[1])
        assert await rig.end() == "no ZeroMQ handshake in time"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"\xff", "the server's bytes make no sense"),
        (bytes(limits.PUSH_FRAME_BYTES_MAX + 1), "expected at most"),
        (bytes(limits.PUSH_FRAME_BYTES_MAX * 2), CLOSED),  # libzmq cuts it off
    ],
)
async def test_good_ops_before_nonsense_are_heard(
    router: ScriptedRouter, payload: bytes, reason: str
) -> None:
    async with linked(router) as (rig, peer):
        router.say(peer, pushed(1), payload)
        assert reason in await rig.end()
        assert rig.positions == [1]


async def test_name_is_looked_up_and_every_address_of_it_tried(
    router: ScriptedRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def found(host: str, port: int, **_: object) -> list[Any]:
        assert host == "chat.example.org"
        return [(0, 0, 0, "", (each, port)) for each in ("::1", "127.0.0.2", "127.0.0.1")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
    rig = Rig()
    rig.open(router.port, "chat.example.org")
    await until(lambda: rig.opened)
    for number in range(10):  # none waits for an address where nobody is
        rig.link.write(b"%d" % number)
    await until(lambda: len(router.read()) == 10)
    rig.link.drop()
    await rig.link.wait_gone(5)


async def test_name_that_can_be_no_hosts_is_an_end_like_any_other() -> None:
    rig = Rig()
    rig.open(1, "x" * 70 + ".test")
    assert await rig.end()


# -- drop and close --------------------------------------------------------------------------------


async def test_dropped_link_hears_no_more(router: ScriptedRouter) -> None:
    async with linked(router) as (rig, peer):
        router.say(peer, PONG)
        rig.link.drop()
        rig.link.write(b"late")
        await rig.link.wait_gone(5)
        assert (rig.batches, rig.ends) == ([], [])
        assert router.read() == []


async def test_link_can_be_dropped_and_closed_while_it_opens(router: ScriptedRouter) -> None:
    for host in ("127.0.0.1", "localhost"):
        for turns in (0, 1, 5):
            for way in (DealerLink.drop, DealerLink.close):
                rig = Rig()
                rig.open(router.port, host)
                for _ in range(turns):
                    await asyncio.sleep(0)
                way(rig.link)
                opened = rig.opened
                await rig.link.wait_gone(5)
                assert (rig.opened, rig.ends) == (opened, [])


async def test_link_that_never_opened_can_be_dropped_and_closed() -> None:
    rig = Rig()
    rig.link.drop()
    rig.link.close()
    rig.link.pause()
    rig.link.resume()
    await rig.link.wait_gone(5)
    assert (rig.opened, rig.batches, rig.ends) == (0, [], [])


@pytest.mark.parametrize("way", [DealerLink.drop, DealerLink.close])
async def test_link_left_from_within_its_own_call_is_silent(
    router: ScriptedRouter, way: Callable[[DealerLink], None]
) -> None:
    async with linked(router) as (rig, peer):
        link = rig.link

        def take(batch: list[Any]) -> None:
            rig.batches.append(batch)
            link.write(b"last")
            way(link)

        link._on_ops = take
        router.say(peer, PONG, PONG)
        await until(lambda: rig.batches)
        await link.wait_gone(5)
        assert (len(rig.batches), rig.ends) == (1, [])
        if way is DealerLink.close:
            await until(lambda: router.read() == [b"last"])


async def test_closed_link_sends_all_that_was_written() -> None:
    with ScriptedRouter(rcvhwm=1) as router:
        async with linked(router) as (rig, peer):
            payloads = [b"%03d" % number + bytes(20_000) for number in range(300)]
            for payload in payloads:
                rig.link.write(payload)
            rig.link.close()
            rig.link.write(b"late")
            router.say(peer, PONG)
            gone = asyncio.create_task(rig.link.wait_gone(10))
            await until(lambda: router.read() and gone.done())
            await until(lambda: len(router.read()) == len(payloads))
            assert router.read() == payloads
        assert (rig.batches, rig.ends) == ([], [])


async def test_close_towards_a_server_that_takes_nothing_is_over_in_time() -> None:
    with ScriptedRouter(rcvhwm=1, rcvbuf=4_096) as router:
        async with linked(router) as (rig, _):
            for _ in range(400):
                rig.link.write(bytes(100_000))
            rig.link.close()
            assert not rig.link._gone.done()
            async with asyncio.timeout(5):
                await rig.link.wait_gone(0.01)
            assert rig.link._gone.done()


async def test_close_towards_a_server_that_leaves_is_over_at_once() -> None:
    with ScriptedRouter(rcvhwm=1) as router:
        async with linked(router) as (rig, _):
            for _ in range(400):
                rig.link.write(bytes(100_000))
            rig.link.close()
            router.close()
            async with asyncio.timeout(4):  # less than libzmq would linger
                await rig.link.wait_gone(60)
            assert rig.link._gone.done()


async def test_server_that_leaves_while_the_last_is_sent_is_not_waited_for() -> None:
    with ScriptedRouter(rcvhwm=1, rcvbuf=4_096) as router:
        async with linked(router) as (rig, _):
            for _ in range(limits.ZMQ_PIPE_MESSAGES):
                rig.link.write(bytes(250_000))
            rig.link.close()
            await until(lambda: rig.link._dealer is None)  # libzmq has it all
            assert not rig.link._gone.done()
            router.close()
            async with asyncio.timeout(4):  # less than libzmq would linger
                await rig.link.wait_gone(60)
            assert rig.link._gone.done()


async def test_two_hundred_links_leave_nothing_behind(router: ScriptedRouter) -> None:
    before = 0
    for number in range(201):
        rig = Rig()
        rig.open(router.port)
        await until(lambda rig=rig: rig.opened)
        rig.link.write(HELLO)
        rig.link.drop() if number % 2 else rig.link.close()
        await rig.link.wait_gone(5)
        if not number:  # the first one made the context
            await until(router.read)
            before = open_files()
        assert (rig.batches, rig.ends) == ([], [])
    await until(lambda: open_files() <= before)
    assert 0 < open_files() <= before


def test_link_that_its_loop_forgot_blocks_nobody(router: ScriptedRouter) -> None:
    async def forget(way: Callable[[DealerLink], None] | None) -> None:
        rig = Rig()
        rig.open(router.port)
        await until(lambda: rig.opened)
        if way is not None:
            way(rig.link)

    async def use() -> None:
        async with linked(router) as (rig, peer):
            router.say(peer, PONG)
            await until(lambda: rig.batches)

    async def settle(files: int) -> int:
        await until(lambda: open_files() <= files)
        return open_files()

    async def count() -> int:
        return open_files()

    asyncio.run(use())
    before = asyncio.run(count())
    for way in (None, DealerLink.close, DealerLink.drop) * 5:
        asyncio.run(forget(way))
        gc.collect()
        asyncio.run(use())
    assert 0 < asyncio.run(settle(before)) <= before


# -- CURVE -----------------------------------------------------------------------------------------

SERVERS = zmq.curve_keypair()
OURS = zmq.curve_keypair()


def identity(server: bytes = SERVERS[0]) -> CurveIdentity:
    return CurveIdentity(server.decode(), OURS[1].decode())


@pytest.fixture
def guarded() -> Iterator[ScriptedRouter]:
    with ScriptedRouter(
        curve_server=1, curve_secretkey=SERVERS[1], zap_domain=b"x", handshake_ivl=2_000
    ) as router:
        yield router


async def test_keys_that_fit_open_a_guarded_server(guarded: ScriptedRouter) -> None:
    guarded.answer_zap(b"200")
    rig = Rig(identity())
    rig.open(guarded.port)
    await until(lambda: guarded.judge() or rig.opened)
    rig.link.write(HELLO)
    await until(guarded.read)
    assert guarded.read() == [HELLO] and rig.opened
    rig.link.drop()
    await rig.link.wait_gone(5)
    assert rig.ends == []


async def test_key_that_the_server_does_not_list_is_named_as_the_reason(
    guarded: ScriptedRouter,
) -> None:
    guarded.answer_zap(b"400")
    rig = Rig(identity())
    rig.open(guarded.port)
    await until(lambda: guarded.judge() or rig.ends)
    assert "does not let this client's CURVE key in" in await rig.end()
    assert rig.opened == 0


@pytest.mark.parametrize(
    ("curve", "reason"),
    [(identity(OURS[0]), "is this CURVE key the server's?"), (None, "does it want CURVE?")],
)
async def test_wrong_or_missing_key_of_the_server_is_an_end_that_says_so(
    guarded: ScriptedRouter, curve: CurveIdentity | None, reason: str
) -> None:
    guarded.answer_zap(b"200")
    rig = Rig(curve)
    rig.open(guarded.port)
    assert reason in await rig.end()
    assert rig.opened == 0


async def test_keys_where_the_server_has_none_are_an_end(router: ScriptedRouter) -> None:
    rig = Rig(identity())
    rig.open(router.port)
    assert "handshake" in await rig.end()
