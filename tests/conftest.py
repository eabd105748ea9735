"""What every test has: it leaves no thread behind, and those that measure time run alone."""

from __future__ import annotations

import fcntl
import gc
import os
import tempfile
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# The suite takes the same examples in every run, so that a green commit stays green; others are
# looked for on purpose: `make test ARGS="tests/property --hypothesis-profile=search"`.
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis.settings.register_profile("search", derandomize=False, deadline=None)
hypothesis.settings.load_profile("steady")

# Threads of libraries that end with something that outlives a test.
LIBRARY_THREADS = (
    "asyncio_",  # the default executor of a loop that pytest-asyncio closes after the fixtures
    "pytest_timeout",  # pytest-timeout's timer, where signals can't be used
)
FOLDER = pytest.StashKey[tempfile.TemporaryDirectory[str]]()
THREAD_END_S = 2.0  # a thread that was told to stop may still be on its way out


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Fail a test after which a thread that it started is still alive."""
    before = set(threading.enumerate())
    yield
    deadline_s = time.monotonic() + THREAD_END_S
    for thread in leaked(before):
        thread.join(max(0.0, deadline_s - time.monotonic()))
    left = leaked(before)
    assert not left, f"threads left behind: {', '.join(thread.name for thread in left)}"


def leaked(before: set[threading.Thread]) -> list[threading.Thread]:
    """Return the threads that are alive, were not there before, and are no library's."""
    return [
        thread
        for thread in threading.enumerate()
        if thread not in before and not thread.name.startswith(LIBRARY_THREADS)
    ]


def pytest_collection_finish() -> None:
    """Spare the garbage collector ten thousand tests and all modules: they stay to the end."""
    gc.collect()
    gc.freeze()


# -- several workers (pytest -n) ------------------------------------------------------------------


class Turns:
    """Lets the tests of all workers run together, but for one that asks to be `alone`.

    A test holds the room while it runs, shared or for itself. All come in through the door, one at
    a time, and who stands there waiting for an empty room lets nobody past. The kernel takes back
    what a worker held that dies.
    """

    def __init__(self, folder: Path) -> None:
        flags = os.O_CREAT | os.O_RDWR
        self._door, self._room = (os.open(folder / name, flags) for name in ("door", "room"))

    # Outside of pytest-timeout's: a wait for one's turn is no fault of the test.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        self.enter(fcntl.LOCK_SH)
        try:
            return (yield)
        finally:
            fcntl.flock(self._room, fcntl.LOCK_UN)

    def enter(self, how: int) -> None:
        """Hold the room from now on: LOCK_SH with others, LOCK_EX alone."""
        fcntl.flock(self._room, fcntl.LOCK_UN)
        fcntl.flock(self._door, fcntl.LOCK_EX)
        fcntl.flock(self._room, how)
        fcntl.flock(self._door, fcntl.LOCK_UN)


@pytest.fixture
def alone(request: pytest.FixtureRequest) -> None:
    """Wait until no other worker runs a test; none does until this one ends.

    For what measures time on the clock. Ask for it behind the fixtures that take long.
    """
    if turns := request.config.pluginmanager.get_plugin("turns"):
        turns.enter(fcntl.LOCK_EX)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Name the folder of the locks to each worker, in the process that starts them."""
    config = node.config
    if FOLDER not in config.stash:
        config.stash[FOLDER] = tempfile.TemporaryDirectory(prefix="actorchat-turns-")
        config.add_cleanup(config.stash[FOLDER].cleanup)
    node.workerinput["turns"] = config.stash[FOLDER].name


def pytest_configure(config: pytest.Config) -> None:
    if folder := getattr(config, "workerinput", {}).get("turns"):
        config.pluginmanager.register(Turns(Path(folder)), "turns")
