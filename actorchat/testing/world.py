"""Knows how to run one whole node and its clients in one thread from one seed.

Must not know real time, sockets or disks.

    setup ──▶ chaos: people write, things break ──▶ heal ──▶ rest ──▶ check ──▶ leave ──▶ check

Everything that happens follows from the seed: who runs next, how long a sync or a byte takes, what
breaks when, what people write. `Report.trace` is the digest of all of it.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from actorchat.actor import SeededDispatcher
from actorchat.broker.tree import ENTITIES, SESSIONS
from actorchat.client import event
from actorchat.client.signin import Identity
from actorchat.protocol.ops import Mechanism, Provision, Revoke
from actorchat.testing.checker import Checker
from actorchat.testing.device import Device, Surroundings
from actorchat.testing.disk import Disk
from actorchat.testing.fault import Chaos
from actorchat.testing.journal import Journal
from actorchat.testing.knob import tight_bounds
from actorchat.testing.net import Net, Weather
from actorchat.testing.node import OPERATOR_KEY, Node
from actorchat.testing.process import Habit, Process
from actorchat.testing.workload import PAIRS, PEERS, Pages, Workload

SETUP_MAX_S = 60.0
HEAL_MAX_S = 200.0
READ_MAX_S = 60.0
TRUST_S = 3.0  # after the disk has space again the node may take so long to believe it
QUIET_S = 3.0  # hints (marks, cursors, trims) reach the disk a little after what they tell of
POLL_S = 0.25
CARE_S = 0.5
STEPS_MAX = 200_000  # of one stretch of time; a whole world has 5,000 to 30,000


class StillBusy(Exception):
    """Nothing comes to rest: actors tell each other something for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a world is like beyond its seed; `kinds` None lets the seed choose the faults."""

    chaos_s: float = 10.0
    interval_s: float = 0.12
    kinds: frozenset[str] | None = None
    is_telling: bool = False


@dataclass(slots=True)
class Report:
    """What came of a world; it is well if there are no violations."""

    seed: int
    violations: list[str]
    counts: Counter[str]
    kinds: list[str]
    knobs: dict[str, float]
    trace: str
    virtual_s: float
    steps: int
    story: list[str] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        """Whether everything held."""
        return not self.violations

    def __str__(self) -> str:
        """Return what a person wants to know of a failure."""
        faults = ", ".join(self.kinds) or "none"
        lines = [f"seed {self.seed}: {self.counts['violations']} violations; faults: {faults}"]
        return "\n  ".join(lines + self.violations)


class World:
    """One run. The parts are public, so that tests can set a scene of their own."""

    def __init__(self, seed: int, options: Options | None = None) -> None:
        self.seed = seed
        self.options = options or Options()
        self._rngs = {
            name: random.Random(f"{seed}/{name}")
            for name in ("habits", "disk", "net", "node", "people", "faults", "devices", "knobs")
        }
        rng = self._rngs["habits"]
        self.dispatcher = SeededDispatcher(seed, haste=rng.choice((0.0, 0.02, 0.2)))
        self.later = self.dispatcher.call_later
        self.journal = Journal(self.dispatcher.clock, is_telling=self.options.is_telling)
        sync_s = rng.choice((0.0, 0.002, 0.02))
        self.disk = Disk(self.dispatcher, self._rngs["disk"], self.journal, sync_s)
        self.node = Node(
            self.dispatcher,
            self.disk,
            self._rngs["node"],
            self.journal,
            entity_idle_s=rng.choice((0.3, 2.0, 30.0)),
            outbox_bytes_max=rng.choice((20_000, 1_048_576)),
            on_fatal=lambda: self.dispatcher.call_soon(self.power_cycle),
        )
        weather = Weather(rng.choice((0.0, 0.005, 0.1)), rng.choice((0.0, 0.3)))
        self.net = Net(self.dispatcher, self._rngs["net"], self.journal, weather, self.node.answer)
        self.surroundings = Surroundings(
            self.dispatcher,
            self.net,
            self._rngs["devices"],
            self.journal,
            lambda: self.disk.was_full_within(TRUST_S),
        )
        operator = Identity("operator", "console", "operator", OPERATOR_KEY)
        self.operator = Device(self.surroundings, operator)
        self.devices: list[Device] = []
        self.chaos = Chaos(self, self._rngs["faults"], self.options.kinds)
        self.workload = Workload(
            self._rngs["people"],
            self.journal,
            self.devices,
            self.later,
            self.options.interval_s,
        )
        self.journal.are_marks_lossy = self.chaos.makes_refusals
        self._asking = 0
        self._is_caring = True
        self._phases = (
            self._set_up,
            self._live,
            self._heal,
            self._read_histories,
            self.check,
            self._leave,
        )

    def run(self) -> Report:
        """Live through all phases; return what came of it."""
        with ExitStack() as stack:
            stack.enter_context(_silence())
            knobs = stack.enter_context(tight_bounds(self._rngs["knobs"]))
            self.node.power_on()
            try:
                for phase in self._phases:
                    phase()
            except StillBusy as busy:
                self.journal.violate("rest", str(busy))
        journal = self.journal
        journal.note(f"schedule {self.dispatcher.trace} {self.dispatcher.steps}")
        return Report(
            self.seed,
            journal.violations,
            journal.counts,
            self.chaos.kinds,
            knobs,
            journal.trace,
            self.dispatcher.now_s(),
            self.dispatcher.steps,
            journal.story,
        )

    # -- phases --------------------------------------------------------------------------------
    def _set_up(self) -> None:
        self._run_until(lambda: self.node.is_ready, SETUP_MAX_S)
        self.operator.start()
        for user in PEERS:
            self.provision(user, "phone", has_password=user == "bob")
        self._run_until(
            lambda: len(self.devices) == len(PEERS) and all(d.is_open for d in self.devices),
            SETUP_MAX_S,
        )

    def _live(self) -> None:
        rng = self._rngs["habits"]
        for user in ("alice", "bob"):
            self.later(rng.uniform(0.0, self.options.chaos_s), self.provision, user, "tablet")
        self.workload.start()
        self.chaos.start()
        self._care()
        self._run_for(self.options.chaos_s)

    def _heal(self) -> None:
        self.workload.stop()
        self.chaos.stop()
        self.disk.on_sync = None
        self.node.heal()
        self.disk.slowness = 1.0
        self.disk.free()
        for device in self.devices:
            device.away_until_s = 0.0
            device.bury()
            if device.process is not None:
                device.process.is_slow = False
                device.process.resume()
        checker = self._checker()
        if not self._run_until(lambda: self._is_at_rest(checker), HEAL_MAX_S):
            self.journal.violate("rest", f"not at rest: {self._unrest(checker)}")
        self._run_for(QUIET_S)

    def _read_histories(self) -> None:
        phones = {d.user: d for d in self.devices if d.name == "phone"}
        readers = [(user, pair) for pair in PAIRS for user in sorted(set(pair))]
        for user, pair in readers:
            other = pair[1] if user == pair[0] else pair[0]
            Pages(self.journal, phones[user], other).read_all()
        self._run_until(lambda: len(self.journal.pages) == len(readers), READ_MAX_S)

    def check(self) -> None:
        """Judge what is there now."""
        self._checker().check()

    def _leave(self) -> None:
        """Let everybody go and see that nothing of them stays."""
        self._is_caring = False
        for device in [*self.devices, self.operator]:
            device.close()
        self._run_for(self.node.entity_idle_s * 3 + 5.0)
        names = self.node.system.names
        for supervisor in (SESSIONS, ENTITIES):
            parent = names.whereis(supervisor)
            assert parent is not None
            assert parent._actor is not None
            left = [ref.label for ref in parent._actor.orphans()]
            if left:
                self.journal.violate("leak", f"{supervisor} left after everybody went: {left}")
        self.node.check_accounts()

    # -- what faults and people do to it ---------------------------------------------------------
    def power_cycle(self) -> None:
        """Cut the node's power; it comes back a little later."""
        if self.node.is_on:
            self.node.power_off(list(self.net.wires))
            self.later(self._rngs["node"].uniform(0.0, 2.0), self.node.power_on)

    def provision(self, user: str, name: str, has_password: bool = False) -> None:
        """Have the operator make a device; it appears and starts when that is done."""
        request = Provision(0, user, "password") if has_password else Provision(0, user, None, name)

        def appear(ok: dict[str, object]) -> None:
            secret = "password" if has_password else str(ok["token"])
            mech: Mechanism = "password" if has_password else "token"
            rng = self._rngs["habits"]
            habit = Habit(rng.choice((0.0, 0.0, 0.3)), rng.random() < 0.5, rng.choice((1, 4, 64)))
            device = Device(self.surroundings, Identity(user, name, mech, secret), habit)
            self.devices.append(device)
            self.journal.note(f"{device.label} appears")
            device.start()

        self._ask(self.operator, lambda: request, appear)

    def revoke_tablet(self) -> None:
        """Have a user revoke the other device, which a new one of the same name replaces later."""
        tablets = [d for d in self.devices if d.name == "tablet" and not d.is_revoking]
        if not tablets:
            return
        tablet = self._rngs["faults"].choice(tablets)
        tablet.is_revoking = True
        self._asking += 1  # until a new one has been asked for
        phone = next(d for d in self.devices if d.label == f"{tablet.user}/phone")
        self._ask(phone, lambda: Revoke(0, "tablet"), lambda ok: self._replace(tablet))

    def _replace(self, tablet: Device) -> None:
        if not tablet.is_revoked and tablet.process is not None:
            self.later(CARE_S, self._replace, tablet)
        else:
            self.provision(tablet.user, "tablet")
            self._asking -= 1

    def _ask(
        self,
        device: Device,
        request: Callable[[], Provision | Revoke],
        on_ok: Callable[[dict[str, object]], None],
    ) -> None:
        """Have `device` ask until the answer is yes."""

        asked: list[object] = []

        def again() -> None:
            process = device.process
            if process is None:
                self.later(CARE_S, again)
                return
            asked.append(process)
            process.handle(event.Ask(answered, request()))
            self.later(CARE_S, look, process)

        def look(process: Process) -> None:
            if asked and asked[-1] is process:  # not answered yet
                if process.is_dead:
                    again()
                else:
                    self.later(CARE_S, look, process)

        def answered(ok: dict[str, object] | None, error: Exception | None) -> None:
            if ok is None and getattr(error, "code", "") != "exists":
                if asked:
                    asked.append(None)
                    self.later(CARE_S, again)
            elif asked:
                asked.clear()
                self._asking -= 1
                on_ok(ok or {})

        self._asking += 1
        again()

    def _care(self) -> None:
        """Start applications that ended, as people do: closed, killed, or taken over."""
        if not self._is_caring:
            return
        for device in [*self.devices, self.operator]:
            if device.away_until_s <= self.dispatcher.now_s():
                device.start()
        self.later(CARE_S, self._care)

    # -- rest ----------------------------------------------------------------------------------
    def _checker(self) -> Checker:
        is_calm = not self.chaos.makes_refusals and not self.journal.counts["refusals"]
        return Checker(
            self.disk.engine,
            self.journal,
            self.devices,
            is_calm=is_calm,
            may_lose_marks=self._may_lose_marks(),
            may_drop_hints=self._may_drop_hints(),
        )

    def _is_at_rest(self, checker: Checker) -> bool:
        return not self._unrest(checker)

    def _unrest(self, checker: Checker) -> list[str]:
        """Return what is still to come."""
        if not self.node.is_ready:
            return ["the node is down"]
        if self._asking:
            return ["a device is still being made or revoked"]
        active = [d for d in self.devices if not d.is_revoking]
        found = [f"{d.label} is not signed in" for d in active if not d.is_open]
        found += [f"{d.label} owes {len(d.ledger.outbox)} sends" for d in active if d.ledger.outbox]
        if found:
            return found
        revoked = [d for d in self.devices if d.is_revoking]
        found += [f"{d.label} is revoked and here" for d in revoked if d.process]
        found += checker.unreceived()
        if not self._may_drop_hints():
            found += checker.unacked()
        found += [f"owed: {key.hex()}" for key in checker.owed()]
        return found or ([] if self._may_lose_marks() else checker.unmarked())

    def _may_drop_hints(self) -> bool:
        return "disk_full" in self.chaos.kinds

    def _may_lose_marks(self) -> bool:
        # A mark is a hint: one that was under way to a crashing actor or a full disk comes again
        # only with the next message.
        return not {"disk_full", "poison", "append_fails"}.isdisjoint(self.chaos.kinds)

    def _run_for(self, time_s: float) -> None:
        try:
            self.dispatcher.run(self.dispatcher.now_s() + time_s, STEPS_MAX)
        except RuntimeError as error:
            raise StillBusy(str(error)) from error

    def _run_until(self, is_so: Callable[[], bool], limit_s: float) -> bool:
        until_s = self.dispatcher.now_s() + limit_s
        while not is_so():
            if self.dispatcher.now_s() >= until_s:
                return False
            self._run_for(POLL_S)
        return True


@contextmanager
def _silence() -> Iterator[None]:
    """Keep the node's log lines, all of them caused on purpose, off the screen."""
    log = logging.getLogger("actorchat")
    before = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(before)
