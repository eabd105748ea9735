"""Knows what only TLS and TCP sockets must do. Must not know what sessions do."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import trustme

from actorchat.gateway.base import Bounds, Outlet
from actorchat.gateway.tcp import TcpGateway
from actorchat.gateway.tls import tls_context

SHORT = Bounds(handshake_timeout_s=0.2, tick_s=0.02)


class Quiet:
    def __init__(self, outlet: Outlet) -> None:
        self.outlet = outlet

    def receive(self, op: Any) -> None: ...

    def closed(self, reason: str) -> None: ...


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest_asyncio.fixture
async def gateway(authority: trustme.CA, tmp_path: Path) -> AsyncIterator[TcpGateway]:
    leaf = authority.issue_cert("localhost", "127.0.0.1")
    leaf.private_key_pem.write_to_path(tmp_path / "key.pem")
    for pem in leaf.cert_chain_pems:
        pem.write_to_path(tmp_path / "chain.pem", append=True)
    context = tls_context(tmp_path / "chain.pem", tmp_path / "key.pem")
    gateway = TcpGateway(Quiet, "127.0.0.1", 0, ssl_context=context, bounds=SHORT)
    await gateway.start()
    yield gateway
    await gateway.stop()


async def test_server_shows_the_certificate_of_the_files(
    gateway: TcpGateway, authority: trustme.CA
) -> None:
    client = ssl.create_default_context()
    authority.configure_trust(client)
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port, ssl=client)
    assert writer.get_extra_info("ssl_object").version() in ("TLSv1.2", "TLSv1.3")
    writer.close()
    await writer.wait_closed()


async def test_old_tls_is_refused(gateway: TcpGateway, authority: trustme.CA) -> None:
    client = ssl.create_default_context()
    authority.configure_trust(client)
    client.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        client.maximum_version = ssl.TLSVersion.TLSv1_1
    client.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", gateway.port, ssl=client)


@pytest.mark.parametrize("opening", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x40\x00\x01", b""])
async def test_no_handshake_is_no_connection_and_no_noise(
    gateway: TcpGateway, opening: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(opening)
    async with asyncio.timeout(20):
        try:
            while await reader.read(1000):
                pass  # an alert, perhaps
        except ConnectionError:
            pass
    writer.close()
    assert gateway.counters.accepted == 0
    assert not caplog.records


async def test_small_frames_are_not_held_back_by_the_kernel() -> None:
    outlets: list[Outlet] = []
    is_open = asyncio.Event()

    def note(outlet: Outlet) -> Quiet:
        outlets.append(outlet)
        is_open.set()
        return Quiet(outlet)

    gateway = TcpGateway(note, "127.0.0.1", 0)
    await gateway.start()
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    await asyncio.wait_for(is_open.wait(), 20)
    transport = outlets[0]._transport  # type: ignore[attr-defined]
    server_side = transport.get_extra_info("socket")
    assert server_side.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    writer.close()
    await writer.wait_closed()
    await gateway.stop()


async def test_address_in_use_is_said_so() -> None:
    first = TcpGateway(Quiet, "127.0.0.1", 0)
    await first.start()
    second = TcpGateway(Quiet, "127.0.0.1", first.port)
    with pytest.raises(OSError):
        await second.start()
    await first.stop()
