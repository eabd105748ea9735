"""Knows how to prepare a node for a bench: accounts with tokens, in bulk. Must not know benches."""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path
from typing import Any

from actorchat.protocol import codec
from actorchat.protocol.framing import frame

_IN_FLIGHT = 128
_length = struct.Struct(">I")


class Operator:
    """A signed-in operator of a node; requests are pipelined."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def sign_in(cls, port: int, key: str) -> Operator:
        """Connect and sign in."""
        self = cls(*await asyncio.open_connection("127.0.0.1", port))
        hello = {"op": "hello", "id": 0, "version": 1, "user": "operator", "device": "bench"}
        reply = await self._ask({**hello, "mech": "operator", "secret": key})
        if "err" in reply:
            raise SystemExit(f"the operator was refused: {reply['err']}")
        return self

    async def tokens(self, users: list[str]) -> dict[str, str]:
        """Make an account for each of `users`; return a token for each's device `bench`."""
        found: dict[str, str] = {}
        for start in range(0, len(users), _IN_FLIGHT):
            some = users[start : start + _IN_FLIGHT]
            for number, user in enumerate(some):
                ask = {"op": "provision", "id": number, "user": user, "device": "bench"}
                self._writer.write(frame(codec.encode(ask)))
            for _ in some:
                reply = await self._read()
                found[reply["ok"]["user"]] = reply["ok"]["token"]
        return found

    async def status(self) -> dict[str, Any]:
        """Return the node's counters."""
        reply = await self._ask({"op": "status", "id": 1})
        return dict(reply["ok"])

    async def leave(self) -> None:
        """Close the connection."""
        self._writer.close()
        await self._writer.wait_closed()

    async def _ask(self, op: dict[str, Any]) -> dict[str, Any]:
        self._writer.write(frame(codec.encode(op)))
        return await self._read()

    async def _read(self) -> dict[str, Any]:
        (length,) = _length.unpack(await self._reader.readexactly(4))
        return codec.decode(await self._reader.readexactly(length))


def operator_key(data: Path) -> str:
    """Return the operator's key of a node's data directory."""
    return (data / "operator.key").read_text(encoding="ascii").strip()
