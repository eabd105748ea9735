"""People who sign up by shared codes, and devices that renew their tokens, from one seed; things
crash.

Whoever was told yes has an account for ever; a code makes as many accounts as it was made for, not
one more; and nobody who holds what the server gave is ever locked out.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from actorchat.chat.invitation import invitation_id
from actorchat.chat.signup import SignUpPolicy
from actorchat.errors import StoreFull
from actorchat.protocol import ops
from actorchat.store import keys, kinds
from actorchat.store.memory import Fault
from actorchat.store.verify import verify
from actorchat.testing.knob import tight_bounds
from tests.unit.broker.stage import Device, Stage

CODES = 4
PEOPLE = 24
QUIET_ROUNDS = 5
FINAL = frozenset({"exists", "bad_invitation"})


class Poison:
    """An event that no machine knows: who is told it crashes."""


class Person:
    """Somebody who wants a name by a code; the name may be wanted by others, too."""

    def __init__(self, number: int, name: str, code: str) -> None:
        self.name, self.code = name, code
        self.device = f"device-{number}"
        self.password = f"password {number}"
        self.line: Device | None = None
        self.rid: int | None = None
        self.asked = ""  # signup, hello, refresh
        self.tries = 0
        self.is_member = False  # was told yes
        self.is_refused = False  # was told no, to the first try
        self.tokens: list[str] = []  # the last one may not have been used yet
        self.tried = ""


class InvitationWorld:
    """One run."""

    def __init__(self, seed: int, *, trouble: bool = True) -> None:
        self.rng = random.Random(seed)
        self.trouble = trouble
        self.stage = Stage(seed, sign_up=SignUpPolicy("invitation", 10_000))
        self.problems: list[str] = []
        self.counts: Counter[str] = Counter()
        self.uses = {f"code-{n}-0123456789": self.rng.randint(1, 6) for n in range(CODES)}
        codes = list(self.uses)
        self.people = [
            Person(n, f"user{self.rng.randrange(PEOPLE)}", self.rng.choice(codes))
            for n in range(PEOPLE)
        ]
        operator = self.stage.operator()
        for code, uses in self.uses.items():
            operator.ask(lambda rid, c=code, u=uses: ops.Invitation(rid, "add", c, "", u))

    def run(self, steps: int = 200) -> None:
        """Live, heal, judge."""
        for _ in range(steps):
            self._step()
            self.stage.run(self.rng.choice((0.0, 0.0003, 0.0005, 0.003, 0.05)))
            self._look()
        self._heal()
        self._judge()

    # -- what happens ------------------------------------------------------------------------------
    def _step(self) -> None:
        actions = [(self._ask, 60), (self._hang_up, 6)]
        if self.trouble:
            actions += [(self._crash_desk, 3), (self._crash_node, 3), (self._fill_disk, 3)]
        kinds_, weights = zip(*actions, strict=True)
        self.rng.choices(kinds_, weights)[0]()

    def _ask(self) -> None:
        self._ask_as(self.rng.choice(self.people))

    def _ask_as(self, who: Person) -> None:
        if who.rid is not None or who.is_refused:
            return
        if who.line is not None:
            token = who.tokens[-1]
            who.asked = "refresh"
            who.rid = who.line.start(lambda rid: ops.Refresh(rid, token))
            return
        who.line = self.stage.connect()
        names = (who.name, who.device)
        if not who.is_member:
            who.asked = "signup"
            who.tries += 1
            who.rid = who.line.start(lambda rid: ops.SignUp(rid, 1, *names, who.password, who.code))
            return
        who.asked = "hello"
        who.tried = who.tokens[-1]
        who.rid = who.line.start(lambda rid: ops.Hello(rid, 1, *names, "token", who.tried))

    def _hang_up(self) -> None:
        who = self.rng.choice(self.people)
        if who.line is not None:
            who.line.connection.is_closed = True
            who.line.connection.inlet.closed("eof")
            who.line, who.rid = None, None

    def _crash_desk(self) -> None:
        self.counts["crashes"] += 1
        self.stage.system.names.whereis("authenticator").tell(Poison())

    def _crash_node(self) -> None:
        self.counts["cuts"] += 1
        self._look()
        self.stage.crash()
        for who in self.people:
            who.line, who.rid = None, None

    def _fill_disk(self) -> None:
        nth, count = self.rng.randint(1, 3), self.rng.randint(1, 4)
        self.stage.engine.inject(Fault("write", StoreFull("no space left"), nth, count))

    # -- what comes of it --------------------------------------------------------------------------
    def _look(self) -> None:
        for who in self.people:
            if who.line is None:
                continue
            reply = None if who.rid is None else who.line.connection.replies.get(who.rid)
            if reply is not None:
                who.rid = None
                self._answered(who, reply)
            if who.line is not None and who.line.connection.is_closed:
                who.line, who.rid = None, None

    def _answered(self, who: Person, reply: dict[str, Any]) -> None:
        code = "ok" if "ok" in reply else reply["err"]["code"]
        self.counts[f"{who.asked} {code}"] += 1
        if who.asked == "refresh":
            if code == "ok":
                who.tokens = [who.tokens[-1], reply["ok"]["token"]]
            elif code == "unauthenticated":
                self.problems.append(f"{who.name} may not renew")
        elif code == "ok":
            self._signed_in(who, reply["ok"])
        elif who.asked == "hello" and code == "unauthenticated":
            self.problems.append(f"{who.name} is locked out")
        elif code in FINAL and who.tries == 1:
            who.is_refused = True
        elif code in FINAL:
            self._decide(who)

    def _signed_in(self, who: Person, ok: dict[str, Any]) -> None:
        if who.asked == "signup":
            who.is_member, who.tokens = True, [ok["token"]]
        else:
            who.tokens = [who.tried]

    def _decide(self, who: Person) -> None:
        """Do what a client does behind a lost answer: the password says whose account it is."""
        line = self.stage.connect()
        names = (who.name, who.device)
        rid = line.start(lambda rid: ops.Hello(rid, 1, *names, "password", who.password))
        self.stage.run(0.05)
        reply = line.connection.replies.get(rid, {})
        if "ok" in reply:
            who.is_member, who.tokens = True, [reply["ok"]["token"]]
        elif reply.get("err", {}).get("code") == "unauthenticated":
            who.is_refused = True
        line.leave()

    def _heal(self) -> None:
        if self.trouble:
            self._crash_node()  # which also takes away what was still to go wrong with the disk
        self.trouble = False
        quiet = 0
        while quiet < QUIET_ROUNDS:
            for who in self.people:
                if not who.is_member or who.line is None:
                    self._ask_as(who)
            self.stage.run(10.0)
            self._look()
            is_done = all(w.is_refused or (w.is_member and w.line) for w in self.people)
            quiet = quiet + 1 if is_done else 0
            self.counts["rounds"] += 1
            if self.counts["rounds"] > 200:
                self.problems.append("never at rest")
                return

    # -- judgement ---------------------------------------------------------------------------------
    def _judge(self) -> None:
        members = [who for who in self.people if who.is_member]
        names = Counter(who.name for who in members)
        if any(count > 1 for count in names.values()):
            self.problems.append(f"a name has two owners: {names.most_common(1)}")
        accounts = {
            key[: keys.OWNER_BYTES]
            for key, _ in self.stage.rows("state")
            if keys.parse_state_key(key)[1] == kinds.ACCOUNT
        }
        if accounts != {keys.user_key(who.name) for who in members}:
            self.problems.append(f"{len(accounts)} accounts of {len(members)} members")
        self._judge_uses(members)
        for who in members:
            self._judge_member(who)
        self.problems += [str(problem) for problem in verify(self.stage.engine).problems]

    def _judge_uses(self, members: list[Person]) -> None:
        kept = {one.id: one.left for one in self.stage.broker.context.invitations.all()}
        for code, uses in self.uses.items():
            used = sum(who.code == code for who in members)
            left = kept.get(invitation_id(code), 0)
            if used + left != uses:
                self.problems.append(f"{code}: {uses} uses, {used} members, {left} left")
            if left and any(w.code == code and w.is_refused for w in self.people):
                self._judge_refused(code)

    def _judge_refused(self, code: str) -> None:
        owners = {who.name for who in self.people if who.is_member}
        for who in self.people:
            if who.code == code and who.is_refused and who.name not in owners:
                self.problems.append(f"{who.name} was refused a name and a use that are free")

    def _judge_member(self, who: Person) -> None:
        line = self.stage.connect()
        names = (who.name, "another")
        reply = line.ask(lambda rid: ops.Hello(rid, 1, *names, "password", who.password))
        if "ok" not in reply:
            self.problems.append(f"{who.name} can't sign in by the password: {reply['err']}")


@contextmanager
def invitation_world(seed: int, *, trouble: bool = True) -> Iterator[InvitationWorld]:
    """Yield a world with tight bounds of its own."""
    with tight_bounds(random.Random(f"{seed}/knobs")):
        yield InvitationWorld(seed, trouble=trouble)
