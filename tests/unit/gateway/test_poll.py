"""Sessions over HTTP requests: who is let in, what is refused, JSON and frames."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from actorchat.errors import Overloaded
from actorchat.gateway import poll as module
from actorchat.gateway.base import Bounds, Outlet
from actorchat.gateway.poll import FRAMES_TYPE, PollGateway
from actorchat.protocol.codec import decode, encode
from actorchat.protocol.framing import FrameSplitter, frame
from tests.unit.gateway.stage import FakeSession

PING = encode({"op": "ping"})


class Door:
    """A gateway and a browser of sorts."""

    def __init__(self, **bounds: Any) -> None:
        self.sessions: list[FakeSession] = []
        self.refusal: Exception | None = None
        self.reason = ""
        self.gateway = PollGateway(
            self._open_session,
            "127.0.0.1",
            0,
            bounds=Bounds(**{"close_linger_s": 0.2, "drain_answer_s": 0.2, **bounds}),
            health=lambda: self.reason,
            scrape=lambda: b"a 1.0\n",
        )

    def _open_session(self, outlet: Outlet) -> FakeSession:
        if self.refusal is not None:
            raise self.refusal
        self.sessions.append(FakeSession(outlet))
        return self.sessions[-1]

    async def open(self) -> None:
        await self.gateway.start()
        self.http = aiohttp.ClientSession(self.gateway.address)

    async def close(self) -> None:
        await self.http.close()
        await self.gateway.stop()

    async def ask(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[int, Any, bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.http.request(method, path, data=body, headers=named) as answer:
            return answer.status, answer.headers, await answer.read()

    async def token(self) -> str:
        async with self.http.post("/v1/session") as answer:
            assert answer.status == 201
            return str((await answer.json())["token"])

    async def poll(
        self, token: str, number: int, ack: int = 0, body: bytes = b"", **more: str
    ) -> tuple[int, Any, bytes]:
        headers = {
            "Authorization": f"Bearer {token}",
            "Content_Type": FRAMES_TYPE,
            "Actorchat_Poll": str(number),
            "Actorchat_Ack": str(ack),
            "Actorchat_Wait_Ms": "0",
            **more,
        }
        return await self.ask("POST", "/v1/poll", body, **headers)


@pytest_asyncio.fixture
async def door() -> AsyncIterator[Door]:
    door = Door()
    await door.open()
    yield door
    await door.close()


def frames(body: bytes) -> list[dict[str, Any]]:
    return [decode(payload) for payload in FrameSplitter().feed(body, 2**20)]


async def test_session_is_opened_polled_and_closed(door: Door) -> None:
    token = await door.token()
    (session,) = door.sessions
    assert session.outlet.peer.startswith("127.0.0.1:")
    assert session.outlet.source == "127.0.0.1"
    session.outlet.push(encode({"n": 1}))
    status, headers, body = await door.poll(token, 1, body=frame(PING), Actorchat_Wait_Ms="9000")
    assert (status, frames(body)) == (200, [{"n": 1}])
    assert (headers["Actorchat-Seq"], headers["Actorchat-Taken"]) == ("1", "1")
    assert len(session.ops) == 1
    assert (await door.ask("DELETE", "/v1/session", Authorization=f"Bearer {token}"))[0] == 204
    assert session.reasons == ["eof"]
    assert (await door.poll(token, 2))[0] == 401


async def test_tokens_are_long_and_differ(door: Door) -> None:
    tokens = {await door.token() for _ in range(20)}
    assert len(tokens) == 20 and all(len(token) == 43 for token in tokens)


@pytest.mark.parametrize("given", ["Bearer wrong", "Basic wrong", "Bearer ", "", "Bearer \u00fc"])
async def test_wrong_token_is_refused_and_its_body_not_read(door: Door, given: str) -> None:
    await door.token()
    status, headers, _ = await door.ask(
        "POST", "/v1/poll", frame(PING), Authorization=given, Content_Type=FRAMES_TYPE
    )
    assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
    assert (await door.ask("DELETE", "/v1/session", Authorization=given))[0] == 401
    assert door.sessions[0].ops == []


async def test_numbers_that_do_not_fit_are_refused(door: Door) -> None:
    token = await door.token()
    assert (await door.poll(token, 1, ack=1))[0] == 409
    assert (await door.poll(token, 9))[0] == 409
    for number in ("", "x", "-1", "0", "9" * 16, "9" * 17, "1.5", "\u0661"):
        assert (await door.poll(token, 1, Actorchat_Poll=number))[0] == 400
    assert (await door.poll(token, 1, Actorchat_Ack="x"))[0] == 400
    assert (await door.poll(token, 1, Actorchat_Wait_Ms="x"))[0] == 400
    assert (await door.poll(token, 1))[0] == 200  # nothing of it did any harm


async def test_body_of_another_type_is_refused(door: Door) -> None:
    token = await door.token()
    assert (await door.poll(token, 1, body=frame(PING), Content_Type="text/plain"))[0] == 415
    assert door.sessions[0].ops == []


async def test_body_over_the_cap_is_refused_and_the_cap_grows_with_sign_in(door: Door) -> None:
    token = await door.token()
    body = frame(encode({"op": "ack", "upd": 1})) * 1500
    assert len(body) > 8_200
    assert (await door.poll(token, 1, body=body))[0] == 413
    door.sessions[0].outlet.admit()
    assert (await door.poll(token, 1, body=body))[0] == 200
    assert len(door.sessions[0].ops) == 1500
    assert (await door.poll(token, 2, body=b"x" * 600_000))[0] == 413
    assert (await door.ask("POST", "/v1/session", b"x"))[0] == 413


async def test_flood_of_bodies_for_one_session_is_refused(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BODIES_MAX", 1)
    token = await door.token()
    reader, writer = await asyncio.open_connection("127.0.0.1", door.gateway.port)
    body = frame(PING)
    head = (
        f"POST /v1/poll HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: {FRAMES_TYPE}\r\nContent-Length: {len(body)}\r\n"
        "Actorchat-Poll: 1\r\nActorchat-Ack: 0\r\nActorchat-Wait-Ms: 0\r\n\r\n"
    )
    writer.write(head.encode() + body[:5])
    async with asyncio.timeout(20):
        while not door.gateway._lines[token].bodies:
            await asyncio.sleep(0)
    assert (await door.poll(token, 2, body=body))[0] == 429
    writer.write(body[5:])
    assert (await reader.readline()).split()[1] == b"200"
    writer.close()
    await writer.wait_closed()
    assert len(door.sessions[0].ops) == 1
    assert door.gateway._lines[token].bodies == 0


async def test_json_goes_in_and_out(door: Door) -> None:
    token = await door.token()
    (session,) = door.sessions
    session.outlet.push(encode({"op": "msg", "cid": b"\0" * 16}))
    body = b'[{"op": "ping"}, {"op": "ack", "upd": 7}]'
    status, headers, body = await door.poll(token, 1, body=body, Content_Type="application/json")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert body == b'[{"op":"msg","cid":"AAAAAAAAAAAAAAAAAAAAAA"}]\n'
    assert [type(op).__name__ for op in session.ops] == ["Ping", "Ack"]
    _, headers, body = await door.poll(token, 2, 1, Accept="application/json")
    assert body == b"[]\n"


@pytest.mark.parametrize("body", [b"{}", b"[", b"nothing", b"[1,]", b"\xff", b"[" * 10_000 + b"1"])
async def test_json_that_is_no_array_is_refused(door: Door, body: bytes) -> None:
    token = await door.token()
    door.sessions[0].outlet.admit()
    assert (await door.poll(token, 1, body=body, Content_Type="application/json"))[0] == 400
    assert door.sessions[0].reasons == []


async def test_json_that_is_no_op_is_treated_like_hostile_frames(door: Door) -> None:
    token = await door.token()
    body = b'[{"op": "ping"}, 7, {"op": "ping"}]'
    status, _, said = await door.poll(
        token, 1, body=body, Content_Type="application/json", Actorchat_Wait_Ms="9000"
    )
    assert status == 200
    assert b'"code":"bad_frame"' in said and b'"op":"bye"' in said
    assert [type(op).__name__ for op in door.sessions[0].ops] == ["Ping"]
    assert (await door.poll(token, 2, 2))[0] == 410
    assert (await door.poll(token, 3, 2))[0] == 401


async def test_peer_that_is_sent_away_is_told_at_once_and_leaves_nothing(door: Door) -> None:
    door.refusal = Overloaded("no room")
    status, headers, body = await door.ask("POST", "/v1/session")
    assert (status, headers["Content-Type"]) == (503, FRAMES_TYPE)
    (bye,) = frames(body)
    assert (bye["op"], bye["code"]) == ("bye", "overload")
    await asyncio.sleep(0)
    assert door.gateway.counters.open == 0
    assert door.gateway._lines == {}


async def test_pages_tell_of_health_and_numbers(door: Door) -> None:
    assert (await door.ask("GET", "/livez"))[0] == 200
    assert (await door.ask("GET", "/readyz"))[0] == 200
    door.reason = "the store is full"
    status, _, body = await door.ask("GET", "/readyz")
    assert (status, body) == (503, b"the store is full\n")
    assert (await door.ask("GET", "/livez"))[0] == 200
    assert (await door.ask("GET", "/metrics"))[2] == b"a 1.0\n"


async def test_draining_gateway_is_not_ready_and_lets_pollers_fetch_the_rest(door: Door) -> None:
    token = await door.token()
    draining = asyncio.ensure_future(door.gateway.drain())
    await asyncio.sleep(0)
    status, _, body = await door.ask("GET", "/readyz")
    assert (status, body) == (503, b"draining\n")
    assert (await door.ask("POST", "/v1/session"))[0] == 503
    _, _, body = await door.poll(token, 1, Actorchat_Wait_Ms="9000")
    assert [op["code"] for op in frames(body)] == ["drain"]
    assert (await door.poll(token, 2, 1))[0] == 410
    assert await draining == 0


async def test_poll_of_a_session_that_ends_meanwhile_is_answered() -> None:
    door = Door()
    await door.open()
    token = await door.token()
    waiting = asyncio.ensure_future(door.poll(token, 1, Actorchat_Wait_Ms="9000"))
    while door.gateway._lines[token].transport._poll is None:
        await asyncio.sleep(0)
    await door.gateway.stop()
    assert (await waiting)[0] == 410
    await door.close()
