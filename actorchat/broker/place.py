"""Knows the lasting addresses of users and conversations. Must not know what they are told."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from actorchat.broker.reach import NODE_DOWN
from actorchat.errors import Unavailable
from actorchat.ids import slot_of
from actorchat.limits import SHUT_S

if TYPE_CHECKING:
    from actorchat.broker.reach import Reach


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

    @property
    def slot(self) -> int:
        """The slot that decides where it is; no place that must be here has one."""
        return -1

    @property
    def node(self) -> str:
        """The node on which it is: this one, which has no name where there is no other."""
        return ""

    def ref(self) -> Any:
        """Return the ref of the entity's actor, which is started if none runs; for one use."""
        ref = self._ref
        if ref is None or not ref.is_alive():
            ref = self._ref = self._activate(self._id)
        return ref

    def tell(self, event: object) -> None:
        """Tell the entity `event`; raises MailboxFull as its mailbox does."""
        ref = self._ref
        if ref is None or ref._exit is not None:  # is_alive(), without a call
            ref = self._ref = self._activate(self._id)
        ref.tell(event)


class FarPlace(Place):
    """The lasting address of an entity, wherever it is.

    Once it could not be told something it is told nothing for `SHUT_S`: what its teller has on the
    way behind that must not overtake it.

    Args:
        whose: The name whose slot decides where it is.
        name: What it is called on the node that leads that slot.
        activate: Starts its actor, here, for `id`.
    """

    __slots__ = ("_name", "_reach", "_shut_until_s", "_slot", "_turn")

    def __init__(
        self, reach: Reach, whose: str, name: str, activate: Callable[[Any], Any], id: Any
    ) -> None:
        super().__init__(activate, id)
        self._reach = reach
        self._slot = slot_of(whose)
        self._name = name
        self._turn = -1
        self._shut_until_s = 0.0

    @property
    def slot(self) -> int:
        """The slot that decides where it is."""
        return self._slot

    @property
    def node(self) -> str:
        """The node on which it is; empty if nobody leads its slot."""
        return self._reach.leader(self._slot)

    def ref(self) -> Any:
        """Return the ref of the entity's actor, which is started if it is here; for one use.

        Raises:
            Unavailable: Its node can't be reached.
        """
        ref, reach = self._ref, self._reach
        if ref is None or self._turn != reach.turn or not ref.is_alive():
            self._ref = None
            if reach.leader(self._slot) == reach.node:
                ref = self._activate(self._id)
            elif self._shut_until_s and reach.now_s() < self._shut_until_s:
                raise Unavailable(NODE_DOWN)
            else:
                try:
                    ref = reach.find(self._slot, self._name)
                except Unavailable:
                    self._shut_until_s = reach.now_s() + SHUT_S
                    raise
            self._ref, self._turn = ref, reach.turn
        return ref

    def tell(self, event: object) -> None:
        """Tell the entity `event`.

        Raises:
            Unavailable: Its node can't be reached; MailboxFull: as its mailbox does; LinkFull: too
                much waits for its node.
        """
        self.ref().tell(event)


class QuietPlace(FarPlace):
    """A place for what is found missing, and told again, when it does not arrive."""

    __slots__ = ()

    def tell(self, event: object) -> None:
        """Tell the entity `event` if that can be done now."""
        with suppress(Unavailable):
            self.ref().tell(event)
