"""Small actors and a seeded world for the tests of the runtime."""

from __future__ import annotations

import random
from typing import Any

from actorchat.actor import Actor, ActorSystem, Crash, LocalRef, Mailbox, SeededDispatcher
from actorchat.actor.future import Reply


class Boom(Exception):
    """What the actors of these tests crash with."""


class World:
    """One system on a seeded dispatcher, its crashes written down."""

    def __init__(self, seed: int = 0, haste: float = 0.0) -> None:
        self.dispatcher = SeededDispatcher(seed, haste)
        self.system = ActorSystem(self.dispatcher, rng=random.Random(seed))
        self.crashes: list[tuple[LocalRef, Crash]] = []
        self.system.on_crash(lambda ref, crash, _text: self.crashes.append((ref, crash)))
        self.run()

    def spawn(self, cls: type[Actor], *args: Any, **kwargs: Any) -> LocalRef:
        return self.system.spawn(cls, *args, **kwargs)

    def run(self, until: Any = None) -> None:
        self.dispatcher.run(until, steps_max=200_000)

    def ask(self, ref: LocalRef, message: Any, timeout_s: float = 5.0) -> Any:
        """Call, run until the answer is there, return it."""
        reply: Reply[Any] = ref.call(message, timeout_s)
        self.dispatcher.run(reply.done, steps_max=200_000)
        return reply.result()

    def balance(self) -> int:
        """Return told minus handled, dead and queued: 0 or the books are wrong."""
        counts = self.system.counts()
        return counts["told"] - counts["handled"] - counts["dead"] - counts["queued"]


class Recorder(Actor):
    """Writes all it sees into a list that the test holds."""

    def __init__(self, log: list[Any] | None = None) -> None:
        self.log: list[Any] = [] if log is None else log

    def on_start(self) -> None:
        self.log.append("start")

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, Exception):
            raise message
        if message == "stop":
            self.stop()
        self.log.append(message)
        return message

    def on_stop(self, reason: object) -> None:
        self.log.append(("stop", reason))

    def discarded(self, message: Any) -> None:
        self.log.append(("discarded", message))


class Waiter(Recorder):
    """Handles a Reply by awaiting it; anything else at once."""

    async def on_receive(self, message: Any) -> Any:
        if isinstance(message, Reply):
            self.log.append("waits")
            message = await message
        return super().on_receive(message)


class Watcher(Waiter):
    """Monitors each ref, and stops to monitor each mref, that it is told; records the Downs."""

    async def on_receive(self, message: Any) -> Any:
        if isinstance(message, LocalRef):
            return self.monitor(message)
        if isinstance(message, int):
            return self.demonitor(message)
        return await super().on_receive(message)


class Clocked(Recorder):
    """Sets and cancels timers: ("set", delay_s, message, key), ("cancel", key)."""

    async def on_receive(self, message: Any) -> Any:
        if isinstance(message, Reply):
            self.log.append("waits")
            message = await message
        match message:
            case ("set", delay_s, later, key):
                return self.send_after(delay_s, later, key)
            case ("cancel", key):
                return self.cancel(key)
        self.log.append((self.now_s(), message))
        return None


class Narrow(Recorder):
    mailbox = Mailbox(limit=2)


class NarrowDropNew(Recorder):
    mailbox = Mailbox(limit=2, overflow="drop_new")


class NarrowDropOld(Recorder):
    mailbox = Mailbox(limit=2, overflow="drop_old")
