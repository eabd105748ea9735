"""Knows where the keys of an issuer of tokens come from, and when they are fetched anew.
Must not know tokens.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

from actorchat import logs
from actorchat.broker.bearer import Keys, parse_keys
from actorchat.limits import JWKS_BYTES_MAX, JWKS_REFRESH_S, JWKS_RETRY_S
from nodes.roles.outside import Outside

log = logs.logger(__name__)

RETRY_MS = 1_000  # a fetch takes less, as a rule


class Keyset:
    """The keys of one issuer, of a file or a URL: the last that could be read stay good.

    They are read at the start, every 5 minutes, and when a token names a key that is not known; the
    last at most once in 10 s, whoever sends tokens.

    Args:
        source: A path, or an http:// or https:// URL.
        now_s: The loop's time.
    """

    def __init__(self, source: str, outside: Outside, now_s: Callable[[], float]) -> None:
        self._source = source
        self._outside = outside
        self._now_s = now_s
        self._loop = asyncio.get_running_loop()
        self._keys: Keys = {}
        self._asked_at_s = float("-inf")
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to fetch; does not wait."""
        self._task = self._loop.create_task(self._run())

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._outside.close()

    def keys(self) -> Keys:
        """Return the keys as they are known now. Thread: any."""
        return self._keys

    def want(self) -> int | None:
        """Have the keys fetched anew; return in how many ms, None if that was just done.

        Thread: any.
        """
        now_s = self._now_s()
        if now_s - self._asked_at_s < JWKS_RETRY_S:
            # The first fetch may still be under way.
            return RETRY_MS if not self._keys else None
        self._asked_at_s = now_s
        with contextlib.suppress(RuntimeError):  # the loop is closed: the node ends
            self._loop.call_soon_threadsafe(self._wanted.set)
        return RETRY_MS

    async def _run(self) -> None:
        while True:
            self._wanted.clear()
            await self.refresh()
            with contextlib.suppress(TimeoutError):
                wait_s = JWKS_REFRESH_S if self._keys else JWKS_RETRY_S
                await asyncio.wait_for(self._wanted.wait(), wait_s)

    async def refresh(self) -> None:
        """Fetch the keys once; what fails is logged, and the keys before stay."""
        self._asked_at_s = self._now_s()
        try:
            text = await self._fetch()
            keys = await asyncio.to_thread(parse_keys, text)
            if not keys:
                raise ValueError("there is no usable key in it")
        except Exception as error:  # noqa: BLE001 (whatever it is, the keys before stay good)
            log.warning("keys of the token issuer not fetched", reason=f"{error!r:.200}")
            return
        self._keys = keys

    async def _fetch(self) -> bytes:
        if "://" not in self._source:
            return await asyncio.to_thread(_read, self._source)
        status, text = await self._outside.request("GET", self._source, {}, b"", JWKS_BYTES_MAX)
        if status != 200:
            raise ValueError(f"the answer has status {status}")
        return text


def _read(path: str) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(JWKS_BYTES_MAX + 1)
