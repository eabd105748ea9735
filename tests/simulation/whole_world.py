"""All features in one broker from one seed: whoever writes, edits, blocks, searches and goes.

W1  nothing crashes but what was poisoned, and the store is sound
W2  what was deleted, or is over, is in no history row, and what is swept does not come back
W3  a user finds by search what history shows them, and nothing else
W4  the list of conversations ends where history does
W5  a bot reads each record once, in order, as it is now
W6  who blocks is shown nothing of what was written meanwhile, in no way
W7  devices get updates without a hole, but for what they are told is gone, and all deletions
W8  of a deleted account nothing is left but its name
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from actorchat.actor import tell_all
from actorchat.broker import group as broker_group
from actorchat.broker import hiding
from actorchat.broker import moved as broker_moved
from actorchat.broker import search as broker_search
from actorchat.broker.file_sweep import survey
from actorchat.broker.forecast import forecast
from actorchat.chat.extra import is_over
from actorchat.chat.retention import Policy
from actorchat.ids import direct_pair
from actorchat.protocol import codec, ops
from actorchat.protocol.ops.group import Add, AnyChange, Remove
from actorchat.store import keys, kinds
from actorchat.store.blobs import BlobInfo
from actorchat.store.index import TextIndex
from actorchat.store.verify import stats, verify
from actorchat.testing.knob import tight_bounds
from tests.simulation.act_world import EMOJIS, USERS, ActPhone, ActWorld, Make
from tests.simulation.group_world import GroupWorld
from tests.unit.broker.stage import Device

GUEST = "dan"  # whose account ends
OTHERS = (GUEST, "eve", "fay")
PAIRS = [(one, other) for one in USERS for other in USERS if one < other]
# An update waits 3 s, a message stays 6 s, its client id 5 s.
SHORT = Policy(3.0, 6.0, None, 5.0, 0.5)
FILES = [ops.FileRef(bytes((number,)) * 32, 7, "image/png", "x.png") for number in range(3)]
WORDS_TRIED = 30
SOON_MS = 100_000
SEQS = 20
RECENT = 12


class WholePhone(ActPhone):
    """A device that is told where to go on when it was away for too long."""

    def _begin(self, cursor: int, world: GroupWorld) -> None:
        if self.place is not None and cursor > self.cursor and not self.is_unkept:
            assert isinstance(world, WholeWorld)
            if world.is_sweeping:
                self.cursor = cursor
        super()._begin(cursor, world)


class WholeWorld(ActWorld):
    """One run."""

    def __init__(self, seed: int, *, trouble: bool = True) -> None:
        super().__init__(seed, trouble=trouble)
        habits = random.Random(f"{seed}/whole")
        self.is_sweeping = habits.random() < 0.5
        stage = self.stage
        stage.policy = SHORT if self.is_sweeping else stage.policy
        stage.index = TextIndex(None)
        stage.crash()
        for user, file in zip(USERS, FILES, strict=True):
            stage.add_file(user, file)
        self.phones = {user: WholePhone(user) for user in USERS}
        self.devices = [*self.phones.values()]
        self.counts: Counter[str] = Counter()
        self.blocked: dict[tuple[str, str], bool | None] = {}  # None: nobody can know
        self.unseen: dict[bytes, tuple[str, str]] = {}  # cid → text, who may never see it
        self._is_ended = False
        made = stage.operator().ask(
            lambda rid: ops.Bot(rid, "robot", "main", ["message", "change", "act"])
        )
        self._token = made["ok"]["token"]

    # -- what happens ------------------------------------------------------------------------------
    def _step(self) -> None:
        actions = [
            (self._say, 30),
            (self._act, 30),
            (self._hide, 5),
            (self._connect, 14),
            (self._hang_up, 4),
            (self._ack, 10),
            (self._member, 5),
            (self._lock, 6),
            (self._ask_around, 8),
            (self._end_guest, 1),
        ]
        if self.trouble:
            actions += [(self._crash_actor, 5), (self._crash_node, 2), (self._fill_disk, 2)]
        kinds_, weights = zip(*actions, strict=True)
        self.rng.choices(kinds_, weights)[0]()

    def _text(self) -> str:
        self._bodies += 1
        return f"w{self._bodies}q word" + " x" * self.rng.choice((0, 0, 300))

    def _say(self) -> None:
        rng, phone, text = self.rng, self._phone(), self._text()
        to = self._conv(phone)
        file = FILES[USERS.index(phone.user)]
        extra = rng.choice(
            (
                None,
                None,
                ops.Extra(mentions=[phone.user], expires_s=rng.choice((1, 3, 10**6))),
                ops.Extra(kind="file", files=[file]),
                ops.Extra(fwd=ops.Forwarded(1)),
            )
        )
        cid = self._put(phone, lambda rid, cid: ops.Send(rid, to, cid, text, extra))
        self.texts[cid] = text
        if self.blocked.get((to, phone.user)):
            self.unseen[cid] = (text, to)

    def _act(self) -> None:
        rng, phone, text = self.rng, self._phone(), self._text()
        conv = self._conv(phone)
        # Mostly of what was said lately, wherever: not all of it is swept.
        seqs = [*{*list(self.acked.values())[-RECENT:], rng.randint(1, SEQS)}]
        rng.shuffle(seqs)
        seq = seqs[0]
        emoji, on = rng.choice(EMOJIS), rng.random() < 0.7
        make: Make = rng.choice(
            [
                lambda rid, cid: ops.Edit(rid, conv, cid, seq, text),
                lambda rid, cid: ops.Edit(rid, conv, cid, seq, text),
                lambda rid, cid: ops.React(rid, conv, cid, seq, emoji, on),
                lambda rid, cid: ops.Delete(rid, conv, cid, seqs[: rng.randint(1, 2)]),
            ]
        )
        cid = self._put(phone, make)
        self.texts[cid] = text
        if self.blocked.get((conv, phone.user)):
            self.unseen[cid] = (text, conv)

    def _member(self) -> None:
        user = self.rng.choice(OTHERS)
        change: AnyChange = self.rng.choice((Add([user]), Add([user]), Remove(user)))
        phone, group = self.phones[USERS[0]], self.groups[0]
        assert isinstance(phone, ActPhone)
        self._put(phone, lambda rid, cid: ops.Change(rid, group, cid, change))

    def _lock(self) -> None:
        phone = self._phone()
        other = self.rng.choice([user for user in USERS if user != phone.user])
        if phone.line is not None:
            is_on = not self.blocked.get((phone.user, other)) and self.rng.random() < 0.5
            self._block(phone.user, other, is_on, phone.line)

    def _block(self, user: str, other: str, on: bool, line: Device) -> None:
        # What waits to be answered is on neither side of this for certain.
        waiting = {cid for phone in self.phones.values() for cid in phone.outbox}
        self.unseen = {cid: one for cid, one in self.unseen.items() if cid not in waiting}
        self.blocked[user, other] = None
        rid = line.start(lambda rid: ops.Block(rid, other, on))
        self.stage.run(1.0)
        self._look()
        if "ok" in line.connection.replies.get(rid, {}):
            self.blocked[user, other] = on

    def _ask_around(self) -> None:
        phone = self._phone()
        line, rng = phone.line, self.rng
        if line is not None:
            conv, word = self._conv(phone), f"w{rng.randint(1, self._bodies + 1)}q"
            line.start(lambda rid: ops.Search(rid, rng.choice((word, "word"))))
            line.start(lambda rid: ops.Search(rid, word, conv))
            line.start(ops.Conversations)
            line.start(ops.Groups)
            line.start(lambda rid: ops.History(rid, conv, limit=rng.randint(1, 9)))
            line.tell(ops.Mark(conv, rng.randint(1, SEQS)))

    def _end_guest(self) -> None:
        line = self.stage.connect()
        secret = f"token of {GUEST} phone"
        line.start(lambda rid: ops.Hello(rid, 1, GUEST, "phone", "token", secret))
        self.stage.run(0.1)
        self._is_ended = True
        for to in USERS:
            line.start(lambda rid, to=to: ops.Send(rid, to, self.stage.new_cid(), "of a guest"))
        line.start(lambda rid: ops.DeleteAccount(rid, GUEST))
        self.counts["ended"] += 1

    # -- judgement ---------------------------------------------------------------------------------
    def _heal(self) -> None:
        super()._heal()
        for (user, other), on in self.blocked.items():
            line = self.phones[user].line
            if on is not False and line is not None and self.rng.random() < 0.5:
                self._block(user, other, False, line)
        self.stage.run(8.0)  # all that is over is buried
        # Time passes while it is judged: nothing more is swept.
        self.stage.policy = Policy()
        self._crash_node()
        for phone in self.devices:
            phone.connect(self.stage.connect(), 0)
        self.stage.run(1.0)
        self._look()

    def _judge(self) -> None:
        self.stage.broker.context.log.apply()
        self.problems += [str(problem) for problem in verify(self.stage.engine).problems]
        self.problems += [text for text in self.stage.crashes if "Poison" not in text]
        self._judge_tools()
        stored = {conv: self._records(conv) for conv in (*self.groups, *PAIRS)}
        for conv, records in stored.items():
            self._judge_texts(conv, records)
        for user in USERS:
            self._judge_shown(user)
            if not self.is_sweeping:
                self._judge_held(user, stored)
        self._judge_events(stored)
        self._judge_guest()

    def _judge_tools(self) -> None:
        """See that what reads a stopped store can read this one."""
        engine = self.stage.engine
        if stats(engine)["history"].rows < 1 or self._bodies == 0:
            self.fail("nothing was counted")
        forecast(engine, SHORT, self.stage.broker.context.clock.wall_ms())
        blobs: Any = _NoBlobs()
        found = survey(engine, blobs)
        if sorted(found.missing) != sorted(file.hash for file in FILES):
            self.fail(f"files: {found.missing}")

    def _records(self, conv: str | tuple[str, str]) -> dict[int, ops.Record]:
        archive = self.stage.broker.context.archive
        is_group = isinstance(conv, str)
        key = keys.group_key(conv) if is_group else keys.conversation_key(*conv)
        found = archive.records(key, 0, 2**62, 10_000, False)
        first = archive.first_seq(key)
        if [seq for seq, _ in found] != list(range(first, first + len(found))):
            self.fail(f"{conv} begins with {first}, has {[seq for seq, _ in found]}")
        self.counts["swept"] += first - 1
        return {seq: codec.decode_record(record) for seq, record in found}

    def _judge_texts(self, conv: object, records: dict[int, ops.Record]) -> None:
        now = self.stage.broker.context.clock.wall_ms()
        for record in records.values():
            if is_over(record, now):
                self.fail(f"{conv} #{record.seq} is over and not buried")
            act = record.act
            if isinstance(act, ops.Deleted):
                for ref in act.refs:
                    self.counts["deleted"] += ref in records
                    if ref in records and not records[ref].gone:
                        self.fail(f"{conv} #{ref} was deleted and is there")
            elif act is not None and record.body:
                self.fail(f"{conv} #{record.seq} is an act that keeps a text")

    def _judge_shown(self, user: str) -> None:
        phone = self.phones[user]
        assert isinstance(phone, ActPhone)
        line = phone.line
        if line is None or line.connection.is_closed:
            self.fail(f"{user} can't come back")
            return
        convs = [*self.groups, *(other for other in USERS if other != user)]
        pages = {conv: self._read_all(line, conv) for conv in convs}
        shown = {
            (conv, one["seq"]): one
            for conv, page in pages.items()
            for one in page
            if one["body"] and "act" not in one
        }
        self._judge_search(user, line, shown)
        self._judge_list(user, line, pages)
        secret = {text for text, whose in self.unseen.values() if whose == user}
        held = {one["body"] for records in phone.records.values() for one in records}
        read = {one["body"] for page in pages.values() for one in page}
        self.counts["unseen"] += len(secret)
        if secret & (held | read):
            self.fail(f"{user} was shown {secret & (held | read)} in spite of a block")

    def _judge_held(self, user: str, stored: dict[Any, dict[int, ops.Record]]) -> None:
        """See that who holds a message that was deleted for all was told."""
        phone = self.phones[user]
        assert isinstance(phone, ActPhone)
        for conv, records in stored.items():
            if isinstance(conv, str) or user in conv:
                view = phone.view(conv if isinstance(conv, str) else conv[conv[0] == user])
                acts = [one.act for one in records.values() if isinstance(one.act, ops.Deleted)]
                dead = {ref for act in acts for ref in act.refs}
                self.counts["told"] += len(dead & view.keys())
                if kept := [seq for seq in dead & view.keys() if not view[seq][1]]:
                    self.fail(f"{user} holds {kept} of {conv}, which were deleted")

    def _read_all(self, line: Device, conv: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        before: int | None = None
        while True:
            page = line.ask(lambda rid: ops.History(rid, conv, before=before))["ok"]  # noqa: B023
            found = page["events"] + found
            if not page["events"] or not page["more"]:
                return found
            before = found[0]["seq"]

    def _judge_search(
        self, user: str, line: Device, shown: dict[tuple[str, int], dict[str, Any]]
    ) -> None:
        words = [f"w{number}q" for number in range(1, self._bodies + 1)]
        for word in self.rng.sample(words, min(WORDS_TRIED, len(words))):
            ok: dict[str, Any] = {"partial": True}
            while ok["partial"]:
                ok = line.ask(lambda rid: ops.Search(rid, word))["ok"]  # noqa: B023
            hits = {(hit["conv"], hit["record"]["seq"]): hit["record"] for hit in ok["hits"]}
            due = {at: one for at, one in shown.items() if one["body"].startswith(f"{word} ")}
            self.counts["found"] += len(hits)
            over = {at for at, one in due.items() if not _stays_shown(one)}
            if {at: hit for at, hit in hits.items() if at not in over} != {
                at: one for at, one in due.items() if at not in over
            }:
                self.fail(f"{user} finds {list(hits)} for {word}, is shown {list(due)}")

    def _judge_list(self, user: str, line: Device, pages: dict[str, list[dict[str, Any]]]) -> None:
        lines = {one["conv"]: one for one in line.ask(ops.Conversations)["ok"]["conversations"]}
        for conv, page in pages.items():
            listed = lines.get(conv)
            if (listed is None) != (not page):
                self.fail(f"{user} has {conv} in the list: {listed}, and in history {page[-1:]}")
            elif listed is not None:
                last = page[-1]
                brief = {name: listed["last"].get(name) for name in ("seq", "body", "gone")}
                if _stays_shown(last) and brief != {name: last.get(name) for name in brief}:
                    self.fail(f"{user} is listed {listed['last']} of {conv}, the last is {last}")

    def _judge_events(self, stored: dict[Any, dict[int, ops.Record]]) -> None:
        bot = self.stage.connect()
        hello = bot.ask(lambda rid: ops.Hello(rid, 1, "robot", "main", "token", self._token))
        if "ok" not in hello:
            self.fail(f"the bot can't come: {hello}")
            return
        places: dict[tuple[Any, int], str] = {}
        position, head = 0, 1
        while position < head:
            ok = bot.ask(lambda rid: ops.Events(rid, position))["ok"]  # noqa: B023
            for one in ok["events"]:
                conv = one["conv"] if "conv" in one else direct_pair(one["from"], one["to"])
                at = (conv, one["seq"])
                if at in places or one["id"] <= position:
                    self.fail(f"event {one['id']} of {at} comes again")
                places[at], position = one["body"], one["id"]
            position, head = max(position, ok["position"]), ok["head"]
        for conv, records in stored.items():
            for seq, record in records.items():
                if (conv, seq) not in places:
                    self.fail(f"no event is of {conv} #{seq}")
                elif record.act is None and places[conv, seq] != record.body and _stays(record):
                    self.fail(f"the event of {conv} #{seq} says {places[conv, seq]}")

    def _judge_guest(self) -> None:
        if not self.stage.broker.context.tombs.has(GUEST):
            return
        self.counts["gone"] += 1
        owner = keys.user_key(GUEST)
        left = {key[18:19] for key, _ in self.stage.rows("state") if key.startswith(owner)}
        if left != {kinds.GONE}:
            self.fail(f"of {GUEST} there are {left}")
        if [key for key, _ in self.stage.rows("inbox") if key.startswith(owner)]:
            self.fail(f"{GUEST} has updates")
        roster = self.stage.broker.context.groups.roster(keys.group_key(self.groups[0]))
        if roster is not None and GUEST in roster.members:
            self.fail(f"{GUEST} is in a group")


class _NoBlobs:
    """A shelf without a file."""

    def infos(self) -> Iterator[BlobInfo]:
        return iter(())


def _stays(record: ops.Record) -> bool:
    extra = record.extra
    return extra is None or extra.exp is None or extra.exp - record.ts > SOON_MS


def _stays_shown(record: dict[str, Any]) -> bool:
    exp = record.get("extra", {}).get("exp")
    return exp is None or exp - record["ts"] > SOON_MS


@contextmanager
def whole_world(seed: int, *, trouble: bool = True) -> Iterator[WholeWorld]:
    """Yield a world with tight bounds of its own, in which what is told to many gets lost."""
    rng = random.Random(f"{seed}/knobs")
    with tight_bounds(rng):
        world = WholeWorld(seed, trouble=trouble)
        broker_group.tell_all = world.tell_all  # type: ignore[assignment]
        broker_moved.tell_all = world.tell_all  # type: ignore[assignment]
        searched, rows = hiding.UPDATES_SEARCHED_MAX, broker_search.SEARCH_FEED_ROWS
        hiding.UPDATES_SEARCHED_MAX = rng.choice((1, 4, searched))  # type: ignore[misc]
        broker_search.SEARCH_FEED_ROWS = rng.choice((1, 5, rows))  # type: ignore[misc]
        try:
            yield world
        finally:
            hiding.UPDATES_SEARCHED_MAX = searched  # type: ignore[misc]
            broker_search.SEARCH_FEED_ROWS = rows  # type: ignore[misc]
            broker_group.tell_all = broker_moved.tell_all = tell_all
