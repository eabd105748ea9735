"""Knows who is in a group, since when, and who may do what: the one table of rights.
Must not know the group's messages.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from actorchat.chat.change import link_of
from actorchat.limits import GROUP_LINKS_MAX
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
    Role,
    Uninvite,
)

Deed = Literal["read", "post", "set", "add", "remove", "leave", "role", "link", "unlink"]

RANK: dict[Role, int] = {"reader": 0, "member": 1, "admin": 2, "owner": 3}
_ALL: frozenset[Role] = frozenset(RANK)
_STAFF: frozenset[Role] = frozenset(("admin", "owner"))
_MEMBERS: frozenset[Role] = frozenset((*_STAFF, "member"))

# deed → the roles that may do it, where the setting says `members`, and where it says `admins`.
# Of `remove` and `role` there is more to say: who is to be touched must stand below (`_outranks`).
RIGHTS: dict[Deed, tuple[frozenset[Role], frozenset[Role]]] = {
    "read": (_ALL, _ALL),
    "leave": (_ALL, _ALL),
    "post": (_MEMBERS, _STAFF),
    "add": (_MEMBERS, _STAFF),
    "link": (_MEMBERS, _STAFF),
    "unlink": (_STAFF, _STAFF),
    "set": (_STAFF, _STAFF),
    "remove": (_STAFF, _STAFF),
    "role": (_STAFF, _STAFF),
}


class Member(msgspec.Struct, gc=False):
    """One who is in the group since seq `since`; 0: no more, but the last may not be delivered.

    `earlier` are the spans of seqs (first, last) of former times that may not be delivered yet.
    """

    role: Role
    since: int
    earlier: tuple[tuple[int, int], ...] = ()

    def owes(self, seq: int) -> bool:
        """Say whether `seq` is for this one."""
        if self.since and seq >= self.since:
            return True
        return any(first <= seq <= last for first, last in self.earlier)

    def before(self, seq: int) -> int:
        """Return the last seq below `seq` that is for this one; 0 if all such have arrived."""
        if self.owes(seq - 1):
            return seq - 1
        return max((last for _, last in self.earlier if last < seq), default=0)


class Profile(msgspec.Struct, gc=False):
    """What a group is called, and its settings; see `ops.group.Create`."""

    name: str
    description: str
    post: str
    add: str
    history: str
    size: int


class Verdict(msgspec.Struct, gc=False):
    """Why a change is refused."""

    code: str
    reason: str


NO_GROUP = "there is no such group, or you are not in it"
FORBIDDEN = Verdict("forbidden", "your role in this group does not allow that")


class Touched(msgspec.Struct, gc=False):
    """What a change has changed: whose rows must be written, and who came and went."""

    users: tuple[str, ...] = ()
    joined: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    link: str | None = None
    profile: bool = False
    heir: str | None = None


class Roster:
    """The members, the settings and the links of a group that exists."""

    __slots__ = ("links", "members", "profile", "rows")

    def __init__(
        self, profile: Profile, rows: dict[str, Member], links: Iterable[str] = ()
    ) -> None:
        self.profile = profile
        self.rows = rows  # former members too, until all is delivered to them
        self.members = {user: row for user, row in rows.items() if row.since}
        self.links = set(links)

    def may(self, user: str, deed: Deed) -> bool:
        """Say whether `user` may do that."""
        member = self.members.get(user)
        if member is None:
            return False
        profile = self.profile
        setting = profile.post if deed == "post" else profile.add
        return member.role in RIGHTS[deed][setting == "admins"]

    def _outranks(self, user: str, other: str) -> bool:
        members = self.members
        return RANK[members[user].role] > RANK[members[other].role]

    def first_readable(self, user: str) -> int:
        """Return the first seq that a member may read."""
        return self.members[user].since if self.profile.history == "since_join" else 1

    # -- what is refused -------------------------------------------------------------------------
    def judge(self, sender: str, change: AnyChange, size_max: int) -> Verdict | None:
        """Say why `sender` may not make this change; None: they may."""
        if isinstance(change, Create):
            return Verdict("exists", "there is such a group")
        if isinstance(change, Enter):
            return self._judge_enter(sender, change)
        deed: Deed = change.__struct_config__.tag  # type: ignore[assignment]
        if not self.may(sender, deed):
            return FORBIDDEN
        if isinstance(change, Add):
            return self._judge_add(change)
        if isinstance(change, Remove | Assign):
            return self._judge_touch(sender, change)
        if isinstance(change, Alter):
            return self._judge_alter(change, size_max)
        if isinstance(change, Invite):
            if change.token is None or change.link is not None:
                return Verdict("bad_request", "a link is made of a token")
            if len(self.links) >= GROUP_LINKS_MAX:
                return Verdict("busy", f"a group has at most {GROUP_LINKS_MAX} links")
        if isinstance(change, Uninvite) and change.link not in self.links:
            return Verdict("forbidden", "there is no such link")
        if isinstance(change, Leave) and change.heir is not None:
            return Verdict("bad_request", "who leaves does not choose")
        return None

    def _judge_enter(self, sender: str, change: Enter) -> Verdict | None:
        if change.token is None or link_of(change.token) not in self.links:
            return Verdict("forbidden", "this link is not good, or no more")
        if sender in self.members:
            return Verdict("exists", "you are a member already")
        return self._judge_room(1)

    def _judge_add(self, change: Add) -> Verdict | None:
        if len(set(change.users)) < len(change.users):
            return Verdict("bad_request", "somebody is named twice")
        here = [user for user in change.users if user in self.members]
        if here:
            return Verdict("exists", f"{here[0]} is a member already")
        return self._judge_room(len(change.users))

    def _judge_room(self, count: int) -> Verdict | None:
        size = self.profile.size
        if len(self.members) + count > size:
            return Verdict("group_full", f"this group has room for {size}")
        return None

    def _judge_touch(self, sender: str, change: Remove | Assign) -> Verdict | None:
        user = change.user
        if user not in self.members:
            return Verdict("forbidden", "that is no member")
        if not self._outranks(sender, user):
            return FORBIDDEN
        if isinstance(change, Assign):
            is_below = RANK[change.role] < RANK[self.members[sender].role]
            if not is_below and self.members[sender].role != "owner":
                return FORBIDDEN
        return None

    def _judge_alter(self, change: Alter, size_max: int) -> Verdict | None:
        if change.size is not None and not len(self.members) <= change.size <= size_max:
            return Verdict("group_full", f"expected {len(self.members)} to {size_max} members")
        return None

    # -- what is done ----------------------------------------------------------------------------
    def apply(self, sender: str, change: AnyChange, seq: int) -> Touched:
        """Make a change that was not refused, as record `seq`."""
        if isinstance(change, Create):
            return Touched(tuple(self.members), tuple(self.members), profile=True)
        if isinstance(change, Add):
            for user in change.users:
                self._let_in(user, change.role, seq)
            users = tuple(change.users)
            return Touched(users, users)
        if isinstance(change, Enter):
            self._let_in(sender, "member", seq)
            return Touched((sender,), (sender,))
        if isinstance(change, Remove):
            self._let_out(change.user, seq)
            return Touched((change.user,), left=(change.user,))
        if isinstance(change, Leave):
            return self._leave(sender, seq)
        if isinstance(change, Assign):
            self.members[change.user].role = change.role
            if change.role != "owner":
                return Touched((change.user,))
            self.members[sender].role = "admin"
            return Touched((change.user, sender))
        if isinstance(change, Alter):
            for field in change.__struct_fields__:
                value = getattr(change, field)
                if value is not None:
                    setattr(self.profile, field, value)
            return Touched(profile=True)
        return self._change_link(change)

    def _change_link(self, change: Invite | Uninvite) -> Touched:
        if isinstance(change, Invite):
            assert change.token is not None
            link = link_of(change.token)
            self.links.add(link)
        else:
            link = change.link
            self.links.discard(link)
        return Touched(link=link)

    def _let_in(self, user: str, role: Role, seq: int) -> None:
        former = self.rows.get(user)
        earlier = () if former is None else former.earlier
        self.rows[user] = self.members[user] = Member(role, seq, earlier)

    def _let_out(self, user: str, seq: int) -> None:
        # The record that says so is the last for who goes.
        member = self.members.pop(user)
        member.earlier = (*member.earlier, (member.since, seq))
        member.since = 0

    def _leave(self, user: str, seq: int) -> Touched:
        is_owner = self.members[user].role == "owner"
        self._let_out(user, seq)
        if not is_owner or not self.members:
            return Touched((user,), left=(user,))
        # The highest of those who stay, and of these who is there longest.
        heir = min(self.members, key=self._seniority)
        self.members[heir].role = "owner"
        return Touched((user, heir), left=(user,), heir=heir)

    def _seniority(self, user: str) -> tuple[int, int, str]:
        member = self.members[user]
        return (-RANK[member.role], member.since, user)

    def settle(self, seq: int) -> tuple[str, ...]:
        """Forget what was owed up to `seq` for former times; return whose rows changed."""
        changed = []
        for user, row in list(self.rows.items()):
            if row.earlier and (left := tuple(s for s in row.earlier if s[1] > seq)) != row.earlier:
                row.earlier = left
                changed.append(user)
                if not row.since and not left:
                    del self.rows[user]
        return tuple(changed)


def found(sender: str, create: Create, size_max: int) -> Roster | Verdict:
    """Return the roster of a new group, or why it is refused."""
    users = create.members
    if sender in users or len(set(users)) < len(users):
        return Verdict("bad_request", "somebody is named twice, or the owner is")
    size = size_max if create.size is None else create.size
    if size > size_max or len(users) + 1 > size:
        return Verdict("group_full", f"a group has at most {min(size, size_max)} members here")
    profile = Profile(
        create.name, create.description, create.post, create.add, create.history, size
    )
    rows = {sender: Member("owner", 1), **{user: Member("member", 1) for user in users}}
    return Roster(profile, rows)
