"""Knows what an application can do with groups. Must not know how questions are asked."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Literal

import msgspec

from actorchat.client import event
from actorchat.client.message import GroupInfo, GroupLine, GroupsAnswer, Marks, ReceiptsAnswer, Sent
from actorchat.client.post import new_cid
from actorchat.errors import InvalidOp
from actorchat.ids import CLIENT_ID_BYTES, group_address, is_group
from actorchat.protocol import ops
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
    Span,
    Uninvite,
    Who,
)


class GroupCalls:
    """What `Chat` can do with groups beside sending to them, reading their history, marking.

    Each change may be repeated with its `cid`: it is made once. All raise `Refusal`
    (`no_such_group`, `forbidden`, `exists`, `group_full`, …) and `InvalidOp` for what no server
    would take.
    """

    async def _ask(self, request: event.Request) -> dict[str, object]:
        raise NotImplementedError

    async def create_group(
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
        """Make a group with this user as its owner; return its address.

        Args:
            members: The others.
            id: 16 bytes that are its address; making the same group again with it is safe.
            post, add: Who may write, and who may add others.
            history: What those may read who join later.
            size: How many it may have; as many as the server allows if None.
        """
        made = secrets.token_bytes(CLIENT_ID_BYTES) if id is None else id
        if len(made) != CLIENT_ID_BYTES:
            raise InvalidOp(f"a group's id has {CLIENT_ID_BYTES} bytes, not {len(made)}")
        address = group_address(made)
        create = Create(name, list(members), description, post, add, history, size)
        await self.change_group(address, create, cid=made)
        return address

    async def change_group(self, conv: str, change: AnyChange, *, cid: bytes | None = None) -> Sent:
        """Make a change of a group; return its place in the group's sequence."""
        answer = await self._ask(ops.Change(0, _checked(conv), cid or new_cid(), change))
        return msgspec.convert(answer, Sent)

    async def group(self, conv: str) -> GroupInfo:
        """Return what a group is: its name, settings and members."""
        found = msgspec.convert(await self._ask(ops.Group(0, _checked(conv))), GroupInfo)
        page = found
        while page.more and page.members:
            asked = ops.Group(0, conv, max(page.members))
            page = msgspec.convert(await self._ask(asked), GroupInfo)
            found.members.update(page.members)
        return msgspec.structs.replace(found, more=False)

    async def groups(self) -> list[GroupLine]:
        """Return the groups that the user is in, in an order of the server's."""
        found: list[GroupLine] = []
        after, more = None, True
        while more:
            page = msgspec.convert(await self._ask(ops.Groups(0, after)), GroupsAnswer)
            found += page.groups
            more = page.more and bool(page.groups)
            after = found[-1].conv if found else None
        return found

    async def receipts(self, conv: str) -> dict[str, Marks]:
        """Return how far each member of a group got."""
        page = msgspec.convert(await self._ask(ops.Receipts(0, _checked(conv))), ReceiptsAnswer)
        marks = page.marks
        while page.more and page.marks:
            asked = ops.Receipts(0, conv, max(page.marks))
            page = msgspec.convert(await self._ask(asked), ReceiptsAnswer)
            marks.update(page.marks)
        return marks

    async def set_group(
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
        return await self.change_group(conv, Alter(name, description, post, add, history, size))

    async def add(
        self, conv: str, *users: str, role: Literal["member", "reader"] = "member"
    ) -> Sent:
        """Make users members of a group, or `reader`s."""
        return await self.change_group(conv, Add(list(users), role))

    async def remove(self, conv: str, user: str) -> Sent:
        """Put a member out of a group."""
        return await self.change_group(conv, Remove(user))

    async def leave(self, conv: str) -> Sent:
        """Leave a group; of an owner's the highest and oldest member becomes the owner."""
        return await self.change_group(conv, Leave())

    async def set_role(self, conv: str, user: str, role: Role) -> Sent:
        """Give a member another role; `owner` hands the group on."""
        return await self.change_group(conv, Assign(user, role))

    async def new_link(self, conv: str) -> str:
        """Make an invite link: who has it may join. Returned once; the server has its digest."""
        token = secrets.token_urlsafe(CLIENT_ID_BYTES)
        await self.change_group(conv, Invite(token))
        return f"{conv}/{token}"

    async def void_link(self, conv: str, link: str) -> Sent:
        """Make a link void, which is named by its digest as in `GroupInfo.links`."""
        return await self.change_group(conv, Uninvite(link))

    async def join(self, link: str) -> str:
        """Join a group by an invite link; return its address."""
        conv, _, token = link.partition("/")
        await self.change_group(conv, Enter(token))
        return conv


def _checked(conv: str) -> str:
    if not is_group(conv):
        raise InvalidOp(f"not a group's address: {conv!r}")
    return conv
