"""Knows how to load a node and check what comes back. Must not know the node's code, nor how bytes
travel.

Peers talk in pairs. Each numbers its messages in the client id and puts the time of sending into
the body, so that whoever receives one can tell what should come next and how long it took.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from actorchat.limits import ACK_DELAY_S, ACK_EVERY_UPDATES
from actorchat.protocol import codec

BODY_CHARS = 100
SAMPLE_EVERY = 16
_STAMP_CHARS = 19
_FILL = "x" * (BODY_CHARS - _STAMP_CHARS)

now_ns = time.perf_counter_ns


@dataclass(slots=True)
class Tally:
    """What all peers of a run have seen."""

    received: int = 0
    acked: int = 0
    lost: int = 0
    duplicated: int = 0
    errors: list[str] = field(default_factory=list)
    ack_ns: list[int] = field(default_factory=list)
    delivery_ns: list[int] = field(default_factory=list)

    def fail(self, what: str) -> None:
        """Note a broken promise."""
        self.errors.append(what)


class Peer:
    """One signed-in device that sends to its partner, acks what it gets, and checks it.

    How its payloads travel is a subclass's business: that writes them, hands what comes to
    `take` in the pieces in which it came, and calls `begin` and `end`. All belongs to the loop.
    """

    def __init__(self, tally: Tally, user: str, to: str, token: str) -> None:
        self.user = user
        self.seqs_got: list[int] = []
        self.seqs_own: list[int] = []
        self.sent = 0
        self.window = 0  # how many to keep in flight; 0: an open loop decides
        self.sample_every = SAMPLE_EVERY
        self.marked = 0
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tally = tally
        self._to = to
        self._to_cbor = codec.encode(to)
        self._token = token
        self._run = os.urandom(8)  # no id is used twice, in any run over the same node
        self._upd = 0
        self._upd_acked = 0
        self._expected = 1
        self._sent_at: dict[int, int] = {}
        self._is_ack_due = False
        self._is_leaving = False

    # -- what a transport brings -------------------------------------------------------------------
    @classmethod
    async def connect(cls, port: int, tally: Tally, user: str, to: str, token: str) -> Self:
        """Connect to a gateway of this machine, and begin to sign in: `ready` tells when it is."""
        raise NotImplementedError

    def _write(self, payloads: Sequence[bytes]) -> None:
        """Send the payloads, in one piece if there is such a thing."""
        raise NotImplementedError

    def _close(self) -> None:
        """Close the connection."""
        raise NotImplementedError

    # CBOR, where a transport has no other form.
    def _of_op(self, op: dict[str, Any]) -> bytes:
        return codec.encode(op)

    def _of_send(self, number: int, cid: bytes, body: str) -> bytes:
        return codec.encode_send(number, self._to_cbor, cid, body)

    def _of_ack(self, upd: int) -> bytes:
        return codec.encode_ack(upd)

    # -- sending -----------------------------------------------------------------------------------
    def begin(self) -> None:
        """Say hello."""
        hello = {
            "op": "hello",
            "id": 0,
            "version": 1,
            "user": self.user,
            "device": "bench",
            "mech": "token",
            "secret": self._token,
        }
        self._write((self._of_op(hello),))

    def post(self, at_ns: int | None = None) -> None:
        """Send the next message; `at_ns` is when it should have been sent."""
        self._write((self._next(now_ns() if at_ns is None else at_ns),))

    def post_many(self, count: int) -> None:
        """Send the next messages in one write."""
        at_ns = now_ns()
        self._write([self._next(at_ns) for _ in range(count)])

    def _next(self, at_ns: int) -> bytes:
        self.sent += 1
        number = self.sent
        if number % self.sample_every == 0:
            self._sent_at[number] = at_ns
        cid = self._run + number.to_bytes(8, "big")
        return self._of_send(number, cid, f"{at_ns:019d}{_FILL}")

    # -- receiving ---------------------------------------------------------------------------------
    def take(self, messages: Iterable[dict[str, Any]]) -> None:
        """Take in what came; send on, ack."""
        accepted = 0
        for message in messages:
            accepted += self._take(message)
        if accepted and self.window:
            self.post_many(accepted)
        if self._upd - self._upd_acked >= ACK_EVERY_UPDATES:
            self._ack()
        elif self._upd != self._upd_acked and not self._is_ack_due:
            self._is_ack_due = True
            asyncio.get_running_loop().call_later(ACK_DELAY_S, self._ack_late)

    def _take(self, message: dict[str, Any]) -> int:
        if "re" in message:
            return self._take_reply(message)
        if message["op"] == "msg":
            self._take_message(message["upd"], message["msg"])
        elif message["op"] == "mark":
            if message["delivered"] < self.marked:
                self._tally.fail(f"{self.user}: a mark went back")
            self.marked = message["delivered"]
        else:
            self._tally.fail(f"{self.user}: {message}")
        return 0

    def _take_reply(self, reply: dict[str, Any]) -> int:
        if "err" in reply:
            self._tally.fail(f"{self.user}: {reply}")
            return 0
        if not self.ready.done():
            self._upd = self._upd_acked = reply["ok"]["cursor"]
            self.ready.set_result(None)
            return 0
        tally, number = self._tally, reply["re"]
        tally.acked += 1
        if number != len(self.seqs_own) + 1:
            tally.fail(f"{self.user}: ack {number} out of turn")
        self.seqs_own.append(reply["ok"]["seq"])
        at_ns = self._sent_at.pop(number, None)
        if at_ns is not None:
            tally.ack_ns.append(now_ns() - at_ns)
        return 1

    def _take_message(self, upd: int, record: dict[str, Any]) -> None:
        tally = self._tally
        tally.received += 1
        if upd != self._upd + 1:
            tally.fail(f"{self.user}: update {upd} after {self._upd}")
        self._upd = upd
        number = int.from_bytes(record["cid"][8:], "big")
        if number < self._expected:
            tally.duplicated += 1
        elif number > self._expected:
            tally.lost += number - self._expected
        self._expected = number + 1
        self.seqs_got.append(record["seq"])
        if number % self.sample_every == 0:
            tally.delivery_ns.append(now_ns() - int(record["body"][:_STAMP_CHARS]))

    def _ack_late(self) -> None:
        self._is_ack_due = False
        if self._upd != self._upd_acked and not self._is_leaving:
            self._ack()

    def _ack(self) -> None:
        self._upd_acked = self._upd
        self._write((self._of_ack(self._upd),))

    # -- the end -----------------------------------------------------------------------------------
    def leave(self) -> None:
        """Close the connection."""
        self._is_leaving = True
        self._close()

    def end(self, why: object) -> None:
        """Note a connection that ended, which it was not to do by itself."""
        if not self._is_leaving:
            self._is_leaving = True
            self._tally.fail(f"{self.user}: connection lost: {why}")
            if not self.ready.done():
                self.ready.set_result(None)


def check_pair(tally: Tally, one: Peer, other: Peer) -> None:
    """Hold what two partners saw against each other, when everything has arrived."""
    for sender, recipient in ((one, other), (other, one)):
        if len(sender.seqs_own) != sender.sent:
            tally.fail(f"{sender.user}: {sender.sent - len(sender.seqs_own)} sends unacked")
        missing = len(set(sender.seqs_own) - set(recipient.seqs_got))
        tally.lost += missing
        if not missing and sender.seqs_own != recipient.seqs_got:
            tally.fail(f"{sender.user} to {recipient.user}: order differs")
        if sender.sent and recipient.seqs_got and sender.marked != recipient.seqs_got[-1]:
            tally.fail(f"{sender.user}: last delivered mark is {sender.marked}")
    seqs = sorted(one.seqs_own + other.seqs_own)
    if seqs and seqs != list(range(seqs[0], seqs[0] + len(seqs))):
        tally.fail(f"{one.user} and {other.user}: the sequence has holes")
