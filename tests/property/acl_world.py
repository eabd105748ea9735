"""Random operations by random users of a whole broker, and a small model of who may do what.

All that somebody could betray is a canary, `K` and a number: bodies, client ids, emojis, names of
groups and files, hashes, titles, tokens. The model says of each who may ever be shown it, and all
that any connection is sent is searched for canaries that are not for it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable
from typing import Any

from actorchat.chat.file import FileFacts, Usage
from actorchat.ids import group_address
from actorchat.protocol import ops
from actorchat.protocol.ops import group as g
from actorchat.store.index import TextIndex, has_fts5
from actorchat.store.verify import verify
from tests.property.acl_model import Circle, Pair, Rules
from tests.unit.broker.stage import Device, Stage

PEOPLE = ("ann", "bob", "cid", "dan")
STRANGERS = ("eve", "fay")  # who are in nothing, and ask for everything
BOTS = {"bot": [], "clerk": ["change"], "scribe": ["message", "change"]}
CANARY = re.compile(r"K(\d{6})K")
NEVER_SENT = b"K999999K" * 4  # the hash of a file that somebody has and nobody was sent


class Line:
    """One device that is signed in, and how much of what came has been looked at."""

    def __init__(self, user: str, device: Device) -> None:
        self.user = user
        self.device = device
        self.pushes = 0
        self.replies: set[int] = set()


class AclWorld:
    """One run."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        inline_max = self.rng.choice((0, 1, 256))  # all groups are big, some become so, or none
        self.stage = Stage(seed, self.rng.choice((0.3, 60.0)), group_inline_max=inline_max)
        self.stage.index = TextIndex(None) if has_fts5() else None
        self.stage.start()
        self.stage.broker.context.files_base = lambda: "http://127.0.0.1:7780"
        self.stage.add_users(*PEOPLE, *STRANGERS)
        self.rules = Rules(PEOPLE, STRANGERS, BOTS)
        self.problems: list[str] = []
        self.story: list[str] = []  # what was done, for whoever reads a failure
        self.asked = 0
        self._made = 0
        self._bots = self._make_bots()
        self.lines: dict[tuple[str, str], Line] = {}
        for user in (*PEOPLE, *STRANGERS):
            self._sign_in(user, "phone")
        self._add_file("dan", ops.FileRef(NEVER_SENT, 5, "image/png", "never"))
        self.unsigned = Line("", self.stage.connect())

    def run(self, steps: int) -> None:
        """Do things; after each, see what came to whom, and have somebody pry."""
        for _ in range(steps):
            self._step()
            self._look()
            for _ in range(3):
                self._pry()
            self._look()
        for user, device in ((u, d) for u in (*PEOPLE, *STRANGERS) for d in ("phone", "laptop")):
            self._sign_in(user, device)
        self.stage.run(5.0)
        self._look()
        for line in list(self.lines.values()):
            for make in self._readings(line.user, every=True):
                self._read(line, make)
        self._look()
        self.problems += self.stage.crashes
        self.problems += [str(problem) for problem in verify(self.stage.engine).problems]

    # -- devices -----------------------------------------------------------------------------------
    def _make_bots(self) -> dict[str, str]:
        desk, tokens = self.stage.operator(), {}
        for name, kinds in BOTS.items():
            tokens[name] = desk.ask(lambda rid, n=name, k=kinds: ops.Bot(rid, n, "phone", k))["ok"][
                "token"
            ]
        return tokens

    def _sign_in(self, user: str, name: str) -> Line:
        line = self.lines.get((user, name))
        if line is None:
            secret = self._bots.get(user, f"token of {user} {name}")
            device = self.stage.connect()
            self.lines[user, name] = line = Line(user, device)
            reply = device.ask(lambda rid: ops.Hello(rid, 1, user, name, "token", secret))
            assert "ok" in reply, reply
        return line

    def _line(self, user: str) -> Line:
        for name in ("phone", "laptop"):
            if (user, name) in self.lines:
                return self.lines[user, name]
        return self._sign_in(user, "phone")

    def _hang_up(self) -> None:
        place = self.rng.choice(list(self.lines))
        self.lines.pop(place).device.leave()

    def _come(self) -> None:
        user = self.rng.choice((*PEOPLE, *STRANGERS, *BOTS))
        line = self._sign_in(
            user, "phone" if user in BOTS else self.rng.choice(["phone", "laptop"])
        )
        if (messages := line.device.messages) and self.rng.random() < 0.7:
            line.device.ack(messages[-1]["upd"])

    def _restart(self) -> None:
        self._look()
        self.stage.run(3.0)
        self._look()
        self.stage.broker.context.log.apply()
        self.stage.crash()
        self.stage.broker.context.files_base = lambda: "http://127.0.0.1:7780"
        self.lines.clear()
        self.unsigned = Line("", self.stage.connect())

    # -- what is done ------------------------------------------------------------------------------
    def _step(self) -> None:
        deeds: list[tuple[Callable[[], None], int]] = [
            (self._send, 30),
            (self._edit, 10),
            (self._delete, 6),
            (self._react, 10),
            (self._make_group, 3),
            (self._change, 18),
            (self._block, 5),
            (self._mark, 6),
            (self._signal, 3),
            (self._describe, 3),
            (self._come, 16),
            (self._hang_up, 6),
            (self._restart, 1),
        ]
        kinds, weights = zip(*deeds, strict=True)
        self.rng.choices(kinds, weights)[0]()

    def _canary(self) -> str:
        self._made += 1
        return f"K{self._made:06}K"

    def _ask(self, user: str, make: Callable[[int], object]) -> dict[str, Any]:
        self.asked += 1
        line = self._line(user)
        self.stage.run()
        self._look()  # at what came with signing in
        reply = line.device.ask(make)
        self.stage.run(self.rng.choice((0.0, 0.3, 1.2)))
        return reply

    def _judge(self, what: str, reply: dict[str, Any], expected: bool, seq: int | None) -> bool:
        """Hold an answer against the model; return whether it was done."""
        done = "ok" in reply
        self.story.append(f"{what}: {reply}")
        if done != expected:
            self.problems.append(f"{what}: expected {expected}, got {reply}")
        elif done and seq is not None and reply["ok"]["seq"] != seq:
            self.problems.append(f"{what}: expected seq {seq}, got {reply}")
        elif not done and reply["err"]["outcome"] != "none":
            self.problems.append(f"{what}: refused, but {reply}")
        return done

    def _anybody(self) -> str:
        return self.rng.choice((*PEOPLE, *PEOPLE, *PEOPLE, *STRANGERS, *BOTS))

    def _talk(self, user: str) -> tuple[str, Pair | Circle]:
        """Return whom `user` writes to, and the conversation: a group that may not be theirs."""
        if self.rules.circles and self.rng.random() < 0.6:
            address = self.rng.choice(list(self.rules.circles))
            return address, self.rules.circles[address]
        others = [one for one in PEOPLE if one != user]
        return (other := self.rng.choice(others)), self.rules.pair(user, other)

    def _send(self) -> None:
        user = self._anybody()
        if user not in PEOPLE and not self.rules.circles:
            return
        to, talk = self._talk(user)
        if user not in PEOPLE and isinstance(talk, Pair):
            return
        body, cid = self._canary(), self._canary()
        hidden = [body, cid]
        extra, text = None, f"{body} words"
        if self.rng.random() < 0.3:
            name, digest = self._canary(), self._canary()
            file = ops.FileRef(digest.encode() * 4, 5, "image/png", name)
            self._add_file(user, file)
            extra = ops.Extra(kind="file", files=[file])
            hidden += [name, digest]
        elif self.rng.random() < 0.2:
            extra, text = ops.Extra(re=1), text + "x" * 700
        may = self.rules.may_post(user, talk) and (
            extra is None or extra.re is None or self.rules.is_readable(user, talk, 1)
        )
        reply = self._ask(user, lambda rid: ops.Send(rid, to, cid.encode() * 2, text, extra))
        if self._judge(f"{user} sends to {to}", reply, may, talk.seq + 1):
            self.rules.posted(user, talk, hidden)

    def _add_file(self, user: str, file: ops.FileRef) -> None:
        context = self.stage.broker.context
        context.log.apply()
        usage = context.shelf.usage(user)
        usage = Usage(usage.size + file.size, usage.files + 1)
        facts = FileFacts(file.size, file.type, 0)
        context.log.append(context.shelf.rows(user, file.hash, facts, usage, True))
        self.stage.run()

    def _target(self, user: str, talk: Pair | Circle) -> int:
        """Return a seq, mostly of a message of one's own or of anybody's; at times of nothing."""
        if not talk.messages or self.rng.random() < 0.1:
            return talk.seq + self.rng.randint(1, 3)
        mine = [seq for seq, message in talk.messages.items() if message.author == user]
        return self.rng.choice(mine if mine and self.rng.random() < 0.6 else list(talk.messages))

    def _edit(self) -> None:
        user = self._anybody()
        to, talk = self._talk(user)
        ref = self._target(user, talk)
        if self.rules.is_unsure(user, talk, ref):
            return
        body, cid = self._canary(), self._canary()
        may = self.rules.may_edit(user, talk, ref)
        reply = self._ask(user, lambda rid: ops.Edit(rid, to, cid.encode() * 2, ref, f"{body} new"))
        if self._judge(f"{user} edits {ref} of {to}", reply, may, talk.seq + 1):
            self.rules.edited(user, talk, ref, [body], [cid])

    def _react(self) -> None:
        user = self._anybody()
        to, talk = self._talk(user)
        ref = self._target(user, talk)
        if self.rules.is_unsure(user, talk, ref):
            return
        emoji, cid = self._canary(), self._canary()
        may = self.rules.may_react(user, talk, ref)
        reply = self._ask(user, lambda rid: ops.React(rid, to, cid.encode() * 2, ref, emoji))
        if "err" in reply and reply["err"]["code"] == "too_many":
            return
        if self._judge(f"{user} reacts to {ref} of {to}", reply, may, talk.seq + 1):
            self.rules.reacted(user, talk, ref, [emoji], [cid])

    def _delete(self) -> None:
        user = self._anybody()
        to, talk = self._talk(user)
        ref = self._target(user, talk)
        if self.rules.is_unsure(user, talk, ref):
            return
        cid = self._canary()
        if self.rng.random() < 0.4:
            reply = self._ask(
                user, lambda rid: ops.Delete(rid, to, cid.encode() * 2, [ref], scope="me")
            )
            if "ok" in reply:
                self.rules.hidden_for(user, talk, ref)
                if not self.rules.is_in(user, talk):
                    self.problems.append(f"{user} hid {ref} of {to} without being in it")
            return
        may = self.rules.may_delete(user, talk, ref)
        reply = self._ask(user, lambda rid: ops.Delete(rid, to, cid.encode() * 2, [ref]))
        if self._judge(f"{user} deletes {ref} of {to}", reply, may, talk.seq + 1):
            self.rules.deleted(user, talk, ref, [cid])

    def _make_group(self) -> None:
        user, name, cid = self.rng.choice(PEOPLE), self._canary(), self._canary()
        name_of_it = cid.encode() * 2
        others = self.rng.sample([one for one in PEOPLE if one != user], self.rng.randint(0, 2))
        history, post = (
            self.rng.choice(("all", "since_join")),
            self.rng.choice(("members", "admins")),
        )
        create = g.Create(name, others, description=name, post=post, history=history)
        address = group_address(name_of_it)
        may = not any(self.rules.blocks(other, user) for other in others)
        reply = self._ask(user, lambda rid: ops.Change(rid, address, name_of_it, create))
        if self._judge(f"{user} makes {address}", reply, may, 1):
            self.rules.founded(address, user, others, history, post, [name, cid])

    def _change(self) -> None:
        if not self.rules.circles:
            return
        user = self._anybody()
        address = self.rng.choice(list(self.rules.circles))
        circle = self.rules.circles[address]
        # Whoever has a link gets it from who made it; that strangers come by one is no betrayal.
        other, name, token = self.rng.choice(PEOPLE), self._canary(), self._canary() + "t" * 14
        change: g.AnyChange = self.rng.choice(
            [
                g.Add([other]),
                g.Add([other], "reader"),
                g.Remove(other),
                g.Remove(other),
                g.Leave(),
                g.Assign(other, self.rng.choice(("admin", "member", "reader"))),
                g.Alter(name=name, history=self.rng.choice((None, "all", "since_join"))),
                g.Invite(token),
                g.Enter(circle.link if self.rng.random() < 0.5 and circle.link else "t" * 22),
            ]
        )
        if isinstance(change, g.Enter) and user not in PEOPLE:
            return
        cid = self._canary()
        may = self.rules.may_change(user, circle, change)
        reply = self._ask(user, lambda rid: ops.Change(rid, address, cid.encode() * 2, change))
        if self._judge(f"{user}: {change} of {address}", reply, may, circle.seq + 1):
            self.rules.changed(user, circle, change, cid)

    def _block(self) -> None:
        user, other = self.rng.sample(PEOPLE, 2)
        on = self.rng.random() < 0.6
        reply = self._ask(user, lambda rid: ops.Block(rid, other, on))
        if self._judge(f"{user} blocks {other}", reply, True, None):
            self.rules.blocked(user, other, on)

    def _mark(self) -> None:
        user = self._anybody()
        to, talk = self._talk(user)
        self._line(user).device.tell(ops.Mark(to, self.rng.randint(1, talk.seq + 2)))
        self.stage.run(1.5)

    def _signal(self) -> None:
        user, other = self.rng.sample((*PEOPLE, *STRANGERS), 2)
        self._ask(user, lambda rid: ops.Watch(rid, [other]))
        self._line(other).device.tell(ops.Signal(user, "typing"))
        self.stage.run(1.5)

    def _describe(self) -> None:
        user, about = self.rng.choice(PEOPLE), self._canary()
        self.rules.described(user, about)
        self._ask(user, lambda rid: ops.Describe(rid, None, about))

    # -- prying ------------------------------------------------------------------------------------
    def _pry(self) -> None:
        user = self.rng.choice((*PEOPLE, *STRANGERS, *STRANGERS, *BOTS))
        line = self._line(user)
        self._read(line, self.rng.choice(self._readings(user)))
        if self.rng.random() < 0.1:
            for make in self._readings("", every=self.rng.random() < 0.1):
                if "ok" in self._read(self.unsigned, make):
                    self.problems.append(f"who is not signed in was told {make(0)}")

    def _readings(self, user: str, every: bool = False) -> list[Callable[[int], Any]]:
        """Return requests that read something of conversations, one's own or not."""
        rng, rules = self.rng, self.rules
        groups = list(rules.circles)
        if not every:
            groups = groups and [rng.choice(groups)]
        peers = [one for one in (PEOPLE if every else rng.sample(PEOPLE, 1)) if one != user]
        place, whom = rng.randint(1, 20), rng.choice(PEOPLE)
        word = f"K{rng.randint(1, max(self._made, 1)):06}K"
        asks: list[Callable[[int], Any]] = []
        for conv in (*groups, *peers):
            asks += [
                lambda rid, conv=conv: ops.History(rid, conv, limit=200),
                lambda rid, conv=conv: ops.History(rid, conv, around=place),
                lambda rid, conv=conv: ops.History(rid, conv, forward=True, kinds=["message"]),
                lambda rid, conv=conv: ops.Search(rid, "words new", conv=conv),
                lambda rid, conv=conv: ops.Search(rid, "word", conv=conv),
                lambda rid, conv=conv: ops.Search(rid, word, conv=conv),
                lambda rid, conv=conv: ops.Flag(rid, conv, muted=True),
            ]
        for conv in groups:
            asks += [
                lambda rid, conv=conv: ops.Group(rid, conv),
                lambda rid, conv=conv: ops.Receipts(rid, conv),
            ]
        return [
            *asks,
            lambda rid: ops.Search(rid, word),
            lambda rid: ops.Search(rid, "new"),
            lambda rid: ops.Conversations(rid, limit=50),
            ops.Groups,
            ops.Contacts,
            ops.Blocks,
            ops.Devices,
            lambda rid: ops.Profile(rid, whom),
            lambda rid: ops.Watch(rid, [whom]),
            lambda rid: ops.Download(rid, b"K999998K" * 4),
            lambda rid: ops.Events(rid, 0),
            ops.Hooks,
            ops.Status,
            lambda rid: ops.Actors(rid, "tree"),
            lambda rid: ops.Provision(rid, "ann", device="stolen"),
        ]

    def _read(self, line: Line, make: Callable[[int], Any]) -> dict[str, Any]:
        self.asked += 1
        op = make(0)
        rid = line.device.start(make)
        replies = line.device.connection.replies
        for _ in range(100):
            self.stage.run(0.05)
            if rid in replies:
                break
        else:
            self.problems.append(f"{line.user} was not answered: {op}")
            return {}
        reply = replies[rid]
        user, ok = line.user, reply.get("ok")
        if ok is None:
            return reply
        if isinstance(op, ops.Events) and not self.rules.grants.get(user):
            self.problems.append(f"{user} was told events")
        if isinstance(op, ops.Hooks | ops.Status | ops.Actors | ops.Provision | ops.Download):
            self.problems.append(f"{user} was answered {op}: {ok}")
        if isinstance(op, ops.Watch):
            (state,) = ok["states"]
            if len(state) > 2 or state["online"]:
                if self.rules.are_apart(user, state["user"]):
                    self.problems.append(f"{user} sees {state}")
        conv = getattr(op, "conv", None)
        if conv in self.rules.circles and not self.rules.is_in(user, self.rules.circles[conv]):
            if not (isinstance(op, ops.Search) and ok == {"hits": [], "partial": False}):
                self.problems.append(f"{user}, not in {conv}, was answered {op}: {ok}")
        return reply

    # -- listening ---------------------------------------------------------------------------------
    def _look(self) -> None:
        for line in (*self.lines.values(), self.unsigned):
            connection = line.device.connection
            fresh: list[Any] = connection.pushes[line.pushes :]
            line.pushes = len(connection.pushes)
            for push in fresh:
                self._look_at_push(line.user, push)
            new = connection.replies.keys() - line.replies
            line.replies |= new
            self._listen(line.user, (*fresh, *(connection.replies[rid] for rid in new)))

    def _look_at_push(self, user: str, push: dict[str, Any]) -> None:
        if push["op"] == "mark":
            conv = push["conv"]
            circle = self.rules.circles.get(conv)
            is_theirs = conv in PEOPLE if circle is None else self.rules.is_in(user, circle)
            if not is_theirs or (circle is None and self.rules.blocks(user, conv)):
                self.problems.append(f"{user} was told {push}")
        elif push["op"] == "signal" and self.rules.are_apart(user, push["user"]):
            self.problems.append(f"{user} was told {push}")

    def _listen(self, user: str, frames: Iterable[Any]) -> None:
        for frame in frames:
            for number in set(CANARY.findall(repr(frame))):
                why = self.rules.why_not(user, f"K{number}K")
                if why:
                    self.problems.append(f"{user} was shown K{number}K, {why}: {frame}")
