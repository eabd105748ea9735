"""Knows what SIGUSR1 shows of a process. Must not know what runs in it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from functools import partial
from types import FrameType

STDERR = 2


class Dump:
    """What SIGUSR1 shows: the stack of every thread, then the actors that are behind.

    A thread of its own waits for the signal (sigwait(3)), so that the loop may hang: this one
    still gets its turn and reads the others' frames while it holds the interpreter's lock.
    faulthandler, which writes from the signal handler itself, can't be used for it: it reads the
    frames of threads that are running meanwhile, and a busy node died of that. What is lost by it
    are the stacks of a process that hangs in C with the lock held. Signals that come while one is
    answered are one (signal(7)), so a flood costs one thread and no more.
    """

    def __init__(self) -> None:
        self._ask: Callable[[], object] | None = None
        self._thread: threading.Thread | None = None
        self._is_over = False
        self.answered = 0  # signals, counted when their stacks have been written

    def install(self) -> None:
        """Take the signal; in the main thread, before there are others, which inherit its mask.

        A thread that is older gets the signal by a handler that passes it on to the waiting one:
        there is no moment in which it would end the process. A second call changes nothing.
        """
        if self._thread is not None:
            return
        signal.signal(signal.SIGUSR1, self._passed)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        self._thread = threading.Thread(target=self._wait, name="dump", daemon=True)
        self._thread.start()

    def begin(self, loop: asyncio.AbstractEventLoop, log_actors: Callable[[], None]) -> None:
        """Have `log_actors` called on `loop` at each signal from now on."""
        self._ask = partial(loop.call_soon_threadsafe, log_actors)

    def end(self) -> None:
        """Show stacks only, from now on."""
        self._ask = None

    def remove(self) -> None:
        """Give the signal back; in the main thread. What was asked for a moment ago may be lost."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._is_over = True
        assert thread.ident is not None
        signal.pthread_kill(thread.ident, signal.SIGUSR1)
        thread.join()
        self._is_over = False
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})

    def _passed(self, number: int, frame: FrameType | None) -> None:
        thread = self._thread
        if thread is not None and thread.ident is not None:
            signal.pthread_kill(thread.ident, number)

    def _wait(self) -> None:
        while True:
            signal.sigwait({signal.SIGUSR1})
            if self._is_over:
                return
            os.write(STDERR, stacks().encode(errors="backslashreplace"))
            self.answered += 1
            ask = self._ask
            if ask is not None:
                try:
                    ask()
                except RuntimeError:  # the loop was closed in this moment
                    self._ask = None


def stacks() -> str:
    """Return the stack of every thread but the one that calls, a paragraph each."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    own = threading.get_ident()
    parts = []
    for ident, frame in sys._current_frames().items():
        if ident != own:
            title = f"Thread {names.get(ident, 'unknown')} (0x{ident:x}), most recent call last:\n"
            parts.append(title + "".join(traceback.format_stack(frame)))
    return "\n".join(parts) + "\n"
