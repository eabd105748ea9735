"""Knows where users and conversations run: an address for each, an actor on demand.
Must not know what they are told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actorchat.broker.place import FarPlace, Place, QuietPlace
from actorchat.broker.reach import Reach
from actorchat.chat.event import Conv
from actorchat.ids import GROUP_MARK, direct_pair


class Router:
    """Finds entities by kind and id. Without a `reach` every slot is led here.

    With one, a place may be elsewhere; then to tell it something raises Unavailable while its node
    can't be reached, and a quiet one is not told.

    Args:
        spawn_user: Starts the actor of a user.
        spawn_conversation: Starts the actor of a direct conversation, or of a group.
    """

    __slots__ = ("_conversations", "_reach", "_spawn_conversation", "_spawn_user", "_users")

    def __init__(
        self,
        spawn_user: Callable[[str], Any],
        spawn_conversation: Callable[[Conv], Any],
        reach: Reach | None = None,
    ) -> None:
        self._reach = reach
        self._spawn_user = spawn_user
        self._spawn_conversation = spawn_conversation
        self._users: dict[str, Any] = {}
        self._conversations: dict[Conv, Any] = {}

    def user(self, name: str, is_quiet: bool = False) -> Place:
        """Return the place of a user's home."""
        if self._reach is not None:
            return self._far(name, f"user/{name}", self.activate_user, name, is_quiet)
        return Place(self.activate_user, name)

    def conversation(self, conv: Conv, is_quiet: bool = False) -> Place:
        """Return the place of a direct conversation, its pair in canonical order, or of a group."""
        if self._reach is not None:
            if isinstance(conv, str):
                whose, name = conv, f"group/{conv}"
            else:
                whose, name = conv[0], f"direct/{conv[0]}/{conv[1]}"
            return self._far(whose, name, self.activate_conversation, conv, is_quiet)
        return Place(self.activate_conversation, conv)

    def conversation_with(self, one: str, other: str) -> Place:
        """Return the place of what `one` calls `other`: a group, or their conversation."""
        return self.conversation(other if other[0] == GROUP_MARK else direct_pair(one, other))

    def _far(
        self, whose: str, name: str, activate: Callable[[Any], Any], id: Any, is_quiet: bool
    ) -> FarPlace:
        assert self._reach is not None
        return (QuietPlace if is_quiet else FarPlace)(self._reach, whose, name, activate, id)

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

    def entities(self) -> list[tuple[str, Any, bool]]:
        """Return (whose slot it is in, its ref, whether it is a home) of each entity that runs."""
        homes = [(user, ref, True) for user, ref in self._users.items()]
        convs = self._conversations.items()
        return [*homes, *((c if isinstance(c, str) else c[0], ref, False) for c, ref in convs)]

    def counts(self) -> dict[str, int]:
        """Return how many entities run, by kind."""
        groups = sum(isinstance(conv, str) for conv in self._conversations)
        direct = len(self._conversations) - groups
        return {"users": len(self._users), "conversations": direct, "groups": groups}

    def activate_user(self, name: str) -> Any:
        """Return the ref of a user's home here, which is started if none runs."""
        ref = self._users.get(name)
        if ref is None or not ref.is_alive():
            ref = self._users[name] = self._spawn_user(name)
        return ref

    def activate_conversation(self, conv: Conv) -> Any:
        """Return the ref of a conversation here, which is started if none runs."""
        ref = self._conversations.get(conv)
        if ref is None or not ref.is_alive():
            ref = self._conversations[conv] = self._spawn_conversation(conv)
        return ref
