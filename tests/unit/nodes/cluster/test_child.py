"""A process is heard, is ready when it says so, and ends when it is told to."""

from __future__ import annotations

import signal
import sys

import pytest

from nodes.cluster.child import Child, ChildFailed, actorchat

WAITS = "import signal; signal.sigwait([signal.SIGTERM])"


class Heard:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __call__(self, name: str, line: str) -> None:
        self.lines.append((name, line))


def python(heard: Heard, code: str) -> Child:
    return Child("it", [sys.executable, "-c", code], heard)


async def test_child_is_ready_when_it_prints_what_it_is() -> None:
    heard = Heard()
    block = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
    say = "import sys; print('{\"tcp\": \"x\"}', flush=True); print('one', file=sys.stderr)\n"
    child = python(heard, block + say + WAITS)
    assert child.pid is None
    await child.start()
    assert child.described == {"tcp": "x"}
    assert child.pid is not None
    await child.stop()
    assert heard.lines == [("it", "one")]
    assert (child.pid, child.starts) == (None, 1)


async def test_child_that_ends_before_it_is_ready_has_failed() -> None:
    with pytest.raises(ChildFailed, match="status 3"):
        await python(Heard(), "raise SystemExit(3)").start()


async def test_child_of_another_program_is_ready_when_it_answers() -> None:
    answers = iter([False, True])
    child = Child("zk", [sys.executable, "-c", WAITS], Heard(), lambda: next(answers))
    await child.start()
    child.signal(signal.SIGKILL)
    assert await child.ended() == -signal.SIGKILL
    child.signal(signal.SIGKILL)  # nobody is there any more


async def test_paused_child_can_be_stopped() -> None:
    child = python(Heard(), "print('{}', flush=True)\nimport time; time.sleep(60)")
    await child.start()
    child.signal(signal.SIGSTOP)
    await child.stop()
    assert child.pid is None


def test_commands_are_this_programs_own() -> None:
    assert actorchat("status")[0] == sys.executable
