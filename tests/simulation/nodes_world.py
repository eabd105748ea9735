"""Several nodes from one seed: people write from anywhere while nodes, links and actors fail.

set up ──▶ trouble: people write, things break ──▶ heal ──▶ rest ──▶ check
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from actorchat.actor import LocalRef
from actorchat.broker.authenticator import AuthenticatorActor
from actorchat.broker.conversation import ConversationActor
from actorchat.broker.group import GroupActor
from actorchat.broker.handing_over import HANDOFF, TAKEOVER, HandoffActor
from actorchat.broker.session import SessionActor
from actorchat.broker.taking_over import TakeoverActor
from actorchat.broker.tree import SESSIONS
from actorchat.broker.user import UserActor
from actorchat.broker.whois import WhoIsActor
from actorchat.chat.event import Conv
from actorchat.cluster.handoff import State
from actorchat.errors import MailboxFull
from actorchat.ids import direct_pair, group_address, slot_of
from actorchat.protocol import codec, ops
from actorchat.protocol.ops.group import Create
from actorchat.store import keys
from actorchat.store.engine import FAMILIES
from actorchat.store.verify import verify
from actorchat.testing.link_net import LinkWeather
from actorchat.testing.node import Poison, is_injected
from tests.unit.broker.city import City, Quarter
from tests.unit.broker.stage import FakeConnection

GROUP_ID = bytes(range(16))
GROUP = group_address(GROUP_ID)
HOMES = {"ann": "a", "bob": "b", "cat": "c", "dan": "a"}
DEVICES = [
    ("ann", "phone"),
    ("ann", "laptop"),
    ("bob", "phone"),
    ("cat", "phone"),
    ("dan", "phone"),
]
VICTIMS = (
    *(UserActor, ConversationActor, GroupActor, SessionActor, AuthenticatorActor, WhoIsActor),
    *(HandoffActor, TakeoverActor),
)
FAULTS = ("power", "cut", "poison", "drop", "link", "move")
TROUBLE_S = 12.0
HEAL_MAX_S = 90.0
REPLY_MAX_S = 10.0  # as the client's own patience
STEPS_MAX = 400_000


class Line(FakeConnection):
    """A phone's connection."""

    def __init__(self, phone: Phone) -> None:
        super().__init__()
        self.phone = phone

    @property
    def in_flight(self) -> int:
        return len(self.phone.asked)


class Phone:
    """One device of a user: sends under ids of its own until acked, acks what it gets."""

    def __init__(self, world: NodesWorld, user: str, device: str) -> None:
        self.world = world
        self.user = user
        self.device = device
        self.connection: FakeConnection | None = None
        self.node: Quarter | None = None
        self.is_in = False
        self.outbox: dict[bytes, tuple[str, str]] = {}
        self.asked: dict[int, tuple[bytes, float]] = {}  # by request: the id, since when
        self.waits: dict[bytes, float] = {}  # not again before
        self.acked: dict[bytes, tuple[str, int, str]] = {}
        self.upd = 0
        self.got: dict[Conv, dict[int, str]] = defaultdict(dict)
        self._rid = 0
        self._hello = 0
        self._asked = 0
        self._answer: dict[str, Any] | None = None
        self._since_s = 0.0
        self._again_s = 0.0

    @property
    def label(self) -> str:
        return f"{self.user}/{self.device}"

    def write(self, to: str, body: str) -> None:
        self.outbox[self.world.rng.randbytes(16)] = (to, body)

    @property
    def is_answered(self) -> bool:
        """Whether what was asked last was done."""
        return self._answer is not None and "ok" in self._answer

    def ask(self, make: Callable[[int], object]) -> None:
        """Ask something once, in calm times."""
        self._rid += 1
        self._asked = self._rid
        self._tell(make(self._rid))

    def drop(self) -> None:
        """Lose the connection."""
        connection, self.connection = self.connection, None
        self.is_in = False
        self.asked.clear()
        self._again_s = self.world.now_s + self.world.rng.random()
        if connection is not None and not connection.is_closed:
            connection.is_closed = True
            if self.node is not None and self.node.is_on:
                connection.inlet.closed("eof")

    def step(self) -> None:
        """Do what there is to do."""
        if self.connection is not None and self.connection.is_closed:
            self.drop()
        if self.connection is None:
            self._connect()
            return
        self._read(self.connection)
        if self.connection is None or not self.is_in:
            return
        if any(self.world.now_s - since > REPLY_MAX_S for _, since in self.asked.values()):
            self.world.counts["unanswered"] += 1
            self.drop()
            return
        waiting = {cid for cid, _ in self.asked.values()}
        for cid, (to, body) in list(self.outbox.items()):
            if cid not in waiting and self.waits.get(cid, 0.0) <= self.world.now_s:
                self._rid += 1
                self.asked[self._rid] = (cid, self.world.now_s)
                self._tell(ops.Send(self._rid, to, cid, body))

    def _connect(self) -> None:
        nodes = self.world.city.nodes.values()
        on = [node for node in nodes if node.is_on and node.system.names.whereis(SESSIONS)]
        if not on or self.world.now_s < self._again_s:
            return
        self.node = self.world.rng.choice(on)
        self.connection = Line(self)
        self.connection.inlet = self.node.broker.open_session(self.connection)
        self._rid += 1
        self._hello = self._rid
        self._since_s = self.world.now_s
        secret = f"token of {self.user} {self.device}"
        about = (1, self.user, self.device, "token", secret, self.upd or None)
        self._tell(ops.Hello(self._rid, *about))

    def _tell(self, op: object) -> None:
        assert self.connection is not None
        try:
            self.connection.inlet.receive(op)
        except MailboxFull:
            self.drop()

    def _read(self, connection: FakeConnection) -> None:
        replies, connection.replies = connection.replies, {}
        pushes, connection.pushes = connection.pushes, []
        for rid, reply in replies.items():
            self._answered(rid, reply)
        for push in pushes:
            if push["op"] == "msg" and push["upd"] > self.upd:
                self._take(push)
        if not self.is_in and self.world.now_s - self._since_s > REPLY_MAX_S:
            self.drop()
        elif any(push["op"] == "msg" for push in pushes) and self.connection is not None:
            self._tell(ops.Ack(self.upd))

    def _answered(self, rid: int, reply: dict[str, Any]) -> None:
        error = reply.get("err")
        if rid == self._asked:
            self._answer = reply
        if rid == self._hello:
            self.is_in = error is None
            if error is not None:
                if error["retry"] == "never":
                    self.world.violate(f"{self.label}: sign-in refused for good: {error}")
                self.drop()
            return
        cid, _ = self.asked.pop(rid, (b"", 0.0))
        if not cid:
            return
        if error is None:
            to, body = self.outbox.pop(cid)
            self.acked[cid] = (to, reply["ok"]["seq"], body)
        elif error["retry"] == "never":
            self.world.violate(f"{self.label}: refused for good: {error}")
            del self.outbox[cid]
        else:
            self.world.counts[f"refused {error['code']}"] += 1
            self.waits[cid] = self.world.now_s + error.get("after_ms", 0) / 1_000

    def _take(self, push: dict[str, Any]) -> None:
        if push["upd"] != self.upd + 1:
            self.world.violate(f"{self.label}: update {push['upd']} after {self.upd}")
        self.upd = push["upd"]
        message = push["msg"]
        other = push.get("to") or message["from"]
        got = self.got[message.get("conv") or direct_pair(self.user, other)]
        if message["seq"] in got:
            self.world.violate(f"{self.label}: {message['body']!r} came twice")
        got[message["seq"]] = message["body"]


class NodesWorld:
    """One run; `violations` is what did not hold."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = rng = random.Random(seed)
        self.kinds = rng.sample(FAULTS, rng.randint(1, len(FAULTS)))
        weather = LinkWeather(latency_max_s=rng.choice((0.0, 0.01, 0.1)))
        slowness = {"idle_s": rng.choice((0.5, 3.0, 60.0)), "sync_s": rng.choice((0.001, 0.3))}
        homes = {**HOMES, GROUP: rng.choice("abc")}
        inline_max = rng.choice((2, 256))
        self.city = City(homes, seed=seed, weather=weather, group_inline_max=inline_max, **slowness)
        self.dispatcher = self.city.dispatcher
        self.dispatcher.haste = rng.choice((0.0, 0.02, 0.1))
        self.violations: list[str] = []
        self.counts: Counter[str] = Counter()
        self.phones = [Phone(self, *about) for about in DEVICES]
        self.sent: set[tuple[str, str]] = set()
        self.is_troubled = True
        for node in self.city.nodes.values():
            self._watch(node)

    @property
    def now_s(self) -> float:
        return self.dispatcher.now_s()

    def violate(self, text: str) -> None:
        self.violations.append(f"seed {self.seed} at {self.now_s:.2f}: {text}")

    def run(self) -> list[str]:
        """Live through it; return what did not hold."""
        for phone in self.phones:
            self._care(phone)
        self._run_until(lambda: all(phone.is_in for phone in self.phones), 10.0)
        self._found_group()
        self._write()
        self._break()
        self._run_for(TROUBLE_S)
        self.is_troubled = False
        self.city.net.weather = LinkWeather()
        self.city.net.heal()
        for node in self.city.nodes.values():
            if not node.is_on:
                self._power_on(node)
        if not self._run_until(lambda: not self._unrest(), HEAL_MAX_S):
            self.violate(f"not at rest: {self._unrest()}")
        self._check()
        return self.violations

    # -- people and trouble --------------------------------------------------------------------
    def _care(self, phone: Phone) -> None:
        phone.step()
        self.dispatcher.call_later(self.rng.uniform(0.02, 0.3), self._care, phone)

    def _found_group(self) -> None:
        phone = self.phones[0]
        create = Create("all", [user for user in HOMES if user != phone.user])
        phone.ask(lambda rid: ops.Change(rid, GROUP, GROUP_ID, create))
        if not self._run_until(lambda: phone.is_answered, 10.0):
            self.violate("no group")

    def _write(self) -> None:
        if not self.is_troubled:
            return
        phone = self.rng.choice(self.phones)
        to = self.rng.choice([GROUP, *(user for user in HOMES if user != phone.user)])
        body = f"{len(self.sent)} of {phone.label} to {to}"
        self.sent.add((phone.user, body))
        phone.write(to, body)
        self.dispatcher.call_later(self.rng.expovariate(12.0), self._write)

    def _break(self) -> None:
        if not self.is_troubled:
            return
        kind = self.rng.choice(self.kinds)
        self.counts[kind] += 1
        getattr(self, f"_fault_{kind}")()
        self.dispatcher.call_later(self.rng.expovariate(0.7), self._break)

    def _fault_power(self) -> None:
        self._lose(self.rng.choice(list(self.city.nodes.values())))

    def _lose(self, node: Quarter) -> None:
        if not node.is_on:
            return
        node.power_off()
        for phone in self.phones:
            if phone.node is node:
                phone.drop()
        self.dispatcher.call_later(self.rng.choice((0.1, 3.0, 12.0)), self._power_on, node)

    def _power_on(self, node: Quarter) -> None:
        if not node.is_on:
            node.start()
            self._watch(node)

    def _fault_cut(self) -> None:
        one, other = self.rng.sample(list(self.city.nodes), 2)
        self.city.cut(one, other)
        self.dispatcher.call_later(self.rng.choice((0.5, 4.0, 12.0)), self.city.net.heal)

    def _fault_link(self) -> None:
        """Let a frame be lost, or a connection break, now and then."""
        weather = self.city.net.weather
        weather.loss, weather.breaks = self.rng.choice(((0.02, 0.0), (0.0, 0.05), (0.0, 0.0)))
        weather.refusal = self.rng.choice((0.0, 0.1))

    def _fault_move(self) -> None:
        """Have a slot move, or stay; each node sees what the table says a while later."""
        city, rng = self.city, self.rng
        slow_s = rng.choice((0.0, 0.05, 0.5))
        city.sight_s = lambda: rng.uniform(0.0, slow_s)
        name = rng.choice([*HOMES, GROUP])
        where = city.table[slot_of(name)]
        if where.coming and rng.random() < 0.5:
            city.give_up(name)
        elif not where.coming:
            to = rng.choice([node for node in city.nodes if node != where.leader])
            city.announce(name, to)
            if rng.random() < 0.7:
                self._disturb(name, where.leader, to, rng.choice([*State]))

    def _disturb(self, name: str, leader: str, to: str, state: State) -> None:
        """Break a hand-over off when it has come so far, or have the power go when it is over."""
        city, slot = self.city, slot_of(name)
        ways = ["give up", *sorted({"power", "cut", "poison"} & {*self.kinds})]
        move = city[leader].reach.handoffs.get(slot)
        if city.table[slot].coming and (move is None or move.state is not state):
            soon_s = self.rng.uniform(0.0, 0.02)
            self.dispatcher.call_later(soon_s, self._disturb, name, leader, to, state)
            return
        if not city.table[slot].coming:
            ways = [way for way in ways if way == "power"]
        if not self.is_troubled or not ways:
            return
        self.counts["disturbed"] += 1
        how = self.rng.choice(ways)
        node = city[self.rng.choice((leader, to))]
        if how == "give up":
            city.give_up(name)
        elif how == "power":
            self._lose(node)
        elif how == "cut":
            city.cut(leader, to)
            self.dispatcher.call_later(self.rng.choice((0.5, 4.0)), city.net.heal)
        elif node.is_on:
            desk = node.system.names.whereis(self.rng.choice((HANDOFF, TAKEOVER)))
            if desk is not None:
                desk.tell(Poison())

    def _fault_drop(self) -> None:
        self.rng.choice(self.phones).drop()

    def _fault_poison(self) -> None:
        nodes = [node for node in self.city.nodes.values() if node.is_on]
        refs = [
            ref
            for node in nodes
            for ref in node.system.refs()
            if issubclass(ref.actor_class, VICTIMS)
        ]
        if refs:
            self.rng.choice(refs).tell(Poison())

    def _watch(self, node: Quarter) -> None:
        def crashed(ref: LocalRef, crash: Any, text: str) -> None:
            if not is_injected(crash.error) and "Poison" not in str(crash.error):
                self.violate(f"{node.name}: {ref.label} crashed: {text[-600:]}")

        node.system.on_crash(crashed)

    # -- rest and what must hold ---------------------------------------------------------------
    def _unrest(self) -> list[str]:
        found = [f"{p.label} is not signed in" for p in self.phones if not p.is_in]
        slots = {slot_of(name): name for name in (*HOMES, GROUP)}
        moving = [name for slot, name in slots.items() if self.city.table[slot].coming]
        found += [f"the slot of {name} is on its way" for name in moving]
        found += [f"{p.label} owes {len(p.outbox)}" for p in self.phones if p.outbox]
        if found:
            return found
        for node in self.city.nodes.values():
            found += [f"{node.name} owes {key.hex()}" for key, _ in node.rows("outbox")]
        histories = self._histories()
        for phone in self.phones:
            for pair, records in histories.items():
                if pair == GROUP:
                    lacking = set(records) - set(phone.got[pair])
                    if lacking:
                        found.append(f"{phone.label} lacks {sorted(lacking)} of the group")
                elif phone.user in pair:
                    theirs = {seq for seq, (sender, _) in records.items() if sender != phone.user}
                    lacking = theirs - set(phone.got[pair])
                    if lacking:
                        found.append(f"{phone.label} lacks {sorted(lacking)} of {pair}")
        return found

    def _histories(self) -> dict[Conv, dict[int, tuple[str, str]]]:
        users = sorted(HOMES)
        pairs = [(one, other) for one in users for other in users if one < other]
        found = {pair: self._history(pair[0], keys.conversation_key(*pair)) for pair in pairs}
        return {**found, GROUP: self._history(GROUP, keys.group_key(GROUP))}

    def _history(self, whose: str, key: bytes) -> dict[int, tuple[str, str]]:
        archive = self.city[self.city.table[slot_of(whose)].leader].broker.context.archive
        said = [
            codec.decode_record(record)
            for _, record in archive.records(key, 0, keys.SEQ_MAX, 100_000, False)
        ]
        return {one.seq: (one.sender, one.body) for one in said}

    def _check(self) -> None:
        histories = self._histories()
        for pair, records in histories.items():
            if sorted(records) != list(range(1, len(records) + 1)):
                self.violate(f"{pair}: a hole in {sorted(records)}")
            said = Counter(records.values())
            for what, count in said.items():
                if count > 1:
                    self.violate(f"{pair}: {what} is there {count} times")
                if what not in self.sent and what[1]:  # the group's beginning says nothing
                    self.violate(f"{pair}: {what} was never written")
        for phone in self.phones:
            for to, seq, body in phone.acked.values():
                conv = GROUP if to == GROUP else direct_pair(phone.user, to)
                if histories[conv].get(seq) != (phone.user, body):
                    self.violate(f"{phone.label}: acked {body!r}, {seq}, is not there")
            for pair, got in phone.got.items():
                for seq, body in got.items():
                    if histories[pair].get(seq, ("", ""))[1] != body:
                        self.violate(f"{phone.label}: {seq} of {pair} says {body!r}")
        self.counts["messages"] = sum(map(len, histories.values()))
        for slot, where in enumerate(self.city.table):
            for node in self.city.nodes.values():
                if node.name != where.leader and rows_of(node, slot):
                    self.violate(f"{node.name} has rows of slot {slot}, which {where.leader} leads")
        for node in self.city.nodes.values():
            if node.failures:
                self.violate(f"{node.name} failed: {node.failures}")
            node.broker.context.log.apply()
            for problem in verify(node.engine).problems[:3]:
                self.violate(f"{node.name}: {problem}")

    def _run_for(self, seconds: float) -> None:
        self.dispatcher.run(self.now_s + seconds, STEPS_MAX)

    def _run_until(self, is_so: Any, limit_s: float) -> bool:
        until_s = self.now_s + limit_s
        while not is_so():
            if self.now_s >= until_s:
                return False
            self._run_for(0.25)
        return True


def rows_of(node: Quarter, slot: int) -> int:
    """Return how many rows of a slot a node has."""
    engine, (start, stop) = node.engine, keys.slot_range(slot)
    return sum(len(engine.scan(engine.family(f), start, stop, 1)) for f in FAMILIES)
