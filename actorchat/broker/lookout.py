"""Knows how sessions learn that a node is gone. Must not know what they do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actorchat import logs
from actorchat.actor import Actor
from actorchat.chat.afar import NodeLost
from actorchat.cluster.mesh import NodeDown, NodeUp
from actorchat.errors import MailboxFull

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from actorchat.broker.reach import Reach

log = logs.logger(__name__)


class Lookout(Actor):
    """Tells all sessions of this node when the link to another one ends. One a node.

    Each knows itself whether it has told that node anything, so that nothing is kept for those
    that are idle.

    Args:
        sessions: Returns the refs of all sessions.
    """

    def __init__(self, reach: Reach, sessions: Callable[[], Iterable[Any]]) -> None:
        super().__init__()
        self._reach = reach
        self._sessions = sessions

    def on_start(self) -> None:
        """Look after the links; what happened before nobody has told the sessions, perhaps."""
        up = self._reach.monitor_nodes(self.ref)
        for node in self._reach.nodes():
            if node != self._reach.node and node not in up:
                self._tell(NodeLost(node))

    def on_receive(self, message: NodeUp | NodeDown) -> None:
        """Tell the sessions."""
        if isinstance(message, NodeDown):
            self._tell(NodeLost(message.node))

    def _tell(self, lost: NodeLost) -> None:
        for session in self._sessions():
            try:
                session.tell(lost)
            except MailboxFull:
                session.stop("node lost")  # so far behind that it must sign in again
