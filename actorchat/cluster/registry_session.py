"""Knows what every client of a registry keeps alike: state, listeners, watches, the lease.
Must not know how a registry is reached.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from actorchat import logs
from actorchat.cluster.registry import (
    Connected,
    Event,
    Lease,
    Lost,
    Recovered,
    RegistryAway,
    RegistryClosed,
    State,
    Suspended,
)

log = logs.logger(__name__)

Notify = Callable[[str], object]
Watch = tuple[str, bool]  # a path, and whether the names below it


class RegistrySession:
    """How it stands with one session, and who wants to know. Belongs to a loop's thread."""

    def __init__(self) -> None:
        self.state: State = "connecting"
        self.session = 0
        self.lease = Lease()
        self._listeners: list[Callable[[Event], object]] = []
        self._watches: dict[Watch, list[Notify]] = {}
        self._told: set[Watch] = set()  # changes that are due to be told in the loop's next turn
        self._in_reach = asyncio.Event()

    @property
    def lease_end_s(self) -> float:
        """Until when, in the loop's time, the session's holder may act on what it owns."""
        return self.lease.end_s

    def on_event(self, callback: Callable[[Event], object]) -> None:
        """Have `callback` told what becomes of the session, in order; it must not block."""
        self._listeners.append(callback)

    # -- what happens -----------------------------------------------------------------------------
    def began(self, session: int, timeout_s: float, sent_s: float) -> None:
        """Note a new session, or the one that was suspended; whoever watches is told to look."""
        is_new = session != self.session
        if is_new:
            self.lease.begin(timeout_s, sent_s)
        else:
            self.lease.renew(sent_s)
        self.session = session
        self.state = "connected"
        self._in_reach.set()
        self._tell(Connected(session) if is_new else Recovered(session))
        for watch in self._watches:
            self.changed(watch)

    def suspended(self) -> None:
        """Note that the registry is out of reach."""
        if self.state == "connected":
            self.state = "suspended"
            self._in_reach.clear()
            self._tell(Suspended())

    def lost(self) -> None:
        """Note that the session has ended there."""
        if self.session and self.state in {"connected", "suspended"}:
            self.state = "lost"
            self._in_reach.clear()
            self.lease.drop()
            self._tell(Lost(self.session))

    def closed(self) -> None:
        """Note that this end has closed."""
        self.state = "closed"
        self.lease.drop()
        self._in_reach.set()  # whoever waits is to be told

    async def reach(self, timeout_s: float) -> None:
        """Wait until the registry is in reach.

        Raises:
            RegistryAway: It is not, in time; nothing was sent.
            RegistryClosed: This end has closed.
        """
        if not self._in_reach.is_set():
            try:
                async with asyncio.timeout(timeout_s):
                    await self._in_reach.wait()
            except TimeoutError:
                raise RegistryAway("the registry is out of reach", "none") from None
        if self.state == "closed":
            raise RegistryClosed("the session was closed", "none")

    def _tell(self, event: Event) -> None:
        log.debug("registry session", kind=type(event).__name__, session=self.session)
        for listener in list(self._listeners):
            listener(event)

    # -- watches ----------------------------------------------------------------------------------
    @property
    def watches(self) -> list[Watch]:
        """What is watched."""
        return list(self._watches)

    def watched(self, watch: Watch, notify: Notify) -> bool:
        """Add who is to be told; say whether this is the first."""
        listeners = self._watches.setdefault(watch, [])
        listeners.append(notify)
        return len(listeners) == 1

    def unwatched(self, watch: Watch, notify: Notify) -> bool:
        """Take back who was to be told, once; say whether nobody is left."""
        listeners = self._watches.get(watch, [])
        if notify in listeners:
            listeners.remove(notify)
            if not listeners:
                del self._watches[watch]
                return True
        return False

    def changed(self, watch: Watch) -> None:
        """Tell who watches, once in the loop's next turn, however often it is said until then."""
        if watch in self._watches and watch not in self._told:
            self._told.add(watch)
            asyncio.get_running_loop().call_soon(self._notify, watch)

    def _notify(self, watch: Watch) -> None:
        self._told.discard(watch)
        for notify in list(self._watches.get(watch, ())):
            notify(watch[0])
