"""The client over every transport: it is sent nothing twice and loses nothing, whatever gives way.

Each link is the far end of a gateway; all must tell the client the same. Runs on both loops.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
import trustme
import zmq
from zmq.utils import z85

from actorchat.client import Chat, CurveIdentity, connect
from actorchat.client.dial import OVER_TLS, SCHEMES
from actorchat.errors import CallTimeout
from actorchat.gateway.base import Bounds, Outlet
from actorchat.gateway.curve import CurveKeys
from actorchat.gateway.poll import PollGateway
from actorchat.gateway.tcp import TcpGateway
from actorchat.gateway.ws import WsGateway
from actorchat.gateway.zeromq import ZmqGateway
from actorchat.protocol.codec import (
    encode,
    encode_accepted,
    encode_push,
    encode_record,
    encode_reply,
    encode_update,
)
from actorchat.protocol.ops import Hello, Ping, Pong, Send

GATEWAYS: dict[str, Callable[..., Any]] = {
    "tcp": TcpGateway,
    "tls": TcpGateway,
    "ws": WsGateway,
    "wss": WsGateway,
    "zmq": ZmqGateway,
    "http": PollGateway,
    "https": PollGateway,
}
BOUNDS = Bounds(close_linger_s=0.5, drain_answer_s=0.3, drain_spread_ms=1, tick_s=0.05)
PATIENCE_S = 20.0
ANN = encode("ann")


class Log:
    """What a node keeps: every send once. It outlives the gateways."""

    def __init__(self) -> None:
        self.sends: dict[bytes, str] = {}
        self.sessions: set[Session] = set()
        self.is_answering = True

    def take(self, cid: bytes, body: str) -> int:
        """Keep a send, unless it is kept already; return its position."""
        if cid not in self.sends:
            self.sends[cid] = body
            for session in tuple(self.sessions):
                session.push(len(self.sends))
        return list(self.sends).index(cid) + 1


class Session:
    """Tells a device whatever anybody sent, from where it left off."""

    def __init__(self, log: Log, outlet: Outlet) -> None:
        self._log = log
        self._outlet = outlet

    def receive(self, op: Any) -> None:
        match op:
            case Hello():
                head, resume = len(self._log.sends), op.resume or 0
                granted = {"user": op.user, "device": op.device, "head": head, "cursor": resume}
                self._outlet.admit()
                self._outlet.reply(encode_reply(op.id, granted))
                self._log.sessions.add(self)
                for upd in range(resume + 1, head + 1):
                    self.push(upd)
            case Send() if self._log.is_answering:
                seq = self._log.take(op.cid, op.body)
                self._outlet.reply(encode_accepted(op.id, seq, 1))
            case Ping():
                self._outlet.push(encode_push(Pong()))

    def push(self, upd: int) -> None:
        cid, body = list(self._log.sends.items())[upd - 1]
        self._outlet.push(encode_update(upd, encode_record(ANN, upd, 1, cid, body)))

    def closed(self, reason: str) -> None:
        self._log.sessions.discard(self)


class Site:
    """A log, the gateways before it, and clients."""

    def __init__(self, scheme: str, tls_server: ssl.SSLContext, tls_client: ssl.SSLContext) -> None:
        self.scheme = scheme
        self.log = Log()
        self._tls_server = tls_server if scheme in OVER_TLS else None
        self._tls_client = tls_client
        self._gateways: list[Any] = []

    async def open(self, port: int = 0, **more: Any) -> Any:
        gateway = GATEWAYS[self.scheme](
            lambda outlet: Session(self.log, outlet),
            "127.0.0.1",
            port,
            self._tls_server,
            replace(BOUNDS, poll_wait_s=2.0),
            **more,
        )
        await gateway.start()
        self._gateways.append(gateway)
        return gateway

    def client(self, *gateways: Any, **options: Any) -> Chat:
        given = {"reconnect_cap_s": 0.1, "sign_in_timeout_s": PATIENCE_S} | options
        return connect(
            [gateway.address for gateway in gateways],
            user="ann",
            device="phone",
            token="t",
            tls=self._tls_client,
            **given,
        )

    async def close(self) -> None:
        for gateway in self._gateways:
            await gateway.stop()


@pytest.fixture(scope="module")
def tls_contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


@pytest_asyncio.fixture(params=SCHEMES)
async def site(
    request: pytest.FixtureRequest, tls_contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> AsyncIterator[Site]:
    site = Site(request.param, *tls_contexts)
    yield site
    await site.close()


@pytest_asyncio.fixture
async def zmq_site(
    tls_contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> AsyncIterator[Site]:
    site = Site("zmq", *tls_contexts)
    yield site
    await site.close()


async def texts(chat: Chat, count: int) -> list[str]:
    feed = chat.messages()
    async with asyncio.timeout(PATIENCE_S):
        return [(await anext(feed)).text for _ in range(count)]


def numbered(first: int, end: int) -> list[str]:
    return [f"{number}" for number in range(first, end)]


async def test_what_is_posted_at_once_is_answered_and_delivered_in_order(site: Site) -> None:
    async with site.client(await site.open()) as chat:
        posts = [chat.post("ann", text) for text in numbered(0, 500)]
        assert await texts(chat, 500) == numbered(0, 500)
        async with asyncio.timeout(PATIENCE_S):
            assert [sent.seq for sent in await asyncio.gather(*posts)] == list(range(1, 501))
        assert chat.reconnects == 0


async def test_long_messages_come_whole_in_both_directions(site: Site) -> None:
    async with site.client(await site.open()) as chat:
        # More than libzmq or the kernel keep, less than a server would take for a slow consumer.
        bodies = [f"{number}" + "x" * 30_000 for number in range(30)]
        posts = [chat.post("ann", body) for body in bodies]
        assert await texts(chat, 30) == bodies
        await asyncio.gather(*posts)
        assert chat.reconnects == 0


async def test_client_takes_up_where_a_server_broke_off(site: Site) -> None:
    gateway = await site.open()
    async with site.client(gateway) as chat:
        for text in numbered(0, 3):
            await chat.send("ann", text)
        assert await texts(chat, 2) == numbered(0, 2)
        site.log.is_answering = False
        posts = [chat.post("ann", text) for text in numbered(3, 20)]
        await gateway.stop()
        site.log.is_answering = True
        await site.open(int(gateway.address.rpartition(":")[2]))
        assert await texts(chat, 18) == numbered(2, 20)
        async with asyncio.timeout(PATIENCE_S):
            assert [sent.seq for sent in await asyncio.gather(*posts)] == list(range(4, 21))
        assert chat.reconnects == 1
        assert list(site.log.sends.values()) == numbered(0, 20)


async def test_drain_sends_the_client_to_another_server(site: Site) -> None:
    first, second = await site.open(), await site.open()
    async with site.client(first, second) as chat:
        await chat.send("ann", "0")
        await first.drain()
        assert (await chat.send("ann", "1")).seq == 2
        assert await texts(chat, 2) == ["0", "1"]
        assert second.counters.accepted == 1


async def test_application_that_fetches_late_gets_all(site: Site) -> None:
    gateway = await site.open()
    for text in numbered(0, 1_000):
        site.log.take(text.encode().rjust(16), text)
    async with site.client(gateway, inbox_max=16, resume=0) as chat:
        for _ in range(50):
            await asyncio.sleep(0.001)
        assert await texts(chat, 1_000) == numbered(0, 1_000)
        await chat.send("ann", "last")
        assert await texts(chat, 1) == ["last"]


async def test_server_that_is_not_there_is_told_as_such(site: Site) -> None:
    gateway = await site.open()
    await gateway.stop()
    with pytest.raises(CallTimeout, match=r"not signed in in 0\.3 s: ."):
        async with site.client(gateway, sign_in_timeout_s=0.3):
            pass


def test_every_scheme_of_the_client_has_a_gateway() -> None:
    assert set(GATEWAYS) == set(SCHEMES)


# -- CURVE ---------------------------------------------------------------------------------------


async def test_listed_key_signs_in_and_others_hear_why_not(zmq_site: Site) -> None:
    server, anns, strangers = (zmq.curve_keypair() for _ in range(3))
    keys = CurveKeys(*server, frozenset({z85.decode(anns[0])}))
    gateway = await zmq_site.open(keys=keys)
    identity = CurveIdentity(server[0].decode(), anns[1].decode())
    async with zmq_site.client(gateway, curve=identity) as chat:
        assert (await chat.send("ann", "0")).seq == 1
    for wrong, reason in (
        (replace(identity, secret=strangers[1].decode()), "does not let this client's CURVE key"),
        (replace(identity, server=strangers[0].decode()), "is this CURVE key the server's"),
        (None, "does it want CURVE"),
    ):
        with pytest.raises(CallTimeout, match=reason):
            async with zmq_site.client(gateway, curve=wrong, sign_in_timeout_s=0.5):
                pass
