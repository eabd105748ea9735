"""Knows where users and conversations run: an address for each, an actor on demand.
Must not know what they are told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actorchat.chat.event import Conv
from actorchat.ids import GROUP_MARK, direct_pair


class Place:
    """The lasting address of an entity: telling it something starts its actor if none runs.

    Anybody may keep a place as long as they like: an entity that is stopped when idle, or after a
    crash, is started again from the log by the next event, behind the same place.
    """

    __slots__ = ("_activate", "_id", "_ref")

    def __init__(self, activate: Callable[[Any], Any], id: Any) -> None:
        self._activate = activate
        self._id = id
        self._ref: Any = None

    def ref(self) -> Any:
        """Return the ref of the entity's actor, which is started if none runs; for one use."""
        ref = self._ref
        if ref is None or not ref.is_alive():
            ref = self._ref = self._activate(self._id)
        return ref

    def tell(self, event: object) -> None:
        """Tell the entity `event`; raises MailboxFull as its mailbox does."""
        ref = self._ref
        if ref is None or not ref.is_alive():
            ref = self._ref = self._activate(self._id)
        ref.tell(event)


class Router:
    """Finds entities by kind and id. On one node every slot is led here.

    Args:
        spawn_user: Starts the actor of a user.
        spawn_conversation: Starts the actor of a direct conversation, or of a group.
    """

    __slots__ = ("_conversations", "_spawn_conversation", "_spawn_user", "_users")

    def __init__(
        self, spawn_user: Callable[[str], Any], spawn_conversation: Callable[[Conv], Any]
    ) -> None:
        self._spawn_user = spawn_user
        self._spawn_conversation = spawn_conversation
        self._users: dict[str, Any] = {}
        self._conversations: dict[Conv, Any] = {}

    def user(self, name: str) -> Place:
        """Return the place of a user's home."""
        return Place(self._activate_user, name)

    def conversation(self, conv: Conv) -> Place:
        """Return the place of a direct conversation, its pair in canonical order, or of a group."""
        return Place(self._activate_conversation, conv)

    def conversation_with(self, one: str, other: str) -> Place:
        """Return the place of what `one` calls `other`: a group, or their conversation."""
        if other[0] == GROUP_MARK:
            return Place(self._activate_conversation, other)
        return Place(self._activate_conversation, direct_pair(one, other))

    def runs(self, conv: Conv) -> bool:
        """Say whether the actor of a conversation runs."""
        ref = self._conversations.get(conv)
        return ref is not None and ref.is_alive()

    def forget_user(self, name: str, ref: Any) -> None:
        """Take note that the actor of a user has stopped."""
        if self._users.get(name) is ref:
            del self._users[name]

    def forget_conversation(self, conv: Conv, ref: Any) -> None:
        """Take note that the actor of a conversation has stopped."""
        if self._conversations.get(conv) is ref:
            del self._conversations[conv]

    def counts(self) -> dict[str, int]:
        """Return how many entities run, by kind."""
        groups = sum(isinstance(conv, str) for conv in self._conversations)
        direct = len(self._conversations) - groups
        return {"users": len(self._users), "conversations": direct, "groups": groups}

    def _activate_user(self, name: str) -> Any:
        ref = self._users.get(name)
        if ref is None or not ref.is_alive():
            ref = self._users[name] = self._spawn_user(name)
        return ref

    def _activate_conversation(self, conv: Conv) -> Any:
        ref = self._conversations.get(conv)
        if ref is None or not ref.is_alive():
            ref = self._conversations[conv] = self._spawn_conversation(conv)
        return ref
