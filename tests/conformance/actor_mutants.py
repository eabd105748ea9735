"""Plants bugs in the actor runtime to see whether its tests notice: a test must be able to fail.

    python -m tests.conformance.actor_mutants [NAME…]

Runs the runtime's tests once for each bug (see `actor_bugs.py`), or for those that are named, each
time in a process of its own: the likely tests first, up to the first that fails. Prints which test
that was. Exit status 1 if a bug survives, or if the tests fail without any.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = "ACTORCHAT_PLANTED_BUG"
TEST_S = 10  # what takes longer hangs: also a way to notice
RUN_S = 180
AT_ONCE = 2
PASSED, FAILED = 0, 1  # pytest's exit codes; any other is none of a test's


def pytest_configure() -> None:
    """Plant the bug in this process, before pytest imports any test."""
    name = os.environ.get(VARIABLE)
    if name:
        from tests.conformance.actor_bugs import BUGS

        BUGS[name].plant()


@dataclass(frozen=True)
class Outcome:
    """What became of one bug; `killer` is the first test that failed, None if all passed."""

    name: str
    killer: str | None
    took_s: float

    def __str__(self) -> str:
        fate = "SURVIVED" if self.killer is None else f"killed by {self.killer}"
        return f"{self.name or '(no bug)'}: {fate} ({self.took_s:.1f} s)"


def spec() -> list[str]:
    """Return the files that say what the runtime does, the quick ones first."""
    unit = sorted(path for path in (ROOT / "tests/unit/actor").glob("test_*.py"))
    unit += sorted(path for path in (ROOT / "tests/property").glob("test_actor_*.py"))
    return [str(path.relative_to(ROOT)) for path in unit]


def likely(name: str) -> list[str]:
    """Return the files, or the tests in them, that are to notice the bug."""
    from tests.conformance.actor_bugs import BUGS

    split = [test.partition("::") for test in BUGS[name].tests]
    return [f"tests/unit/actor/test_{file}.py{rest}{test}" for file, rest, test in split]


class Running:
    """Tests that run with the bug called `name`, "" for none, in a process of their own."""

    def __init__(self, name: str, tests: Sequence[str]) -> None:
        self.name = name
        command = [sys.executable, "-m", "pytest", "-q", "-x", "--tb=line", "--assert=plain"]
        command += ["-p", "tests.conformance.actor_mutants", "-p", "no:cacheprovider"]
        command += ["-p", "no:xdist", "--timeout", str(TEST_S), *tests]
        self.began_s = time.monotonic()
        self.output = tempfile.TemporaryFile("w+")  # noqa: SIM115  # no pipe: it could fill up
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, VARIABLE: name},
            stdout=self.output,
            stderr=subprocess.STDOUT,
        )

    def outcome(self) -> Outcome:
        """Wait for the end and say what came of it.

        Raises:
            RuntimeError: The tests could not be run, or the bug not be planted.
        """
        try:
            code = self.process.wait(RUN_S)
        except subprocess.TimeoutExpired:
            return Outcome(self.name, f"a hang of {RUN_S} s", RUN_S)
        else:
            self.output.seek(0)
            text = self.output.read()
        finally:
            self.stop()
        took_s = time.monotonic() - self.began_s
        if code == PASSED:
            return Outcome(self.name, None, took_s)
        noticed = re.search(r"^(?:FAILED|ERROR) (\S+::\S+)", text, re.MULTILINE)
        if code != FAILED or noticed is None:
            msg = f"{self.name}: pytest ended with {code}\n{text}"
            raise RuntimeError(msg)
        return Outcome(self.name, noticed[1], took_s)

    def stop(self) -> None:
        """End the process, if it still runs."""
        self.process.kill()
        self.process.wait()
        self.output.close()


def outcomes(jobs: Iterable[tuple[str, Sequence[str]]]) -> Iterator[Outcome]:
    """Run the jobs, names of bugs and tests, `AT_ONCE` at a time; yield in their order."""
    running: deque[Running] = deque()
    try:
        for name, tests in jobs:
            running.append(Running(name, tests))
            if len(running) == AT_ONCE:
                yield running.popleft().outcome()
        while running:
            yield running.popleft().outcome()
    finally:
        for left in running:
            left.stop()


def main() -> int:
    """Run all bugs, or those that are named; two at a time."""
    from tests.conformance.actor_bugs import BUGS

    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance.actor_mutants",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="bugs; without any: all")
    names: list[str] = parser.parse_args().names or list(BUGS)
    unknown = [name for name in names if name not in BUGS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(BUGS)}")

    without = Running("", spec()).outcome()
    print(without, flush=True)
    if without.killer is not None:
        return 1
    survivors = []
    for first in outcomes((name, likely(name)) for name in names):
        outcome = first
        if first.killer is None:
            print(f"{first.name}: not noticed where it should be, running all tests", flush=True)
            outcome = Running(first.name, spec()).outcome()
        print(outcome, flush=True)
        if outcome.killer is None:
            survivors.append(outcome.name)
    print(f"{len(names)} bugs, {len(survivors)} survived {survivors}")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
