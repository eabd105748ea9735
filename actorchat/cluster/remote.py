"""Knows how an actor of another node is reached: a ref like those of this one.

Must not know frames or sockets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

from actorchat.actor import LocalRef, Reply
from actorchat.actor.timer import Deadline
from actorchat.cluster.link_codec import Reference
from actorchat.errors import ActorDead, CallTimeout
from actorchat.limits import CALL_TIMEOUT_S

if TYPE_CHECKING:
    from actorchat.cluster.mesh import Mesh

NOCONNECTION: Final = "noconnection"  # why an actor is given up whose node can't be reached


class RemoteRef(Reference):
    """The address of an actor of another node, by its number there or by its registered name.

    It has what a `LocalRef` has to send and to watch, with the same promises while the link is
    up; two refs of the same actor are equal. Get one from `Mesh.named`, or out of a message. All
    methods may be called from any thread.
    """

    __slots__ = ("_hash", "_mesh", "epoch", "incarnation", "name", "node", "number")

    is_foreign = True  # see actor.monitor.Foreign

    def __init__(
        self,
        mesh: Mesh,
        node: str,
        incarnation: int = 0,
        number: int = 0,
        name: str | None = None,
        epoch: int = 0,
    ) -> None:
        self._mesh = mesh
        self.node = node
        self.incarnation = incarnation  # 0: whichever runs, of a name
        self.number = number
        self.name = name
        self.epoch = epoch
        self._hash = hash((node, incarnation, number, name))

    def __eq__(self, other: object) -> bool:
        return (
            type(other) is RemoteRef
            and self.number == other.number
            and self.node == other.node
            and self.incarnation == other.incarnation
            and self.name == other.name
        )

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"<{self.label}>"

    @property
    def label(self) -> str:
        """The name or number, and the node."""
        who = repr(self.name) if self.name is not None else f"{self.incarnation}.{self.number}"
        return f"{who} on {self.node}"

    def at_epoch(self, epoch: int) -> RemoteRef:
        """Return a ref whose messages say by which table their receiver was found.

        The receiver refuses those of a table older than its own (`Mesh.fence`): a call fails with
        `StaleEpoch`, what was told is dropped.
        """
        return RemoteRef(self._mesh, self.node, self.incarnation, self.number, self.name, epoch)

    def tell(self, message: Any) -> None:
        """Put `message` into the actor's mailbox there, after all that was told it from here.

        Dropped and counted if the node is down, or goes down before it has come.

        Raises:
            LinkFull: `LINK_WINDOW_BYTES` wait for the node already.
            Unsendable: The message is of no type that may cross, or too long.
        """
        peer = self._mesh.peers.get(self.node)
        if peer is None:
            self._mesh.tell_at_home(self, message)
        else:
            peer.tell(self, message)

    def call(self, message: Any, timeout_s: float = CALL_TIMEOUT_S) -> Reply[Any]:
        """Send `message` now; await the result for what the handler returns.

        Raises (when awaited):
            CallTimeout: No answer within `timeout_s`; its effect is unknown.
            ActorDead: It is dead, or died before answering; `.reason` is `"noconnection"` if the
                node is down, or went down before the answer came.
            MailboxFull: The mailbox refused the message.
            LinkFull: `LINK_WINDOW_BYTES` wait for the node already.
            StaleEpoch: The ref's epoch is older than the receiver's.
            Unsendable: The message can't cross; or the answer, which was given, could not.
            RemoteError: Any other error that the callee answered with.
        """
        reply: Reply[Any] = Reply()
        peer = self._mesh.peers.get(self.node)
        if peer is None:
            self._mesh.call_at_home(self, message, reply)
        else:
            peer.call(self, message, reply)
        if not reply.done():
            timers = self._mesh.system.dispatcher.timers
            timer = Deadline(reply, cast(LocalRef, self), timeout_s)
            reply.expire_with(timers, timer)
            timers.add(timer, timeout_s)
        return reply

    def call_blocking(self, message: Any, timeout_s: float = CALL_TIMEOUT_S) -> Any:
        """Like `call`, for a thread without an event loop: block until the answer is there."""
        if self._mesh.system.dispatcher.is_here():
            raise RuntimeError(f"the answer of {self.label} would come to this very thread")
        reply = self.call(message, timeout_s)
        if not reply.wait(timeout_s):
            reply.settle(None, CallTimeout(f"{self.label} did not answer within {timeout_s:g} s"))
        return reply.result()

    def is_alive(self) -> bool:
        """Say whether its node is up, which is all that is known here."""
        peer = self._mesh.peers.get(self.node)
        return peer is not None and peer.reaches(self)

    def dead(self) -> ActorDead:
        """Make the error that says that it can't be reached."""
        return ActorDead(f"{self.label} is dead: {NOCONNECTION}", NOCONNECTION)

    # -- for the runtime: see actor.monitor.Foreign ------------------------------------------------
    def watch(self, mref: int, owe: Callable[[object], None]) -> None:
        """Have `owe(reason)` called once when it ends, or its node can't be reached."""
        peer = self._mesh.peers.get(self.node)
        if peer is None:
            self._mesh.watch_at_home(self, mref, owe)
        else:
            peer.watch(self, mref, owe)

    def unwatch(self, mref: int) -> None:
        """Forget a `watch`."""
        peer = self._mesh.peers.get(self.node)
        if peer is not None:
            peer.unwatch(mref)
