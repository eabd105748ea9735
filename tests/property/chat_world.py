"""Users, conversations and devices joined by a shell that loses, repeats and reorders.

The shell does what `actorchat.broker` does, on a `Log` that can fail at any step. Whatever may
happen in any order is a step; each step is given a number from which it makes its choices.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from actorchat.chat import effect as done
from actorchat.chat import event as told
from actorchat.chat.conversation import Conversation
from actorchat.chat.event import Pair
from actorchat.chat.inbox import Inbox
from tests.property.chat_client import Client
from tests.property.chat_log import Log

PAGE_ROWS_MAX = 2  # how much fits into a page in bytes


class Ref:
    """The address of one life of an actor; what a dead one is told is lost."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self.is_alive = True

    def tell(self, event: object, /) -> None:
        if self.is_alive:
            self.actor.mailbox.append(event)


class Place:
    """The lasting address of an actor, which is started when it is told something."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor

    def tell(self, event: object, /) -> None:
        self.actor.start()
        self.actor.mailbox.append(event)


class Actor:
    """A mailbox and a machine that is built from the log."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.log = world.log
        self.mailbox: deque[Any] = deque()
        self.ref = Ref(self)
        self.ref.is_alive = False
        self.place = Place(self)
        self.generation = -1
        self.timers: dict[type, object] = {}

    def start(self) -> None:
        if not self.ref.is_alive:
            self.ref = Ref(self)
            self.rebuild()

    def rebuild(self) -> None:
        self.log.write()
        self.generation = self.log.generation
        self.build()

    def crash(self) -> None:
        """End without a word; what waits is answered, not done."""
        waiting, self.mailbox = list(self.mailbox), deque()
        self.ref.is_alive = False
        self.timers.clear()
        for event in waiting:
            self.discarded(event)

    def discarded(self, event: Any) -> None:
        match event:
            case told.Post():
                event.session.tell(recovering(event.rid))
            case told.Record():
                event.session.tell(recovering(event.ack.rid))
                event.conversation.tell(told.OutOfOrder(event.seq - 1))
            case told.Repeat():
                event.session.tell(recovering(event.ack.rid))
            case told.Attach():
                event.session.tell(told.HomeLost())
            case told.Join():
                self.place.tell(event)

    def turn(self) -> None:
        """Take one event in."""
        event = self.mailbox.popleft()
        if self.generation != self.log.generation:
            self.rebuild()
        self.receive(event)

    def fire(self) -> None:
        for kind in list(self.timers):
            self.ref.tell(self.timers.pop(kind))

    def perform(self, effects: Iterable[Any]) -> None:
        for effect in effects:
            getattr(self, f"do_{type(effect).__name__}")(effect)

    def do_StartTimer(self, effect: done.StartTimer) -> None:  # noqa: N802 (the effect's name)
        self.timers[type(effect.event)] = effect.event

    def build(self) -> None:
        raise NotImplementedError

    def receive(self, event: Any) -> None:
        raise NotImplementedError


def encoded(sender: str, seq: int, cid: bytes, body: str) -> bytes:
    return repr((sender, seq, cid, body)).encode()


def recovering(rid: int) -> told.Refused:
    return told.Refused(rid, "unavailable", "recovering", "now", "unknown")


class ConversationActor(Actor):
    """What `broker.conversation` does, with rows of tuples."""

    machine: Conversation

    def __init__(self, world: World, pair: Pair) -> None:
        super().__init__(world)
        self.pair = pair
        self.held: list[Any] | None = None  # what waits until the log may be read

    def start(self) -> None:
        if not self.ref.is_alive:
            self.ref = Ref(self)
            self.join()

    def join(self) -> None:
        self.held = []
        self.home().tell(told.Join(self.ref))

    def crash(self) -> None:
        self.mailbox.extendleft(reversed(self.held or []))
        super().crash()

    def turn(self) -> None:
        event = self.mailbox.popleft()
        if self.held is None and self.generation != self.log.generation:
            self.join()
        if self.held is None:
            self.receive(event)
        elif type(event) is told.Joined:
            held, self.held = self.held, None
            self.rebuild()
            self.mailbox.extendleft(reversed(held))
        elif type(event) is not told.OutOfOrder:
            self.held.append(event)

    def build(self) -> None:
        rows, pair = self.log.written, self.pair
        seq = self.world.last_seq(rows, pair)
        self.machine = Conversation(pair, seq, rows.get(("outbox", pair)))
        for user, marks in self.machine.marks.items():
            marks.delivered, marks.read = rows.get(("marks", pair, user), (0, 0))
        # What was marked of messages that were lost unsynced is lost with them.
        self.marks = {
            user: (min(marks.delivered, seq), min(marks.read, seq))
            for user, marks in self.machine.marks.items()
        }
        self.perform(self.machine.start())

    def receive(self, event: Any) -> None:
        machine = self.machine
        if type(event) is told.Post:
            key = machine.key_to_look_up(event)
            row = None if key is None else self.log.written.get(("sent", self.pair, key))
            if row is not None:
                event.prior = told.Prior(row[0], row[1], hash(row[2]))
        self.perform(machine.handle(event, self.world.now_ms))

    def home(self) -> Place:
        return self.world.homes[self.pair[0]].place

    def away(self) -> Place:
        return self.world.homes[self.pair[1]].place

    def do_Store(self, effect: done.Store) -> None:  # noqa: N802
        post, seq, pair = effect.post, effect.seq, self.pair
        record = encoded(post.sender, seq, post.cid, post.body)
        rows: list[Any] = [
            (("history", pair, seq), (post.sender, record, post.cid)),
            (("sent", pair, effect.key), (seq, effect.ts, post.body)),
        ]
        if effect.owes:
            rows.append((("outbox", pair), seq))
        recipient = deliver = None
        is_own = False
        if effect.is_away:
            recipient = self.away()
            is_own = post.sender == pair[0]
            deliver = told.Deliver(pair, b"", self.ref, seq, effect.prev, record, not is_own)
        ack = told.Accepted(post.rid, seq, effect.ts)
        self.home().tell(
            told.Record(
                pair, b"", self.ref, seq, record, tuple(rows), post.session, ack,
                recipient, deliver, effect.wants_durable, is_own, post.has_company,
            )
        )  # fmt: skip

    def do_AnswerAgain(self, effect: done.AnswerAgain) -> None:  # noqa: N802
        ack = told.Accepted(effect.rid, effect.seq, effect.ts, True)
        again = told.Repeat(self.pair, b"", self.ref, effect.seq, effect.session, ack)
        self.home().tell(again)

    def do_Refuse(self, effect: done.Refuse) -> None:  # noqa: N802
        effect.session.tell(effect.refused)

    def do_MoveMarker(self, effect: done.MoveMarker) -> None:  # noqa: N802
        self.log.append([(("outbox", self.pair), effect.seq)])

    def do_AskFanOut(self, effect: done.AskFanOut) -> None:  # noqa: N802
        confirm = told.Confirm(self.pair, b"", self.ref, effect.seq)
        self.home().tell(told.Relay(self.away(), confirm))

    def do_Redrive(self, effect: done.Redrive) -> None:  # noqa: N802
        prev, last = effect.prev, 0
        for seq in range(effect.after + 1, self.machine.seq + 1):
            row = self.log.written.get(("history", self.pair, seq))
            if row is not None:
                is_own = row[0] == effect.user
                again = told.Deliver(self.pair, b"", self.ref, seq, prev, row[1], is_own, True)
                self.home().tell(told.Relay(self.away(), again))
                last = prev = seq
        self.perform(self.machine.handle(told.Redriven(last), self.world.now_ms))

    def do_SaveMarks(self, effect: done.SaveMarks) -> None:  # noqa: N802
        marks = (effect.delivered, effect.read)
        before = self.marks[effect.user]
        assert marks[1] <= marks[0] <= self.machine.seq, "marks pass the head"
        assert marks[0] >= before[0] and marks[1] >= before[1], "marks go back"
        self.marks[effect.user] = marks
        self.log.append([(("marks", self.pair, effect.user), marks)])

    def do_TellMarks(self, effect: done.TellMarks) -> None:  # noqa: N802
        self.world.homes[effect.to].place.tell(effect.marked)

    def do_Restart(self, effect: done.Restart) -> None:  # noqa: N802
        self.join()


class HomeActor(Actor):
    """What `broker.user` does, with rows of tuples."""

    machine: Inbox

    def __init__(self, world: World, user: str) -> None:
        super().__init__(world)
        self.user = user

    def build(self) -> None:
        rows, user = self.log.written, self.user
        head, trimmed = rows.get(("user", user), (0, 0))
        cursors = {
            key[2]: upd
            for key, upd in rows.items()
            if key[:2] == ("cursor", user) and not self.world.is_revoked(user, key[2])
        }
        self.machine = Inbox(user, head, trimmed, cursors)
        while (row := rows.get(("inbox", user, head + 1))) is not None:
            head += 1
            self.machine.recall(head, row[0], row[1])
        self.perform(self.machine.start())

    def rebuild(self) -> None:
        attached = []
        if self.generation >= 0:
            attached = [
                told.Attach(device, session)
                for device, delivery in self.machine.devices.items()
                if (session := delivery.session or delivery.coming) is not None
            ]
        super().rebuild()
        for attach in attached:
            self.world.attaching_again(attach.session)
            self.receive(attach)

    def start(self) -> None:
        if not self.ref.is_alive:
            self.generation = -1
        super().start()

    def crash(self) -> None:
        sessions = self.machine.sessions() if self.ref.is_alive else []
        super().crash()
        for session in sessions:
            session.tell(told.HomeLost())

    def receive(self, event: Any) -> None:
        machine, rows = self.machine, self.log.written
        match event:
            case told.Attach() if self.world.is_revoked(self.user, event.device):
                event.session.tell(told.Ended("revoked", "never"))
                return
            case told.Record() | told.Repeat() if event.pair not in machine.recorded:
                machine.recorded[event.pair] = self.world.last_seq(rows, event.pair)
            case told.Deliver() | told.Confirm() if event.pair not in machine.received:
                received = rows.get(("received", self.user, event.pair), 0)
                machine.received[event.pair] = received
        self.perform(machine.handle(event, 0))

    def do_AppendRecord(self, effect: done.AppendRecord) -> None:  # noqa: N802
        event = effect.record
        rows: list[Any] = list(event.ops)
        completions: list[Any] = [(event.session.tell, event.ack)]
        if effect.upd:
            rows.append(self._update(effect.upd, event))
            completions += self._shown(effect, event)
        if event.recipient is not None:
            completions.append((event.recipient.tell, event.deliver))
        self.log.append(rows, *completions)
        if event.wants_durable:
            self.log.append([], (event.conversation.tell, told.Durable(event.seq)))

    def do_AppendUpdate(self, effect: done.AppendUpdate) -> None:  # noqa: N802
        event = effect.deliver
        self.log.append([self._update(effect.upd, event)], *self._shown(effect, event))

    def _update(self, upd: int, event: told.Record | told.Deliver) -> Any:
        return ("inbox", self.user, upd), (event.pair, event.seq, event.record)

    def _shown(
        self,
        effect: done.AppendRecord | done.AppendUpdate,
        event: told.Record | told.Deliver,
    ) -> list[Any]:
        payload: Any = (effect.upd, event.record)  # what an encoded update stands for
        if effect.session is not None:
            return [(effect.session.tell, told.Update(payload))]
        if effect.notify:
            return [(self.ref.tell, told.Stored(effect.upd, event.pair, event.seq, payload))]
        return []

    def do_Checkpoint(self, effect: done.Checkpoint) -> None:  # noqa: N802
        rows: list[Any] = [(("user", self.user), (effect.head, effect.trimmed))]
        for pair, seq in effect.received.items():
            rows.append((("received", self.user, pair), seq))
        self.log.append(rows)

    def do_Barrier(self, effect: done.Barrier) -> None:  # noqa: N802
        to = self.ref if effect.to is None else effect.to
        self.log.append([], (to.tell, effect.event))

    def do_ReadRows(self, effect: done.ReadRows) -> None:  # noqa: N802
        found: list[Any] = []
        for upd in range(effect.first, effect.last + 1):
            row = self.log.written.get(("inbox", self.user, upd))
            assert row is not None, f"update {upd} of {self.user} is read after it was trimmed"
            if len(found) < PAGE_ROWS_MAX:
                payload: Any = (upd, row[2])
                found.append(told.Row(upd, row[0], row[1], payload))
        is_cut = len(found) <= effect.last - effect.first
        self.ref.tell(told.Rows(effect.device, found, is_cut))

    def do_ReadUnmarked(self, effect: done.ReadUnmarked) -> None:  # noqa: N802
        rows = self.log.written
        last = {}
        for upd in range(effect.first, effect.last + 1):
            if (row := rows.get(("inbox", self.user, upd))) is not None:
                last[row[0]] = row[1]
        behind = {
            pair: seq
            for pair, seq in last.items()
            if rows.get(("marks", pair, self.user), (0, 0))[0] < seq
        }
        if behind:
            self.ref.tell(told.Unmarked(behind))

    def do_Push(self, effect: done.Push) -> None:  # noqa: N802
        effect.session.tell(effect.event)

    def do_SaveCursor(self, effect: done.SaveCursor) -> None:  # noqa: N802
        self.log.append([(("cursor", self.user, effect.device), effect.upd)])

    def do_ForgetDevice(self, effect: done.ForgetDevice) -> None:  # noqa: N802
        self.log.append([(("cursor", self.user, effect.device), None)])

    def do_Trim(self, effect: done.Trim) -> None:  # noqa: N802
        for client in self.world.clients:
            if client.user == self.user and client.is_placed and not client.is_revoked:
                assert effect.upto <= client.acked, "a trim deletes what a device has not acked"
        dead: list[Any] = [
            (("inbox", self.user, upd), None) for upd in range(effect.after + 1, effect.upto + 1)
        ]
        self.log.append(dead)

    def do_TellReached(self, effect: done.TellReached) -> None:  # noqa: N802
        reached = told.Reached(self.user, effect.delivered)
        self.world.talks[effect.pair].place.tell(reached)


class World:
    """All of it in one thread, one step at a time."""

    def __init__(self, pairs: list[Pair], devices: list[tuple[str, str]]) -> None:
        self.log = Log()
        self.now_ms = 1
        self.homes = {user: HomeActor(self, user) for pair in pairs for user in pair}
        self.talks = {pair: ConversationActor(self, pair) for pair in pairs}
        self.clients = [Client(self, user, device) for user, device in devices]
        self.next_rid = 0
        self.asked: dict[int, tuple[Pair, str, bytes, str]] = {}  # every send, by request id
        self.open: set[int] = set()  # of these, who waits for an answer
        self.bodies: dict[bytes, str] = {}  # what a client id was first used for
        self.seqs: dict[bytes, int] = {}  # what it got

    # -- what the shell knows ----------------------------------------------------------------------
    def last_seq(self, rows: dict[Any, Any], pair: Pair) -> int:
        seq = 0
        while ("history", pair, seq + 1) in rows:
            seq += 1
        return seq

    def is_revoked(self, user: str, device: str) -> bool:
        return any(c.is_revoked for c in self.clients if (c.user, c.device) == (user, device))

    def actors(self) -> list[Actor]:
        return [*self.talks.values(), *self.homes.values()]

    def attaching_again(self, session: Any) -> None:
        """Note that a home attaches a session once more by itself."""
        session.client.rewinds += 1

    # -- steps -------------------------------------------------------------------------------------
    def step(self, name: str, number: int) -> None:
        """Do one step; `number` settles what it leaves open."""
        getattr(self, f"step_{name}")(number)

    def step_turn(self, number: int) -> None:
        for turn in range(1 + number % 8):
            busy = [actor for actor in self.actors() if actor.mailbox]
            if busy:
                busy[(number // 8 + turn) % len(busy)].turn()

    def step_read(self, number: int) -> None:
        client = self.clients[number % len(self.clients)]
        for _ in range(1 + number // 8):
            client.read()

    def step_write(self, number: int) -> None:
        self.log.write()

    def step_sync(self, number: int) -> None:
        self.log.sync()

    def step_commit(self, number: int) -> None:
        self.log.write()
        self.log.sync()

    def step_connect(self, number: int) -> None:
        client = self.clients[number % len(self.clients)]
        is_takeover = client.session is not None
        if not client.is_revoked and (not is_takeover or number % 8 == 0):
            client.connect(says_where=bool(number & 32))

    def step_hang_up(self, number: int) -> None:
        if number // 8 == 0:
            self.clients[number % len(self.clients)].hang_up(says_so=number % 2 == 0)

    def step_ack(self, number: int) -> None:
        client = self.clients[number % len(self.clients)]
        client.ack(client.received - (2 if number // 32 else 0))

    def step_send(self, number: int) -> None:
        pairs = list(self.talks)
        pair = pairs[number % len(pairs)]
        sender = pair[(number >> 2) & 1]
        cid = b"%d" % len(self.bodies)
        self.bodies[cid] = f"body of {cid.decode()}"
        self.post(pair, sender, cid, self.bodies[cid])

    def step_resend(self, number: int) -> None:
        if self.asked:
            asked = list(self.asked.values())
            back = min(len(asked), 1 + number % 12)
            pair, sender, cid, _ = asked[-back]
            self.post(pair, sender, cid, self.bodies[cid])

    def step_clash(self, number: int) -> None:
        if self.asked:
            asked = list(self.asked.values())
            pair, sender, cid, _ = asked[-min(len(asked), 1 + number % 12)]
            self.post(pair, sender, cid, "something else")

    def post(self, pair: Pair, sender: str, cid: bytes, body: str) -> None:
        for client in self.clients:
            if client.user == sender and client.session is not None:
                self.next_rid += 1
                self.asked[self.next_rid] = (pair, sender, cid, body)
                self.open.add(self.next_rid)
                ask = told.Post(sender, client.session, self.next_rid, cid, body)
                ask.has_company = client.has_company
                self.talks[pair].place.tell(ask)
                return

    def step_mark(self, number: int) -> None:
        talks = list(self.talks.values())
        talk = talks[number % len(talks)]
        if talk.ref.is_alive and talk.held is None:
            seq = talk.machine.seq + number % 3
            talk.place.tell(told.Reached(talk.pair[(number >> 2) & 1], 0, seq))

    def step_timer(self, number: int) -> None:
        actors = self.actors()
        actors[number % len(actors)].fire()

    def step_revoke(self, number: int) -> None:
        client = self.clients[number % len(self.clients)]
        others = [c for c in self.clients if c.user == client.user and c is not client]
        if number // 8 == 0 and not all(c.is_revoked for c in others):
            client.is_revoked = True
            self.homes[client.user].place.tell(told.DeviceRevoked(client.device))

    def step_repeat(self, number: int) -> None:
        """Tell a home something again that it was told before."""
        homes = list(self.homes.values())
        home = homes[number % len(homes)]
        waiting = [e for e in home.mailbox if isinstance(e, told.Deliver | told.Confirm)]
        if waiting:
            home.place.tell(waiting[number % len(waiting)])

    def step_drop(self, number: int) -> None:
        """Lose a delivery on its way."""
        homes = list(self.homes.values())
        home = homes[number % len(homes)]
        for event in list(home.mailbox):
            if isinstance(event, told.Deliver):
                home.mailbox.remove(event)
                return

    # -- what goes wrong ---------------------------------------------------------------------------
    def step_crash_actor(self, number: int) -> None:
        alive = [actor for actor in self.actors() if actor.ref.is_alive]
        if alive:
            alive[number % len(alive)].crash()

    def step_crash_node(self, number: int) -> None:
        for actor in self.actors():
            actor.ref.is_alive = False
            actor.mailbox.clear()
            actor.timers.clear()
        for client in self.clients:
            client.hang_up(says_so=False)
        self.log.crash(number % 8)

    def step_fill_disk(self, number: int) -> None:
        for tell, event in self.log.lose_open_batch():
            if isinstance(event, told.Accepted):
                tell(told.Refused(event.rid, "store_full", "", "after"))

    # -- what clients are told ---------------------------------------------------------------------
    def accepted(self, event: told.Accepted) -> None:
        pair, sender, cid, body = self.asked[event.rid]
        self.open.discard(event.rid)
        row = self.log.synced.get(("history", pair, event.seq))
        assert row is not None, f"{cid!r} is acked as {event.seq}, which is not in the log"
        assert row[0] == sender
        assert row[2] == cid, f"{cid!r} is acked as {event.seq}, which is {row[2]!r}"
        assert row[1] == encoded(sender, event.seq, cid, body), "acked is what was not stored"
        assert self.seqs.setdefault(cid, event.seq) == event.seq, "a client id has two seqs"
        self.bodies[cid] = body

    def refused(self, event: told.Refused) -> None:
        assert event.rid is not None
        _, _, cid, body = self.asked[event.rid]
        self.open.discard(event.rid)
        if event.code == "id_conflict":
            used = {b for _, _, c, b in self.asked.values() if c == cid}
            assert len(used) == 2, f"{cid!r} was never used for anything but {body!r}"

    # -- the end -----------------------------------------------------------------------------------
    def settle(self) -> None:
        """Let nothing go wrong any more until nothing happens any more."""
        for client in self.clients:
            if client.session is None and client.is_placed and not client.is_revoked:
                client.connect(says_where=True)
        for key in list(self.log.appended):
            if key[0] == "outbox":  # whoever died in debt is started again
                self.talks[key[1]].start()
        wanted = {cid for _, _, cid, _ in self.asked.values()}
        for _ in range(60):
            self._run_dry()
            kept = {row[2] for key, row in self.log.synced.items() if key[0] == "history"}
            missing = [cid for cid in wanted if cid not in kept and self._resend(cid)]
            if not missing and self._is_quiet():
                return
            for actor in self.actors():
                actor.fire()
        raise AssertionError("it does not come to rest")

    def _resend(self, cid: bytes) -> bool:
        for pair, sender, used, body in list(self.asked.values()):
            if used == cid and any(c.user == sender and c.session for c in self.clients):
                self.post(pair, sender, cid, body)
                return True
        return False

    def _run_dry(self) -> None:
        for _ in range(20_000):
            for actor in self.actors():
                if actor.mailbox:
                    actor.turn()
            for client in self.clients:
                client.read()
                if client.must_ack and not client.queue:
                    client.must_ack = False
                    client.ack(client.received)
            idle = not any(actor.mailbox for actor in self.actors())
            if idle and not any(client.queue for client in self.clients):
                if self.log.synced_to == len(self.log.entries):
                    return
                self.step_commit(0)
        raise AssertionError("it goes round in circles")

    def _is_quiet(self) -> bool:
        is_owed = any(key[0] == "outbox" for key in self.log.synced)
        return not is_owed and not any(actor.timers for actor in self.actors())

    def check(self) -> None:
        """Check the log, and that everybody has everything, after `settle`."""
        rows = self.log.synced
        for pair in self.talks:
            last = self.last_seq(rows, pair)
            seqs = sorted(key[2] for key in rows if key[:2] == ("history", pair))
            assert seqs == list(range(1, last + 1)), "the sequence has holes"
            cids = [rows["history", pair, seq][2] for seq in seqs]
            assert len(cids) == len(set(cids)), "a client id has two records"
            self._check_fan_out(pair, [(seq, rows["history", pair, seq][0]) for seq in seqs])
        for pair, _, cid, _ in self.asked.values():
            if cid in self.seqs:
                row = rows.get(("history", pair, self.seqs[cid]))
                assert row is not None and row[2] == cid, f"{cid!r} was acked, and is lost"
        for client in self.clients:
            if client.session is not None:
                head = max((u for o, u in self.log.ever_shown if o == client.user), default=0)
                assert client.received == head, f"{client.device} lacks {head - client.received}"
                machine = self.homes[client.user].machine
                assert machine.devices[client.device].acked == head

    def _check_fan_out(self, pair: Pair, history: list[tuple[int, str]]) -> None:
        for user, other in (pair, pair[::-1]):
            sent = [seq for seq, sender in history if sender == other]
            own = {seq for seq, sender in history if sender == user != other}
            updates = sorted((u, v) for (o, u), v in self.log.ever_shown.items() if o == user)
            got = [row[1] for _, row in updates if row[0] == pair]
            assert got == sorted(set(got)), f"{user} got {got} of {pair}"
            due = [seq for seq in got if seq not in own]
            assert due == sent, f"{user} should have got {sent} of {pair}, and got {got}"


def play(world: World, steps: Iterable[tuple[str, int]]) -> None:
    """Do `steps`, then settle and check."""
    for name, number in steps:
        world.step(name, number)
    world.settle()
    world.check()


@contextmanager
def small_limits() -> Iterator[None]:
    """Make windows and pages so small that a short run comes to their ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("actorchat.chat.window.IDEMPOTENCE_WINDOW", 3)
        patch.setattr("actorchat.chat.delivery.DELIVERY_WINDOW_UPDATES", 4)
        patch.setattr("actorchat.chat.delivery.CATCH_UP_PAGE_UPDATES", 3)
        patch.setattr("actorchat.chat.inbox.DELIVERY_WINDOW_UPDATES", 4)
        patch.setattr("actorchat.chat.inbox.TRIM_EVERY_UPDATES", 3)
        patch.setattr("actorchat.chat.inbox.CHECKPOINT_EVERY_UPDATES", 4)
        yield
