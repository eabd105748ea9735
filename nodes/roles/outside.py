"""Knows how a node makes HTTP requests of its own to where others told it.
Must not know what for.
"""

from __future__ import annotations

import asyncio
import errno
import importlib
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from actorchat.settings.networks import Network, may_call

if TYPE_CHECKING:
    import aiohttp

AGENT = "actorchat"
NOT_CALLED = "is not on the public internet, and no setting lets this node call it"


class NotCalled(OSError):
    """An address that this node may not call."""


class Outside:
    """Requests to checked addresses: no proxy, no redirect, no cookie, bounded in time and size.

    A name is looked up once a request; each address that it has must be one that may be called,
    and the connection goes to one of these very addresses.

    Args:
        networks: What may be called though it is not public.
        timeout_s: For a whole request.
    """

    def __init__(self, networks: Sequence[Network], timeout_s: float) -> None:
        self._networks = networks
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None
        self._opening = asyncio.Lock()

    async def request(
        self, method: str, url: str, headers: dict[str, str], body: bytes, bytes_max: int
    ) -> tuple[int, bytes]:
        """Return the status of the answer and its body, of which no more than `bytes_max` is read.

        Raises:
            OSError: Nobody could be reached, or may be (`NotCalled`). TimeoutError: not in time.
            ValueError: The URL is none, or the answer is longer. aiohttp.ClientError: the rest.
        """
        self._check_literal(url)
        session = await self._open()
        async with session.request(
            method, url, data=body, headers=headers, allow_redirects=False
        ) as response:
            if not bytes_max:
                return response.status, b""
            answer = await response.content.read(bytes_max + 1)
            while len(answer) <= bytes_max and not response.content.at_eof():
                answer += await response.content.read(bytes_max + 1 - len(answer))
            if len(answer) > bytes_max:
                raise ValueError(f"the answer is longer than {bytes_max} bytes")
            return response.status, answer

    async def close(self) -> None:
        """Hang up."""
        if self._session is not None:
            await self._session.close()

    # -- the resolver's port -------------------------------------------------------------------
    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[dict[str, Any]]:
        """Look `host` up, and check all that is found."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        for _, _, _, _, address in found:
            self._check(str(address[0]))
        return [
            {
                "hostname": host,
                "host": address[0],
                "port": port,
                "family": kind,
                "proto": proto,
                "flags": socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            }
            for kind, _, proto, _, address in found
        ]

    # -- inside --------------------------------------------------------------------------------
    def _check(self, address: str) -> None:
        if not may_call(address, self._networks):
            raise NotCalled(errno.EACCES, f"{address} {NOT_CALLED}")

    def _check_literal(self, url: str) -> None:
        host = urlsplit(url).hostname or ""
        try:
            ip_address(host)
        except ValueError:
            return  # a name, or what the resolver takes for one
        self._check(host)

    def _socket(self, found: Any) -> socket.socket:
        """Make the socket of a connection, once more seeing where it goes."""
        family, kind, proto, _, address = found
        self._check(str(address[0]))
        return socket.socket(family=family, type=kind, proto=proto)

    async def _open(self) -> aiohttp.ClientSession:
        async with self._opening:
            if self._session is None:
                # 0.2 s of a core, which a node that calls nobody is spared, and the loop as well.
                http: Any = await asyncio.to_thread(importlib.import_module, "aiohttp")
                connector = http.TCPConnector(
                    resolver=cast("aiohttp.abc.AbstractResolver", self),
                    use_dns_cache=False,
                    socket_factory=self._socket,
                )
                self._session = http.ClientSession(
                    connector=connector,
                    connector_owner=True,
                    cookie_jar=http.DummyCookieJar(),
                    timeout=http.ClientTimeout(total=self._timeout_s),
                    auto_decompress=False,
                    trust_env=False,
                    headers={"User-Agent": AGENT},
                )
            assert self._session is not None
            return self._session
