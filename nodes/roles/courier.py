"""Knows how the posts of hooks leave the node. Must not know hooks, signatures or events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from actorchat.limits import HOOK_POSTS_MAX
from actorchat.settings.networks import parse_networks
from actorchat.settings.schema import HookSettings
from nodes.roles.outside import Outside


class HttpCourier:
    """The broker's `Courier` over HTTP; a few posts at once, the others wait for a place.

    Thread: the loop's.
    """

    def __init__(self, outside: Outside, posts_max: int = HOOK_POSTS_MAX) -> None:
        self._outside = outside
        self._places = asyncio.Semaphore(posts_max)
        self._posts: set[asyncio.Task[None]] = set()

    def post(
        self, url: str, headers: dict[str, str], body: bytes, done: Callable[[int, str], object]
    ) -> None:
        """Post `body`; call `done(status, reason)` later, or never after `close`."""
        task = asyncio.get_running_loop().create_task(self._post(url, headers, body, done))
        self._posts.add(task)
        task.add_done_callback(self._posts.discard)

    async def close(self) -> None:
        """Give up what is under way; it is posted again by the next life of the node."""
        for task in self._posts:
            task.cancel()
        await asyncio.gather(*self._posts, return_exceptions=True)
        await self._outside.close()

    async def _post(
        self, url: str, headers: dict[str, str], body: bytes, done: Callable[[int, str], object]
    ) -> None:
        status, reason = 0, ""
        try:
            async with self._places:
                status, _ = await self._outside.request("POST", url, headers, body, 0)
        except TimeoutError:
            reason = "no answer in time"
        except Exception as error:  # noqa: BLE001 (whatever HTTP can end with is one failed post)
            reason = f"{type(error).__name__}: {error}"
        done(status, reason)


def make_courier(hooks: HookSettings) -> HttpCourier:
    """Return the courier that these settings describe."""
    return HttpCourier(Outside(parse_networks(hooks.networks), hooks.timeout_s))
