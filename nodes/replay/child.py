"""Knows nodes in processes of their own, to be killed and started again. Must not know chat."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from actorchat.errors import Unavailable
from nodes.cluster.layout import HOST, Ports

START_TIMEOUT_S = 60.0  # a node that was killed replays its log first
STOP_TIMEOUT_S = 30.0
_TAIL_BYTES = 2_000


class NodeFailed(Unavailable):
    """The child did not start, or did not stop, as it should; the text has its last words."""

    code = "node_failed"


class ChildProcess:
    """A program of ours as a child process. All calls block; thread: any, one at a time.

    Args:
        arguments: Its command line, behind `actorchat`; it prints JSON when it is ready.
        words: The file to which it logs.
        environment: Variables of its own.
    """

    def __init__(
        self, arguments: Sequence[str], words: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.described: dict[str, Any] = {}  # what it said when it was ready
        self.kills = 0
        self._arguments = arguments
        self._words = words
        self._environment = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Return the process's id while it runs."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it; return when it is ready.

        Raises:
            NodeFailed: It ended, or is not ready in `START_TIMEOUT_S`.
        """
        assert self._process is None
        command = [sys.executable, "-m", "nodes.cli", *self._arguments]
        with self._words.open("ab") as words:
            self._process = subprocess.Popen(  # noqa: S603 - our own program and made-up paths
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=words,
                cwd=Path(__file__).resolve().parents[2],
                env={**os.environ, "ACTORCHAT_LOG__LEVEL": "warning", **self._settings()},
                process_group=0,  # Ctrl-C is for the one who started it
            )
        try:
            self.described = self._wait_ready(self._process)
        except BaseException:
            self._end(self._process)
            raise

    def _settings(self) -> dict[str, str]:
        """Return the settings that are its own, as variables of the environment."""
        return self._environment

    def _wait_ready(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        assert process.stdout is not None
        line = b""
        deadline_s = time.monotonic() + START_TIMEOUT_S
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0.0, deadline_s - time.monotonic())):
                    raise NodeFailed(f"not ready in {START_TIMEOUT_S:g} s{self._last_words()}")
                read = os.read(process.stdout.fileno(), 4096)
                if not read:
                    status = process.wait(STOP_TIMEOUT_S)
                    raise NodeFailed(f"ended with status {status}{self._last_words()}")
                line += read
        described: dict[str, Any] = json.loads(line)
        return described

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            words = self._words.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").strip()
            if words:
                return f": {words}"
        return ""

    def kill(self) -> None:
        """End it by SIGKILL, as a power cut would, and wait until it is gone."""
        assert self._process is not None
        self.kills += 1
        self._end(self._process)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
        self._process = None

    def stop(self) -> int | None:
        """Stop it in order, by force if it takes too long; return its status, if it ran."""
        process = self._process
        if process is None:
            return None
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT_S)
        self._end(process)
        return process.returncode

    def words(self) -> str:
        """Return the end of what it logged."""
        return self._last_words().removeprefix(": ")


class ChildNode(ChildProcess):
    """A standalone node as a child process. All calls block; thread: any, one at a time."""

    def __init__(
        self, data: Path, places: Iterable[str] = (), group_inline_max: int | None = None
    ) -> None:
        """Say where its data are, and which gateways it opens beside that of TCP, by their names
        in the settings. All listen on loopback, on ports that are free. `group_inline_max` is that
        setting, if it is to be another than by default.
        """
        super().__init__(["up", "--json", "--data", str(data)], data.parent / f"{data.name}.log")
        self.data = data
        self.addresses: dict[str, str] = {}  # by the gateway's name, once they are known
        self._group_inline_max = group_inline_max
        self._ports = Ports()
        self._places = ("tcp", *(place for place in places if place != "tcp"))

    @property
    def address(self) -> str:
        """Return where it listens for TCP, `tcp://host:port`; nothing before the first start."""
        return self.addresses.get("tcp", "")

    def doors(self, places: Iterable[str]) -> list[str]:
        """Return the addresses of some of its gateways."""
        return [self.addresses[place] for place in places]

    def start(self) -> None:
        """Start the node; return when it listens. From the second start on, where it did before.

        Raises:
            NodeFailed: It ended, or is not ready in `START_TIMEOUT_S`.
        """
        super().start()
        self.addresses = {place: str(self.described[place]) for place in self._places}

    def _settings(self) -> dict[str, str]:
        found = {}
        for place in self._places:
            where = self.addresses.get(place, "").rpartition("://")[2]
            where = where or f"{HOST}:{self._ports.take(0)}"  # that stays free while it is down
            found[f"ACTORCHAT_GATEWAY__{place.upper()}__LISTEN"] = where
        if self._group_inline_max is not None:
            found["ACTORCHAT_CHAT__GROUP_INLINE_MAX"] = str(self._group_inline_max)
        return found
