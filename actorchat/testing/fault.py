"""Knows what can go wrong in a simulated world, and when it does. Must not know what must hold."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from actorchat.testing.device import Device

if TYPE_CHECKING:
    from actorchat.testing.world import World

KINDS = (
    "cut", "power", "power_in_sync", "power_when_busy", "disk_full", "disk_slow", "disk_broken",
    "poison", "append_fails", "pause", "slow", "app_crash", "takeover", "away", "revoke",
)  # fmt: skip
BUSY_STEPS_MAX = 60


class Chaos:
    """Lets faults of some kinds happen, until it is stopped; the seed chooses kinds and times.

    A world has about half of the kinds, so that some worlds are calm, some have one fault only,
    and what one fault hides another world shows. Source: Groce et al., "Swarm Testing", ISSTA
    2012.
    """

    def __init__(self, world: World, rng: random.Random, kinds: frozenset[str] | None) -> None:
        self._world = world
        self._rng = rng
        self._is_over = False
        density = rng.random()
        drawn = frozenset(kind for kind in KINDS if rng.random() < density)
        self.kinds = sorted(drawn if kinds is None else kinds)
        self._interval_s = rng.uniform(0.3, 2.0)
        self._strike: dict[str, Callable[[], None]] = {
            "cut": self._cut,
            "power": world.power_cycle,
            "power_in_sync": self._power_in_sync,
            "power_when_busy": self._power_when_busy,
            "disk_full": self._disk_full,
            "disk_slow": self._disk_slow,
            "disk_broken": world.disk.break_sync,
            "poison": self._poison,
            "append_fails": world.node.fail_append,
            "pause": self._pause,
            "slow": self._slow,
            "app_crash": lambda: self._device().crash(),
            "takeover": lambda: self._device().take_over(),
            "away": self._away,
            "revoke": self._revoke,
        }

    @property
    def makes_refusals(self) -> bool:
        """Whether a fault of these kinds can refuse one send and take the next."""
        return not {"disk_full", "disk_broken", "poison", "append_fails"}.isdisjoint(self.kinds)

    def start(self) -> None:
        """Begin, and go on until `stop`."""
        if self.kinds:
            self._world.later(self._rng.expovariate(1 / self._interval_s), self._go_on)

    def stop(self) -> None:
        """Let nothing more go wrong; what is wrong now, the world heals."""
        self._is_over = True

    def _go_on(self) -> None:
        if self._is_over:
            return
        kind = self._rng.choice(self.kinds)
        self._world.journal.counts[f"fault {kind}"] += 1
        self._world.journal.note(f"fault {kind}")
        self._strike[kind]()
        self.start()

    def _device(self) -> Device:
        return self._rng.choice([d for d in self._world.devices if not d.is_revoking])

    def _soon(self, longest_s: float, fn: Callable[[], None]) -> None:
        self._world.later(self._rng.uniform(0.0, longest_s), fn)

    # -- the net and the machine ---------------------------------------------------------------
    def _cut(self) -> None:
        wires = list(self._world.net.wires)
        if wires:
            self._rng.choice(wires).cut()

    def _power_in_sync(self) -> None:
        """Cut the power while a sync runs, before or after its batch was written anew."""
        self._world.disk.on_sync = lambda lasts_s: self._soon(lasts_s, self._world.power_cycle)

    def _power_when_busy(self) -> None:
        """Cut the power some steps after a sync has begun, with messages in mailboxes."""
        steps = self._rng.randint(0, BUSY_STEPS_MAX)

        def burn(left: int) -> None:
            if left and not self._is_over:
                self._world.dispatcher.call_soon(burn, left - 1)
            else:
                self._world.power_cycle()

        # Never at once: whoever begins the sync is in the middle of its turn.
        self._world.disk.on_sync = lambda _: self._world.dispatcher.call_soon(burn, steps)

    # -- the disk ------------------------------------------------------------------------------
    def _disk_full(self) -> None:
        if not self._world.disk.is_full:
            self._world.disk.fill()
            self._soon(4.0, self._world.disk.free)

    def _disk_slow(self) -> None:
        disk = self._world.disk
        disk.slowness = 50.0

        def recover() -> None:
            disk.slowness = 1.0

        self._soon(3.0, recover)

    def _poison(self) -> None:
        kind = self._world.node.poison()
        self._world.journal.note(f"poison {kind}")

    # -- devices -------------------------------------------------------------------------------
    def _pause(self) -> None:
        device = self._device()
        if (process := device.process) is not None:
            process.pause()
            self._soon(8.0, process.resume)

    def _slow(self) -> None:
        if (process := self._device().process) is not None:
            process.is_slow = True

    def _away(self) -> None:
        device = self._device()
        device.away_until_s = self._world.dispatcher.now_s() + self._rng.uniform(0.5, 8.0)
        device.close()

    def _revoke(self) -> None:
        self._world.revoke_tablet()
