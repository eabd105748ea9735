"""The asyncio face against a scripted server on a real socket."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trustme

from actorchat.client import Chat, Message, Presence, Progress, Sent, State, connect, new_cid
from actorchat.client.message import Entry, Marks
from actorchat.errors import (
    AuthFailed,
    CallTimeout,
    InvalidOp,
    Overloaded,
    Refusal,
    SessionEnded,
    TakenOver,
    VersionMismatch,
)
from actorchat.protocol import ops
from tests.unit.client.playbook import CID, delivery, refused
from tests.unit.client.scripted import Peer, ScriptedServer


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as server:
        yield server


@asynccontextmanager
async def opened(server: ScriptedServer, **options: object) -> AsyncIterator[tuple[Chat, Peer]]:
    """Enter a signed-in client and give the server's end of its connection."""
    given = {"token": "t0", **options} if "password" not in options else options
    chat = connect(server.address, user="ann", device="phone", **given)  # type: ignore[arg-type]
    entering = asyncio.create_task(chat.__aenter__())
    peer = await server.peer()
    await peer.welcome()
    await entering
    try:
        yield chat, peer
    finally:
        await chat.close(0)


async def take(chat: Chat, count: int) -> list[str]:
    """Fetch `count` messages; return their texts."""
    feed = chat.messages()
    async with asyncio.timeout(20):
        return [(await anext(feed)).text for _ in range(count)]


async def test_a_client_signs_in_sends_and_receives(server: ScriptedServer) -> None:
    async with opened(server) as (chat, peer):
        assert chat.state is State.OPEN
        sending = asyncio.create_task(chat.send("bob", "hi"))
        op = await peer.heard(ops.Send)
        assert (op.to, op.body, len(op.cid)) == ("bob", "hi", 16)
        peer.answer(op, 4)
        assert await sending == Sent(4, 1_004, False)
        peer.say(delivery(1))
        message = await anext(chat.messages())
        assert isinstance(message, Message)
        assert (message.sender, message.seq, message.cid, message.upd) == ("bob", 1, CID, 1)
        assert (await peer.heard(ops.Ack)).upd == 1
        assert chat.cursor == 1


async def test_after_a_password_the_token_signs_in_again_and_resumes(
    server: ScriptedServer,
) -> None:
    chat = connect(server.address, user="ann", device="phone", password="secret")
    entering = asyncio.create_task(chat.__aenter__())
    peer = await server.peer()
    hello = await peer.welcome(token="t1")
    assert (hello.mech, hello.secret, hello.resume) == ("password", "secret", None)
    await entering
    assert chat.token == "t1"
    peer.say(delivery(1))
    assert await take(chat, 1) == ["m1"]
    peer.hang_up()
    peer = await server.peer()
    hello = await peer.welcome()
    assert (hello.mech, hello.secret, hello.resume) == ("token", "t1", 1)
    await chat.wait_signed_in(5)
    assert chat.reconnects == 1
    await chat.close(0)
    assert chat.state is State.ENDED


async def test_a_send_survives_the_loss_of_its_connection_under_the_same_cid(
    server: ScriptedServer,
) -> None:
    async with opened(server) as (chat, peer):
        futures = [chat.post("bob", text) for text in ("a", "b", "c")]
        first = [await peer.heard(ops.Send) for _ in futures]
        peer.answer(first[1], 2)
        assert (await futures[1]).seq == 2
        peer.hang_up()
        back = await server.peer()
        await back.welcome()
        again = [await back.heard(ops.Send) for _ in range(2)]
        assert [(op.body, op.cid) for op in again] == [("a", first[0].cid), ("c", first[2].cid)]
        back.answer(again[0], 1, dup=True)
        back.answer(again[1], 3)
        assert await asyncio.gather(*futures) == [
            Sent(1, 1_001, True), Sent(2, 1_002), Sent(3, 1_003),
        ]  # fmt: skip
        assert 0.0 < chat.refused_max_s < 60.0


async def test_repeated_updates_are_handed_on_once(server: ScriptedServer) -> None:
    async with opened(server) as (chat, peer):
        peer.say(delivery(1), delivery(2), delivery(2), delivery(1), delivery(3))
        assert await take(chat, 3) == ["m1", "m2", "m3"]
        peer.hang_up()
        back = await server.peer()
        await back.welcome(cursor=0, head=4)
        back.say(delivery(1), delivery(2), delivery(3), delivery(4))
        assert await take(chat, 1) == ["m4"]
        assert chat.updates_repeated == (5, 0)


async def test_a_gap_is_filled_by_connecting_again(server: ScriptedServer) -> None:
    async with opened(server) as (chat, peer):
        peer.say(delivery(1), delivery(3))
        back = await server.peer()
        assert (await back.welcome(head=3)).resume == 1
        back.say(delivery(2), delivery(3))
        assert await take(chat, 3) == ["m1", "m2", "m3"]


async def test_bytes_that_are_no_protocol_end_the_connection(server: ScriptedServer) -> None:
    async with opened(server) as (chat, peer):
        peer.garble()
        back = await server.peer()
        assert "no sense" in chat.trouble
        await back.welcome()
        await chat.wait_signed_in(5)
        assert chat.trouble == ""


async def test_a_takeover_ends_everything_with_one_error(server: ScriptedServer) -> None:
    async with opened(server) as (chat, peer):
        future = chat.post("bob", "a")
        await peer.heard(ops.Send)
        peer.say(delivery(1), ops.Bye("takeover", "never"))
        assert await take(chat, 1) == ["m1"]
        with pytest.raises(TakenOver):
            await anext(chat.messages())
        with pytest.raises(TakenOver):
            await anext(chat.marks())
        with pytest.raises(TakenOver) as failure:
            await future
        assert failure.value.outcome == "unknown"
        with pytest.raises(TakenOver):
            await chat.send("bob", "b")
        with pytest.raises(TakenOver):
            await chat.wait_signed_in()


async def test_a_drain_brings_the_client_to_the_next_address(server: ScriptedServer) -> None:
    async with ScriptedServer() as other:
        both = [server.address, other.address]
        chat = connect(both, user="ann", device="phone", token="t0", sign_in_timeout_s=0)
        async with chat:
            peer = await server.peer()
            await peer.welcome()
            await chat.wait_signed_in(5)
            peer.say(ops.Bye("drain", "elsewhere"))
            peer = await other.peer()
            await peer.welcome()
            await chat.wait_signed_in(5)
            peer.say(ops.Bye("idle", "now"))
            await (await other.peer()).welcome()  # an address that works is kept


@pytest.mark.parametrize(
    ("code", "error"), [("unauthenticated", AuthFailed), ("version", VersionMismatch)]
)
async def test_a_refused_sign_in_raises_on_entering(
    server: ScriptedServer, code: str, error: type[Exception]
) -> None:
    chat = connect(server.address, user="ann", device="phone", token="bad")
    entering = asyncio.create_task(chat.__aenter__())
    peer = await server.peer()
    hello = await peer.heard(ops.Hello)
    peer.say(refused(hello.id, code, "never"))
    with pytest.raises(error):
        await entering
    assert await peer.is_left()


async def test_nobody_listening_is_told_by_the_time_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    chat = connect(
        f"tcp://127.0.0.1:{port}", user="ann", device="phone", token="t", sign_in_timeout_s=0.02
    )
    with pytest.raises(CallTimeout, match=r"refused|failed"):
        await chat.__aenter__()
    assert chat.state is State.ENDED


async def test_a_refused_send_is_typed_and_the_next_goes_on(server: ScriptedServer) -> None:
    async with opened(server) as (chat, peer):
        bad, good = chat.post("bob", "a"), chat.post("bob", "b")
        first, second = await peer.heard(ops.Send), await peer.heard(ops.Send)
        peer.say(refused(first.id, "id_conflict", "never"))
        peer.answer(second, 1)
        with pytest.raises(Refusal) as failure:
            await bad
        assert (failure.value.code, failure.value.retry) == ("id_conflict", "never")
        assert (await good).seq == 1


async def test_a_send_refused_for_now_is_sent_again(server: ScriptedServer) -> None:
    async with opened(server) as (chat, peer):
        cid = new_cid()
        sending = asyncio.create_task(chat.send("bob", "a", cid=cid))
        op = await peer.heard(ops.Send)
        peer.say(refused(op.id, "store_full", "after", 1))
        op = await peer.heard(ops.Send)
        assert op.cid == cid
        peer.answer(op, 1)
        assert (await sending).seq == 1


async def test_what_no_server_would_take_never_leaves(server: ScriptedServer) -> None:
    async with opened(server, unsent_max=1, window=1) as (chat, peer):
        with pytest.raises(InvalidOp):
            await chat.send("no such name", "a")
        with pytest.raises(InvalidOp):
            await chat.history("bob", limit=1_000)
        with pytest.raises(InvalidOp):
            chat.mark_read("B", 1)
        futures = [chat.post("bob", "a"), chat.post("bob", "b")]
        with pytest.raises(Overloaded):
            chat.post("bob", "c")
        for seq, future in enumerate(futures, 1):
            peer.answer(await peer.heard(ops.Send), seq)
            assert (await future).seq == seq


async def test_many_posts_of_one_turn_arrive_in_order(server: ScriptedServer) -> None:
    async with opened(server) as (chat, peer):
        futures = [chat.post("bob", str(number)) for number in range(300)]
        for number in range(300):
            op = await peer.heard(ops.Send)
            assert op.body == str(number)
            peer.answer(op, number + 1)
        sent = await asyncio.gather(*futures)
        assert [one.seq for one in sent] == list(range(1, 301))


async def test_a_slow_application_stops_the_reading_and_keeps_what_came(
    server: ScriptedServer,
) -> None:
    async with opened(server, inbox_max=4) as (chat, peer):
        peer.say(*[delivery(upd) for upd in range(1, 7)])
        assert (await peer.heard(ops.Ack)).upd == 4  # what is beyond the bound is not acked
        peer.say(ops.Bye("takeover", "never"))
        # Nothing of it is read before the application fetches again.
        for _ in range(20):
            await asyncio.sleep(0)
        assert chat.state is State.OPEN
        assert await take(chat, 6) == ["m1", "m2", "m3", "m4", "m5", "m6"]
        with pytest.raises(TakenOver):
            await anext(chat.messages())


async def test_an_application_that_answers_while_it_fetches_never_stands_still(
    server: ScriptedServer,
) -> None:
    async with opened(server, inbox_max=4) as (chat, peer):
        peer.say(*[delivery(upd) for upd in range(1, 9)])
        assert (await peer.heard(ops.Ack)).upd == 4

        async def echo() -> list[int]:
            return [
                (await chat.send(message.sender, message.text)).seq
                async for message in chat.messages()
            ]

        echoing = asyncio.create_task(echo())
        for seq in range(1, 10):
            while not isinstance(op := await peer.heard(object), ops.Send):
                assert isinstance(op, ops.Ack)
            if seq == 1:  # more comes before the answer, and is read before it
                peer.say(delivery(9))
                for _ in range(10):
                    await asyncio.sleep(0)
            peer.answer(op, seq)
        await chat.flush(5)
        await chat.close()
        assert await echoing == list(range(1, 10))


async def test_a_manual_ack_is_the_applications_own(server: ScriptedServer) -> None:
    async with opened(server, ack="manual") as (chat, peer):
        peer.say(delivery(1), delivery(2), delivery(3))
        feed = chat.messages()
        messages = [await anext(feed) for _ in range(3)]
        assert chat.cursor == 0
        messages[1].ack()
        assert (await peer.heard(ops.Ack)).upd == 2
        chat.ack(3)
        assert (await peer.heard(ops.Ack)).upd == 3


async def test_marks_of_others_are_told_newest_first_only(server: ScriptedServer) -> None:
    async with opened(server) as (chat, peer):
        peer.say(ops.MarkPush("bob", "bob", 1, 0), ops.MarkPush("bob", "bob", 3, 2), delivery(1))
        await take(chat, 1)
        assert await anext(chat.marks()) == Progress("bob", "bob", 3, 2)
        chat.mark_read("bob", 1)
        assert await peer.heard(ops.Mark) == ops.Mark("bob", 1)


async def test_questions_are_answered_with_values(server: ScriptedServer) -> None:
    async with opened(server) as (chat, peer):
        asking = asyncio.create_task(chat.history("bob", before=9, limit=2))
        op = await peer.heard(ops.History)
        assert (op.conv, op.before, op.after, op.limit) == ("bob", 9, 0, 2)
        events = [{"from": "bob", "seq": 8, "ts": 5, "cid": CID, "body": "hi"}]
        marks = {"bob": {"delivered": 8, "read": 7}}
        ok = {"events": events, "head": 12, "more": True, "marks": marks}
        peer.say(ops.Reply(re=op.id, ok=ok))
        page = await asking
        assert page.events == [Entry("bob", 8, 5, CID, "hi")]
        assert (page.head, page.more, page.marks) == (12, True, {"bob": Marks(8, 7)})

        asking = asyncio.create_task(chat.history("bob"))
        peer.say(ops.Reply(re=(await peer.heard(ops.History)).id, ok={"head": "x"}))
        with pytest.raises(InvalidOp):
            await asking

        revoking = asyncio.create_task(chat.revoke("laptop"))
        peer.say(ops.Reply(re=(await peer.heard(ops.Revoke)).id, ok={}))
        await revoking


async def test_an_operator_provisions_and_asks_for_counters(server: ScriptedServer) -> None:
    chat = connect(server.address, user="root", device="cli", operator="key", sign_in_timeout_s=0)
    async with chat:
        peer = await server.peer()
        hello = await peer.welcome()
        assert (hello.mech, hello.secret) == ("operator", "key")
        asking = asyncio.create_task(chat.provision("eve", device="phone"))
        op = await peer.heard(ops.Provision)
        assert (op.user, op.password, op.device) == ("eve", None, "phone")
        peer.say(ops.Reply(re=op.id, ok={"user": "eve", "token": "t9"}))
        assert await asking == "t9"
        status = asyncio.create_task(chat.status())
        peer.say(ops.Reply(re=(await peer.heard(ops.Status)).id, ok={"sessions": 3}))
        assert await status == {"sessions": 3}
        refusing = asyncio.create_task(chat.status())
        peer.say(refused((await peer.heard(ops.Status)).id, "forbidden", "never"))
        with pytest.raises(Refusal, match="forbidden"):
            await refusing


async def test_an_operator_looks_at_actors(server: ScriptedServer) -> None:
    chat = connect(server.address, user="root", device="cli", operator="key", sign_in_timeout_s=0)
    async with chat:
        peer = await server.peer()
        await peer.welcome()
        asking = asyncio.create_task(chat.actors("top", by="memory", count=3))
        op = await peer.heard(ops.Actors)
        assert (op.view, op.by, op.count, op.who) == ("top", "memory", 3, None)
        answer = {"total": 9, "actors": []}
        peer.say(ops.Reply(re=op.id, ok=answer))
        assert await asking == answer
        asking = asyncio.create_task(chat.actors("info", who="nobody"))
        peer.say(refused((await peer.heard(ops.Actors)).id, "no_such_actor", "never"))
        with pytest.raises(Refusal, match="no_such_actor"):
            await asking
        for wrong in ({"view": "info"}, {"count": 0}, {"by": "age"}, {"view": "all"}):
            with pytest.raises(InvalidOp):
                await chat.actors(**wrong)


async def test_leaving_waits_for_what_was_posted(server: ScriptedServer) -> None:
    chat = connect(server.address, user="ann", device="phone", token="t", sign_in_timeout_s=0)

    async def use() -> asyncio.Future[Sent]:
        async with chat:
            await chat.wait_signed_in(5)
            return chat.post("bob", "a")

    using = asyncio.create_task(use())
    peer = await server.peer()
    await peer.welcome()
    peer.answer(await peer.heard(ops.Send), 1)
    assert (await (await using)).seq == 1
    assert await peer.is_left()
    assert [message async for message in chat.messages()] == []  # it ends without an error


async def test_a_closed_client_says_that_a_send_is_uncertain(server: ScriptedServer) -> None:
    async with opened(server) as (chat, peer):
        future = chat.post("bob", "a")
        await peer.heard(ops.Send)
        await chat.close(0)
        with pytest.raises(SessionEnded) as failure:
            await future
        assert (failure.value.code, failure.value.outcome) == ("closed", "unknown")


async def test_a_cancelled_fetch_loses_nothing(server: ScriptedServer) -> None:
    async with opened(server) as (chat, peer):
        fetching = asyncio.create_task(anext(chat.messages()))
        await asyncio.sleep(0)
        fetching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetching
        peer.say(delivery(1))
        assert await take(chat, 1) == ["m1"]


async def test_a_certificate_is_checked() -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with ScriptedServer(context) as server:
        async with opened(server, tls=trusting) as (chat, peer):
            future = chat.post("bob", "a")
            peer.answer(await peer.heard(ops.Send), 1)
            assert (await future).seq == 1
        chat = connect(server.address, user="ann", device="phone", token="t", sign_in_timeout_s=0.5)
        with pytest.raises(CallTimeout, match="certificate"):
            await chat.__aenter__()


@pytest.mark.parametrize(
    ("address", "options"),
    [
        ("gopher://h:1", {"token": "t"}),
        ("tcp://h", {"token": "t"}),
        ("tcp://h:1/path", {"token": "t"}),
        ("tcp://h:1", {}),
        ("tcp://h:1", {"token": "t", "password": "p"}),
        ("tcp://h:1", {"token": "t", "user": "No Name"}),
    ],
)
def test_arguments_that_cant_be_used_are_refused_at_once(
    address: str, options: dict[str, str]
) -> None:
    with pytest.raises(ValueError):
        connect(address, **{"user": "ann", "device": "phone", **options})  # type: ignore[arg-type]


ANN_SEES_BOB = {"states": [{"user": "bob", "online": True}]}


async def test_watched_users_are_followed_through_a_reconnect(server: ScriptedServer) -> None:
    async with opened(server) as (chat, peer):
        asking = asyncio.create_task(chat.watch("bob"))
        op = await peer.heard(ops.Watch)
        assert op.users == ["bob"]
        peer.say(ops.Reply(re=op.id, ok=ANN_SEES_BOB))
        assert await asking == [Presence("bob", True)]
        peer.say(ops.Presence([ops.PresenceState("bob", False, 5)]))
        assert await anext(chat.presence()) == Presence("bob", False, 5)
        peer.hang_up()
        again = await server.peer()
        await again.welcome()
        op = await again.heard(ops.Watch)
        assert op.users == ["bob"]
        again.say(ops.Reply(re=op.id, ok=ANN_SEES_BOB))
        assert await anext(chat.presence()) == Presence("bob", True)
        chat.unwatch("bob")
        assert (await again.heard(ops.Unwatch)).users == ["bob"]


async def test_typing_goes_out_and_comes_in(server: ScriptedServer) -> None:
    async with opened(server) as (chat, peer):
        chat.signal("bob")
        assert await peer.heard(ops.Signal) == ops.Signal("bob", "typing")
        peer.say(ops.SignalPush("bob", "recording"))
        signal = await anext(chat.signals())
        assert (signal.user, signal.kind) == ("bob", "recording")
        assert signal.until_s > asyncio.get_running_loop().time()
        asking = asyncio.create_task(chat.privacy("contacts"))
        op = await peer.heard(ops.Privacy)
        peer.say(ops.Reply(re=op.id, ok={"level": op.level}))
        assert await asking == "contacts"


async def test_watching_more_than_the_server_takes_is_refused(server: ScriptedServer) -> None:
    async with opened(server) as (chat, peer):
        asking = asyncio.create_task(chat.watch("bob"))
        op = await peer.heard(ops.Watch)
        failure = ops.Failure("too_many", "128 users", "never", "none")
        peer.say(ops.Reply(re=op.id, err=failure))
        with pytest.raises(Refusal):
            await asking
        with pytest.raises(InvalidOp):
            await chat.watch()
