"""Knows the registry actor from the other side: connect, prove, ask, beat, connect again.
Must not know what is kept there.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import ssl
from collections.abc import Callable, Sequence
from typing import Any

from actorchat import logs
from actorchat.cluster.registry import (
    Entry,
    NotAllowed,
    Op,
    RegistryAway,
    RegistryRefusal,
    Result,
    SessionLost,
    check_ops,
    check_path,
)
from actorchat.cluster.registry_machine import proof
from actorchat.cluster.registry_session import Notify, RegistrySession
from actorchat.cluster.registry_wire import (
    NONCE_BYTES,
    WIRE_VERSION,
    Message,
    convert,
    entry_in,
    ops_out,
    refusal_in,
    results_in,
)
from actorchat.errors import MalformedFrame
from actorchat.limits import (
    REGISTRY_BEATS,
    REGISTRY_CALL_TIMEOUT_S,
    REGISTRY_FRAME_BYTES_MAX,
    REGISTRY_RECONNECT_CAP_S,
    REGISTRY_RECONNECT_S,
    REGISTRY_TIMEOUT_S,
)
from actorchat.protocol import codec
from actorchat.protocol.framing import FrameSplitter, frame

log = logs.logger(__name__)

READ_BYTES = 65_536
_WIRE_ERRORS = (OSError, MalformedFrame, asyncio.IncompleteReadError)


class _Wire:
    """One connection: messages out, messages in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._splitter = FrameSplitter()
        self._ready: list[bytes] = []

    def say(self, message: Message) -> None:
        self._writer.write(frame(codec.encode(message)))

    async def hear(self) -> Message:
        while not self._ready:
            read = await self._reader.read(READ_BYTES)
            if not read:
                raise ConnectionResetError("the registry hung up")
            self._ready = self._splitter.feed(read, REGISTRY_FRAME_BYTES_MAX)[::-1]
            if self._splitter.oversize is not None:
                raise MalformedFrame("a frame is too long")
        return codec.decode(self._ready.pop())

    async def abort(self) -> None:
        self._writer.transport.abort()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class RegistryClient(RegistrySession):
    """A `Registry` that is a registry actor's, over TCP.

    Args:
        key: The secret that the registry and its nodes share; empty if it asks for none.
        timeout_s: The session's, within what the registry allows.
        call_timeout_s: For one answer, waiting for the registry to be in reach included.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        key: bytes = b"",
        timeout_s: float = REGISTRY_TIMEOUT_S,
        call_timeout_s: float = REGISTRY_CALL_TIMEOUT_S,
        context: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__()
        self.strays = 0  # answers that nobody waited for: late ones, or said twice
        self._address = (host, port)
        self._key = key
        self._asked_timeout_s = timeout_s
        self._call_timeout_s = call_timeout_s
        self._context = context
        self._secret = b""
        self._wire: _Wire | None = None
        self._asked: dict[int, tuple[asyncio.Future[Message], float]] = {}
        self._last_id = 0
        self._runner: asyncio.Task[None] | None = None
        self._refused: NotAllowed | None = None

    async def start(self) -> None:
        """Connect, and wait for the session.

        Raises:
            RegistryAway: None in time; nothing is left running.
            NotAllowed: The registry does not let this node in, or does not prove itself.
        """
        self._runner = asyncio.create_task(self._run(), name="registry")
        try:
            await self.reach(self._call_timeout_s)
        except BaseException as error:
            await self._end()
            if self._refused is not None and isinstance(error, RegistryAway):
                raise self._refused from None
            raise

    async def close(self) -> None:
        """End the session there, if it can be told, and here."""
        if self.state == "connected":
            with contextlib.suppress(RegistryAway):
                await self._ask({"do": "close"}, self._call_timeout_s)
        await self._end()

    async def _end(self) -> None:
        self.closed()
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.cancel()
            await asyncio.gather(runner, return_exceptions=True)
        self._drop(RegistryAway("the session was closed"))

    # -- what is asked ----------------------------------------------------------------------------
    async def get(self, path: str) -> Entry | None:
        """Return the entry, None where there is none."""
        check_path(path)
        return entry_in(await self._call({"do": "get", "path": path}))

    async def children(self, path: str) -> list[str]:
        """Return the names right below `path`, sorted."""
        check_path(path)
        names = (await self._call({"do": "children", "path": path})).get("names", "")
        return names.split("\n") if names else []

    async def multi(self, ops: Sequence[Op]) -> list[Result]:
        """Do all of `ops` or none; see the port."""
        check_ops(ops)
        return results_in(await self._call({"do": "multi", "ops": ops_out(ops)}))

    async def watch(
        self, path: str, notify: Notify, *, children: bool = False
    ) -> Callable[[], None]:
        """Have `notify(path)` called after changes; see the port."""
        check_path(path)
        watch = (path, children)
        self.watched(watch, notify)
        try:
            await self._call({"do": "watch", "path": path, "children": children})
        except BaseException:
            self.unwatched(watch, notify)
            raise

        def end() -> None:
            if self.unwatched(watch, notify) and self._wire is not None:
                self._say({"do": "unwatch", "path": path, "children": children})

        return end

    async def _call(self, request: Message) -> Message:
        loop = asyncio.get_running_loop()
        end_s = loop.time() + self._call_timeout_s
        await self.reach(self._call_timeout_s)
        return await self._ask(request, end_s - loop.time())

    def _say(self, request: Message) -> int:
        assert self._wire is not None
        self._last_id += 1
        self._wire.say({"id": self._last_id, **request})
        return self._last_id

    async def _ask(self, request: Message, timeout_s: float) -> Message:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Message] = loop.create_future()
        re = self._say(request)
        self._asked[re] = (future, loop.time())
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError:
            raise RegistryAway("the registry did not answer in time") from None
        finally:
            self._asked.pop(re, None)

    # -- the connection ---------------------------------------------------------------------------
    async def _run(self) -> None:
        wait_s = REGISTRY_RECONNECT_S
        while True:
            try:
                async with asyncio.timeout(self._silence_s()):
                    wire = await self._connect()
            except NotAllowed as refusal:
                log.error("registry refuses this node", reason=refusal.path)
                self._refused = refusal
            except SessionLost:
                self.lost()
                self.session, self._secret = 0, b""
                continue
            except (*_WIRE_ERRORS, TimeoutError, RegistryRefusal) as error:
                log.debug("registry is out of reach", reason=str(error))
            else:
                wait_s = REGISTRY_RECONNECT_S
                await self._serve(wire)
                if self.session == 0:
                    continue
            await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))
            wait_s = min(wait_s * 2, REGISTRY_RECONNECT_CAP_S)

    def _silence_s(self) -> float:
        """How long the registry may say nothing before it counts as out of reach."""
        return max(0.2, (self.lease.timeout_s or self._asked_timeout_s) / 3)

    async def _connect(self) -> _Wire:
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection(*self._address, ssl=self._context)
        wire = _Wire(reader, writer)
        try:
            nonce = (await wire.hear()).get("nonce")
            if not isinstance(nonce, bytes):
                raise MalformedFrame("no registry")
            mine, sent_s = secrets.token_bytes(NONCE_BYTES), loop.time()
            hello = {
                "id": 0,
                "do": "hello",
                "version": WIRE_VERSION,
                "nonce": mine,
                "proof": proof(self._key, b"node", nonce, mine),
                "timeout_s": self._asked_timeout_s,
                "session": self.session,
                "secret": self._secret,
            }
            wire.say(hello)
            answer = await wire.hear()
            if "err" in answer:
                raise refusal_in(answer["err"])
            granted = convert(answer.get("ok"), dict[str, Any])
            if granted.get("proof") != proof(self._key, b"registry", mine, nonce):
                raise NotAllowed("the registry does not prove that it has the key")
            session = convert(granted.get("session"), int)
            self._secret = convert(granted.get("secret"), bytes)
            for path, children in self.watches:
                self._last_id += 1
                watch = {"do": "watch", "path": path, "children": children}
                wire.say({"id": self._last_id, **watch})
            self._wire = wire
            self._refused = None
            self.began(session, convert(granted.get("timeout_s"), float), sent_s)
        except BaseException:
            await wire.abort()
            raise
        return wire

    async def _serve(self, wire: _Wire) -> None:
        """Hear what comes until the connection is over; beat all the while."""
        beats = asyncio.create_task(self._beat(), name="registry-beats")
        try:
            while True:
                async with asyncio.timeout(self._silence_s()):
                    message = await wire.hear()
                self._heard(message)
        except SessionLost:
            self.lost()
            self.session, self._secret = 0, b""
        except (*_WIRE_ERRORS, TimeoutError) as error:
            log.debug("registry went out of reach", reason=str(error) or "silence")
        finally:
            beats.cancel()
            self._wire = None
            is_lost = self.state == "lost"
            self.suspended()
            text = "the connection to the registry ended before the answer"
            self._drop(SessionLost(text) if is_lost else RegistryAway(text))
            await asyncio.gather(beats, wire.abort(), return_exceptions=True)

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self.lease.timeout_s / REGISTRY_BEATS)
            future: asyncio.Future[Message] = loop.create_future()
            # What it is answered renews the lease; that it is not is seen by the reader.
            self._asked[self._say({"do": "ping"})] = (future, loop.time())

    def _heard(self, message: Message) -> None:
        if "re" in message:
            asked = self._asked.pop(message["re"], None)
            if asked is None:
                self.strays += 1
                return
            future, sent_s = asked
            self.lease.renew(sent_s)
            if future.done():
                return
            if "err" in message:
                future.set_exception(refusal_in(message["err"]))
                future.exception()  # a beat's is nobody's to await
            else:
                ok = message.get("ok")
                future.set_result(ok if isinstance(ok, dict) else {})
        elif message.get("event") == "changed":
            path = message.get("path")
            if isinstance(path, str):
                self.changed((path, bool(message.get("children"))))
        elif message.get("event") == "lost":
            raise SessionLost("the registry has ended this session")

    def _drop(self, error: RegistryAway) -> None:
        asked, self._asked = self._asked, {}
        for future, _ in asked.values():
            if not future.done():
                future.set_exception(error)
                future.exception()
