"""What a client asks of a transport is asked of each."""

from __future__ import annotations

from actorchat.client.link import Address, Link
from actorchat.client.tcp import TcpLink


async def test_tcp_is_a_transport() -> None:
    link: Link = TcpLink(lambda: None, lambda ops: None, lambda reason: None)
    link.drop()
    await link.wait_gone(1.0)


def test_addresses_are_values() -> None:
    assert Address("tcp", "h", 1) == Address("tcp", "h", 1)
    assert len({Address("tcp", "h", 1), Address("tls", "h", 1)}) == 2
