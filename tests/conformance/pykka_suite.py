"""Runs pykka's own test suite, unmodified, against this project's actor runtime.

    python -m tests.conformance.pykka_suite

The suite comes with pykka's source distribution; pip fetches it once into a cache directory. It
is parametrised over runtimes by objects of a dataclass, so that the plugin below can put ours
in without touching a file of it.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tarfile
import threading
from pathlib import Path
from typing import Any

VERSION = "4.5.0"
TESTS = 152
LOOPS = ("uvloop", "asyncio")
ROOT = Path(__file__).resolve().parents[2]


class SuiteMissing(Exception):
    """The source distribution can't be had here and now."""


def cache_dir() -> Path:
    """Return where the suite is kept, outside of any checkout."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "actorchat"


def fetch() -> Path:
    """Return the unpacked source distribution, downloaded if need be; raises SuiteMissing."""
    cache = cache_dir()
    unpacked = cache / f"pykka-{VERSION}"
    if (unpacked / "tests" / "conftest.py").exists():
        return unpacked
    cache.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--no-binary", "pykka", "--dest", str(cache), f"pykka=={VERSION}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SuiteMissing(str(error)) from error
    archive = cache / f"pykka-{VERSION}.tar.gz"
    if done.returncode or not archive.exists():
        raise SuiteMissing(done.stderr.strip() or f"pip left no {archive.name}")
    with tarfile.open(archive) as tar:
        tar.extractall(cache, filter="data")  # the filter refuses what leaves cache
    return unpacked


def run(suite: Path, loop: str) -> tuple[int, str]:
    """Run the suite on one kind of loop; return how many tests passed, and the output.

    0 when any failed.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests_of_actorchat_plugin"]
    command += ["-p", "no:cacheprovider", "-p", "no:xdist", "--timeout", "100", "tests"]
    shim = cache_dir() / "plugin"
    shim.mkdir(parents=True, exist_ok=True)
    # The suite has a package called `tests` too, so this module is loaded from its path.
    (shim / "tests_of_actorchat_plugin.py").write_text(
        "import importlib.util\n"
        f"spec = importlib.util.spec_from_file_location('pykka_suite', {__file__!r})\n"
        "module = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        "pytest_collection = module.pytest_collection\n"
    )
    paths = os.pathsep.join([str(suite), str(shim), str(ROOT)])
    env = {**os.environ, "PYTHONPATH": paths, "ACTORCHAT_SUITE_LOOP": loop}
    done = subprocess.run(
        command, cwd=suite, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    passed = re.search(r"(\d+) passed", done.stdout)
    count = int(passed[1]) if passed and done.returncode == 0 else 0
    return count, done.stdout + done.stderr


def pytest_collection(session: Any) -> None:
    """Put our classes in place of pykka's, before any fixture of the suite runs."""
    from actorchat.actor import ActorSystem, LoopDispatcher, Reply
    from actorchat.actor.compat import CompatActor
    from tests.conftest import RUNTIMES  # of the suite

    if os.environ["ACTORCHAT_SUITE_LOOP"] == "uvloop":
        import uvloop

        loop = uvloop.new_event_loop()
    else:
        loop = asyncio.new_event_loop()
    ready = threading.Event()

    def main() -> None:
        asyncio.set_event_loop(loop)
        CompatActor.runtime = ActorSystem(LoopDispatcher(loop))
        loop.call_soon(ready.set)
        loop.run_forever()

    threading.Thread(target=main, name="dispatcher", daemon=True).start()
    ready.wait()
    for parameter in RUNTIMES.values():
        (runtime,) = parameter.values
        runtime.name = "actorchat"
        runtime.actor_class = CompatActor
        runtime.future_class = Reply


def main() -> int:
    """Run the suite on each kind of loop; print the counts."""
    suite = fetch()
    failed = False
    for loop in LOOPS:
        count, output = run(suite, loop)
        print(f"pykka {VERSION} suite on {loop}: {count} of {TESTS} passed")
        if count != TESTS:
            failed = True
            print(output)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
