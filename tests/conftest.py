"""Fixtures that every test has: no test may leave a thread behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

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
