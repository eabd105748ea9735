"""Knows how many appends share one sync (group commit). Must not know actors or what is appended.

    append ─┐                    ┌─ write (loop) ─ sync (thread) ─┐
    append ─┼─► open batch ─ kick┤                                ├─ done: 1. kick the next batch
    append ─┘                    └────────────────────────────────┘        2. tell the completions

The write runs on the loop because the binding holds the GIL through it anyway; the sync releases
it, so it runs on a thread. The next batch starts before the completions of the last are told, so
the disk works while they are. Source: group commit as in rabbitmq/ra `ra_log_wal.erl`; RocksDB
wiki, "WAL Performance".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from queue import SimpleQueue
from threading import Thread
from typing import Any, Protocol, TypeAlias

from actorchat.errors import StoreFull
from actorchat.store.engine import Batch, Engine, Family, Op
from actorchat.store.keys import PROBE_KEY

# `Any`, because a completion is called with whatever its append was given.
Completion: TypeAlias = tuple[Callable[[Any], object], Any]
Put: TypeAlias = Callable[[bytes, bytes, Family], None]
Tap: TypeAlias = Callable[[Put], Put]
Delete: TypeAlias = Callable[[bytes, Family], None]
Done: TypeAlias = Callable[["Exception | None"], None]


class Watch(Protocol):
    """Is shown every change before it goes into the batch, and may refuse it by raising."""

    def puts(self, put: Put) -> Put:
        """Return what does a put."""
        ...

    def deletes(self, delete: Delete) -> Delete:
        """Return what does a deletion."""
        ...

    def delete_range(self, family: Family, start: bytes, stop: bytes) -> None:
        """Take note of the deletion of a range."""
        ...


class Syncer(Protocol):
    """Runs one sync at a time, away from the loop."""

    def start(self, done: Done) -> None:
        """Sync what was written so far, then call `done(error or None)` on the loop."""
        ...

    def close(self) -> None:
        """Finish the sync that runs, if any; its `done` is still called."""
        ...


class ThreadSyncer:
    """A `Syncer` with a thread of its own."""

    def __init__(
        self,
        sync: Callable[[], None],
        call_soon_threadsafe: Callable[[Done, Exception | None], object],
    ) -> None:
        self._sync = sync
        self._post = call_soon_threadsafe
        self._requests: SimpleQueue[Done | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="store-sync", daemon=True)
        self._thread.start()

    def start(self, done: Done) -> None:
        """Sync on the thread; `done` is posted to the loop."""
        self._requests.put(done)

    def close(self) -> None:
        """Finish the sync that runs, then end the thread; call it before the loop is closed."""
        self._requests.put(None)
        self._thread.join()

    def _run(self) -> None:
        get, sync, post = self._requests.get, self._sync, self._post
        while (done := get()) is not None:
            error: Exception | None = None
            try:
                sync()
            except Exception as caught:  # noqa: BLE001 (the loop must hear of anything)
                error = caught
            post(done, error)


class Committer:
    """The one writer of an engine: appends in, completions out when they are durable.

    Thread: the loop's only. Completions are called in append order, each once, and none after
    `on_fatal`. An append whose batch met a full disk is not in the store; its completions go to
    `on_failed` instead, which may come before the completions of earlier appends: those that were
    written but not synced wait until there is space.

    `generation` is counted up in the very moment in which the store is found full, and again when
    it takes writes: whoever keeps in memory what follows from the log must then read it anew.

    Args:
        call_soon: The loop's; runs a callback in a later turn.
        on_failed: Called with the StoreFull and the completions of the appends that are lost, if
            any; the owner then calls `probe` from time to time, while `is_full`.
        on_fatal: Called once with any other error; the node must stop acking and exit.
    """

    __slots__ = (
        "_appended",
        "_batch",
        "_call_soon",
        "_delete",
        "_engine",
        "_failures",
        "_in_flight",
        "_is_busy",
        "_is_hushed",
        "_on_failed",
        "_on_fatal",
        "_probe_family",
        "_put",
        "_syncer",
        "_tap",
        "_waiting",
        "_watch",
        "_written",
        "batches",
        "bytes",
        "failed",
        "generation",
        "is_broken",
        "is_full",
        "items",
    )

    def __init__(
        self,
        engine: Engine,
        syncer: Syncer,
        call_soon: Callable[[Callable[[], None]], object],
        on_failed: Callable[[StoreFull, list[Completion]], None],
        on_fatal: Callable[[Exception], None],
    ) -> None:
        self._engine = engine
        self._syncer = syncer
        self._call_soon = call_soon
        self._on_failed = on_failed
        self._on_fatal = on_fatal
        self._probe_family = engine.family("state")
        self._waiting: list[Completion] = []  # of appends in the open batch
        self._written: list[Completion] = []  # of batches that are written and wait for a sync
        self._in_flight: list[Completion] = []  # of batches that are being synced
        self._failures: list[tuple[StoreFull, list[Completion]]] = []
        self._appended = False  # something was written that no sync covers yet
        self._tap: Tap | None = None
        self._watch: Watch | None = None
        self._is_busy = False  # a kick is scheduled, or a sync runs
        self._is_hushed = False  # nobody is left to be told
        self.is_full = False
        self.is_broken = False
        self.generation = 0
        self.batches = 0
        self.items = 0
        self.bytes = 0
        self.failed = 0
        self._open()

    def append(
        self,
        ops: Iterable[Op],
        fn1: Callable[[Any], object] | None = None,
        arg1: object = None,
        fn2: Callable[[Any], object] | None = None,
        arg2: object = None,
    ) -> None:
        """Put `ops` into the open batch; call fn1(arg1), then fn2(arg2) when they are durable.

        Without ops it is a barrier: everything that was appended before it is durable.
        """
        put = self._put
        for family, key, value in ops:
            if value is None:
                self._delete(key, family)
            else:
                put(key, value, family)
        self.items += 1
        if fn1 is not None:
            self._waiting.append((fn1, arg1))
        if fn2 is not None:
            self._waiting.append((fn2, arg2))
        if not self._is_busy:
            self._is_busy = True
            self._call_soon(self._kick)

    def append_lazily(self, ops: Iterable[Op]) -> None:
        """Put `ops` into the open batch, to go with whatever is committed next.

        For hints that need not be durable by themselves. The owner calls `apply` from time to time,
        so that they reach the engine when nothing else does.
        """
        put = self._put
        for family, key, value in ops:
            if value is None:
                self._delete(key, family)
            else:
                put(key, value, family)

    def delete_range(self, family: Family, start: bytes, stop: bytes) -> None:
        """Remove all keys of [start, stop), in order with the appends, as lazily as a hint."""
        if self._watch is not None:
            self._watch.delete_range(family, start, stop)
        self._batch.delete_range(start, stop, family)

    def apply(self) -> None:
        """Write the open batch now: reads see it; its completions wait for the next sync."""
        if not self.is_broken:
            self._write()
            if self._failures:
                self._call_soon(self._tell_failures)

    def tap(self, tap: Tap | None) -> None:
        """Have every later put go through what `tap` makes of a batch's own; None: as before.

        What it adds is in the same batch, in the order of the appends. While there is none it costs
        one look a batch.
        """
        self._tap = tap
        self._bind()

    def watch(self, watch: Watch | None) -> None:
        """Have every later change shown to `watch`; None: to nobody. At no cost without one."""
        self._watch = watch
        self._bind()

    def hush(self) -> None:
        """Call no completion any more; what is appended is written all the same.

        For the end of a node: those who would be told stop, and the next start finds in the log
        what they do not hear.
        """
        self._is_hushed = True

    def probe(self) -> None:
        """Try a small write if the store was full; the owner calls it from time to time."""
        if not self.is_full or self.is_broken:
            return
        batch = self._engine.batch()
        batch.put(PROBE_KEY, b"", self._probe_family)
        try:
            self._engine.write(batch)
        except StoreFull:
            return
        except Exception as error:  # noqa: BLE001 (as in `_try_write`)
            self._break(error)
            return
        self.is_full = False
        self.generation += 1
        if not self._is_busy:
            self._is_busy = True
            self._call_soon(self._kick)

    # -- inside -----------------------------------------------------------------------------

    def _open(self) -> None:
        self._batch: Batch = self._engine.batch()
        self._bind()

    def _bind(self) -> None:
        batch, tap, watch = self._batch, self._tap, self._watch
        self._put = batch.put if tap is None else tap(batch.put)
        self._delete: Delete = batch.delete
        if watch is not None:
            self._put, self._delete = watch.puts(self._put), watch.deletes(self._delete)

    def _kick(self) -> None:
        """Begin the next commit, with none in flight."""
        self._tell(self._advance())
        self._tell_failures()

    def _advance(self) -> list[Completion]:
        """Write, and start a sync if it takes one; return the completions that wait for none."""
        if self.is_broken:
            return []
        self._write()
        if self._appended and not self.is_full:
            self._in_flight, self._written = self._written, []
            self._appended = False
            self._syncer.start(self._done)
            return []
        self._is_busy = False
        if self._appended:
            # A full engine can't sync what it took before it was full; `probe` goes on from here.
            return []
        durable, self._written = self._written, []
        return durable

    def _write(self) -> None:
        """Write the open batch, if there is anything in it; its completions move on with it."""
        batch, waiting = self._batch, self._waiting
        if not batch.is_empty():
            size = batch.size_in_bytes()
            self._open()
            self._waiting = []
            if not self._try_write(batch, waiting):
                return
            self.batches += 1
            self.bytes += size
            self._appended = True
        elif waiting:
            self._waiting = []
        self._written += waiting

    def _try_write(self, batch: Batch, waiting: list[Completion]) -> bool:
        try:
            if self.is_full:
                # Until a probe succeeds nothing is tried, so that no append slips in behind a
                # lost one before its owner has heard of the loss.
                raise StoreFull("the store was full at the last attempt")
            self._engine.write(batch)
        except StoreFull as error:
            self._fill_up()
            self.failed += 1
            self._failures.append((error, waiting))
            return False
        except Exception as error:  # noqa: BLE001 (nothing may be acked after anything)
            self._break(error)
            return False
        return True

    def _fill_up(self) -> None:
        if not self.is_full:
            self.is_full = True
            self.generation += 1

    def _done(self, error: Exception | None) -> None:
        if self.is_broken:
            return
        finished, self._in_flight = self._in_flight, []
        if isinstance(error, StoreFull):
            # Nothing is lost: the engine syncs again once it took a write again.
            self._written = finished + self._written
            self._appended = True
            if not self.is_full:
                self._fill_up()
                self._failures.append((error, []))
            finished = []
        elif error is not None:
            self._break(error)
            return
        durable = self._advance()
        self._tell(finished)
        self._tell(durable)
        self._tell_failures()

    def _tell(self, finished: list[Completion]) -> None:
        first: Exception | None = None
        if self._is_hushed:
            return
        for fn, arg in finished:
            if self.is_broken:
                return
            try:
                fn(arg)
            except Exception as error:  # noqa: BLE001 (one must not silence the others)
                first = first or error
        if first is not None:
            raise first

    def _tell_failures(self) -> None:
        while self._failures and not self.is_broken:
            error, completions = self._failures.pop(0)
            self._on_failed(error, completions)

    def _break(self, error: Exception) -> None:
        self.is_broken = True
        self._waiting, self._written, self._in_flight = [], [], []
        self._appended = False
        self._failures.clear()
        self._on_fatal(error)
