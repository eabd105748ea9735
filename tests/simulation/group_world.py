"""Groups in a whole broker from one seed: people write and change groups, actors and nodes crash.

What each device got is held against the history, whose changes say who was a member when.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from actorchat.actor import tell_all
from actorchat.broker import group as broker_group
from actorchat.broker import moved as broker_moved
from actorchat.errors import StoreFull
from actorchat.ids import group_address
from actorchat.protocol import codec, ops
from actorchat.protocol.ops.group import (
    Add,
    Alter,
    AnyChange,
    Assign,
    Create,
    Enter,
    Invite,
    Leave,
    Remove,
)
from actorchat.store import keys
from actorchat.store.memory import Fault
from actorchat.store.verify import verify
from actorchat.testing.knob import tight_bounds
from tests.unit.broker.stage import Device, Stage

USERS = ("ann", "bob", "cid", "dan", "eve", "fay")
OUTSIDER = "mallory"
TOKEN = "t" * 22
FINAL = {"never"}
CRASHED_ON_THE_WAY = 0.05
REFUSED_ON_THE_WAY = 0.05
LAPTOP = 0.3  # how often it is the laptop that does something, and not the phone
INLINE = (0, 1, 2, 3, 4, 256)  # with how many members a group's records go one by one
QUIET_ROUNDS = 12  # of half a second without news: the longest wait in a node is 2 s


class Poison:
    """An event that no machine knows: who is told it crashes."""


class Phone:
    """One user's device: what it holds, and what it must send until it is answered.

    `place` is the update behind which it began: None, it was never here.
    """

    def __init__(self, user: str, name: str = "phone") -> None:
        self.user = user
        self.name = name
        self.place: int | None = None
        self.is_unkept = False
        self.held: list[tuple[str, int]] = []  # (group, seq) in the order of updates
        self.bodies: list[str] = []
        self.cursor = 0
        self.outbox: dict[bytes, tuple[str, str | AnyChange]] = {}
        self.line: Device | None = None
        self._asked: dict[int, bytes] = {}
        self._read = 0

    def connect(self, line: Device, rid: int) -> None:
        self.line, self._asked, self._read = line, {}, 0
        secret = f"token of {self.user} {self.name}"
        line.tell(ops.Hello(rid, 1, self.user, self.name, "token", secret, None))
        for cid in self.outbox:
            self.put(cid)

    def put(self, cid: bytes) -> None:
        """Send what is in the outbox under `cid`, on this connection."""
        if self.line is None or cid in self._asked.values():
            return
        to, what = self.outbox[cid]
        if isinstance(what, str):
            rid = self.line.start(lambda rid: ops.Send(rid, to, cid, what))
        else:
            rid = self.line.start(lambda rid: ops.Change(rid, to, cid, what))
        self._asked[rid] = cid

    def look(self, world: GroupWorld) -> None:
        """Take in what came."""
        line = self.line
        if line is None:
            return
        connection = line.connection
        hello = connection.replies.get(0)
        if hello is not None and "ok" in hello:
            self._begin(hello["ok"]["cursor"], world)
        for rid, cid in list(self._asked.items()):
            reply = connection.replies.get(rid)
            if reply is None:
                continue
            del self._asked[rid]
            if "ok" in reply:
                world.acked[cid] = reply["ok"]["seq"]
                self.outbox.pop(cid, None)
            elif reply["err"]["retry"] in FINAL and reply["err"]["code"] != "unauthenticated":
                world.refused[reply["err"]["code"]] += 1
                if reply["err"]["outcome"] == "none":
                    world.never.add(cid)
                self.outbox.pop(cid, None)
        for push in connection.pushes[self._read :]:
            if push["op"] == "msg":
                self._take(push["upd"], push["msg"], world)
        self._read = len(connection.pushes)
        if connection.is_closed:
            self.line = None

    def _begin(self, cursor: int, world: GroupWorld) -> None:
        if self.place is None:
            self.place = self.cursor = cursor
            # Let in while the disk is full, a new device has no place that outlives a crash: the
            # others' acks may trim what it has not got, as the next welcome's cursor then says.
            self.is_unkept = world.stage.broker.context.log.committer.generation > 0
        elif cursor > self.cursor and self.is_unkept:
            self.place = self.cursor = cursor
            self.held.clear()

    def _take(self, upd: int, record: dict[str, Any], world: GroupWorld) -> None:
        if upd <= self.cursor:
            return
        if upd != self.cursor + 1:
            world.fail(f"{self.user}/{self.name}: update {upd} after {self.cursor}")
        self.cursor = upd
        self.held.append((record["conv"], record["seq"]))
        self.bodies.append(record["body"])

    def ack(self) -> None:
        if self.line is not None and self.cursor:
            self.line.tell(ops.Ack(self.cursor))


class GroupWorld:
    """One run."""

    def __init__(self, seed: int, *, trouble: bool = True) -> None:
        self.rng = random.Random(seed)
        inline_max = random.Random(f"{seed}/inline").choice(INLINE)
        self.stage = Stage(seed, self.rng.choice((0.3, 2.0, 60.0)), inline_max)
        self.trouble = trouble
        self.problems: list[str] = []
        self.acked: dict[bytes, int] = {}
        self.refused: dict[str, int] = defaultdict(int)
        self.never: set[bytes] = set()
        self.groups: list[str] = []
        self.crashes = 0
        self.is_healing = False
        self._bodies = 0
        self.stage.add_users(*USERS, OUTSIDER)
        self.stage.engine.sync()
        self.phones = {user: Phone(user) for user in (*USERS, OUTSIDER)}
        self.laptops = {user: Phone(user, "laptop") for user in USERS}
        self.devices = [*self.phones.values(), *self.laptops.values()]

    def fail(self, what: str) -> None:
        self.problems.append(what)

    def run(self, steps: int = 120) -> None:
        """Live, heal, judge."""
        self._make_group()
        for _ in range(steps):
            self._step()
            self.stage.run(self.rng.choice((0.0, 0.0005, 0.003, 0.05, 0.4)))
            self._look()
        self._heal()
        self._judge()

    # -- what happens ------------------------------------------------------------------------------
    def _step(self) -> None:
        actions = [
            (self._send, 40),
            (self._burst, 6),
            (self._change, 14),
            (self._connect, 14),
            (self._hang_up, 4),
            (self._ack, 12),
            (self._read, 4),
            (self._make_group, 1),
        ]
        if self.trouble:
            actions += [(self._crash_actor, 5), (self._crash_node, 2), (self._fill_disk, 2)]
        kinds, weights = zip(*actions, strict=True)
        self.rng.choices(kinds, weights)[0]()

    def _phone(self) -> Phone:
        user = self.rng.choice((*USERS, *USERS, OUTSIDER))
        phone = self.phones[user]
        if user in self.laptops and phone.place is not None and self.rng.random() < LAPTOP:
            return self.laptops[user]
        return phone

    def _ask(self, phone: Phone, to: str, what: str | AnyChange, cid: bytes | None = None) -> None:
        name = self.stage.new_cid() if cid is None else cid
        phone.outbox[name] = (to, what)
        phone.put(name)

    def _send(self) -> None:
        self._bodies += 1
        body = f"body {self._bodies}" + "x" * self.rng.choice((0, 0, 0, 700))
        self._ask(self._phone(), self.rng.choice(self.groups), body)

    def _burst(self) -> None:
        for _ in range(self.rng.randint(2, 8)):
            self._send()

    def _make_group(self) -> None:
        name = self.stage.new_cid()
        owner, *others = self.rng.sample(USERS, self.rng.randint(1, 5))
        history = self.rng.choice(("all", "since_join"))
        self.groups.append(group_address(name))
        create = Create("group", others, history=history, add="members")
        self._ask(self.phones[owner], self.groups[-1], create, name)

    def _change(self) -> None:
        rng, user = self.rng, self.rng.choice(USERS)
        change: AnyChange = rng.choice(
            [
                Add([user]),
                Add([user], "reader"),
                Remove(user),
                Remove(user),
                Leave(),
                Assign(user, rng.choice(("admin", "member", "reader", "owner"))),
                Alter(name="other", post=rng.choice((None, "admins", "members"))),
                Invite(TOKEN),
                Enter(TOKEN),
            ]
        )
        self._ask(self._phone(), rng.choice(self.groups), change)

    def _connect(self) -> None:
        phone = self._phone()
        if phone.line is None:
            phone.connect(self.stage.connect(), 0)

    def _hang_up(self) -> None:
        phone = self._phone()
        if phone.line is not None:
            phone.line.connection.is_closed = True
            phone.line.connection.inlet.closed("eof")
            phone.line = None

    def _ack(self) -> None:
        self._phone().ack()

    def _read(self) -> None:
        phone, group = self._phone(), self.rng.choice(self.groups)
        if phone.line is not None:
            phone.line.start(lambda rid: ops.History(rid, group))
            phone.line.tell(ops.Mark(group, self.rng.randint(1, 40)))

    def _crash_actor(self) -> None:
        entities: Any = self.stage.system.names.whereis("entities")
        refs = list(entities._actor.children)
        if refs:
            self.crashes += 1
            self.rng.choice(refs).tell(Poison())

    def _crash_node(self) -> None:
        self.crashes += 1
        self._look()
        self.stage.crash()
        for phone in self.devices:
            phone.line = None

    def _fill_disk(self) -> None:
        full = StoreFull("no space left")
        nth, count = self.rng.randint(1, 4), self.rng.randint(1, 5)
        self.stage.engine.inject(Fault("write", full, nth, count))

    def _look(self) -> None:
        for phone in self.devices:
            phone.look(self)

    def tell_all(self, refs: list[Any], message: object) -> int:
        """Tell, but some get poison before it, and some mailboxes are full."""
        reached = []
        for ref in refs:
            luck = self.rng.random() if self.trouble and not self.is_healing else 1.0
            if luck < CRASHED_ON_THE_WAY:
                self.crashes += 1
                ref.tell(Poison())
            if not CRASHED_ON_THE_WAY < luck < CRASHED_ON_THE_WAY + REFUSED_ON_THE_WAY:
                reached.append(ref)
        return tell_all(reached, message)

    # -- rest and judgement ------------------------------------------------------------------------
    def _heal(self) -> None:
        self.is_healing = True
        still, quiet = [0], 0
        while quiet < QUIET_ROUNDS:
            for phone in self.devices:
                is_due = phone.name == "phone" or self.phones[phone.user].place is not None
                if phone.line is None and is_due:
                    phone.connect(self.stage.connect(), 0)
                for cid in phone.outbox:
                    phone.put(cid)
            self.stage.run(0.5)
            self._look()
            for phone in self.devices:
                phone.ack()
            before, still = still, [phone.cursor for phone in self.devices]
            quiet = quiet + 1 if before == still else 0
        if self.stage.rows("outbox"):
            self.fail(f"still owed: {self.stage.rows('outbox')}")
        for phone in self.devices:
            if phone.outbox:
                self.fail(f"{phone.user}/{phone.name} was not answered: {phone.outbox}")

    def _judge(self) -> None:
        due: dict[str, dict[str, list[int]]] = {user: {} for user in self.phones}
        seqs: dict[bytes, list[int]] = defaultdict(list)
        secret: dict[str, set[str]] = {user: set() for user in self.phones}
        for group in self.groups:
            members: set[str] = set()
            for record in self._history(group):
                seqs[record.cid].append(record.seq)
                before = set(members)
                _replay(members, record)
                for user in self.phones:
                    if user in before | members:
                        due[user].setdefault(group, []).append(record.seq)
                    else:
                        secret[user].add(record.body)
        for cid, seq in self.acked.items():
            if seqs[cid] != [seq]:
                self.fail(f"acked as {seq}, stored as {seqs[cid]}")
        for cid, places in seqs.items():
            if len(places) > 1 or cid in self.never:
                self.fail(f"stored at {places}, refused: {cid in self.never}")
        for user, phone in self.phones.items():
            self._judge_phone(phone, due[user], secret[user] - {""})
            if (laptop := self.laptops.get(user)) is not None:
                place = laptop.place
                if place is None or laptop.held != phone.held[place:]:
                    self.fail(f"{user}'s laptop, from {place}, holds {laptop.held}, {phone.held}")
        problems = verify(self.stage.engine).problems
        self.problems += [str(problem) for problem in problems]

    def _judge_phone(self, phone: Phone, due: dict[str, list[int]], secret: set[str]) -> None:
        held: dict[str, list[int]] = defaultdict(list)
        for group, seq in phone.held:
            held[group].append(seq)
        if dict(held) != due:
            self.fail(f"{phone.user} holds {dict(held)}, due was {due}")
        if secret & set(phone.bodies):
            self.fail(f"{phone.user} got what is not for them: {secret & set(phone.bodies)}")
        assert phone.line is not None
        for group in self.groups:
            reply = phone.line.ask(lambda rid, group=group: ops.History(rid, group, limit=200))
            shown = {record["body"] for record in reply.get("ok", {"events": []})["events"]}
            roster = self.stage.broker.context.groups.roster(keys.group_key(group))
            if roster is None or phone.user not in roster.members:
                if "ok" in reply:
                    self.fail(f"{phone.user} read {group} without being in it")
            elif roster.profile.history == "since_join" and shown & secret:
                self.fail(f"{phone.user} read what was said without them")

    def _history(self, group: str) -> Iterator[ops.Record]:
        last = 0
        archive = self.stage.broker.context.archive
        for seq, record in archive.records(keys.group_key(group), 0, 2**62, 10_000, False):
            if seq != last + 1:
                self.fail(f"seq {seq} after {last}")
            last = seq
            yield codec.decode_record(record)


def _replay(members: set[str], record: ops.Record) -> None:
    change = record.change
    if isinstance(change, Create):
        members |= {record.sender, *change.members}
    elif isinstance(change, Add):
        members |= set(change.users)
    elif isinstance(change, Enter):
        members.add(record.sender)
    elif isinstance(change, Remove):
        members.remove(change.user)
    elif isinstance(change, Leave):
        members.remove(record.sender)


@contextmanager
def group_world(seed: int, *, trouble: bool = True) -> Iterator[GroupWorld]:
    """Yield a world with tight bounds of its own, in which what is told to many gets lost."""
    with tight_bounds(random.Random(f"{seed}/knobs")):
        world = GroupWorld(seed, trouble=trouble)
        broker_group.tell_all = world.tell_all  # type: ignore[assignment]
        broker_moved.tell_all = world.tell_all  # type: ignore[assignment]
        try:
            yield world
        finally:
            broker_group.tell_all = broker_moved.tell_all = tell_all
