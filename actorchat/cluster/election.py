"""Knows how one of several nodes is elected. Must not know what for.

Every candidate makes an ephemeral entry with the next number; the lowest number is elected. Each
watches only the one before it, so that the end of one wakes one other and not all. Whoever is
elected may be so without knowing that it no longer is: `guard` goes into each of its transactions
and fails them once its entry has gone.
"""

from __future__ import annotations

from collections.abc import Callable

from actorchat.cluster.registry import (
    Check,
    Connected,
    Delete,
    Event,
    Lost,
    NoEntry,
    Recovered,
    Registry,
    child_of,
    create,
    ensure,
)
from actorchat.cluster.upkeep import Upkeep

PREFIX = "c-"


class Election:
    """One candidate. `on_change(is_elected)` is told on the loop, and must not block."""

    def __init__(
        self,
        registry: Registry,
        path: str,
        name: str,
        on_change: Callable[[bool], object],
    ) -> None:
        self.is_elected = False
        self._registry = registry
        self._path = path
        self._name = name
        self._on_change = on_change
        self._mine = ""
        self._end_watch: Callable[[], None] | None = None
        self._before = ""
        self._upkeep = Upkeep("election", self._see_to_it)

    @property
    def guard(self) -> Check:
        """What must hold for this candidate to do anything as the elected one."""
        return Check(self._mine or child_of(self._path, "nobody"))

    def start(self) -> None:
        """Stand; the registry may be out of reach."""
        self._registry.on_event(self._on_event)
        self._upkeep.poke()

    async def close(self) -> None:
        """Stand down, as far as the registry can be told."""
        await self._upkeep.close()
        mine, self._mine = self._mine, ""
        self._say(False)
        if mine and self._registry.state == "connected":
            await self._registry.multi([Delete(mine)])

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Lost):
            self._mine, self._before = "", ""
            self._say(False)
        elif isinstance(event, Connected | Recovered):
            self._upkeep.poke()

    async def _see_to_it(self) -> None:
        registry = self._registry
        if not self._mine:
            self._mine = await self._stand()
        names = await registry.children(self._path)
        mine = self._mine.rpartition("/")[2]
        if mine not in names:
            self._mine = ""
            self._say(False)
            self._upkeep.poke()
            return
        place = names.index(mine)
        if place == 0:
            self._say(True)
            return
        self._say(False)
        before = child_of(self._path, names[place - 1])
        if before != self._before:
            if self._end_watch is not None:
                self._end_watch()
            self._before = before
            self._end_watch = await registry.watch(before, self._upkeep.poke)
            if await registry.get(before) is None:
                self._upkeep.poke()  # it had gone before it was watched

    async def _stand(self) -> str:
        """Return this candidate's entry: one whose making was never answered, or a new one."""
        registry = self._registry
        await ensure(registry, self._path)
        for name in await registry.children(self._path):
            path = child_of(self._path, name)
            entry = await registry.get(path)
            if entry is not None and entry.owner == registry.session:
                return path
        try:
            return await create(
                registry,
                child_of(self._path, PREFIX),
                self._name.encode(),
                ephemeral=True,
                sequential=True,
            )
        except NoEntry:
            return await self._stand()

    def _say(self, is_elected: bool) -> None:
        if is_elected != self.is_elected:
            self.is_elected = is_elected
            self._on_change(is_elected)
