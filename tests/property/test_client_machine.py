"""A client against a model server over a line that loses, repeats and refuses, until it heals."""

from __future__ import annotations

from collections import deque
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actorchat.client.effect import Accepted, Connect, Disconnect, Ended, Failed
from actorchat.client.event import Lost, Opened, Post, Received, Start, State, Taken, Tick
from actorchat.client.life import Options
from actorchat.client.machine import Machine
from actorchat.client.signin import Identity
from actorchat.protocol import ops

CONVERSATIONS = ("bob", "eve")


class Server:
    """The promise in a few lines: a cid is stored once, an update stays until it is acked."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.stored: dict[str, list[bytes]] = {conv: [] for conv in CONVERSATIONS}
        self.inbox: list[ops.Record] = []
        self.acked = 0
        self.pushed = 0
        self.refusals = 0.0  # how likely a send is refused for now
        self.out: deque[ops.ServerOp] = deque()

    def hangs_up(self) -> None:
        """Forget the connection."""
        self.out.clear()

    def arrives(self, sender: str, is_again: bool) -> None:
        """Append a message to the user's log, or one that is there already once more."""
        if is_again and self.inbox:
            self.inbox.append(self.inbox[-1])
        else:
            record = ops.Record(sender, len(self.inbox) + 1, 0, bytes(16), "")
            self.inbox.append(record)

    def pushes(self) -> None:
        """Push what was not yet."""
        while self.pushed < len(self.inbox):
            self.pushed += 1
            self.out.append(ops.Msg(self.pushed, self.inbox[self.pushed - 1]))

    def takes(self, op: object) -> None:
        """Do what the client asks."""
        match op:
            case ops.Hello(id=rid, resume=resume):
                cursor = self.acked
                if resume is not None and self.rng.random() < 0.7:
                    cursor = max(cursor, resume)  # else it pushes again what the client holds
                self.pushed = cursor
                ok = {"user": "ann", "device": "phone", "head": len(self.inbox), "cursor": cursor}
                self.out.append(ops.Reply(re=rid, ok=ok))
                self.pushes()
            case ops.Send(id=rid, to=to, cid=cid):
                if self.rng.random() < self.refusals:
                    retry = self.rng.choice(["now", "after"])
                    err = ops.Failure("busy", "", retry, "none", 50 if retry == "after" else None)
                    self.out.append(ops.Reply(re=rid, err=err))
                    return
                stored = self.stored[to]
                is_dup = cid in stored
                if not is_dup:
                    stored.append(cid)
                ok = {"seq": stored.index(cid) + 1, "ts": 0}
                self.out.append(ops.Reply(re=rid, ok={**ok, "dup": True} if is_dup else ok))
            case ops.Ack(upd=upd):
                assert upd <= self.pushed, "an ack of what was never pushed"
                self.acked = max(self.acked, upd)
            case ops.Ping(noreply=False):
                self.out.append(ops.Pong())


class World:
    """One client, its application, the server, and two directions of a line between them."""

    def __init__(self, seed: int, *, strict: bool, window: int) -> None:
        self.rng = Random(seed)
        self.server = Server(self.rng)
        self.machine = Machine(
            Identity("ann", "phone", "token", "t"),
            Options(window=window, strict_order=strict),
            self.rng.random,
        )
        self.now = 0.0
        self.to_server: deque[object] = deque()
        self.posted: dict[str, list[bytes]] = {conv: [] for conv in CONVERSATIONS}
        self.answers: dict[bytes, int] = {}
        self.delivered: list[ops.Msg] = []
        self.is_on_line = False
        self.happens(Start())

    def happens(self, event: object) -> None:
        """Feed the machine and perform what it asks for."""
        for effect in self.machine.handle(event, self.now):  # type: ignore[arg-type]
            match effect:
                case Connect():
                    self.is_on_line = True
                case Disconnect():
                    self.cut()
                case Accepted(key=key, seq=seq):
                    assert isinstance(key, bytes)
                    assert key not in self.answers, "answered twice"
                    self.answers[key] = seq
                case Failed(error=error) | Ended(error=error):
                    raise AssertionError(f"nothing may fail: {error}")
                case ops.Msg():
                    self.delivered.append(effect)
                case ops.Hello() | ops.Send() | ops.Ack() | ops.Ping():
                    assert self.is_on_line, "written to no line"
                    self.to_server.append(effect)
        if self.machine.state is State.CONNECTING:
            self.happens(Opened())

    def cut(self) -> None:
        """Lose the line with all that is on it."""
        self.is_on_line = False
        self.to_server.clear()
        self.server.hangs_up()

    def step(self, what: str) -> None:
        """Let one thing happen."""
        rng, server = self.rng, self.server
        if what == "post":
            to = rng.choice(CONVERSATIONS)
            cid = rng.randbytes(16)
            self.posted[to].append(cid)
            self.happens(Post(cid, to, cid, ""))
        elif what == "arrive":
            server.arrives(rng.choice(CONVERSATIONS), rng.random() < 0.2)
            if self.machine.state is State.OPEN:
                server.pushes()
        elif what == "serve" and self.to_server:
            server.takes(self.to_server.popleft())
        elif what == "hear" and server.out:
            count = rng.randint(1, len(server.out))
            self.happens(Received([server.out.popleft() for _ in range(count)]))
        elif what == "take" and self.delivered:
            self.happens(Taken(rng.choice(self.delivered).upd))
        elif what == "cut" and self.is_on_line:
            self.cut()
            self.happens(Lost())
        elif what == "lose push" and server.out and isinstance(server.out[0], ops.Msg):
            server.out.popleft()
        elif what == "repeat push" and server.out and isinstance(server.out[0], ops.Msg):
            server.out.appendleft(server.out[0])
        elif what == "wait":
            at = self.machine.deadline()
            if at is not None:
                self.now = max(self.now, at)
            self.happens(Tick())

    def heal(self) -> None:
        """Let a good line and a willing server finish everything."""
        self.server.refusals = 0.0
        self.step("cut")  # a push lost at the very end would show only with the next one
        for _ in range(400):
            while self.to_server or self.server.out:
                self.step("serve")
                self.step("hear")
            if self.delivered:
                self.happens(Taken(self.delivered[-1].upd))
            self.server.pushes()
            is_done = (
                not self.machine.is_expecting
                and self.machine.state is State.OPEN
                and self.machine.incoming.received == len(self.server.inbox)
                and self.server.acked == len(self.server.inbox)
            )
            if is_done and not self.server.out:
                return
            self.step("wait")
        raise AssertionError("it never came to rest")


KINDS = [
    *["post"] * 3,
    *["arrive"] * 2,
    *["serve"] * 3,
    *["hear"] * 2,
    *["take"] * 2,
    *["wait"] * 2,
    "cut",
    "lose push",
    "repeat push",
]
STEPS = st.lists(st.sampled_from(KINDS), min_size=20, max_size=150)


def run(world: World, steps: list[str]) -> None:
    for step in steps:
        world.step(step)
    world.heal()


def check_sends(world: World) -> None:
    for conv in CONVERSATIONS:
        assert sorted(world.server.stored[conv]) == sorted(world.posted[conv])
        for seq, cid in enumerate(world.server.stored[conv], 1):
            assert world.answers[cid] == seq


def check_deliveries(world: World) -> None:
    got = [op.msg for op in world.delivered]
    arrived = list(dict.fromkeys((record.sender, record.seq) for record in world.server.inbox))
    assert [(record.sender, record.seq) for record in got] == arrived


HARD = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@HARD
@given(seed=st.integers(0, 2**32), steps=STEPS, window=st.sampled_from([1, 2, 5]))
def test_every_send_is_stored_and_answered_once_in_order(
    seed: int, steps: list[str], window: int
) -> None:
    world = World(seed, strict=False, window=window)
    run(world, steps)
    check_sends(world)
    check_deliveries(world)
    assert world.server.stored == world.posted


@HARD
@given(seed=st.integers(0, 2**32), steps=STEPS, window=st.sampled_from([1, 2, 5]))
def test_a_strict_client_keeps_the_order_whatever_is_refused(
    seed: int, steps: list[str], window: int
) -> None:
    world = World(seed, strict=True, window=window)
    world.server.refusals = 0.4
    run(world, steps)
    check_sends(world)
    assert world.server.stored == world.posted


@HARD
@given(seed=st.integers(0, 2**32), steps=STEPS, window=st.sampled_from([1, 2, 5]))
def test_refusals_let_a_send_be_overtaken_by_less_than_a_window(
    seed: int, steps: list[str], window: int
) -> None:
    world = World(seed, strict=False, window=window)
    world.server.refusals = 0.4
    run(world, steps)
    check_sends(world)
    for conv in CONVERSATIONS:
        place = {cid: index for index, cid in enumerate(world.server.stored[conv])}
        for index, cid in enumerate(world.posted[conv]):
            later = world.posted[conv][index + 1 :]
            assert sum(place[other] < place[cid] for other in later) < window


@pytest.mark.parametrize("seed", range(3))
def test_a_long_bad_day_ends_well(seed: int) -> None:
    rng = Random(seed)
    kinds = ["post", "arrive", "serve", "serve", "hear", "take", "cut", "lose push", "wait"]
    world = World(seed, strict=False, window=8)
    run(world, rng.choices(kinds, weights=[6, 6, 8, 8, 8, 6, 1, 1, 6], k=4_000))
    check_sends(world)
    check_deliveries(world)
    assert world.server.stored == world.posted
    assert len(world.answers) > 300
