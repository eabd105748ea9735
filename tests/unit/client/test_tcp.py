"""One transport: what goes out, what is heard, and when it is over."""

from __future__ import annotations

import asyncio

from actorchat.client.dial import parse_address
from actorchat.client.link import Address
from actorchat.client.tcp import TcpLink
from actorchat.protocol import ops
from actorchat.protocol.codec import encode
from tests.unit.client.scripted import ScriptedServer


class FakeTransport(asyncio.Transport):
    """Remembers what was done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[object] = []
        self.is_over = False

    def is_closing(self) -> bool:
        return self.is_over

    def writelines(self, lines: object) -> None:
        self.calls.append(list(lines))  # type: ignore[call-overload]

    def abort(self) -> None:
        self.calls.append("abort")

    def close(self) -> None:
        self.calls.append("close")


def linked() -> tuple[TcpLink, FakeTransport, list[object]]:
    heard: list[object] = []
    link = TcpLink(lambda: heard.append("open"), heard.append, heard.append)
    transport = FakeTransport()
    link.connection_made(transport)
    return link, transport, heard


async def test_all_of_one_turn_goes_out_in_one_call() -> None:
    link, transport, _ = linked()
    link.write(b"ab")
    link.write(b"c")
    assert transport.calls == []
    await asyncio.sleep(0)
    assert transport.calls == [[b"\0\0\0\x02ab", b"\0\0\0\x01c"]]
    link.write(b"d")
    await asyncio.sleep(0)
    assert transport.calls[1:] == [[b"\0\0\0\x01d"]]


async def test_transport_that_the_loop_has_closed_is_not_written_to() -> None:
    link, transport, _ = linked()
    link.write(b"ab")
    transport.is_over = True
    await asyncio.sleep(0)
    assert transport.calls == []


async def test_a_dropped_link_sends_and_hears_no_more() -> None:
    link, transport, heard = linked()
    link.write(b"ab")
    link.drop()
    await asyncio.sleep(0)
    link.data_received(b"\0\0\0\1x")
    link.connection_lost(None)
    assert transport.calls == ["abort"]
    assert heard == ["open"]


async def test_a_closed_link_sends_what_was_written_first() -> None:
    link, transport, heard = linked()
    link.write(b"ab")
    link.close()
    link.connection_lost(None)
    assert transport.calls == [[b"\0\0\0\x02ab"], "close"]
    assert heard == ["open"]


async def test_good_ops_before_bad_bytes_are_heard() -> None:
    link, transport, heard = linked()
    pong = encode(ops.Pong())
    link.data_received(len(pong).to_bytes(4) + pong + b"\xff" * 8)
    assert heard[:2] == ["open", [ops.Pong()]]
    assert "no sense" in str(heard[2])
    assert transport.calls == ["abort"]


async def test_an_end_is_told_once_with_its_reason() -> None:
    link, _, heard = linked()
    link.connection_lost(ConnectionResetError("reset"))
    assert heard == ["open", "reset"]
    link, _, heard = linked()
    link.connection_lost(None)
    assert heard == ["open", "the server closed the connection"]


async def test_a_name_that_can_be_no_hosts_is_an_end_like_any_other() -> None:
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    link = TcpLink(lambda: None, lambda _: None, ended.set_result)
    link.open(Address("tcp", "x" * 70 + ".test", 1), None)
    async with asyncio.timeout(20):
        assert await ended
    await link.wait_gone(1)


async def test_a_link_dropped_while_it_opens_leaves_nothing() -> None:
    async with ScriptedServer() as server:
        heard: list[object] = []
        link = TcpLink(lambda: heard.append("open"), heard.append, heard.append)
        link.open(parse_address(server.address), None)
        await asyncio.sleep(0)
        link.drop()
        await link.wait_gone(1)
        assert heard == []
        assert await (await server.peer()).is_left()
