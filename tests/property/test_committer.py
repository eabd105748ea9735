"""The committer against a model: order, durability, full disks and power cuts at any step."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from actorchat.errors import StoreFull
from actorchat.store.committer import Committer, Completion, Done
from actorchat.store.memory import Fault, MemoryEngine

FULL = StoreFull("no space")


class CommitterAgainstModel(RuleBasedStateMachine):
    """Every step a loop or a disk can take, in any order.

    The model is three lists of numbers: appended, completed, failed. A sync covers what was
    written when it began, and no more.
    """

    def __init__(self) -> None:
        super().__init__()
        self.engine = MemoryEngine()
        self.family = self.engine.family("history")
        self.start_life()

    def start_life(self) -> None:
        """Make a committer on what the engine has, as a start of the process does."""
        self.turns: deque[Callable[[], None]] = deque()
        self.running: Done | None = None
        self.covered = 0
        self.appended: list[int] = []
        self.barriers: set[int] = set()
        self.completed: list[int] = []
        self.failed: list[int] = []
        self.next_number = getattr(self, "next_number", 0)
        self.committer = Committer(
            self.engine, self, self.turns.append, self._on_failed, self._on_fatal
        )

    # -- the syncer -------------------------------------------------------------------------

    def start(self, done: Done) -> None:
        assert self.running is None
        self.running, self.covered = done, self.engine.writes

    def close(self) -> None:
        """Nothing to close."""

    # -- steps ------------------------------------------------------------------------------

    @rule(rows=st.integers(0, 3), again=st.booleans())
    def append(self, rows: int, again: bool) -> None:
        number = self.next_number
        self.next_number += 1
        self.appended.append(number)
        if rows == 0:
            self.barriers.add(number)
        ops = tuple((self.family, self.key(number, row), b"v") for row in range(rows))
        self.committer.append(ops, self._complete, (number, again))

    @rule(number=st.integers(0, 9))
    def append_lazily(self, number: int) -> None:
        self.committer.append_lazily(((self.family, b"lazy" + bytes((number,)), b"v"),))

    @rule()
    def apply(self) -> None:
        self.committer.apply()

    @precondition(lambda self: self.turns or self.running)
    @rule(sync_first=st.booleans())
    def go_on(self, sync_first: bool) -> None:
        if self.running and (sync_first or not self.turns):
            self.finish_sync()
        else:
            self.turn()

    # Rarer than the others, so that lives are long enough to get into trouble in the middle.
    @rule(kind=st.integers(0, 9), count=st.integers(1, 3), seed=st.integers(0, 2**32))
    def trouble(self, kind: int, count: int, seed: int) -> None:
        if kind == 0:
            self.cut_the_power(seed)
        elif kind <= 2:
            self.engine.inject(Fault("write", FULL, count=count))
        else:
            self.append(rows=1, again=False)

    def turn(self) -> None:
        self.turns.popleft()()

    def finish_sync(self) -> None:
        done, self.running = self.running, None
        assert done is not None
        try:
            self.engine.sync_to(self.covered)
        except StoreFull as error:
            done(error)
        else:
            done(None)

    @rule()
    def probe(self) -> None:
        self.committer.probe()

    def cut_the_power(self, seed: int) -> None:
        completed, failed = self.completed, self.failed
        rows = [number for number in completed if number not in self.barriers]
        self.engine.crash(Random(seed))
        for number in rows:
            assert self.has(number), f"{number} was completed and is lost"
        for number in failed:
            assert not self.has(number), f"{number} was refused and is there"
        self.start_life()

    # -- what always holds ------------------------------------------------------------------

    @invariant()
    def completions_come_in_append_order(self) -> None:
        assert self.completed == sorted(set(self.completed))
        assert self.failed == sorted(set(self.failed))
        assert not set(self.completed) & set(self.failed)

    @invariant()
    def what_is_completed_was_synced(self) -> None:
        # With a copy of the engine's own bookkeeping: nothing completed can still be undone.
        undone = {key for undo in self.engine.unsynced() for key in undo}
        for number in self.completed:
            assert self.key(number, 0) not in undone

    def teardown(self) -> None:
        """At rest every append of this life was answered, once."""
        for _ in range(10_000):
            if self.turns:
                self.turn()
            elif self.running:
                self.finish_sync()
            elif self.committer.is_full:
                self.probe()
            else:
                break
        assert sorted(self.completed + self.failed) == self.appended

    # -- inside -----------------------------------------------------------------------------

    @staticmethod
    def key(number: int, row: int) -> bytes:
        return number.to_bytes(4, "big") + bytes((row,))

    def has(self, number: int) -> bool:
        return self.engine.get(self.key(number, 0), self.family) is not None

    def _complete(self, told: tuple[int, bool]) -> None:
        number, again = told
        self.completed.append(number)
        if again:
            self.append(rows=1, again=False)

    def _on_failed(self, error: StoreFull, completions: list[Completion]) -> None:
        self.failed += [number for _, (number, _) in completions]

    def _on_fatal(self, error: Exception) -> None:
        raise AssertionError("nothing here is fatal") from error


TestCommitterAgainstModel = CommitterAgainstModel.TestCase
TestCommitterAgainstModel.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None
)
