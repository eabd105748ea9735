"""Group commit, turned by hand: no threads, no disk, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import pytest

from actorchat.errors import StoreCorrupt, StoreFull, StoreIO
from actorchat.store.committer import Committer, Completion, Done, Put, ThreadSyncer
from actorchat.store.engine import Op
from actorchat.store.memory import Fault, MemoryEngine

FULL = StoreFull("no space")


class HandSyncer:
    """Syncs when the test says so."""

    def __init__(self, engine: MemoryEngine) -> None:
        self._engine = engine
        self._writes = 0
        self.running: Done | None = None
        self.started = 0

    def start(self, done: Done) -> None:
        assert self.running is None, "one sync at a time"
        self.running = done
        self._writes = self._engine.writes
        self.started += 1

    def close(self) -> None:
        assert self.running is None

    def finish(self, error: Exception | None = None) -> None:
        """End the sync that runs; only what was written before it began is durable."""
        done, self.running = self.running, None
        assert done is not None
        if error is None:
            try:
                self._engine.sync_to(self._writes)
            except StoreIO:
                pass  # the engine broke meanwhile; that this sync went well is the harder case
        done(error)


class Rig:
    """A committer, its engine, a syncer and a loop that are turned by hand."""

    def __init__(self) -> None:
        self.engine = MemoryEngine()
        self.syncer = HandSyncer(self.engine)
        self.turns: deque[Callable[[], None]] = deque()
        self.told: list[object] = []
        self.failed: list[tuple[StoreFull, list[object]]] = []
        self.fatal: list[Exception] = []
        self.committer = Committer(
            self.engine, self.syncer, self.turns.append, self._on_failed, self.fatal.append
        )
        self._history = self.engine.family("history")

    def append(self, name: str, fn: Callable[[object], object] | None = None) -> None:
        """Append one row; its completion is its name, or `fn`."""
        self.committer.append(self.ops(name), fn or self.told.append, name)

    def ops(self, *names: str) -> tuple[Op, ...]:
        return tuple((self._history, name.encode(), b"v") for name in names)

    def turn(self) -> None:
        """Run what the loop has now."""
        for _ in range(len(self.turns)):
            self.turns.popleft()()

    def settle(self) -> None:
        """Turn and sync until nothing is left to do."""
        while self.turns or self.syncer.running:
            self.turn()
            if self.syncer.running:
                self.syncer.finish()

    def rows(self) -> str:
        rows = self.engine.scan(self._history, b"", b"\xff")
        return "".join(key.decode() for key, _ in rows)

    def _on_failed(self, error: StoreFull, completions: list[Completion]) -> None:
        self.failed.append((error, [arg for _, arg in completions]))


@pytest.fixture
def rig() -> Rig:
    return Rig()


# -- the way of an append ---------------------------------------------------------------------


def test_nothing_is_told_before_the_sync_is_done(rig: Rig) -> None:
    rig.append("a")
    assert (rig.rows(), rig.told, len(rig.turns)) == ("", [], 1)
    rig.turn()
    assert (rig.rows(), rig.told) == ("a", [])
    rig.syncer.finish()
    assert rig.told == ["a"]


def test_appends_of_one_turn_share_one_write_and_one_sync(rig: Rig) -> None:
    before = rig.engine.writes
    for name in "abc":
        rig.append(name)
    assert len(rig.turns) == 1
    rig.settle()
    assert rig.told == ["a", "b", "c"]
    assert rig.engine.writes - before == rig.syncer.started == 1
    assert (rig.committer.batches, rig.committer.items) == (1, 3)
    assert rig.committer.bytes > 0


def test_both_completions_of_an_append_are_told_in_order(rig: Rig) -> None:
    rig.committer.append(rig.ops("a", "b"), rig.told.append, 1, rig.told.append, 2)
    rig.committer.append(rig.ops("c"), fn2=rig.told.append, arg2=3)
    rig.settle()
    assert rig.told == [1, 2, 3]
    assert rig.rows() == "abc"


def test_an_append_without_completion_is_synced_too(rig: Rig) -> None:
    rig.committer.append(rig.ops("a"))
    rig.settle()
    assert (rig.rows(), rig.syncer.started) == ("a", 1)


def test_a_value_of_none_deletes(rig: Rig) -> None:
    rig.append("a")
    rig.settle()
    rig.committer.append(((rig.engine.family("history"), b"a", None),))
    rig.settle()
    assert rig.rows() == ""


def test_delete_range_takes_its_place_among_the_appends(rig: Rig) -> None:
    rig.append("a")
    rig.append("b")
    rig.committer.delete_range(rig.engine.family("history"), b"a", b"c")
    rig.append("b")
    rig.settle()
    assert rig.rows() == "b"


def test_a_lazy_change_goes_with_the_next_append(rig: Rig) -> None:
    rig.append("a")
    rig.settle()
    rig.committer.append_lazily(rig.ops("b"))
    rig.committer.delete_range(rig.engine.family("history"), b"a", b"b")
    assert (len(rig.turns), rig.rows()) == (0, "a")
    rig.append("c")
    rig.settle()
    assert (rig.rows(), rig.syncer.started, rig.told) == ("bc", 2, ["a", "c"])


def test_a_lazy_change_can_delete(rig: Rig) -> None:
    rig.committer.append_lazily(rig.ops("a", "b"))
    rig.committer.append_lazily(((rig.engine.family("history"), b"a", None),))
    rig.committer.apply()
    assert rig.rows() == "b"


def test_a_lazy_change_reaches_reads_by_apply_and_the_disk_by_the_next_sync(rig: Rig) -> None:
    rig.committer.append_lazily(rig.ops("a"))
    rig.committer.apply()
    assert (rig.rows(), rig.syncer.started) == ("a", 0)
    rig.committer.append((), rig.told.append, "barrier")
    rig.settle()
    assert (rig.told, rig.engine.unsynced()) == (["barrier"], [])


def test_a_lazy_change_during_a_sync_goes_with_the_next(rig: Rig) -> None:
    rig.append("a")
    rig.turn()
    rig.committer.append_lazily(rig.ops("b"))
    rig.syncer.finish()
    assert (rig.rows(), rig.syncer.started) == ("ab", 2)


def test_an_idle_committer_does_nothing(rig: Rig) -> None:
    rig.append("a")
    rig.settle()
    assert (len(rig.turns), rig.syncer.running) == (0, None)
    rig.committer.apply()
    assert (len(rig.turns), rig.syncer.started) == (0, 1)


# -- pipelining -------------------------------------------------------------------------------


def test_appends_during_a_sync_wait_for_the_next_one(rig: Rig) -> None:
    rig.append("a")
    rig.turn()
    rig.append("b")
    assert (rig.rows(), len(rig.turns)) == ("a", 0)
    rig.syncer.finish()
    assert (rig.rows(), rig.told, rig.syncer.started) == ("ab", ["a"], 2)
    rig.syncer.finish()
    assert rig.told == ["a", "b"]


def test_the_next_batch_starts_before_the_completions_of_the_last(rig: Rig) -> None:
    started: list[int] = []
    rig.append("a", lambda _: started.append(rig.syncer.started))
    rig.turn()
    rig.append("b")
    rig.syncer.finish()
    assert started == [2]


def test_an_append_from_a_completion_is_committed(rig: Rig) -> None:
    rig.append("a", lambda _: rig.append("b"))
    rig.turn()
    rig.syncer.finish()
    assert rig.rows() == "a"
    rig.settle()
    assert (rig.rows(), rig.told) == ("ab", ["b"])


def test_an_append_from_a_completion_joins_the_sync_after_the_running_one(rig: Rig) -> None:
    rig.append("a", lambda _: rig.append("c"))
    rig.turn()
    rig.append("b")
    rig.syncer.finish()
    assert (rig.rows(), rig.syncer.started) == ("ab", 2)
    rig.syncer.finish()
    assert (rig.rows(), rig.told) == ("abc", ["b"])
    rig.syncer.finish()
    assert rig.told == ["b", "c"]


def test_a_completion_that_fails_does_not_silence_the_others(rig: Rig) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("the mailbox is gone")

    rig.append("a", fail)
    rig.append("b")
    rig.turn()
    rig.append("c")
    with pytest.raises(RuntimeError, match="gone"):
        rig.syncer.finish()
    assert rig.told == ["b"]
    rig.settle()
    assert rig.told == ["b", "c"]


# -- barriers and apply -----------------------------------------------------------------------


def test_a_barrier_is_told_after_everything_before_it(rig: Rig) -> None:
    rig.append("a")
    rig.turn()
    rig.committer.append((), rig.told.append, "barrier")
    rig.append("b")
    assert rig.told == []
    rig.settle()
    assert rig.told == ["a", "barrier", "b"]


def test_a_lone_barrier_is_told_in_the_next_turn_without_a_sync(rig: Rig) -> None:
    before = rig.engine.writes
    rig.committer.append((), rig.told.append, "barrier")
    assert rig.told == []
    rig.turn()
    assert rig.told == ["barrier"]
    assert (rig.engine.writes, rig.syncer.started, rig.committer.batches) == (before, 0, 0)
    rig.append("a")
    rig.settle()
    assert rig.told == ["barrier", "a"]


def test_a_barrier_behind_a_running_sync_is_told_after_it(rig: Rig) -> None:
    rig.append("a")
    rig.turn()
    rig.committer.append((), rig.told.append, "barrier")
    rig.syncer.finish()
    assert (rig.told, rig.syncer.started) == (["a", "barrier"], 1)


def test_apply_shows_the_open_batch_to_reads_but_tells_nobody(rig: Rig) -> None:
    rig.append("a")
    rig.committer.apply()
    assert (rig.rows(), rig.told) == ("a", [])
    rig.settle()
    assert rig.told == ["a"]
    assert rig.syncer.started == 1


def test_what_is_applied_during_a_sync_waits_for_the_next(rig: Rig) -> None:
    rig.append("a")
    rig.turn()
    rig.append("b")
    rig.committer.apply()
    rig.committer.append((), rig.told.append, "barrier")
    rig.committer.apply()
    rig.syncer.finish()
    assert (rig.rows(), rig.told) == ("ab", ["a"])
    rig.append("c")
    rig.syncer.finish()
    assert rig.told == ["a", "b", "barrier"]
    rig.settle()
    assert rig.told == ["a", "b", "barrier", "c"]


def test_an_applied_append_without_completion_is_synced(rig: Rig) -> None:
    rig.append("a")
    rig.turn()
    rig.committer.append(rig.ops("b"))
    rig.committer.apply()
    rig.syncer.finish()
    assert rig.syncer.running is not None


# -- a full disk ------------------------------------------------------------------------------


def test_a_full_disk_fails_its_batch_and_nothing_else(rig: Rig) -> None:
    rig.append("a")
    rig.turn()
    rig.append("b")
    rig.append("c")
    rig.engine.inject(Fault("write", FULL))
    rig.syncer.finish()
    assert rig.told == ["a"]
    assert rig.failed == [(FULL, ["b", "c"])]
    assert (rig.committer.is_full, rig.committer.failed, rig.rows()) == (True, 1, "a")
    assert rig.fatal == []
    assert rig.syncer.running is None


def test_a_failure_is_told_after_the_completions_of_the_batch_before(rig: Rig) -> None:
    order: list[str] = []
    rig.append("a", lambda _: order.append(f"a, {len(rig.failed)} failed"))
    rig.turn()
    rig.append("b")
    rig.engine.inject(Fault("write", FULL))
    rig.syncer.finish()
    assert order == ["a, 0 failed"]
    assert len(rig.failed) == 1


def test_until_a_probe_succeeds_no_append_is_tried(rig: Rig) -> None:
    rig.engine.inject(Fault("write", FULL, count=1))
    rig.append("a")
    rig.settle()
    rig.append("b")
    rig.settle()
    assert [args for _, args in rig.failed] == [["a"], ["b"]]
    assert rig.rows() == ""


def test_a_probe_that_succeeds_opens_the_store_again(rig: Rig) -> None:
    rig.engine.inject(Fault("write", FULL, count=2))
    rig.append("a")
    rig.settle()
    states = []
    for _ in range(2):
        rig.committer.probe()
        states.append(rig.committer.is_full)
    assert states == [True, False]
    assert rig.committer.generation == 2
    rig.append("b")
    rig.settle()
    assert (rig.told, rig.rows()) == (["b"], "b")


def test_a_probe_of_a_store_that_is_not_full_writes_nothing(rig: Rig) -> None:
    before = rig.engine.writes
    rig.committer.probe()
    assert rig.engine.writes == before


def test_a_barrier_passes_a_full_store_if_nothing_waits_for_a_sync(rig: Rig) -> None:
    rig.engine.inject(Fault("write", FULL))
    rig.append("a")
    rig.settle()
    rig.committer.append((), rig.told.append, "barrier")
    rig.settle()
    assert rig.told == ["barrier"]


def test_what_was_written_before_the_disk_was_full_is_told_after_it(rig: Rig) -> None:
    rig.append("a")
    rig.committer.apply()
    rig.append("b")
    rig.engine.inject(Fault("write", FULL))
    rig.settle()
    rig.committer.append((), rig.told.append, "barrier")
    rig.settle()
    assert (rig.told, rig.failed) == ([], [(FULL, ["b"])])
    rig.committer.probe()
    rig.append("c")
    rig.settle()
    assert rig.told == ["a", "barrier", "c"]
    assert rig.rows() == "ac"


def test_a_sync_that_finds_the_disk_full_is_tried_again_after_a_probe(rig: Rig) -> None:
    rig.append("a")
    rig.turn()
    rig.append("b")
    rig.engine.inject(Fault("write", FULL))
    rig.committer.apply()
    rig.committer.append((), rig.told.append, "barrier")
    rig.syncer.finish(FULL)
    rig.settle()
    assert (rig.told, rig.failed, rig.fatal) == ([], [(FULL, ["b"])], [])
    rig.committer.probe()
    rig.settle()
    assert rig.told == ["a", "barrier"]


def test_what_waits_for_space_keeps_its_order(rig: Rig) -> None:
    rig.append("a")
    rig.turn()
    rig.append("b")
    rig.committer.apply()
    rig.append("c")
    rig.engine.inject(Fault("write", FULL))
    rig.committer.apply()
    rig.syncer.finish(FULL)
    rig.committer.probe()
    rig.settle()
    assert rig.told == ["a", "b"]


def test_a_sync_that_is_the_first_to_find_the_disk_full_says_so(rig: Rig) -> None:
    rig.append("a")
    rig.turn()
    rig.syncer.finish(FULL)
    assert (rig.failed, rig.committer.is_full) == ([(FULL, [])], True)
    assert rig.committer.generation == 1


def test_apply_on_a_full_disk_tells_the_failure_in_a_later_turn(rig: Rig) -> None:
    rig.append("a")
    rig.engine.inject(Fault("write", FULL))
    rig.committer.apply()
    assert (rig.failed, rig.committer.is_full) == ([], True)
    assert rig.committer.generation == 1, "who built on what is lost must know it at once"
    rig.settle()
    assert rig.failed == [(FULL, ["a"])]
    assert rig.committer.generation == 1


# -- the end ----------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [StoreIO("dead disk"), StoreCorrupt("bad sum")])
def test_any_other_error_of_a_write_is_fatal(rig: Rig, error: StoreIO | StoreCorrupt) -> None:
    rig.engine.inject(Fault("write", error))
    rig.append("a")
    rig.turn()
    assert rig.fatal == [error]
    assert (rig.told, rig.failed, rig.syncer.running) == ([], [], None)
    assert rig.committer.is_broken


def test_after_a_failed_sync_nothing_is_told_ever(rig: Rig) -> None:
    rig.append("a")
    rig.turn()
    rig.append("b")
    rig.committer.apply()
    rig.append("c")
    error = StoreIO("fdatasync: EIO")
    rig.syncer.finish(error)
    rig.append("d")
    rig.committer.apply()
    rig.committer.probe()
    rig.settle()
    assert rig.fatal == [error]
    assert (rig.told, rig.failed) == ([], [])


def test_a_fatal_write_silences_the_batch_that_was_just_synced(rig: Rig) -> None:
    rig.append("a")
    rig.turn()
    rig.append("b")
    rig.engine.inject(Fault("write", StoreIO("dead disk")))
    rig.syncer.finish()
    assert (rig.told, len(rig.fatal)) == ([], 1)


def test_no_sync_is_started_after_a_fatal_write(rig: Rig) -> None:
    rig.append("a")
    rig.committer.apply()
    rig.append("b")
    rig.engine.inject(Fault("write", StoreIO("dead disk")))
    rig.turn()
    assert (rig.syncer.running, rig.told, len(rig.fatal)) == (None, [], 1)


def test_a_fatal_apply_from_a_completion_silences_the_rest(rig: Rig) -> None:
    def fail(_: object) -> None:
        rig.append("late")
        rig.engine.inject(Fault("write", StoreIO("dead disk")))
        rig.committer.apply()

    rig.append("a", fail)
    rig.append("b")
    rig.turn()
    rig.syncer.finish()
    rig.settle()
    assert (rig.told, len(rig.fatal)) == ([], 1)


def test_a_sync_that_ends_after_a_fatal_apply_tells_nobody(rig: Rig) -> None:
    rig.append("a")
    rig.turn()
    rig.append("b")
    rig.engine.inject(Fault("write", StoreIO("dead disk")))
    rig.committer.apply()
    rig.syncer.finish()
    assert (rig.told, len(rig.fatal)) == ([], 1)


def test_a_fatal_probe_breaks_the_committer(rig: Rig) -> None:
    rig.engine.inject(Fault("write", FULL))
    rig.append("a")
    rig.settle()
    rig.engine.inject(Fault("write", StoreIO("dead disk")))
    rig.committer.probe()
    assert rig.committer.is_broken
    assert len(rig.fatal) == 1


# -- the thread -------------------------------------------------------------------------------


def test_who_is_hushed_tells_nobody_and_writes_on(rig: Rig) -> None:
    rig.append("in flight")
    rig.turn()
    rig.append("waiting")
    rig.committer.hush()
    rig.append("late")
    rig.settle()
    assert rig.told == []
    history = rig.engine.family("history")
    for name in (b"in flight", b"waiting", b"late"):
        assert rig.engine.get(name, history) == b"v"


def test_the_thread_syncs_and_posts_each_outcome_in_order() -> None:
    error = StoreIO("fdatasync: EIO")
    outcomes = deque([None, error, None])
    posted: list[tuple[Done, Exception | None]] = []

    def sync() -> None:
        if (outcome := outcomes.popleft()) is not None:
            raise outcome

    def done(_: Exception | None) -> None:
        raise AssertionError("only the loop may call this")

    syncer = ThreadSyncer(sync, lambda fn, outcome: posted.append((fn, outcome)))
    for _ in range(3):
        syncer.start(done)
    syncer.close()
    assert posted == [(done, None), (done, error), (done, None)]


def test_what_a_tap_adds_is_in_the_same_batch_and_costs_nothing_before_and_after() -> None:
    rig = Rig()
    history, state = rig.engine.family("history"), rig.engine.family("state")

    def tap(put: Put) -> Put:
        def tapped(key: bytes, value: bytes, family: object) -> None:
            put(key, value, family)
            put(b"of " + key, b"", state)

        return tapped

    rig.append("before")
    rig.committer.tap(tap)
    rig.append("open batch")
    rig.settle()
    rig.append("next batch")
    rig.settle()
    rig.committer.tap(None)
    assert rig.committer._put.__self__ is rig.committer._batch  # type: ignore[attr-defined]
    rig.append("after")
    rig.settle()
    noted = [key for key, _ in rig.engine.scan(state, b"of", b"og")]
    assert noted == [b"of next batch", b"of open batch"]
    assert len(rig.engine.scan(history, b"", b"\xff")) == 4
