"""Knows what becomes of appends that can't be written. Must not know the layout of keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from actorchat import logs
from actorchat.chat.event import (
    Accepted,
    Answer,
    Attach,
    Page,
    Refused,
    SignedIn,
    SignInRefused,
    Stored,
)
from actorchat.errors import StoreFull
from actorchat.store.committer import Committer, Completion, Syncer
from actorchat.store.engine import Engine, Op

log = logs.logger(__name__)

NO_SPACE = "the server's disk is full; reading goes on"


def store_full(rid: int) -> Refused:
    """Return the refusal of a request that could not be written."""
    return Refused(rid, StoreFull.code, NO_SPACE, StoreFull.retry, "none", 1_000)


class LogWriter:
    """The node's one log: group commit, and what follows when the disk is full.

    A batch that could not be written leaves machines behind that know more than the log. So every
    machine that was built before, in an earlier `generation` of the committer, is built anew from
    the log before it takes its next event. Until a probe succeeds sends are refused at the door and
    hints are dropped, so that barriers pass and reading goes on; then every machine is built anew
    once more.

    Thread: the loop's only.
    """

    __slots__ = ("_is_told", "append", "apply", "committer")

    def __init__(
        self,
        engine: Engine,
        syncer: Syncer,
        call_soon: Callable[[Callable[[], None]], object],
        on_fatal: Callable[[Exception], None],
    ) -> None:
        self._is_told = False  # whoever reads the logs knows that the store is full
        self.committer = Committer(engine, syncer, call_soon, self._on_failed, on_fatal)
        # The hot path calls the committer itself, without a frame in between.
        self.append = self.committer.append
        self.apply = self.committer.apply

    @property
    def is_full(self) -> bool:
        """Whether nothing can be written now."""
        return self.committer.is_full

    def append_lazily(self, ops: Iterable[Op]) -> None:
        """Append hints; dropped while the store is full."""
        if not self.committer.is_full:
            self.committer.append_lazily(ops)

    def delete_range(self, family: object, start: bytes, stop: bytes) -> None:
        """Delete [start, stop) lazily; not at all while the store is full."""
        if not self.committer.is_full:
            self.committer.delete_range(family, start, stop)

    def tick(self) -> None:
        """Write what was appended lazily, and try again if the store was full."""
        committer = self.committer
        if committer.is_full:
            committer.probe()
            if not self.is_full:
                self._is_told = False
                log.warning("store takes writes again")
        else:
            committer.apply()

    def _on_failed(self, error: StoreFull, lost: list[Completion]) -> None:
        if not self._is_told:
            self._is_told = True
            log.error("store full", lost_appends=len(lost), reason=str(error))
        for tell, event in lost:
            refusal = _refusal_of(event)
            if refusal is not None:
                tell(refusal)
            elif isinstance(event, Stored | Attach):
                tell(Stored(0))  # wakes a machine that waits; it is built anew first
            elif isinstance(event, Page):
                self.append((), tell, event)  # what it holds was written before


def _refusal_of(event: Any) -> object | None:
    """Return what to say instead of `event`, where somebody waits for it."""
    if isinstance(event, Accepted | Answer):
        return store_full(event.rid)
    if isinstance(event, SignedIn):
        return SignInRefused(StoreFull.code, NO_SPACE, StoreFull.retry, 1_000)
    return None
