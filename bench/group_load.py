"""Knows how to load groups and check what every member gets. Must not know the node's code.

A copy of a message is read by its fixed places, which is a tenth of what decoding it would cost
this side; each 64th is decoded in full and compared.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from actorchat.limits import ACK_DELAY_S, ACK_EVERY_UPDATES
from actorchat.protocol import codec
from actorchat.protocol.framing import frame
from bench.load import Tally, now_ns

BODY = "x" * 100
DECODE_EVERY = 64
_COPY = bytes.fromhex("a3626f70636d7367637570641b")  # {"op": "msg", "upd":
_UPD = slice(17, 25)  # behind the frame's length
_RECORD_AT = 29
_FROM_AT = _RECORD_AT + 7 + 23 + 5  # behind the group's address and the key of the sender


class Member(asyncio.Protocol):
    """One signed-in device of a group's member: acks all it gets; may keep posts in flight."""

    def __init__(self, tally: Tally, user: str, token: str) -> None:
        self.user = user
        self.window = 0  # how many posts to keep in flight
        self.head = 0  # the last seq of the group that came
        self.sent = 0
        self.seqs_own: list[int] = []
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tally = tally
        self._token = token
        self._to_cbor = b""
        self._seq = slice(0)
        self._run = os.urandom(8)
        self._buffer = b""
        self._upd = self._upd_acked = 0
        self._sent_at: dict[int, int] = {}
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._asked = 2**31
        self._is_ack_due = self._is_leaving = False

    def connection_made(self, transport: Any) -> None:
        """Say hello."""
        self._transport = transport
        hello = {"op": "hello", "id": 0, "version": 1, "user": self.user, "device": "bench"}
        transport.write(frame(codec.encode({**hello, "mech": "token", "secret": self._token})))

    # -- sending -----------------------------------------------------------------------------------
    def enter(self, group: str, name_length: int) -> None:
        """Note the group; all senders have names of one length, up to 23."""
        self._to_cbor = codec.encode(group)
        at = _FROM_AT + 1 + name_length + 5
        self._seq = slice(at, at + 8)

    def post_many(self, count: int) -> None:
        """Post the next messages in one write."""
        at_ns, frames = now_ns(), []
        for _ in range(count):
            self.sent += 1
            self._sent_at[self.sent] = at_ns
            cid = self._run + self.sent.to_bytes(8, "big")
            frames.append(frame(codec.encode_send(self.sent, self._to_cbor, cid, BODY)))
        self._transport.write(b"".join(frames))

    async def ask(self, op: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a request."""
        self._asked += 1
        answer = self._answers[self._asked] = asyncio.get_running_loop().create_future()
        self._transport.write(frame(codec.encode({**op, "id": self._asked})))
        return await answer

    # -- receiving ---------------------------------------------------------------------------------
    def data_received(self, data: bytes) -> None:
        """Take in what came; post on, ack."""
        if self._buffer:
            data = self._buffer + data
        at, end, accepted = 0, len(data), 0
        while end - at >= 4:
            stop = at + 4 + int.from_bytes(data[at : at + 4], "big")
            if end < stop:
                break
            if data[at + 4 : at + 17] == _COPY:
                self._take_copy(data[at:stop])
            else:
                accepted += self._take(codec.decode(data[at + 4 : stop]))
            at = stop
        self._buffer = data[at:]
        if accepted and self.window:
            self.post_many(accepted)
        if self._upd - self._upd_acked >= ACK_EVERY_UPDATES:
            self._ack()
        elif self._upd != self._upd_acked and not self._is_ack_due:
            self._is_ack_due = True
            asyncio.get_running_loop().call_later(ACK_DELAY_S, self._ack_late)

    def _take_copy(self, copy: bytes) -> None:
        tally = self._tally
        tally.received += 1
        upd = int.from_bytes(copy[_UPD], "big")
        if upd != self._upd + 1:
            tally.fail(f"{self.user}: update {upd} after {self._upd}")
        self._upd = upd
        if not self._to_cbor:
            return  # the record that made the group
        seq = int.from_bytes(copy[self._seq], "big")
        if seq <= self.head:
            tally.duplicated += 1
        elif seq > self.head + 1:
            tally.lost += seq - self.head - 1
        self.head = seq
        if seq % DECODE_EVERY == 0:
            record = codec.decode(copy[4:])["msg"]
            if record["seq"] != seq or record["body"] != BODY:
                tally.fail(f"{self.user}: {record}")

    def _take(self, message: dict[str, Any]) -> int:
        if "re" not in message:
            if message["op"] != "mark":
                self._tally.fail(f"{self.user}: {message}")
            return 0
        number = message["re"]
        if (answer := self._answers.pop(number, None)) is not None:
            answer.set_result(message)
            return 0
        if "err" in message:
            self._tally.fail(f"{self.user}: {message}")
            return 0
        if not self.ready.done():
            self._upd = self._upd_acked = message["ok"]["cursor"]
            self.ready.set_result(None)
            return 0
        self._tally.acked += 1
        self.seqs_own.append(message["ok"]["seq"])
        self._tally.ack_ns.append(now_ns() - self._sent_at.pop(number))
        return 1

    def _ack_late(self) -> None:
        self._is_ack_due = False
        if self._upd != self._upd_acked and not self._is_leaving:
            self._ack()

    def _ack(self) -> None:
        self._upd_acked = self._upd
        self._transport.write(frame(codec.encode_ack(self._upd)))

    # -- the end -----------------------------------------------------------------------------------
    def leave(self) -> None:
        """Close the connection."""
        self._is_leaving = True
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note a connection that was not to end."""
        if not self._is_leaving:
            self._tally.fail(f"{self.user}: connection lost: {exc}")
