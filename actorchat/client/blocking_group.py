"""Knows what a program without a loop can do with groups. Must not know how it is done."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import Any, Literal, TypeVar

from actorchat.client import aio
from actorchat.client.message import GroupInfo, GroupLine, Marks, Sent
from actorchat.protocol.ops.group import AnyChange, Role, Span, Who

Result = TypeVar("Result")


class BlockingGroupCalls:
    """The group methods of the asyncio `Chat`, each of which waits for its result."""

    _chat: aio.Chat

    def _run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        raise NotImplementedError

    def create_group(
        self,
        name: str,
        members: Iterable[str] = (),
        *,
        id: bytes | None = None,
        description: str = "",
        post: Who = "members",
        add: Who = "admins",
        history: Span = "since_join",
        size: int | None = None,
    ) -> str:
        """Make a group with this user as its owner; return its address."""
        making = self._chat.create_group(
            name,
            members,
            id=id,
            description=description,
            post=post,
            add=add,
            history=history,
            size=size,
        )
        return self._run(making)

    def change_group(self, conv: str, change: AnyChange, *, cid: bytes | None = None) -> Sent:
        """Make a change of a group; return its place in the group's sequence."""
        return self._run(self._chat.change_group(conv, change, cid=cid))

    def group(self, conv: str) -> GroupInfo:
        """Return what a group is: its name, settings and members."""
        return self._run(self._chat.group(conv))

    def groups(self) -> list[GroupLine]:
        """Return the groups that the user is in, in an order of the server's."""
        return self._run(self._chat.groups())

    def receipts(self, conv: str) -> dict[str, Marks]:
        """Return how far each member of a group got."""
        return self._run(self._chat.receipts(conv))

    def set_group(
        self,
        conv: str,
        *,
        name: str | None = None,
        description: str | None = None,
        post: Who | None = None,
        add: Who | None = None,
        history: Span | None = None,
        size: int | None = None,
    ) -> Sent:
        """Set what is given; the others stay as they are."""
        setting = self._chat.set_group(
            conv,
            name=name,
            description=description,
            post=post,
            add=add,
            history=history,
            size=size,
        )
        return self._run(setting)

    def add(self, conv: str, *users: str, role: Literal["member", "reader"] = "member") -> Sent:
        """Make users members of a group, or readers."""
        return self._run(self._chat.add(conv, *users, role=role))

    def remove(self, conv: str, user: str) -> Sent:
        """Put a member out of a group."""
        return self._run(self._chat.remove(conv, user))

    def leave(self, conv: str) -> Sent:
        """Leave a group."""
        return self._run(self._chat.leave(conv))

    def set_role(self, conv: str, user: str, role: Role) -> Sent:
        """Give a member another role; `owner` hands the group on."""
        return self._run(self._chat.set_role(conv, user, role))

    def new_link(self, conv: str) -> str:
        """Make an invite link: who has it may join."""
        return self._run(self._chat.new_link(conv))

    def void_link(self, conv: str, link: str) -> Sent:
        """Make a link void, named by its digest."""
        return self._run(self._chat.void_link(conv, link))

    def join(self, link: str) -> str:
        """Join a group by an invite link; return its address."""
        return self._run(self._chat.join(link))
