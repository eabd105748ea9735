"""Knows where users and conversations run: an address for each, an actor on demand.
Must not know what they are told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actorchat.chat.event import Pair
from actorchat.ids import direct_pair


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
        spawn_conversation: Starts the actor of a direct conversation.
    """

    __slots__ = ("_conversations", "_spawn_conversation", "_spawn_user", "_users")

    def __init__(
        self, spawn_user: Callable[[str], Any], spawn_conversation: Callable[[Pair], Any]
    ) -> None:
        self._spawn_user = spawn_user
        self._spawn_conversation = spawn_conversation
        self._users: dict[str, Any] = {}
        self._conversations: dict[Pair, Any] = {}

    def user(self, name: str) -> Place:
        """Return the place of a user's home."""
        return Place(self._activate_user, name)

    def conversation(self, pair: Pair) -> Place:
        """Return the place of a direct conversation; `pair` in canonical order."""
        return Place(self._activate_conversation, pair)

    def conversation_between(self, one: str, other: str) -> Place:
        """Return the place of the direct conversation of two users in either order."""
        return Place(self._activate_conversation, direct_pair(one, other))

    def runs(self, pair: Pair) -> bool:
        """Say whether the actor of a conversation runs."""
        ref = self._conversations.get(pair)
        return ref is not None and ref.is_alive()

    def forget_user(self, name: str, ref: Any) -> None:
        """Take note that the actor of a user has stopped."""
        if self._users.get(name) is ref:
            del self._users[name]

    def forget_conversation(self, pair: Pair, ref: Any) -> None:
        """Take note that the actor of a conversation has stopped."""
        if self._conversations.get(pair) is ref:
            del self._conversations[pair]

    def counts(self) -> dict[str, int]:
        """Return how many entities run, by kind."""
        return {"users": len(self._users), "conversations": len(self._conversations)}

    def _activate_user(self, name: str) -> Any:
        ref = self._users.get(name)
        if ref is None or not ref.is_alive():
            ref = self._users[name] = self._spawn_user(name)
        return ref

    def _activate_conversation(self, pair: Pair) -> Any:
        ref = self._conversations.get(pair)
        if ref is None or not ref.is_alive():
            ref = self._conversations[pair] = self._spawn_conversation(pair)
        return ref
