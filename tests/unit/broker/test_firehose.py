"""Hooks and bots in a whole broker: what is stored reaches them, in order, through any crash."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from actorchat.broker.firehose import FIREHOSE, FirehoseActor
from actorchat.ids import group_address
from actorchat.limits import EVENTS_TRIM_S, HOOK_BREAK_S
from actorchat.protocol import ops
from actorchat.protocol.ops.group import Create
from actorchat.protocol.signature import is_signed
from actorchat.store import keys, kinds
from actorchat.store.verify import verify
from tests.unit.broker.stage import Device, Stage
from tests.unit.broker.test_log_writer import NoSpace

SECRET = "sixteen letters!"
URL = "https://hook.example/in"
KEEP_S = 1_800.0  # as long as events are kept here, and hooks may fail


class FakeCourier:
    """Keeps what was posted; answers as `answer` says, after a little time of the stage's."""

    def __init__(self) -> None:
        self.stage: Stage
        self.posts: list[dict[str, Any]] = []
        self.answer: Callable[[dict[str, Any]], tuple[int, str]] = lambda said: (200, "")

    def post(
        self, url: str, headers: dict[str, str], body: bytes, done: Callable[[int, str], object]
    ) -> None:
        now_s = self.stage.dispatcher.clock.wall_ms() / 1000
        assert is_signed(SECRET, headers, body, now_s)
        said = json.loads(body)
        assert url == URL
        self.posts.append(said)
        answer = self.answer(said)
        if answer[0] != -1:  # which stands for no answer at all
            self.stage.dispatcher.call_later(0.005, lambda: done(*answer))

    @property
    def bodies(self) -> list[str]:
        return [event.get("body", "") for said in self.posts for event in said["events"]]


@pytest.fixture
def courier() -> FakeCourier:
    return FakeCourier()


@pytest.fixture
def stage(courier: FakeCourier) -> Stage:
    stage = courier.stage = Stage(courier=courier, keep_days=KEEP_S / 86_400)
    stage.add_users("ann", "bob")
    return stage


def add_hook(operator: Device, name: str = "audit", **fields: Any) -> dict[str, Any]:
    given = {"url": URL, "secret": SECRET, "kinds": ["message", "change"], **fields}
    return operator.ask(lambda rid: ops.Hook(rid, name, "add", **given))


def do(operator: Device, deed: Any, name: str = "audit") -> dict[str, Any]:
    return operator.ask(lambda rid: ops.Hook(rid, name, deed))


def hooks(operator: Device) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in operator.ask(ops.Hooks)["ok"]["hooks"]}


def kinds_of_rows(stage: Stage) -> set[bytes]:
    return {keys.parse_state_key(key)[1] for key, _ in stage.rows("state")}


def make_bot(stage: Stage, operator: Device, kinds: list[Any], name: str = "robot") -> Device:
    ok = operator.ask(lambda rid: ops.Bot(rid, name, "main", kinds))["ok"]
    bot = stage.connect()
    reply = bot.ask(lambda rid: ops.Hello(rid, 1, name, "main", "token", ok["token"]))
    assert "ok" in reply
    return bot


def events(bot: Device, after: int | None = None, **options: int) -> dict[str, Any]:
    ok: dict[str, Any] = bot.ask(lambda rid: ops.Events(rid, after, **options))["ok"]
    return ok


# -- hooks ---------------------------------------------------------------------------------------
def test_nothing_is_kept_while_nobody_reads(stage: Stage) -> None:
    stage.hello("ann").send("bob", "hi")
    assert kinds.EVENT not in kinds_of_rows(stage)
    assert stage.broker.context.log.committer._tap is None


def test_what_is_stored_is_posted_in_order(stage: Stage, courier: FakeCourier) -> None:
    ann = stage.hello("ann")
    ann.send("bob", "before")
    operator = stage.operator()
    assert add_hook(operator)["ok"] == {}
    for number in range(5):
        ann.send("bob", f"message {number}")
    address = group_address(bytes(15) + b"\x01")
    made = ann.ask(
        lambda rid: ops.Change(rid, address, bytes(15) + b"\x01", Create("friends", ["bob"]))
    )
    assert "ok" in made
    stage.run(1.0)
    found = [event for said in courier.posts for event in said["events"]]
    assert [event["id"] for event in found] == [1, 2, 3, 4, 5, 6]
    assert [event["kind"] for event in found] == ["message"] * 5 + ["change"]
    assert (found[0]["from"], found[0]["to"], found[0]["seq"]) == ("ann", "bob", 2)
    assert found[5]["conv"] == address
    assert found[5]["change"]["name"] == "friends"
    assert not any("missed" in said for said in courier.posts)
    assert hooks(operator)["audit"]["position"] == 6
    assert verify(stage.engine).problems == []


def test_a_hook_gets_the_kinds_that_it_wants(stage: Stage, courier: FakeCourier) -> None:
    operator, ann = stage.operator(), stage.hello("ann")
    add_hook(operator, kinds=["change"])
    ann.send("bob", "private")
    stage.run(1.0)
    assert courier.posts == []
    assert hooks(operator)["audit"]["position"] == 1


def test_a_failing_hook_is_tried_again_and_order_holds(stage: Stage, courier: FakeCourier) -> None:
    operator, ann = stage.operator(), stage.hello("ann")
    add_hook(operator)
    outcomes = iter([(500, ""), (0, "no answer in time"), (302, "")])
    courier.answer = lambda said: next(outcomes, (204, ""))
    for body in "abc":
        ann.send("bob", body)
    stage.run(60.0)
    assert courier.bodies == ["a", "a", "a", "a", "b", "c"]
    assert hooks(operator)["audit"]["failures"] == 0


def test_a_hook_that_fails_for_long_is_left_alone_then_dead(
    stage: Stage, courier: FakeCourier
) -> None:
    operator, ann = stage.operator(), stage.hello("ann")
    add_hook(operator)
    courier.answer = lambda said: (503, "")
    ann.send("bob", "a")
    stage.run(0.9 * KEEP_S)
    assert len(courier.posts) < KEEP_S / HOOK_BREAK_S + 10
    assert hooks(operator)["audit"]["state"] == "active"
    stage.crash()
    courier.posts.clear()
    operator = stage.operator()
    assert hooks(operator)["audit"]["failures"] >= 8  # which is kept, and since when
    stage.run(KEEP_S + 2 * HOOK_BREAK_S)
    shown = hooks(operator)["audit"]
    assert (shown["state"], shown["error"]) == ("dead", "status 503")
    courier.posts.clear()
    stage.run(HOOK_BREAK_S)
    assert courier.posts == []
    courier.answer = lambda said: (200, "")
    stage.hello("ann", "laptop").send("bob", "b")
    assert do(operator, "resume")["ok"] == {}
    stage.run(1.0)
    assert courier.bodies == ["a", "b"] or (courier.posts[0]["missed"], courier.bodies) == (
        True,
        ["b"],
    )


def test_gone_ends_a_hook_at_once(stage: Stage, courier: FakeCourier) -> None:
    operator = stage.operator()
    add_hook(operator)
    courier.answer = lambda said: (410, "")
    stage.hello("ann").send("bob", "a")
    stage.run(1.0)
    assert hooks(operator)["audit"]["state"] == "dead"
    stage.crash()
    assert hooks(stage.operator())["audit"]["state"] == "dead"


def test_paused_hook_gets_what_it_missed_when_it_goes_on(
    stage: Stage, courier: FakeCourier
) -> None:
    operator, ann = stage.operator(), stage.hello("ann")
    add_hook(operator)
    assert do(operator, "pause")["ok"] == {}
    ann.send("bob", "a")
    stage.run(2 * EVENTS_TRIM_S)
    assert courier.posts == []
    stage.crash()
    operator = stage.operator()
    assert hooks(operator)["audit"]["state"] == "paused"
    assert do(operator, "resume")["ok"] == {}
    stage.run(1.0)
    assert courier.bodies == ["a"]


def test_removed_hook_leaves_nothing_behind(stage: Stage, courier: FakeCourier) -> None:
    operator, ann = stage.operator(), stage.hello("ann")
    add_hook(operator)
    ann.send("bob", "a")
    ann.send("bob", "b")
    stage.run(1.0)
    assert do(operator, "remove")["ok"] == {}
    ann.send("bob", "c")
    stage.run(1.0)
    assert courier.bodies == ["a", "b"]
    rows = [key for key, _ in stage.rows("state") if key.startswith(keys.EVENT_PREFIX)]
    assert rows == [keys.event_key(2)]  # so that positions go on behind it
    assert not {kinds.EVENT_READER, kinds.EVENT_PLACE} & kinds_of_rows(stage)
    add_hook(operator)
    ann.send("bob", "d")
    stage.run(1.0)
    assert courier.posts[-1]["events"][0]["id"] == 3
    assert courier.bodies == ["a", "b", "d"]


def test_test_post_says_what_came_of_it(stage: Stage, courier: FakeCourier) -> None:
    operator = stage.operator()
    add_hook(operator)
    courier.answer = lambda said: (418, "")
    assert do(operator, "test")["ok"] == {"status": 418, "reason": ""}
    assert courier.posts == [{"hook": "audit", "events": [{"id": 0, "kind": "test"}]}]
    courier.answer = lambda said: (-1, "")
    operator.start(lambda rid: ops.Hook(rid, "audit", "test"))
    assert do(operator, "test")["err"]["code"] == "busy"


@pytest.mark.parametrize(
    "url", ["ftp://a/", "https://", "http://u:p@a/", "http://a/#x", "http://a b/", "http://a:x/"]
)
def test_bad_urls_are_refused(stage: Stage, url: str) -> None:
    operator = stage.operator()
    assert add_hook(operator, url=url)["err"]["code"] == "bad_request"
    assert hooks(operator) == {}


def test_hooks_are_for_operators_and_their_secret_is_not_shown(stage: Stage) -> None:
    operator, ann = stage.operator(), stage.hello("ann")
    for refused in (add_hook(ann), ann.ask(ops.Hooks), do(ann, "remove")):
        assert refused["err"]["code"] == "forbidden"
    assert ann.ask(lambda rid: ops.Bot(rid, "r2", "x", []))["err"]["code"] == "forbidden"
    add_hook(operator)
    assert add_hook(operator)["err"]["code"] == "exists"
    assert do(operator, "pause", "none")["err"]["code"] == "no_such_hook"
    assert SECRET not in repr(operator.ask(ops.Hooks))


def test_a_node_without_a_courier_says_so() -> None:
    stage = Stage()
    stage.add_users("ann", "bob")
    operator = stage.operator()
    add_hook(operator)
    assert do(operator, "test")["err"]["code"] == "unavailable"
    stage.hello("ann").send("bob", "a")
    stage.run(1.0)
    assert "posts nothing" in hooks(operator)["audit"]["error"]


def test_what_nobody_fetched_for_days_is_dropped_and_that_is_said(
    stage: Stage, courier: FakeCourier
) -> None:
    operator, ann = stage.operator(), stage.hello("ann")
    add_hook(operator)
    do(operator, "pause")
    for body in "abc":
        ann.send("bob", body)
    stage.run(1.1 * KEEP_S)
    stage.hello("ann", "laptop").send("bob", "d")
    stage.run(2 * EVENTS_TRIM_S)
    do(operator, "resume")
    stage.run(1.0)
    assert courier.posts[0]["missed"] is True
    assert courier.bodies == ["c", "d"]  # the last that there was always stays


# -- bots ----------------------------------------------------------------------------------------
def test_a_bot_is_an_account_that_is_marked_and_has_a_token(stage: Stage) -> None:
    operator, ann = stage.operator(), stage.hello("ann")
    bot = make_bot(stage, operator, [])
    card = ann.ask(lambda rid: ops.Profile(rid, "robot"))["ok"]
    assert card == {"user": "robot", "title": "", "about": "", "bot": True}
    assert "bot" not in bot.ask(lambda rid: ops.Profile(rid, "ann"))["ok"]
    ann.send("robot", "hello")
    assert bot.bodies == ["hello"]
    assert bot.ask(ops.Events)["err"]["code"] == "forbidden"
    refused = operator.ask(lambda rid: ops.Bot(rid, "ann", "main", ["message"]))
    assert refused["err"]["code"] == "exists"
    assert ann.ask(ops.Events)["err"]["code"] == "forbidden"
    password = operator.ask(lambda rid: ops.Provision(rid, "robot", "a password"))
    assert password["err"]["code"] == "exists"
    stage.crash()
    ann = stage.hello("ann")
    assert ann.ask(lambda rid: ops.Profile(rid, "robot"))["ok"]["bot"] is True


def test_a_bot_reads_everything_from_where_it_was(stage: Stage) -> None:
    operator, ann = stage.operator(), stage.hello("ann")
    bot = make_bot(stage, operator, ["message"])
    for body in "abc":
        ann.send("bob", body)
    first = events(bot, limit=2)
    assert [event["body"] for event in first["events"]] == ["a", "b"]
    again = events(bot, limit=2)
    assert again == first  # not acked
    rest = events(bot, first["position"])
    assert [event["body"] for event in rest["events"]] == ["c"]
    stage.run(1.0)
    stage.crash()
    known = stage.operator()
    token = known.ask(lambda rid: ops.Bot(rid, "robot", "main", ["message"]))["ok"]["token"]
    bot = stage.connect()
    bot.ask(lambda rid: ops.Hello(rid, 1, "robot", "main", "token", token))
    assert [event["body"] for event in events(bot)["events"]] == ["c"]
    assert events(bot, rest["position"])["events"] == []
    err = bot.ask(lambda rid: ops.Events(rid, 1_000))["err"]
    assert err["code"] == "bad_request"


def test_a_bot_waits_for_news(stage: Stage) -> None:
    operator, ann = stage.operator(), stage.hello("ann")
    bot = make_bot(stage, operator, ["message"])
    rid = bot.start(lambda rid: ops.Events(rid, wait_ms=5_000))
    stage.run(1.0)
    assert rid not in bot.connection.replies
    ann.send("bob", "news")
    assert bot.connection.replies[rid]["ok"]["events"][0]["body"] == "news"
    position = bot.connection.replies[rid]["ok"]["position"]
    rid = bot.start(lambda rid: ops.Events(rid, position, wait_ms=2_000))
    stage.run(1.9)
    assert rid not in bot.connection.replies
    stage.run(0.2)
    assert bot.connection.replies[rid]["ok"] == {
        "events": [],
        "position": position,
        "head": position,
    }


def test_a_grant_can_be_taken_back(stage: Stage) -> None:
    operator = stage.operator()
    bot = make_bot(stage, operator, ["message"])
    assert events(bot)["events"] == []
    make_bot(stage, operator, [])
    assert bot.connection.is_closed or bot.ask(ops.Events)["err"]["code"] == "forbidden"
    assert stage.broker.context.log.committer._tap is None


# -- when something fails --------------------------------------------------------------------------
def test_actor_that_crashes_goes_on_where_it_was(stage: Stage, courier: FakeCourier) -> None:
    operator, ann = stage.operator(), stage.hello("ann")
    add_hook(operator)
    bot = make_bot(stage, operator, ["message"])
    waiting = bot.start(lambda rid: ops.Events(rid, wait_ms=5_000))
    stage.run(0.1)
    ref = stage.system.names.whereis(FIREHOSE)
    assert ref is not None
    ref.tell(object())  # which it has no handler for
    stage.run(0.1)
    assert stage.crashes
    assert bot.connection.replies[waiting]["ok"]["events"] == []
    ann.send("bob", "a")
    stage.run(1.0)
    assert courier.bodies == ["a"]
    again = stage.system.names.whereis(FIREHOSE)
    assert again is not None
    assert again is not ref
    assert isinstance(again._actor, FirehoseActor)


def test_full_disk_loses_no_event(stage: Stage, courier: FakeCourier) -> None:
    operator, ann = stage.operator(), stage.hello("ann")
    add_hook(operator)
    ann.send("bob", "a")
    disk = NoSpace(stage.engine)
    disk.is_full = True
    assert ann.send("bob", "b")["err"]["code"] == "store_full"
    stage.run(2.0)
    disk.is_full = False
    stage.run(2.0)
    assert "ok" in ann.send("bob", "c")
    stage.run(2.0)
    assert list(dict.fromkeys(courier.bodies)) == ["a", "c"]  # places are hints: "a" may repeat


@pytest.mark.parametrize("seed", range(12))
def test_whatever_was_acked_is_posted_through_crashes_and_in_order(seed: int) -> None:
    courier = FakeCourier()
    stage = courier.stage = Stage(seed, courier=courier)
    stage.add_users("ann", "bob")
    rng = random.Random(seed)
    add_hook(stage.operator())
    courier.answer = lambda said: rng.choice([(200, ""), (200, ""), (500, ""), (-1, "")])
    acked: list[str] = []
    number = 0
    for _ in range(6):
        senders = {"ann": stage.hello("ann"), "bob": stage.hello("bob")}
        asked: list[tuple[Device, int, str]] = []
        for _ in range(rng.randrange(1, 12)):
            number += 1
            user = rng.choice(("ann", "bob"))
            cid, body, to = stage.new_cid(), str(number), rng.choice(("ann", "bob"))
            make = partial(ops.Send, to=to, cid=cid, body=body)
            asked.append((senders[user], senders[user].start(make), body))
            stage.run(rng.choice((0.0, 0.001, 0.01, 2.0)))
        acked += [body for peer, rid, body in asked if rid in peer.connection.replies]
        if rng.random() < 0.5:
            victim = stage.system.names.whereis(FIREHOSE)
            if victim is not None and rng.random() < 0.5:
                victim.tell(object())
                stage.run(0.01)
        else:
            stage.crash()
    courier.answer = lambda said: (200, "")
    stage.crash()  # whatever waits for an answer that never comes begins anew
    stage.run(30.0)
    assert set(acked) <= set(courier.bodies)
    last = 0
    for said in courier.posts:
        ids = [event["id"] for event in said["events"]]
        assert ids == sorted(ids)
        assert ids[0] <= last + 1 or not last, "a post begins behind a gap"
        last = max(last, ids[-1])
