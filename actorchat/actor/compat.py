"""Knows pykka's rules where they differ from this runtime's. Must not know new code.

In pykka an actor survives an error in an `ask`, `on_stop` is not told why, a stop is awaited by
blocking, a tell to a dead actor raises, an `ActorRegistry` lists all actors of the process, and
a BaseException stops every one of them. With these two classes pykka's own test suite can run
against this runtime (tests/conformance/pykka_suite.py), and pykka's users can move over.
"""

from __future__ import annotations

import logging
import sys
from types import CoroutineType
from typing import TYPE_CHECKING, Any, ClassVar

from pykka import ActorDeadError, ActorRegistry
from pykka import messages as pykka_messages

from actorchat.actor import lifecycle
from actorchat.actor.behaviour import Actor
from actorchat.actor.future import Reply
from actorchat.actor.mailbox import Call
from actorchat.actor.reason import NORMAL
from actorchat.actor.ref import LocalRef

if TYPE_CHECKING:
    from actorchat.actor.system import ActorSystem

logger = logging.getLogger("pykka")


class CompatRef(LocalRef):
    """A ref with pykka's manners."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<ActorRef for {self}>"

    def __str__(self) -> str:
        return f"{self.actor_class.__name__} ({self.actor_urn})"

    def tell(self, message: Any) -> None:
        """Send a message; raises pykka.ActorDeadError."""
        if self._exit is not None:
            msg = f"{self} not found"
            raise ActorDeadError(msg)
        super().tell(message)

    def _ask(self, message: Any, reply: Reply[Any]) -> None:
        if self._exit is not None:
            reply.settle(None, ActorDeadError(f"{self} not found"))
        else:
            super()._ask(message, reply)

    def dead(self) -> Any:
        """Make pykka's error."""
        return ActorDeadError(f"{self} stopped before handling the message")

    def stop(  # type: ignore[override]
        self, *, block: bool = True, timeout: float | None = None
    ) -> Any:
        """Stop the actor; True, or a future of True, unless it was dead already."""
        stopped: Reply[bool] = Reply()

        def tell(asked: Reply[Any]) -> None:
            error = asked.exception()
            if error is None or isinstance(error, ActorDeadError):
                stopped.settle(error is None)
            else:
                stopped.settle(None, error)

        self.ask(pykka_messages._ActorStop(), block=False).on_settled(tell)
        return stopped.get(timeout=timeout) if block else stopped

    def set(self) -> None:
        """Mark the actor as stopped: pykka sets its Event."""
        self.leave(NORMAL)


class CompatActor(Actor):
    """An actor with pykka's manners, started with `start`; `runtime` says in which system."""

    compat = True
    ref_class = CompatRef
    runtime: ClassVar[ActorSystem]

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        system = type(self).runtime
        ref = CompatRef(type(self), system, system.dispatcher, None, lifecycle.START)
        ref._actor = self
        self._actor_ref = ref

    def _start_actor_loop(self) -> None:
        self.ref._schedule()

    def on_stop(self) -> Any:  # type: ignore[override]
        """Clean up; not called after a failure."""

    def stop(self) -> None:  # type: ignore[override]
        """Stop when all that was told before has been handled."""
        self.ref.tell(pykka_messages._ActorStop())

    def terminate(self, reason: object) -> None:
        """Nothing: `_stop` has called `on_stop`."""

    def _stop(self) -> Any:
        ActorRegistry.unregister(self.actor_ref)
        self.ref.leave(NORMAL)
        logger.debug("Stopped %s", self)
        try:
            result: Any = self.on_stop()
        except Exception:  # noqa: BLE001
            self._handle_failure(*sys.exc_info())
        else:
            return result if isinstance(result, CoroutineType) else None

    def failed(self, error: BaseException, reply: Reply[Any] | None, message: Any) -> None:
        """Treat an error as `pykka.Actor._actor_loop` does."""
        trace = (type(error), error, error.__traceback__)
        if not isinstance(error, Exception):
            logger.debug("%r in %s. Stopping all actors.", error, self)
            self._stop()
            ActorRegistry.stop_all(block=False)  # blocking would stop the loop that must do it
        elif reply is not None:
            logger.info("Exception returned from %s to caller:", self, exc_info=trace)
            reply.set_exception(trace)
        else:
            self._handle_failure(*trace)
            if message is not lifecycle.START and not isinstance(
                message, pykka_messages._ActorStop
            ):
                try:
                    self.on_failure(*trace)
                except Exception:  # noqa: BLE001
                    self._handle_failure(*sys.exc_info())

    def unhandled(self, message: Any, item: Any) -> None:
        """Answer a second stop; the others get an ActorDeadError."""
        if isinstance(item, Call) and isinstance(message, pykka_messages._ActorStop):
            item.reply.settle(None)
