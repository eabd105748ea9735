"""Knows a real node in a process of its own, and raw clients that say what a test wants said.
Must not know single tests.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from actorchat.limits import POSITION_MAX
from actorchat.protocol import codec
from actorchat.protocol.framing import frame
from actorchat.settings.loader import env_name
from nodes.cluster.layout import Ports

ROOT = Path(__file__).resolve().parents[2]
START_S = 30.0
STOP_S = 30.0
ANSWER_S = 20.0  # how long a test waits for anything; two busy cores are slow
POLL_S = 0.02
CHEAP_HASHES = {"auth.argon2_memory_kib": 64, "auth.argon2_time_cost": 1}
# What a node must never say: an error of its own making.
MIB = 1_048_576
ALARMS = ("Traceback", '"error"', '"critical"')


class Node:
    """A standalone node, started as the command line does, on a free port of the loopback.

    Args:
        settings: By dotted key, given in the environment.
        words: Where its standard error goes; beside the data if not given.
        files_max: How many files it may have open; None: as many as we.
    """

    def __init__(
        self,
        data: Path,
        settings: dict[str, object] | None = None,
        words: Path | None = None,
        files_max: int | None = None,
    ) -> None:
        self.data = data
        self.words_path = words or data.parent / f"{data.name}.stderr"
        self.port = 0
        self.ready_s = 0.0
        self._settings = settings or {}
        self._files_max = files_max
        self._heard = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def launch(self, *flags: str) -> subprocess.Popen[bytes]:
        """Start the process and wait for nothing."""
        chosen = {"log.level": "warning", "log.format": "json"} | self._settings
        env = {env_name(key): str(value) for key, value in chosen.items()}
        self.port = self.port or Ports().take(0)  # nobody's, even while it is down
        command = [sys.executable, "-m", "nodes.cli", "up", "--json", "--data", str(self.data)]
        if self._files_max is not None:
            limited = f'ulimit -n {self._files_max} && exec "$@"'
            command = ["sh", "-c", limited, "sh", *command]
        with self.words_path.open("ab") as words:
            self._process = subprocess.Popen(
                [*command, "--tcp", f"127.0.0.1:{self.port}", *flags],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=words,
                cwd=ROOT,
                env={**os.environ, **env},
            )
        return self._process

    def start(self) -> Node:
        """Start it; return when it says that it is ready."""
        began = time.monotonic()
        process = self.launch()
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            self.kill()
            raise AssertionError(f"the node does not start: {self.words()}")
        self.ready_s = time.monotonic() - began
        self.port = int(json.loads(line)["tcp"].rsplit(":", 1)[1])
        return self

    def stop(self) -> int:
        """End it by SIGTERM; return its exit status."""
        assert self._process is not None
        self._process.terminate()
        return self.wait()

    def wait(self) -> int:
        """Wait for its end; return its exit status."""
        process = self._process
        assert process is not None
        try:
            return process.wait(STOP_S)
        finally:
            self.kill()

    def kill(self) -> None:
        """End it by SIGKILL, if it still runs."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    # -- what is seen from outside ---------------------------------------------------------------
    def words(self) -> str:
        """Return all that it said so far on standard error."""
        return self.words_path.read_text(encoding="utf-8", errors="replace")

    def new_words(self) -> str:
        """Return what it said since the last call."""
        words = self.words()
        fresh, self._heard = words[self._heard :], len(words)
        return fresh

    def rss_bytes(self) -> int:
        """Return the resident memory of the process."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024

    def files(self) -> int:
        """Return how many file descriptors the process has."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def operator_key(self) -> str:
        return (self.data / "operator.key").read_text(encoding="ascii").strip()


@contextlib.contextmanager
def running(
    data: Path, settings: dict[str, object] | None = None, words: Path | None = None
) -> Iterator[Node]:
    """Run a node that is gone afterwards, whatever happens."""
    node = Node(data, CHEAP_HASHES | (settings or {}), words)
    try:
        yield node.start()
    finally:
        node.kill()


class Wire:
    """A connection on which anything can be said, and all that comes is read by the test."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, node: Node, tls: ssl.SSLContext | None = None) -> Wire:
        return cls(*await asyncio.open_connection("127.0.0.1", node.port, ssl=tls))

    def write(self, *ops: dict[str, Any]) -> None:
        self.writer.write(b"".join(frame(codec.encode(op)) for op in ops))

    async def read(self) -> dict[str, Any] | None:
        """Return the next frame; None at the end of the connection."""
        try:
            async with asyncio.timeout(ANSWER_S):
                size = int.from_bytes(await self.reader.readexactly(4), "big")
                return codec.decode(await self.reader.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def rest(self) -> list[dict[str, Any]]:
        """Return all frames until the end."""
        found = []
        while (message := await self.read()) is not None:
            found.append(message)
        return found

    async def ask(self, op: dict[str, Any]) -> dict[str, Any]:
        """Say `op`, pass over what else comes, and return the reply to it."""
        self.write(op)
        while (message := await self.read()) is not None:
            if "re" in message and message["re"] == op["id"]:
                return message
        raise ConnectionError("the connection ended before the reply")

    async def sign_in(self, user: str, secret: str, mech: str = "token", **more: Any) -> Any:
        """Say hello for device `d`; return the reply."""
        return await self.ask(hello(user, secret, mech, **more))

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError):
            await self.writer.wait_closed()

    def abort(self) -> None:
        self.writer.transport.abort()


def hello(user: str, secret: str, mech: str = "token", **more: Any) -> dict[str, Any]:
    op = {"op": "hello", "id": 0, "version": 1, "user": user, "device": "d", "mech": mech}
    return {**op, "secret": secret, **more}


def send(rid: int, to: str, body: str, cid: bytes) -> dict[str, Any]:
    return {"op": "send", "id": rid, "to": to, "cid": cid, "body": body}


class Operator:
    """A signed-in operator."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._rid = 0

    @classmethod
    async def sign_in(cls, node: Node) -> Operator:
        wire = await Wire.open(node)
        reply = await wire.sign_in("operator", node.operator_key(), "operator")
        assert "ok" in reply, reply
        return cls(wire)

    async def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        self._rid += 1
        return await self.wire.ask({"op": op, "id": self._rid, **fields})

    async def token(self, user: str, password: str | None = None) -> str:
        """Make an account with a device `d`; return the device's token."""
        reply = await self.ask("provision", user=user, device="d", password=password)
        return str(reply["ok"]["token"])

    async def status(self) -> dict[str, Any]:
        reply = await self.ask("status")
        return dict(reply["ok"])

    async def close(self) -> None:
        await self.wire.close()


class Device:
    """A raw client of one device that acks all it gets, and dedups by `upd` alone.

    It reads in the background. `messages` are the records in the order of their updates, each once;
    `duplicates` counts what came again, `gaps` what came too early.
    """

    def __init__(self, node: Node, user: str, token: str) -> None:
        self.user = user
        self.upd = 0
        self.messages: list[dict[str, Any]] = []
        self.duplicates = 0
        self.gaps = 0
        self.bye: dict[str, Any] | None = None
        self.wire: Wire
        self._node = node
        self._token = token
        self._rid = 0
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reader: asyncio.Task[None] | None = None

    async def sign_in(self, tls: ssl.SSLContext | None = None) -> Device:
        self.wire = await Wire.open(self._node, tls)
        reply = await self.wire.sign_in(self.user, self._token, resume=self.upd)
        if "ok" not in reply:
            raise ConnectionError(f"refused: {reply}")
        self._reader = asyncio.create_task(self._read())
        return self

    def ask_soon(self, op: dict[str, Any]) -> asyncio.Future[dict[str, Any]]:
        """Send a request; its reply is the future's result, ConnectionError at the end."""
        self._rid = op["id"] = self._rid + 1
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        if not self.is_open:
            future.set_exception(ConnectionError("the connection is over"))
        else:
            self._waiting[op["id"]] = future
            self.wire.write(op)
        return future

    async def ask(self, op: dict[str, Any]) -> dict[str, Any]:
        async with asyncio.timeout(ANSWER_S):
            return await self.ask_soon(op)

    async def send(self, to: str, body: str, cid: bytes) -> dict[str, Any]:
        return await self.ask(send(0, to, body, cid))

    async def history(self, conv: str) -> list[dict[str, Any]]:
        """Return the whole conversation with `conv`, page by page."""
        found: list[dict[str, Any]] = []
        before = POSITION_MAX
        while True:
            op = {"op": "history", "conv": conv, "before": before, "limit": 200}
            page = (await self.ask(op))["ok"]
            found = page["events"] + found
            if not page["more"]:
                return found
            before = page["events"][0]["seq"]

    @property
    def is_open(self) -> bool:
        return self._reader is not None and not self._reader.done()

    async def leave(self) -> None:
        if self._reader is not None:
            self.wire.abort()
            await self._reader

    async def _read(self) -> None:
        try:
            while True:
                size = int.from_bytes(await self.wire.reader.readexactly(4), "big")
                self._take(codec.decode(await self.wire.reader.readexactly(size)))
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            self.wire.abort()
            waiting, self._waiting = self._waiting, {}
            for future in waiting.values():
                if not future.done():
                    future.set_exception(ConnectionError("the connection is over"))

    def _take(self, message: dict[str, Any]) -> None:
        if "re" in message:
            future = self._waiting.pop(message["re"])
            if not future.done():
                future.set_result(message)
        elif message["op"] == "msg":
            if message["upd"] <= self.upd:
                self.duplicates += 1
            else:
                self.gaps += message["upd"] != self.upd + 1
                self.upd = message["upd"]
                self.messages.append(message["msg"])
            self.wire.write({"op": "ack", "upd": self.upd})
        elif message["op"] == "bye":
            self.bye = message


class Pair:
    """Two users in a steady conversation, by which it is seen that a node serves others well."""

    def __init__(self, ann: Device, bob: Device) -> None:
        self._ann = ann
        self._bob = bob
        self._rng = Random(ann.user)
        self.acked: list[tuple[int, bytes]] = []
        self.latencies_s: list[float] = []
        self._task = asyncio.create_task(self._talk())

    async def _talk(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            cid = self._rng.randbytes(16)
            began = loop.time()
            reply = await self._ann.send(self._bob.user, f"control {len(self.acked)}", cid)
            self.latencies_s.append(loop.time() - began)
            self.acked.append((reply["ok"]["seq"], cid))
            await asyncio.sleep(0.01)

    def median_s(self) -> float:
        return sorted(self.latencies_s)[len(self.latencies_s) // 2]

    async def check(self) -> None:
        """End the conversation; see that every acked message was delivered, once and in order."""
        if self._task.done():
            self._task.result()
        count = len(self.acked)
        await until(lambda: len(self.acked) > count or self._task.done())
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        # The last send may have been cancelled before its answer, but not before it was stored.
        stored = await self._ann.history(self._bob.user)
        in_history = [(record["seq"], record["cid"]) for record in stored]
        assert in_history[: len(self.acked)] == self.acked
        await until(lambda: len(self._bob.messages) >= len(stored))
        assert [(m["seq"], m["cid"]) for m in self._bob.messages] == in_history
        assert self._bob.duplicates == self._bob.gaps == 0

    async def leave(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._ann.leave()
        await self._bob.leave()


_pair_numbers = itertools.count()


@contextlib.asynccontextmanager
async def control_pair(node: Node) -> AsyncIterator[Pair]:
    """Keep two users talking during the block; afterwards see that nothing of it was lost."""
    number = next(_pair_numbers)
    one, other = f"control-a{number}", f"control-b{number}"
    operator = await Operator.sign_in(node)
    tokens = [await operator.token(user) for user in (one, other)]
    await operator.close()
    devices = [Device(node, *known) for known in zip((one, other), tokens, strict=True)]
    pair = Pair(await devices[0].sign_in(), await devices[1].sign_in())
    try:
        yield pair
        await pair.check()
    finally:
        await pair.leave()


async def until(
    condition: Callable[[], bool] | Callable[[], Awaitable[bool]], timeout_s: float = ANSWER_S
) -> None:
    """Wait until `condition` holds."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        holds = condition()
        if holds if isinstance(holds, bool) else await holds:
            return
        assert time.monotonic() < deadline_s, "what was waited for did not come"
        await asyncio.sleep(POLL_S)


def signal_soon(node: Node, number: int = signal.SIGKILL) -> None:
    """Send `number` to a node's process and wait for nothing."""
    os.kill(node.pid, number)
