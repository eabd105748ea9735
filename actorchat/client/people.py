"""Knows what an application can do with devices, profiles and its list of conversations.
Must not know how questions are asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct

from actorchat.client import event
from actorchat.client.message import Entry, Marks, entry_of
from actorchat.errors import InvalidOp
from actorchat.limits import CONVERSATIONS_PAGE_MAX
from actorchat.protocol import ops
from actorchat.protocol.ops import Record

Answer = TypeVar("Answer")


class DeviceInfo(Struct, frozen=True):
    """A device of the user: times in ms since 1970, `cursor` the last update that it acked."""

    device: str
    title: str
    created: int
    seen: int
    cursor: int | None
    current: bool


class Profile(Struct, frozen=True, omit_defaults=True):
    """What a user, or a `bot`, says of oneself; both texts may be empty.

    `gone`: the account has ended.
    """

    user: str
    title: str
    about: str
    bot: bool = False
    gone: bool = False


class ContactsAnswer(Struct):
    """The server's answer to `contacts`."""

    contacts: list[str]


class Flags(Struct, frozen=True):
    """How the user keeps a conversation."""

    muted: bool
    archived: bool
    pinned: bool


class Conversation(Struct, frozen=True):
    """One line of the list: `unread` is counted up to 100. `gone`: that account has ended.

    A group has its `title`, the user's `role`, and its `size`; of `marks` only the user's own.
    """

    conv: str
    head: int
    last: Entry
    unread: int
    marks: dict[str, Marks]
    flags: Flags
    gone: bool = False
    title: str | None = None
    role: str | None = None
    size: int | None = None


class DevicesAnswer(Struct):
    """The server's answer to `devices`."""

    devices: list[DeviceInfo]


class Line(Struct):
    """A conversation as the server says it."""

    conv: str
    head: int
    last: Record
    unread: int
    marks: dict[str, Marks]
    muted: bool
    archived: bool
    pinned: bool
    gone: bool = False
    title: str | None = None
    role: str | None = None
    size: int | None = None

    def conversation(self) -> Conversation:
        """Return what the application gets."""
        last = entry_of(self.last)
        flags = Flags(self.muted, self.archived, self.pinned)
        counts = (self.head, last, self.unread)
        about = (self.title, self.role, self.size)
        return Conversation(self.conv, *counts, self.marks, flags, self.gone, *about)


class ConversationsAnswer(Struct):
    """The server's answer to `conversations`."""

    conversations: list[Line]
    more: bool


def read(answer: dict[str, object], kind: type[Answer]) -> Answer:
    """Return the server's answer as `kind`.

    Raises:
        InvalidOp: It is none.
    """
    try:
        return msgspec.convert(answer, kind)
    except msgspec.ValidationError as error:
        raise InvalidOp(f"the server's answer makes no sense: {error}") from error


class PeopleCalls:
    """What `Chat` can do with the user's devices, profile, contacts and list of conversations.

    All raise `Refusal`, and `InvalidOp` for what no server would take.
    """

    async def _ask(self, request: event.Request) -> dict[str, object]:
        raise NotImplementedError

    async def conversations(self) -> list[Conversation]:
        """Return all conversations of the user, in an order of the server's."""
        found: list[Conversation] = []
        after, more = None, True
        while more:
            answer = await self._ask(ops.Conversations(0, after, CONVERSATIONS_PAGE_MAX))
            page = read(answer, ConversationsAnswer)
            found += [line.conversation() for line in page.conversations]
            more = page.more and bool(page.conversations)
            after = found[-1].conv if found else None
        return found

    async def flag(
        self,
        conv: str,
        *,
        muted: bool | None = None,
        archived: bool | None = None,
        pinned: bool | None = None,
    ) -> Flags:
        """Set the user's flags of the conversation with `conv`; return them as they are now."""
        return read(await self._ask(ops.Flag(0, conv, muted, archived, pinned)), Flags)

    async def devices(self) -> list[DeviceInfo]:
        """Return the user's devices."""
        return read(await self._ask(ops.Devices(0)), DevicesAnswer).devices

    async def rename(self, device: str, title: str) -> None:
        """Have the user's own `device` shown as `title`."""
        await self._ask(ops.Rename(0, device, title))

    async def profile(self, user: str) -> Profile:
        """Return what `user` says of oneself."""
        return read(await self._ask(ops.Profile(0, user)), Profile)

    async def describe(self, title: str | None = None, about: str | None = None) -> Profile:
        """Say of oneself what others may read; None leaves a text as it is."""
        return read(await self._ask(ops.Describe(0, title, about)), Profile)

    async def contacts(self) -> list[str]:
        """Return the user's contacts, by name."""
        return read(await self._ask(ops.Contacts(0)), ContactsAnswer).contacts

    async def add_contact(self, user: str) -> None:
        """Make `user` one of the user's contacts."""
        await self._ask(ops.Contact(0, user))

    async def remove_contact(self, user: str) -> None:
        """Drop `user` from the user's contacts."""
        await self._ask(ops.Contact(0, user, keep=False))

    async def delete_account(self, password: str) -> None:
        """End the user's account for good; then this session and all others end.

        Raises:
            Refusal: `unauthenticated`: the password is wrong; `rate_limited`: too often.
            ConnectionLost: Whether it was done is unknown; signing in again tells.
        """
        await self._ask(ops.DeleteAccount(0, password))

    async def change_password(
        self, old: str, new: str, *, revoke_others: bool = False, keep: Sequence[str] = ()
    ) -> None:
        """Change the user's password; with `revoke_others` others are signed out.

        These are all devices but this one and those of `keep`.

        Raises:
            Refusal: `unauthenticated`: the old one is wrong; `rate_limited`: too often.
            ConnectionLost: Whether it was done is unknown.
        """
        await self._ask(ops.Password(0, old, new, revoke_others, list(keep)))
