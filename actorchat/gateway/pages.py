"""Knows what a node tells those who watch it: that it lives, that it is ready, its numbers.

Must not know HTTP connections, or what makes a node ready.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from actorchat.errors import SettingsError
from actorchat.gateway.http import Refused, Request, Routes, plain

# Says why no client should be sent here; empty when one should.
Health = Callable[[], str]
# Returns what Prometheus scrapes.
Scrape = Callable[[], bytes]

# https://prometheus.io/docs/instrumenting/exposition_formats/
EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8"
TOKEN_CHARS_MIN = 16
TOKEN_CHARS_MAX = 1_024


def read_token(path: str | Path) -> str:
    """Return the token in the file at `path`: its one word.

    Raises:
        SettingsError: It can't be read, or holds no word of 16 to 1,024 ASCII characters.
    """
    try:
        words = Path(path).read_text(encoding="ascii").split()
    except OSError as error:
        raise SettingsError([f"metrics token {path}: {error.strerror}"]) from None
    except ValueError:
        words = []
    if len(words) != 1 or not TOKEN_CHARS_MIN <= len(words[0]) <= TOKEN_CHARS_MAX:
        wanted = f"one word of {TOKEN_CHARS_MIN} to {TOKEN_CHARS_MAX} ASCII characters"
        raise SettingsError([f"metrics token {path}: expected {wanted}"])
    return words[0]


class Pages:
    """`/livez`, `/readyz` and, if there is something to scrape, `/metrics`. Thread: the loop's.

    With a `token`, all but `/livez` want it.
    """

    def __init__(self, health: Health, scrape: Scrape | None, token: str = "") -> None:
        self._health = health
        self._scrape = scrape
        self._token = token.encode()

    def live_routes(self) -> Routes:
        """Return by path and method what everybody may read."""
        return {"/livez": {"GET": self.live}}

    def routes(self) -> Routes:
        """Return them all by path and method."""
        routes = {**self.live_routes(), "/readyz": {"GET": self.ready}}
        if self._scrape is not None:
            routes["/metrics"] = {"GET": self.metrics}
        return routes

    async def live(self, _: Request) -> web.Response:
        """Say that the loop turns: this answer is the proof."""
        return plain(200, "alive")

    async def ready(self, request: Request) -> web.Response:
        """Say whether clients should be sent here; 503 with the reason if not.

        Raises:
            Refused: 401, the token is missing or another one.
        """
        self._check(request)
        why_not = self._health()
        return plain(503, why_not) if why_not else plain(200, "ready")

    async def metrics(self, request: Request) -> web.Response:
        """Show the node's numbers as they are at this moment.

        Raises:
            Refused: 401, the token is missing or another one.
        """
        self._check(request)
        assert self._scrape is not None
        return web.Response(body=self._scrape(), headers={"Content-Type": EXPOSITION_TYPE})

    def _check(self, request: Request) -> None:
        if not self._token:
            return
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        is_right = hmac.compare_digest(given.strip().encode(errors="replace"), self._token)
        if scheme.lower() != "bearer" or not is_right:
            raise Refused(401, "a token is needed", {"WWW-Authenticate": "Bearer"})
