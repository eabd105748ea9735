"""Knows how a server runs on its own core and what it costs. Must not know what it serves."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_READY_S = 30.0

SERVER_CORES = {0}
LOAD_CORES = {1} if (os.cpu_count() or 1) > 1 else {0}


def _core_list(cores: set[int]) -> str:
    return ",".join(map(str, sorted(cores)))


@contextmanager
def fresh_node(folder: str | None) -> Iterator[tuple[ServerProcess, Path]]:
    """Run a node over an empty directory below `folder`; yield it and that directory.

    Afterwards neither is left.
    """
    scratch = Path(tempfile.mkdtemp(prefix="bench-", dir=folder))
    try:
        server = ServerProcess(["-m", "bench.node", str(scratch / "node")], r"^ready (\d+)")
        try:
            yield server, scratch / "node"
        finally:
            server.stop()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


class ServerProcess:
    """A child process pinned to the server's core. Ready when it prints a line with its port."""

    def __init__(self, args: list[str], ready: str, env: dict[str, str] | None = None) -> None:
        self._child = subprocess.Popen(
            ["taskset", "-c", _core_list(SERVER_CORES), sys.executable, *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
        )
        self.pid = self._child.pid
        self.port = self._wait_ready(re.compile(ready))

    def _wait_ready(self, ready: re.Pattern[str]) -> int:
        assert self._child.stdout is not None
        assert self._child.stderr is not None
        for line in self._child.stdout:
            if match := ready.search(line):
                return int(match.group(1))
        self._child.wait(_READY_S)
        sys.exit(f"the server did not start: {self._child.stderr.read()[-2_000:]}")

    def cpu_s(self) -> float:
        """Return the CPU seconds that all its threads have used, to a clock tick."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    def rss_bytes(self) -> int:
        """Return its resident memory."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE_BYTES

    def stop(self) -> None:
        """End it, kindly first."""
        self._child.send_signal(signal.SIGTERM)
        try:
            self._child.wait(20)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        for pipe in (self._child.stdout, self._child.stderr):
            if pipe is not None:
                pipe.close()
