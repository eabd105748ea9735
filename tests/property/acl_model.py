"""Who may do what and who may be shown what: written down once more, as small as it can be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from actorchat.protocol.ops import group as g

STAFF = ("owner", "admin")
RANK = ("reader", "member", "admin", "owner")


class Message:
    """A message that somebody wrote, as long as it is not gone."""

    def __init__(self, author: str, canaries: list[str]) -> None:
        self.author = author
        self.canaries = canaries
        self.reactions: set[str] = set()
        self.is_gone = False


class Talk:
    """A sequence, and the messages in it, by seq."""

    def __init__(self) -> None:
        self.seq = 0
        self.messages: dict[int, Message] = {}

    def everybody(self) -> Iterable[str]:
        """Return who is in it now."""
        raise NotImplementedError


class Pair(Talk):
    """A direct conversation; of whom which seqs are hidden."""

    def __init__(self, users: frozenset[str]) -> None:
        super().__init__()
        self.users = users
        self.hidden: dict[str, set[int]] = defaultdict(set)

    def everybody(self) -> Iterable[str]:
        return self.users


class Circle(Talk):
    """A group."""

    def __init__(self, address: str, history: str, post: str, name: str) -> None:
        super().__init__()
        self.address = address
        self.history = history
        self.post = post
        self.roles: dict[str, str] = {}
        self.since: dict[str, int] = {}
        self.seniority: list[str] = []
        self.profile = [name]  # canaries in what the group says of itself
        self.all: list[str] = []  # and in all that was ever said in it
        self.link: str | None = None

    def everybody(self) -> Iterable[str]:
        return self.roles


class Rules:
    """What is so, and what follows from it."""

    def __init__(
        self, people: Iterable[str], strangers: Iterable[str], bots: dict[str, list[str]]
    ) -> None:
        self.people = list(people)
        self.strangers = list(strangers)
        self.grants = bots
        self.circles: dict[str, Circle] = {}
        self._pairs: dict[frozenset[str], Pair] = {}
        self._blocked: set[tuple[str, str]] = set()
        self._readers: dict[str, set[str]] = {}
        self._gone: dict[str, set[str]] = defaultdict(set)  # who may see it no more
        self._about: dict[str, str] = {}  # whose profile it is of

    # -- who may see a canary ----------------------------------------------------------------------
    def why_not(self, user: str, canary: str) -> str | None:
        """Say why `user` may not be shown it now; None: they may."""
        if (owner := self._about.get(canary)) is not None:
            return "who is blocked" if self.blocks(owner, user) else None
        if user not in self._readers.get(canary, ()):
            return f"which is for {sorted(self._readers.get(canary, ()))}"
        return "which is gone" if user in self._gone.get(canary, ()) else None

    def _show(self, canaries: Iterable[str], users: Iterable[str], kind: str = "message") -> None:
        bots = [bot for bot, kinds in self.grants.items() if kind in kinds]
        for canary in canaries:
            self._readers.setdefault(canary, set()).update(users, bots)

    def _tell(self, talk: Talk, canaries: list[str], sender: str, kind: str = "message") -> None:
        """Note that all who are in it now may see these, and later ones as the group has it."""
        if isinstance(talk, Pair):
            self._show(canaries, self._hearers(talk, sender), kind)
            return
        assert isinstance(talk, Circle)
        talk.all += canaries
        self._show(canaries, talk.roles, kind)

    def _open(self, circle: Circle) -> None:
        """Note what everybody who is in it may see now."""
        self._show(circle.profile, circle.roles, "change")
        if circle.history == "all":
            for canary in circle.all:
                self._readers[canary].update(circle.roles)

    def _hearers(self, pair: Pair, sender: str) -> set[str]:
        return {user for user in pair.users if user == sender or not self.blocks(user, sender)}

    # -- questions ---------------------------------------------------------------------------------
    def pair(self, one: str, other: str) -> Pair:
        users = frozenset((one, other))
        return self._pairs.setdefault(users, Pair(users))

    def blocks(self, user: str, other: str) -> bool:
        return (user, other) in self._blocked

    def are_apart(self, one: str, other: str) -> bool:
        return self.blocks(one, other) or self.blocks(other, one)

    def is_in(self, user: str, talk: Talk) -> bool:
        return user in talk.everybody()

    def is_readable(self, user: str, talk: Talk, seq: int) -> bool:
        if not self.is_in(user, talk) or not 1 <= seq <= talk.seq:
            return False
        return isinstance(talk, Pair) or (
            isinstance(talk, Circle) and (talk.history == "all" or talk.since[user] <= seq)
        )

    def is_unsure(self, user: str, talk: Talk, ref: int) -> bool:
        """Say whether the model leaves open what may be done: to what one never saw."""
        return isinstance(talk, Pair) and (
            user not in talk.users or ref in talk.hidden[user] or not talk.messages
        )

    def may_post(self, user: str, talk: Talk) -> bool:
        if isinstance(talk, Pair):
            (other,) = talk.users - {user}
            return user in talk.users and not self.blocks(user, other)
        assert isinstance(talk, Circle)
        role = talk.roles.get(user)
        return role in STAFF or (role == "member" and talk.post == "members")

    def _is_there(self, user: str, talk: Talk, ref: int) -> bool:
        message = talk.messages.get(ref)
        if isinstance(talk, Pair) and not self.may_post(user, talk):
            return False
        return bool(message and not message.is_gone and self.is_readable(user, talk, ref))

    def may_react(self, user: str, talk: Talk, ref: int) -> bool:
        return self._is_there(user, talk, ref)

    def may_edit(self, user: str, talk: Talk, ref: int) -> bool:
        is_there = self._is_there(user, talk, ref) and self.may_post(user, talk)
        return is_there and talk.messages[ref].author == user

    def may_delete(self, user: str, talk: Talk, ref: int) -> bool:
        if not self._is_there(user, talk, ref):
            return False
        is_staff = isinstance(talk, Circle) and talk.roles[user] in STAFF
        return is_staff or talk.messages[ref].author == user

    def may_change(self, user: str, circle: Circle, change: g.AnyChange) -> bool:
        role = circle.roles.get(user)
        if isinstance(change, g.Enter):
            return change.token == circle.link and role is None
        if role is None:
            return False
        if isinstance(change, g.Leave):
            return True
        if role not in STAFF:
            return False
        if isinstance(change, g.Add):
            (other,) = change.users
            return other not in circle.roles and not self.blocks(other, user)
        if isinstance(change, g.Remove | g.Assign):
            other_role = circle.roles.get(change.user)
            if other_role is None or RANK.index(role) <= RANK.index(other_role):
                return False
            is_below = isinstance(change, g.Remove) or RANK.index(change.role) < RANK.index(role)
            return role == "owner" or is_below
        return True

    # -- what was done -----------------------------------------------------------------------------
    def posted(self, user: str, talk: Talk, canaries: list[str]) -> None:
        talk.seq += 1
        talk.messages[talk.seq] = Message(user, canaries)
        self._tell(talk, canaries, user)
        self._hide(talk, user)

    def _hide(self, talk: Talk, user: str) -> None:
        if isinstance(talk, Pair):
            for other in talk.users - self._hearers(talk, user):
                talk.hidden[other].add(talk.seq)

    def edited(self, user: str, talk: Talk, ref: int, canaries: list[str], own: list[str]) -> None:
        talk.seq += 1
        # The first is the text, which is no more what the message says; the rest stays with it.
        old, *rest = talk.messages[ref].canaries
        talk.messages[ref].canaries = [*canaries, *rest]
        self._gone[old].update(self._knowing(talk, user))
        self._tell(talk, [*canaries, *own], user)
        self._hide(talk, user)

    def reacted(self, user: str, talk: Talk, ref: int, canaries: list[str], own: list[str]) -> None:
        talk.seq += 1
        self._tell(talk, [*canaries, *own], user)
        self._hide(talk, user)

    def deleted(self, user: str, talk: Talk, ref: int, own: list[str]) -> None:
        talk.seq += 1
        message = talk.messages[ref]
        message.is_gone = True
        # Who blocks is told that what they were shown is taken back.
        told = (
            {one for one in talk.users if ref not in talk.hidden[one]}
            if isinstance(talk, Pair)
            else set()
        )
        for canary in message.canaries:
            if canary != message.canaries[1]:  # the client id stays with the tombstone
                self._gone[canary].update(self._knowing(talk, user), told)
        self._tell(talk, own, user)
        self._show(own, told)
        self._hide(talk, user)

    def hidden_for(self, user: str, talk: Talk, ref: int) -> None:
        message = talk.messages.get(ref)
        if message is not None:
            for canary in message.canaries:
                if canary != message.canaries[1]:
                    self._gone[canary].add(user)

    def _knowing(self, talk: Talk, user: str) -> Iterable[str]:
        """Return who is told what `user` does: who is kept from it may still have the old."""
        return self._hearers(talk, user) if isinstance(talk, Pair) else list(talk.everybody())

    def founded(
        self, address: str, user: str, others: list[str], history: str, post: str, said: list[str]
    ) -> None:
        circle = self.circles[address] = Circle(address, history, post, said[0])
        circle.seq = 1
        circle.roles = {user: "owner", **dict.fromkeys(others, "member")}
        circle.since = dict.fromkeys(circle.roles, 1)
        self._tell(circle, said, user, "change")

    def changed(self, user: str, circle: Circle, change: g.AnyChange, cid: str) -> None:
        circle.seq += 1
        left = None
        if isinstance(change, g.Add):
            self._let_in(circle, change.users[0], change.role)
        elif isinstance(change, g.Enter):
            self._let_in(circle, user, "member")
        canaries = [cid]
        if isinstance(change, g.Alter):
            circle.history = change.history or circle.history
            if change.name is not None:
                circle.profile.append(change.name)
                canaries.append(change.name)
        elif isinstance(change, g.Assign):
            circle.roles[change.user] = change.role
        elif isinstance(change, g.Invite):
            circle.link = change.token
        elif isinstance(change, g.Remove):
            left = change.user
        elif isinstance(change, g.Leave):
            left = user
        self._tell(circle, canaries, user, "change")
        if left is not None:
            role = circle.roles.pop(left)
            del circle.since[left]
            if role == "owner" and circle.roles:
                circle.roles[min(circle.roles, key=lambda one: self._seniority(circle, one))] = (
                    "owner"
                )
        self._open(circle)

    def _seniority(self, circle: Circle, user: str) -> tuple[int, int, str]:
        return (-RANK.index(circle.roles[user]), circle.since[user], user)

    def _let_in(self, circle: Circle, user: str, role: str) -> None:
        circle.roles[user] = role
        circle.since[user] = circle.seq

    def blocked(self, user: str, other: str, on: bool) -> None:
        (self._blocked.add if on else self._blocked.discard)((user, other))

    def described(self, user: str, about: str) -> None:
        self._about[about] = user
