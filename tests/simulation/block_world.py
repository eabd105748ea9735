"""Two users who write to and block each other in a whole broker, from one seed; things crash.

Each message says by its text whether its sender was blocked, for certain, when it was sent: only
then is anything asked of it.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from actorchat.errors import StoreFull
from actorchat.protocol import codec, ops
from actorchat.store import keys
from actorchat.store.memory import Fault
from actorchat.store.verify import verify
from actorchat.testing.knob import tight_bounds
from tests.unit.broker.stage import Device, Stage

USERS = ("ann", "bob", "cid")
QUIET_ROUNDS = 10


class Poison:
    """An event that no machine knows: who is told it crashes."""


class Pen:
    """What one user writes to another, one message at a time until it is answered."""

    def __init__(self, user: str, to: str) -> None:
        self.user, self.to = user, to
        self.waiting: tuple[bytes, str] | None = None
        self.rid: int | None = None


class Lock:
    """One user's block of another: what was asked for, and what is so for certain."""

    def __init__(self) -> None:
        self.wanted = False
        self.is_on: bool | None = False  # None: nobody can know, until it is answered
        self.rid: int | None = None


class BlockWorld:
    """One run."""

    def __init__(self, seed: int, *, trouble: bool = True) -> None:
        self.rng = random.Random(seed)
        self.trouble = trouble
        self.stage = Stage(seed, idle_s=self.rng.choice((0.3, 2.0, 60.0)))
        self.stage.add_users(*USERS)
        self.stage.engine.sync()
        self.problems: list[str] = []
        self.crashes = 0
        self.lines: dict[str, Device | None] = dict.fromkeys(USERS)
        self.held: dict[str, dict[str, None]] = {user: {} for user in USERS}
        self.cursors = dict.fromkeys(USERS, 0)
        self._read = dict.fromkeys(USERS, 0)
        pairs = [(one, other) for one in USERS for other in USERS if one != other]
        self.pens = {pair: Pen(*pair) for pair in pairs}
        self.locks = {pair: Lock() for pair in pairs}
        self.hidden: set[str] = set()  # bodies that nobody but their sender may ever see
        self.due: dict[str, str] = {}  # bodies that must arrive, and at whom
        self.acked: dict[str, int] = {}
        self._bodies = 0

    def run(self, steps: int = 150) -> None:
        """Live, heal, judge."""
        for _ in range(steps):
            self._step()
            self.stage.run(self.rng.choice((0.0, 0.0005, 0.003, 0.05, 0.4)))
            self._look()
        self._heal()
        self._judge()

    # -- what happens ------------------------------------------------------------------------------
    def _step(self) -> None:
        actions = [(self._write, 40), (self._lock, 10), (self._connect, 15), (self._hang_up, 3)]
        actions += [(self._ack, 10), (self._page, 4)]
        if self.trouble:
            actions += [(self._crash_actor, 5), (self._crash_node, 2), (self._fill_disk, 2)]
        kinds, weights = zip(*actions, strict=True)
        self.rng.choices(kinds, weights)[0]()

    def _write(self) -> None:
        pen = self.rng.choice(list(self.pens.values()))
        line = self.lines[pen.user]
        if line is None or pen.rid is not None:
            return
        if pen.waiting is None:
            self._bodies += 1
            pen.waiting = (self.stage.new_cid(), f"{pen.user}>{pen.to} {self._bodies}")
            ours, theirs = self.locks[pen.user, pen.to], self.locks[pen.to, pen.user]
            if theirs.rid is None and theirs.is_on:
                self.hidden.add(pen.waiting[1])
            elif (theirs.rid, theirs.is_on) == (None, False) and not ours.is_on:
                self.due[pen.waiting[1]] = pen.to
        cid, body = pen.waiting
        pen.rid = line.start(lambda rid: ops.Send(rid, pen.to, cid, body))

    def _lock(self) -> None:
        pair = self.rng.choice(list(self.locks))
        lock, line = self.locks[pair], self.lines[pair[0]]
        if line is None or lock.rid is not None:
            return
        if lock.is_on is not None:
            lock.wanted = not lock.is_on
        self._put(pair, lock, line)

    def _put(self, pair: tuple[str, str], lock: Lock, line: Device) -> None:
        # What waits to be stored, and may be sent again, is on neither side of this for certain.
        for pen in (self.pens[pair], self.pens[pair[1], pair[0]]):
            if pen.waiting is not None:
                self.hidden.discard(pen.waiting[1])
                self.due.pop(pen.waiting[1], None)
        lock.is_on = None
        lock.rid = line.start(lambda rid: ops.Block(rid, pair[1], lock.wanted))

    def _connect(self) -> None:
        user = self.rng.choice(USERS)
        if self.lines[user] is None:
            self.lines[user], self._read[user] = self.stage.connect(), 0
            secret = f"token of {user} phone"
            line = self.lines[user]
            assert line is not None
            line.start(lambda rid: ops.Hello(rid, 1, user, "phone", "token", secret))

    def _hang_up(self) -> None:
        user = self.rng.choice(USERS)
        line = self.lines[user]
        if line is not None:
            line.connection.is_closed = True
            line.connection.inlet.closed("eof")
            self._gone(user)

    def _gone(self, user: str) -> None:
        self.lines[user] = None
        for table in (self.pens, self.locks):
            for pair, one in table.items():  # type: ignore[attr-defined]
                if pair[0] == user:
                    one.rid = None

    def _ack(self) -> None:
        for user, line in self.lines.items():
            if line is not None and self.cursors[user]:
                line.tell(ops.Ack(self.cursors[user]))

    def _page(self) -> None:
        one, other = self.rng.sample(USERS, 2)
        line = self.lines[one]
        if line is not None:
            line.start(lambda rid: ops.History(rid, other, limit=self.rng.randint(1, 9)))
            line.tell(ops.Mark(other, self.rng.randint(1, 60)))

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
        for user in USERS:
            self._gone(user)

    def _fill_disk(self) -> None:
        nth, count = self.rng.randint(1, 4), self.rng.randint(1, 5)
        self.stage.engine.inject(Fault("write", StoreFull("no space left"), nth, count))

    # -- what comes of it --------------------------------------------------------------------------
    def _look(self) -> None:
        for user, line in self.lines.items():
            if line is None:
                continue
            self._take(user, line)
            self._answers(user, line)
            if line.connection.is_closed:
                self._gone(user)

    def _take(self, user: str, line: Device) -> None:
        for push in line.connection.pushes[self._read[user] :]:
            if push["op"] == "msg" and push["upd"] > self.cursors[user]:
                if push["upd"] != self.cursors[user] + 1:
                    self.problems.append(f"{user}: {push['upd']} after {self.cursors[user]}")
                self.cursors[user] = push["upd"]
                body = push["msg"]["body"]
                if body in self.held[user]:
                    self.problems.append(f"{user} got {body} twice")
                self.held[user][body] = None
        self._read[user] = len(line.connection.pushes)
        for reply in line.connection.replies.values():
            for record in reply.get("ok", {}).get("events", ()):
                if record["body"] in self.hidden and record["from"] != user:
                    self.problems.append(f"{user} read {record['body']}")

    def _answers(self, user: str, line: Device) -> None:
        replies = line.connection.replies
        for pair, pen in self.pens.items():
            reply = replies.get(pen.rid) if pair[0] == user and pen.rid is not None else None
            if reply is None or pen.waiting is None:
                continue
            pen.rid = None
            body = pen.waiting[1]
            if "ok" in reply:
                self.acked[body] = reply["ok"]["seq"]
                pen.waiting = None
            elif reply["err"]["code"] == "blocked":
                self.due.pop(body, None)
                self.hidden.discard(body)
                pen.waiting = None
        for pair, lock in self.locks.items():
            reply = replies.get(lock.rid) if pair[0] == user and lock.rid is not None else None
            if reply is not None:
                lock.rid = None
                lock.is_on = lock.wanted if "ok" in reply else None

    def _heal(self) -> None:
        self.trouble = False
        quiet, still = 0, [-1]
        while quiet < QUIET_ROUNDS:
            for _ in USERS:
                self._connect()
            for pair, lock in self.locks.items():
                line = self.lines[pair[0]]
                if line is not None and lock.rid is None and (lock.is_on is None or lock.is_on):
                    lock.wanted = False
                    self._put(pair, lock, line)
            for _ in range(20):
                if any(pen.waiting for pen in self.pens.values()):
                    self._write()
            self.stage.run(0.5)
            self._look()
            self._ack()
            before, still = still, [*self.cursors.values(), self._bodies]
            is_done = all(self.lines.values()) and not any(
                lock.rid or lock.is_on is not False for lock in self.locks.values()
            )
            quiet = quiet + 1 if before == still and is_done else 0

    # -- judgement ---------------------------------------------------------------------------------
    def _judge(self) -> None:
        for body, user in self.due.items():
            if body in self.acked and body not in self.held[user]:
                self.problems.append(f"{user} never got {body}")
        for user in USERS:
            seen = self.hidden & self.held[user].keys()
            if seen:
                self.problems.append(f"{user} got {sorted(seen)}")
        for one, other in (("ann", "bob"), ("ann", "cid"), ("bob", "cid")):
            self._judge_history(one, other)
        if self.stage.rows("outbox"):
            self.problems.append("a fan-out is still owed")
        self.problems += [str(problem) for problem in verify(self.stage.engine).problems]

    def _judge_history(self, one: str, other: str) -> None:
        archive = self.stage.broker.context.archive
        rows = archive.records(keys.conversation_key(one, other), 0, 2**62, 10_000, False)
        records = [codec.decode_record(record) for _, record in rows]
        if [seq for seq, _ in rows] != list(range(1, len(rows) + 1)):
            self.problems.append(f"history of {one} and {other} has holes")
        places = {record.body: record.seq for record in records}
        if len(places) != len(records):
            self.problems.append(f"something is twice between {one} and {other}")
        for reader, writer in ((one, other), (other, one)):
            events = self._read_all(reader, writer)
            shown = {record["body"] for record in events if record["from"] != reader}
            got = {body for body in self.held[reader] if body.startswith(f"{writer}>")}
            if shown != got:
                self.problems.append(f"{reader} got {got - shown} and reads {shown - got}")
            mine = {record["body"] for record in events if record["from"] == reader}
            if mine != {record.body for record in records if record.sender == reader}:
                self.problems.append(f"{reader} misses their own messages to {writer}")
        for body, seq in self.acked.items():
            if body.split(" ")[0] in (f"{one}>{other}", f"{other}>{one}"):
                if places.get(body) != seq:
                    self.problems.append(f"{body} was acked as {seq}, is {places.get(body)}")

    def _read_all(self, reader: str, other: str) -> list[dict[str, Any]]:
        """Return what `reader` may see of the history with `other`, page by page."""
        line, found, before = self.lines[reader], [], None
        assert line is not None
        while True:
            ask = functools.partial(ops.History, conv=other, before=before, limit=200)
            page = line.ask(ask)["ok"]
            found = page["events"] + found
            if not page["more"]:
                return found
            before = found[0]["seq"]


@contextmanager
def block_world(seed: int, *, trouble: bool = True) -> Iterator[BlockWorld]:
    """Yield a world with tight bounds of its own."""
    with tight_bounds(random.Random(f"{seed}/knobs")):
        yield BlockWorld(seed, trouble=trouble)
