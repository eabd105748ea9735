"""Knows the smallest honest server: TCP, CBOR, RocksDB, one fsync for many messages.
Must not know actors.

It says what the machine and the libraries allow: sessions in a dict, one put a message, an ack and
a delivery after the sync. No sign-in, no idempotence, no inbox, no acks of devices, no restart.
What the project's node costs is given as a ratio to it, taken in turn in one run, because shared
machines drift.

    python -m bench.ceiling PORT
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import cbor2
import uvloop
from rocksdict import Options, Rdict, WriteBatch

_prefix = struct.Struct(">I").pack


class Log:
    """Group commit: collect while a batch is written and synced in a thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, path: str) -> None:
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        self._db = Rdict(path, options)
        self._loop = loop
        self._pending: list[tuple[bytes, bytes, Callable[[], None]]] = []
        self._is_busy = False

    def append(self, key: bytes, value: bytes, done: Callable[[], None]) -> None:
        """Put one record; call `done` when it is synced."""
        self._pending.append((key, value, done))
        if not self._is_busy:
            self._is_busy = True
            self._loop.call_soon(self._kick)

    def _kick(self) -> None:
        batch, self._pending = self._pending, []
        future = self._loop.run_in_executor(None, self._write, batch)
        future.add_done_callback(lambda _: self._finish(batch))

    def _write(self, batch: list[tuple[bytes, bytes, Callable[[], None]]]) -> None:
        changes = WriteBatch(raw_mode=True)
        for key, value, _ in batch:
            changes.put(key, value)
        self._db.write(changes)
        self._db.flush_wal(True)

    def _finish(self, batch: list[tuple[bytes, bytes, Callable[[], None]]]) -> None:
        for _, _, done in batch:
            done()
        if self._pending:
            self._kick()
        else:
            self._is_busy = False


class Session(asyncio.Protocol):
    """One connection: frames in, frames out once a loop turn."""

    __slots__ = ("_buffer", "_is_due", "_out", "_server", "_transport", "_user")

    def __init__(self, server: Server) -> None:
        self._server = server
        self._buffer = b""
        self._user = ""
        self._out: list[bytes] = []
        self._is_due = False

    def connection_made(self, transport: Any) -> None:
        """Keep the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Split into frames, handle each."""
        if self._buffer:
            data = self._buffer + data
        at, end = 0, len(data)
        while end - at >= 4:
            stop = at + 4 + int.from_bytes(data[at : at + 4], "big")
            if end < stop:
                break
            self._handle(cbor2.loads(data[at + 4 : stop]))
            at = stop
        self._buffer = data[at:]

    def push(self, payload: bytes) -> None:
        """Queue a frame."""
        self._out.append(_prefix(len(payload)))
        self._out.append(payload)
        if not self._is_due:
            self._is_due = True
            self._server.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_due = False
        out, self._out = self._out, []
        self._transport.writelines(out)

    def _handle(self, message: dict[str, Any]) -> None:
        if message["op"] == "send":
            self._server.store(self, self._user, message)
        elif message["op"] == "login":
            self._user = message["user"]
            self._server.sessions[self._user] = self
            self.push(cbor2.dumps({"op": "ok"}))


class Server:
    """All there is: sessions, sequence numbers, a log."""

    def __init__(self, loop: asyncio.AbstractEventLoop, path: str) -> None:
        self.loop = loop
        self.sessions: dict[str, Session] = {}
        self._seqs: dict[tuple[str, str], int] = {}
        self._log = Log(loop, path)

    def store(self, session: Session, user: str, message: dict[str, Any]) -> None:
        """Number, store, and after the sync ack and deliver one message."""
        to, mid = message["to"], message["id"]
        pair = (user, to) if user < to else (to, user)
        seq = self._seqs[pair] = self._seqs.get(pair, 0) + 1
        ts = time.time_ns() // 1_000_000
        fields = {"op": "msg", "from": user, "seq": seq, "ts": ts, "id": mid}
        payload = cbor2.dumps({**fields, "body": message["body"]})

        def done() -> None:
            session.push(cbor2.dumps({"op": "ack", "id": mid, "seq": seq, "ts": ts}))
            recipient = self.sessions.get(to)
            if recipient is not None:
                recipient.push(payload)

        key = f"{pair[0]}:{pair[1]}".encode() + seq.to_bytes(8, "big")
        self._log.append(key, payload, done)


async def serve(port: int, path: str) -> None:
    """Serve until SIGTERM."""
    loop = asyncio.get_running_loop()
    server = Server(loop, path)
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    listening = await loop.create_server(lambda: Session(server), "127.0.0.1", port, backlog=4_096)
    print(f"ready {listening.sockets[0].getsockname()[1]}", flush=True)
    await ended.wait()


def main() -> None:
    """Run the server over a store that goes with it."""
    path = tempfile.mkdtemp(prefix="ceiling-")
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(serve(int(sys.argv[1]), f"{path}/db"))
    shutil.rmtree(path, ignore_errors=True)
    os._exit(0)  # the executor's threads need not be waited for


if __name__ == "__main__":
    main()
