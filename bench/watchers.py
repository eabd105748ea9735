"""Knows a crowd that watches one another, and what each of it was shown.
Must not know what a server makes of them, nor figures.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Mapping

from actorchat.protocol import codec
from actorchat.protocol.framing import FrameSplitter, frame
from actorchat.protocol.ops import Watch
from bench.crowd import BEAT_S, SIGNED_IN, SIGNING_IN, Crowd, due_since

_FRAME_BYTES_MAX = 262_144
_UNDER_WAY_MAX = 1_024
_WATCH_RID = 1


class Watchers(Crowd):
    """A crowd of which each watches `watched` others, chosen by chance, from its welcome on.

    `views` has what each was shown last, by number: user → online. `pushes` counts frames, `told`
    the states in them, `repeated` those that said what was shown already.
    """

    def __init__(
        self,
        port: int,
        tokens: Mapping[str, str],
        ping_s: float,
        fail: Callable[[str], None],
        watched: int,
    ) -> None:
        super().__init__(port, tokens, ping_s, fail)
        self.pushes = self.told = self.repeated = self.answered = 0
        self.views: list[dict[str, bool]] = [{} for _ in self._users]
        self.pushed: list[int] = [0] * len(self._users)
        self.is_quiet = False  # nobody pings
        self._watched = watched
        self._due = 0
        self._rng = random.Random(len(self._users))

    async def sign_in_over(self, seconds: float) -> None:
        """Connect all, evenly over `seconds`; return when each is in or has failed."""
        pacing = asyncio.ensure_future(self._pace(seconds))
        await self.sign_in(_UNDER_WAY_MAX)
        pacing.cancel()

    async def _pace(self, seconds: float) -> None:
        began_s, count = time.perf_counter(), len(self._users)
        while True:
            self._due = min(count, 1 + due_since(began_s, time.perf_counter(), count, seconds))
            self._connect_more()
            await asyncio.sleep(BEAT_S)

    def _connect_more(self) -> None:
        while self._under_way < self._in_flight_max and self._next < min(
            self._due, len(self._users)
        ):
            number, self._next = self._next, self._next + 1
            self._under_way += 1
            try:
                self._connect(number)
            except OSError as error:
                self._lose(number, f"can't connect: {error}")
        is_all = self._next == len(self._users) and not self._under_way
        if is_all and not self._all_in.done():
            self._all_in.set_result(None)

    def _take(self, number: int, data: bytes) -> None:
        splitter = self._parts.pop(number, None) or FrameSplitter()
        for payload in splitter.feed(data, _FRAME_BYTES_MAX):
            message = codec.decode(payload)
            if message.get("op") == "pong":
                self._owed[number] = 0
                self.pongs += 1
            elif message.get("op") == "presence":
                self.pushes += 1
                self.pushed[number] += 1
                self._see(number, message["states"])
            elif "ok" not in message:
                self._fail(f"{self._users[number]}: {message}")
            elif self._states[number] == SIGNING_IN:
                self._welcomed(number)
            else:
                self.answered += 1
                self.views[number] = {s["user"]: s["online"] for s in message["ok"]["states"]}
        if splitter.held_bytes:
            self._parts[number] = splitter

    def _welcomed(self, number: int) -> None:
        self._states[number] = SIGNED_IN
        self.signed_in += 1
        self._under_way -= 1
        if self._watched:
            users = self._rng.sample(self._users, self._watched)
            watch = frame(codec.encode(Watch(_WATCH_RID, users)))
            os.write(self._sockets[number], watch)
        self._connect_more()

    def _ping(self, number: int) -> None:
        if not self.is_quiet:
            super()._ping(number)

    def _see(self, number: int, states: list[dict[str, object]]) -> None:
        view = self.views[number]
        self.told += len(states)
        for state in states:
            user, is_online = str(state["user"]), bool(state["online"])
            if view.get(user) is is_online:
                self.repeated += 1
            view[user] = is_online

    def mistaken(self) -> int:
        """Return how often somebody is shown as offline, or not at all, who is here."""
        return sum(
            self._watched - sum(view.values())
            for number, view in enumerate(self.views)
            if self._states[number] == SIGNED_IN
        )
