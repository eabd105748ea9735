"""Knows the address at which a node is watched, and nothing else is to be had.
Must not know what the pages say.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from actorchat.errors import Unavailable
from actorchat.gateway.base import Bounds
from actorchat.gateway.http import HttpServer
from actorchat.gateway.listener import Listener
from actorchat.gateway.pages import Pages
from actorchat.gateway.room import Room


def _nobody(_: object) -> Any:
    raise Unavailable("no session is to be had here")


class WatchedAddress(Listener):
    """Listens for those who watch the node.

    It has no sessions, and its connections take none of the places of clients, so that a node
    without room can be watched as well.
    """

    schemes = ("http", "https")

    def __init__(
        self,
        pages: Pages,
        host: str,
        port: int,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        own = Bounds(connections_max=0, room=Room())
        super().__init__(_nobody, host, port, ssl_context, own)
        self._routes = pages.routes()
        self._http: HttpServer | None = None

    async def start(self) -> None:
        """Bind and accept.

        Raises:
            OSError: The address can't be bound.
        """
        self._http = HttpServer(self._routes, self.bounds, self.sweep)
        await super().start()

    async def stop(self) -> None:
        """Stop accepting and cut every connection; harmless at any time, and twice."""
        await super().stop()
        if self._http is not None:
            await self._http.close()

    def _make_endpoint(self) -> asyncio.Protocol:
        assert self._http is not None
        return self._http()
