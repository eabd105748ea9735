"""Whatever is asked of a group, it does what a small model of its rules says, and no more."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actorchat.chat.change import link_of
from actorchat.chat.effect import ReadPage, Refuse
from actorchat.chat.event import Fetch, Post
from actorchat.chat.group import Group
from actorchat.chat.group_effect import StoreInGroup
from actorchat.chat.group_event import Changing
from actorchat.ids import group_address
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
from tests.unit.chat.cast import Peer

USERS = ("ann", "bob", "cid", "dan", "eve")
RANKS = ("reader", "member", "admin", "owner")
TOKEN = "t" * 22
ID = bytes(16)
SESSION = Peer()

users = st.sampled_from(USERS)
changes: st.SearchStrategy[AnyChange] = st.one_of(
    st.builds(Add, users.map(lambda user: [user]), st.sampled_from(("member", "reader"))),
    st.builds(Remove, users),
    st.just(Leave()),
    st.builds(Assign, users, st.sampled_from(RANKS)),
    st.builds(
        Alter,
        post=st.sampled_from((None, "members", "admins")),
        add=st.sampled_from((None, "members", "admins")),
        history=st.sampled_from((None, "all", "since_join")),
    ),
    st.just(Invite(TOKEN)),
    st.just(Enter(TOKEN)),
)
requests = st.lists(st.tuples(users, changes | st.just("post")), max_size=60)


class Model:
    """The rules in other words: ranks as numbers, one `if` a rule."""

    def __init__(self) -> None:
        self.rank = {"ann": 3, "bob": 1}
        self.came = {"ann": 1, "bob": 1}
        self.post = self.add = "members"
        self.history = "since_join"
        self.has_link = False

    def allows(self, who: str, what: AnyChange | str) -> bool:
        rank = self.rank.get(who)
        if isinstance(what, Enter):
            return rank is None and self.has_link
        if rank is None:
            return False
        if what == "post":
            return rank >= (2 if self.post == "admins" else 1)
        if isinstance(what, Leave):
            return True
        if isinstance(what, Invite):
            return rank >= (2 if self.add == "admins" else 1)
        if isinstance(what, Add):
            return rank >= (2 if self.add == "admins" else 1) and what.users[0] not in self.rank
        if rank < 2:
            return False
        if isinstance(what, Remove):
            return self.rank.get(what.user, 9) < rank
        if isinstance(what, Assign):
            return self.rank.get(what.user, 9) < rank and (
                RANKS.index(what.role) < rank or rank == 3
            )
        return True

    def apply(self, who: str, what: AnyChange | str, seq: int) -> None:
        if isinstance(what, Enter):
            self.rank[who], self.came[who] = 1, seq
        elif isinstance(what, Invite):
            self.has_link = True
        elif isinstance(what, Add):
            self.rank[what.users[0]] = RANKS.index(what.role)
            self.came[what.users[0]] = seq
        elif isinstance(what, Remove):
            del self.rank[what.user]
        elif isinstance(what, Assign):
            self.rank[what.user] = RANKS.index(what.role)
            if what.role == "owner":
                self.rank[who] = 2
        elif isinstance(what, Leave):
            was_owner = self.rank.pop(who) == 3
            if was_owner and self.rank:
                best = min(self.rank, key=lambda u: (-self.rank[u], self.came[u], u))
                self.rank[best] = 3
        elif isinstance(what, Alter):
            self.post, self.add = what.post or self.post, what.add or self.add
            self.history = what.history or self.history


@given(requests)
def test_group_does_what_the_model_says(asked: list[tuple[str, AnyChange | str]]) -> None:
    group, model = Group(group_address(ID)), Model()
    create = Create("g", ["bob"], add="members")
    group.handle(Changing("ann", SESSION, 0, ID, create), 0)
    for number, (who, what) in enumerate(asked, 1):
        cid = number.to_bytes(16, "big")
        event: Post | Changing
        if isinstance(what, str):
            event = Post(who, SESSION, number, cid, what)
        else:
            event = Changing(who, SESSION, number, cid, what)
        seq = group.seq
        (first, *_) = group.handle(event, number)
        assert isinstance(first, StoreInGroup if model.allows(who, what) else Refuse)
        if isinstance(first, StoreInGroup):
            model.apply(who, what, seq + 1)
        assert group.seq == seq + isinstance(first, StoreInGroup)
        assert group.roster is not None
        found = {user: RANKS.index(m.role) for user, m in group.roster.members.items()}
        assert found == model.rank
        assert sum(rank == 3 for rank in found.values()) == bool(found)
        assert group.roster.links == ({link_of(TOKEN)} if model.has_link else set())
        _check_what_is_read(group, model)


def _check_what_is_read(group: Group, model: Model) -> None:
    for user in USERS:
        (page,) = group.handle(Fetch(user, SESSION, 0, 0, None, 50), 0)
        if user not in model.rank:
            assert isinstance(page, Refuse)
        else:
            assert isinstance(page, ReadPage)
            first = model.came[user] if model.history == "since_join" else 1
            assert page.after == first - 1
