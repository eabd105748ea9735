"""Acts in a whole broker from one seed: people write, edit, delete and react; things crash.

In the end everybody has the same view, which is what the acts in the sequence make of the messages.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from actorchat.actor import tell_all
from actorchat.broker import group as broker_group
from actorchat.broker import hiding
from actorchat.broker import moved as broker_moved
from actorchat.broker.reading import Reading
from actorchat.ids import direct_pair, group_address
from actorchat.protocol import codec, ops
from actorchat.protocol.ops.group import Create
from actorchat.store import keys
from actorchat.store.verify import verify
from actorchat.testing.knob import tight_bounds
from tests.simulation.group_world import GroupWorld, Phone
from tests.unit.broker.stage import Device

USERS = ("ann", "bob", "cid")
EMOJIS = ("👍", "❤", "x")
Make = Callable[[int, bytes], object]
View = dict[int, tuple[str, bool]]  # seq → text, gone


class ActPhone(Phone):
    """A device that keeps the records that it got, and makes a view of them."""

    def __init__(self, user: str) -> None:
        super().__init__(user)
        self.asked: dict[bytes, Make] = {}
        self.records: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def put(self, cid: bytes) -> None:
        if self.line is not None and cid not in self._asked.values():
            make = self.asked[cid]
            self._asked[self.line.start(lambda rid: make(rid, cid))] = cid

    def _take(self, upd: int, record: dict[str, Any], world: GroupWorld) -> None:
        if upd == self.cursor + 1:
            self.records[record.get("conv") or record["from"]].append(record)
        super()._take(upd, {"conv": "", **record}, world)

    def view(self, conv: str) -> View:
        view: View = {}
        for record in self.records[conv]:
            act = record.get("act")
            if act is None and "change" not in record:
                view[record["seq"]] = (record["body"], record.get("gone", False))
            elif act is not None and act["kind"] == "delete":
                view.update({ref: ("", True) for ref in act["refs"] if ref in view})
            elif act is not None and act["kind"] == "edit" and act["ref"] in view:
                view[act["ref"]] = (record["body"], record.get("gone", False))
        return view


class ActWorld(GroupWorld):
    """One run: three people, who talk with each other in a group and in pairs."""

    def __init__(self, seed: int, *, trouble: bool = True) -> None:
        super().__init__(seed, trouble=trouble)
        self.phones = {user: ActPhone(user) for user in USERS}
        self.laptops = {}
        self.devices = [*self.phones.values()]
        self.texts: dict[bytes, str] = {}
        self.hidden: dict[str, set[tuple[str, int]]] = {user: set() for user in USERS}
        self._hiding: list[tuple[Device, int, str, str, int]] = []

    # -- what happens ------------------------------------------------------------------------------
    def _step(self) -> None:
        actions = [
            (self._say, 30),
            (self._act, 40),
            (self._hide, 4),
            (self._connect, 14),
            (self._hang_up, 4),
            (self._ack, 8),
        ]
        if self.trouble:
            actions += [(self._crash_actor, 5), (self._crash_node, 2), (self._fill_disk, 2)]
        kinds, weights = zip(*actions, strict=True)
        self.rng.choices(kinds, weights)[0]()

    def _phone(self) -> ActPhone:
        phone = self.phones[self.rng.choice(USERS)]
        assert isinstance(phone, ActPhone)
        return phone

    def _put(self, phone: ActPhone, make: Make, name: bytes | None = None) -> bytes:
        cid = self.stage.new_cid() if name is None else name
        phone.asked[cid] = make
        phone.outbox[cid] = ("", "")
        phone.put(cid)
        return cid

    def _make_group(self) -> None:
        name = self.stage.new_cid()
        address = group_address(name)
        self.groups.append(address)
        create = Create("group", list(USERS[1:]))
        owner = self.phones[USERS[0]]
        assert isinstance(owner, ActPhone)
        owner.connect(self.stage.connect(), 0)
        self.stage.run()
        self._put(owner, lambda rid, cid: ops.Change(rid, address, cid, create), name)
        self.stage.run()

    def _conv(self, phone: Phone) -> str:
        others = [user for user in USERS if user != phone.user]
        return self.rng.choice((*self.groups, *others))

    def _text(self) -> str:
        self._bodies += 1
        return f"<text {self._bodies}>" + "x" * self.rng.choice((0, 0, 700))

    def _say(self) -> None:
        phone, text = self._phone(), self._text()
        to = self._conv(phone)
        extra = self.rng.choice((None, None, ops.Extra(mentions=[phone.user], expires_s=10**6)))
        cid = self._put(phone, lambda rid, cid: ops.Send(rid, to, cid, text, extra))
        self.texts[cid] = text

    def _act(self) -> None:
        rng, phone, text = self.rng, self._phone(), self._text()
        conv, seq = self._conv(phone), self.rng.randint(1, 12)
        seqs = rng.sample(range(1, 13), rng.randint(1, 2))
        emoji, on = rng.choice(EMOJIS), rng.random() < 0.7
        make: Make = rng.choice(
            [
                lambda rid, cid: ops.Edit(rid, conv, cid, seq, text),
                lambda rid, cid: ops.React(rid, conv, cid, seq, emoji, on),
                lambda rid, cid: ops.Delete(rid, conv, cid, seqs),
            ]
        )
        self.texts[self._put(phone, make)] = text

    def _hide(self) -> None:
        phone, seq = self._phone(), self.rng.randint(1, 12)
        conv, line = self._conv(phone), phone.line
        if line is not None:
            cid = self.stage.new_cid()
            rid = line.start(lambda rid: ops.Delete(rid, conv, cid, [seq], "me"))
            self._hiding.append((line, rid, phone.user, conv, seq))

    def _heal(self) -> None:
        super()._heal()
        for line, rid, user, conv, seq in self._hiding:
            if "ok" in line.connection.replies.get(rid, {}):
                self.hidden[user].add((conv, seq))

    # -- judgement ---------------------------------------------------------------------------------
    def _judge(self) -> None:
        convs: list[tuple[str, ...]] = [(group,) for group in self.groups]
        convs += [direct_pair(*pair) for pair in (USERS[:2], USERS[1:], (USERS[0], USERS[2]))]
        seqs: dict[bytes, list[int]] = defaultdict(list)
        for conv in convs:
            key = keys.group_key(conv[0]) if len(conv) == 1 else keys.conversation_key(*conv)
            records = list(self._stored(key))
            for record in records:
                seqs[record.cid].append(record.seq)
            self._judge_records(conv, records)
            for user in USERS if len(conv) == 1 else conv:
                other = conv[0] if len(conv) == 1 else conv[conv[0] == user]
                self._judge_user(user, other, records)
        for user in USERS:
            self._judge_log(user)
        for cid, seq in self.acked.items():
            if seqs[cid] != [seq]:
                self.fail(f"acked as {seq}, stored as {seqs[cid]}")
        for cid, places in seqs.items():
            if len(places) > 1 or cid in self.never:
                self.fail(f"stored at {places}, refused: {cid in self.never}")
        self.problems += [str(problem) for problem in verify(self.stage.engine).problems]

    def _judge_log(self, user: str) -> None:
        """See that who comes back now gets what messages are now, not what they were."""
        context, owner = self.stage.broker.context, keys.user_key(user)
        context.log.apply()
        now_wall_ms = context.clock.wall_ms()
        reading = Reading(context.archive, now_wall_ms, owner, context.veils.load(owner))
        for row in context.archive.rows(user, owner, 1, reading=reading):
            shown = msgspec.convert(codec.decode(row.payload)["msg"], ops.Record)
            conv = row.pair if isinstance(row.pair, str) else row.pair[row.pair[0] == user]
            key = keys.group_key(conv) if conv in self.groups else keys.conversation_key(user, conv)
            stored = codec.decode_record(context.archive.record(key, row.seq))
            if stored.act is not None or stored.change is not None:
                continue
            if (conv, row.seq) in self.hidden[user] and not (shown.hidden and shown.body == ""):
                self.fail(f"{user} would get {shown}, which is hidden")
            elif not shown.hidden and (shown.body, shown.gone) != (stored.body, stored.gone):
                self.fail(f"{user} would get {shown}, stored is {stored}")

    def _stored(self, key: bytes) -> Iterator[ops.Record]:
        archive = self.stage.broker.context.archive
        for place, (seq, record) in enumerate(archive.records(key, 0, 2**62, 10_000, False), 1):
            if seq != place:
                self.fail(f"seq {seq} at place {place}")
            yield codec.decode_record(record)

    def _judge_records(self, conv: tuple[str, ...], records: list[ops.Record]) -> None:
        """See that each message is what the acts behind it have made of it."""
        dead: set[str] = set()
        for record in records:
            if record.act is not None or record.change is not None:
                continue
            text, edited, gone = self.texts[record.cid], None, False
            said = {text}
            reactions: dict[str, list[str]] = {}
            for later in records[record.seq :]:
                act = later.act
                if isinstance(act, ops.Edited) and act.ref == record.seq:
                    text, edited = self.texts[later.cid], later.seq
                    said.add(text)
                elif isinstance(act, ops.Deleted) and record.seq in act.refs:
                    text, edited, gone, reactions = "", None, True, {}
                elif isinstance(act, ops.Reacted) and act.ref == record.seq:
                    _react(reactions, act, later.sender)
            found = (record.body, record.edited, record.gone, record.reactions)
            if found != (text, edited, gone, reactions):
                self.fail(f"{conv} #{record.seq} is {found}, not {(text, edited, gone, reactions)}")
            dead |= said if gone else set()
        for key, value in self.stage.rows("history"):
            for text in dead:
                if text.encode() in value:
                    self.fail(f"{text} is still in {key.hex()}")

    def _judge_user(self, user: str, other: str, records: list[ops.Record]) -> None:
        phone = self.phones[user]
        assert isinstance(phone, ActPhone)
        assert phone.line is not None
        shown: dict[int, dict[str, Any]] = {}
        before: int | None = None
        while before is None or before > 1:
            end = before
            page = phone.line.ask(lambda rid: ops.History(rid, other, before=end))  # noqa: B023
            events = page["ok"]["events"]
            if not events:
                break
            shown = {one["seq"]: one for one in events} | shown
            before = events[0]["seq"]
        if list(shown) != [record.seq for record in records]:
            self.fail(f"{user} is shown {list(shown)} of {other}")
            return
        hidden = {seq for conv, seq in self.hidden[user] if conv == other}
        view = phone.view(other)
        for record in records:
            one, seq = shown[record.seq], record.seq
            if seq in hidden:
                if not one.get("hidden") or one["body"]:
                    self.fail(f"{user} is shown the hidden {other} #{seq}: {one}")
            elif record.act is None and record.change is None and not one.get("hidden"):
                if (one["body"], one.get("gone", False)) != (record.body, record.gone):
                    self.fail(f"{user} is shown {one}, stored is {record}")
                is_told = record.conv is not None or record.sender != user
                if is_told and view.get(seq) != (record.body, record.gone):
                    self.fail(f"{user} holds {view.get(seq)} of {other}, stored is {record}")


def _react(reactions: dict[str, list[str]], act: ops.Reacted, user: str) -> None:
    users = [one for one in reactions.get(act.emoji, []) if one != user or act.on]
    if act.on and user not in users:
        users.append(user)
    if users:
        reactions[act.emoji] = users
    else:
        reactions.pop(act.emoji, None)


@contextmanager
def act_world(seed: int, *, trouble: bool = True) -> Iterator[ActWorld]:
    """Yield a world with tight bounds of its own, in which what is told to many gets lost."""
    with tight_bounds(random.Random(f"{seed}/knobs")):
        world = ActWorld(seed, trouble=trouble)
        broker_group.tell_all = world.tell_all  # type: ignore[assignment]
        broker_moved.tell_all = world.tell_all  # type: ignore[assignment]
        searched = hiding.UPDATES_SEARCHED_MAX
        hiding.UPDATES_SEARCHED_MAX = world.rng.choice((1, 4, searched))  # type: ignore[misc]
        try:
            yield world
        finally:
            hiding.UPDATES_SEARCHED_MAX = searched  # type: ignore[misc]
            broker_group.tell_all = broker_moved.tell_all = tell_all
