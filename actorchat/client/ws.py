"""Knows a client's WebSocket: the upgrade, masked frames out, ops in. Must not know the session."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable

from actorchat.client.link import Address
from actorchat.client.tcp import NONSENSE, TcpLink
from actorchat.errors import ProtocolError
from actorchat.limits import UPGRADE_BYTES_MAX
from actorchat.protocol import upgrade
from actorchat.protocol import websocket as ws
from actorchat.protocol.connection import Received
from actorchat.protocol.ops import ServerOp

_NONCE_BYTES = 16
_MASK_BYTES = 4


class WsLink(TcpLink):
    """The `Link` of `ws://` and `wss://`, in the CBOR form.

    It is open when the server has granted the upgrade.
    """

    __slots__ = ("_address", "_head", "_messages", "_nonce")

    _address: Address
    _nonce: bytes

    def __init__(
        self,
        on_open: Callable[[], None],
        on_ops: Callable[[list[ServerOp]], None],
        on_end: Callable[[str], None],
    ) -> None:
        super().__init__(on_open, on_ops, on_end)
        self._head: upgrade.Head | None = upgrade.Head(UPGRADE_BYTES_MAX)
        self._messages = ws.MessageSplitter(frames_are_masked=False)

    def open(self, address: Address, context: ssl.SSLContext | None) -> None:
        """Begin to connect; `on_open` or `on_end` tells how it went."""
        self._address = address
        super().open(address, context)

    def close(self) -> None:
        """End the connection after all that was written; nothing of it is heard any more."""
        if self._head is None:
            self._out.append(self._framed(ws.CLOSE, ws.close_payload(ws.NORMAL)))
        super().close()

    def _begin(self) -> None:
        assert self._transport is not None
        self._nonce = os.urandom(_NONCE_BYTES)
        host, port = self._address.host, self._address.port
        self._transport.write(upgrade.request(host, port, upgrade.CBOR_PROTOCOL, self._nonce))

    def _read(self, data: bytes) -> tuple[list[Received], str | None]:
        if self._head is not None:
            try:
                whole = self._head.feed(data)
                if whole is None:
                    return [], None
                head, data = whole
                upgrade.check_answer(head, upgrade.CBOR_PROTOCOL, self._nonce)
            except upgrade.UpgradeRefused as refused:
                return [], str(refused)
            self._head = None
            assert self._on_open is not None
            self._on_open()
        return self._read_messages(data)

    def _read_messages(self, data: bytes) -> tuple[list[Received], str | None]:
        ops: list[Received] = []
        connection = self._connection
        for opcode, payload in self._messages.feed(data, connection.frame_bytes_max):
            if opcode == ws.BINARY:
                try:
                    ops.append(connection.receive_payload(payload))
                except ProtocolError as error:
                    return ops, f"{NONSENSE}: {error}"
            elif opcode == ws.PING:
                self._queue(self._framed(ws.PONG, payload))
            elif opcode == ws.CLOSE:
                code = ws.close_code(payload)
                told = "" if code is None else f" with code {code}"
                return ops, f"the server closed the WebSocket{told}"
            elif opcode == ws.TEXT:
                return ops, f"{NONSENSE}: text in a binary protocol"
        violation = self._messages.violation
        return ops, None if violation is None else f"{NONSENSE}: {violation.reason}"

    def _wrap(self, payload: bytes) -> bytes:
        return self._framed(ws.BINARY, payload)

    @staticmethod
    def _framed(opcode: int, payload: bytes) -> bytes:
        return ws.client_frame(opcode, payload, os.urandom(_MASK_BYTES))
