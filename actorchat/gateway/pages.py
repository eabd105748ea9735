"""Knows what a node tells those who watch it: that it lives, that it is ready, its numbers.

Must not know HTTP connections, or what makes a node ready.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from actorchat.gateway.http import Request, Routes, plain

# Says why no client should be sent here; empty when one should.
Health = Callable[[], str]
# Returns what Prometheus scrapes.
Scrape = Callable[[], bytes]

# https://prometheus.io/docs/instrumenting/exposition_formats/
EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Pages:
    """`/livez`, `/readyz` and, if there is something to scrape, `/metrics`. Thread: the loop's."""

    def __init__(self, health: Health, scrape: Scrape | None) -> None:
        self._health = health
        self._scrape = scrape

    def routes(self) -> Routes:
        """Return them by path and method."""
        routes = {"/livez": {"GET": self.live}, "/readyz": {"GET": self.ready}}
        if self._scrape is not None:
            routes["/metrics"] = {"GET": self.metrics}
        return routes

    async def live(self, _: Request) -> web.Response:
        """Say that the loop turns: this answer is the proof."""
        return plain(200, "alive")

    async def ready(self, _: Request) -> web.Response:
        """Say whether clients should be sent here; 503 with the reason if not."""
        why_not = self._health()
        return plain(503, why_not) if why_not else plain(200, "ready")

    async def metrics(self, _: Request) -> web.Response:
        """Show the node's numbers as they are at this moment."""
        assert self._scrape is not None
        return web.Response(body=self._scrape(), headers={"Content-Type": EXPOSITION_TYPE})
