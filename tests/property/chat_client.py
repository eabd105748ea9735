"""A device that sends, reads and acks, and that checks every promise it can see."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from actorchat.chat import event as told

if TYPE_CHECKING:
    from tests.property.chat_world import World


class Session:
    """A connection of a client: what it is told waits until the client reads it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.is_open = True

    def tell(self, event: object, /) -> None:
        if type(event) is told.Update:
            upd, _ = event.payload
            shown = self.client.world.log.ever_shown.get((self.client.user, upd))
            assert shown is not None, f"update {upd} is shown before it is synced"
        if self.is_open:
            self.client.queue.append(event)


class Client:
    """A device that sends, reads, acks, and checks every promise that it can see."""

    def __init__(self, world: World, user: str, device: str) -> None:
        self.world = world
        self.user = user
        self.device = device
        self.session: Session | None = None
        self.queue: deque[Any] = deque()
        self.received = 0
        self.acked = 0  # what it has told anybody, by ack or resume
        self.must_ack = False
        self.is_known = False  # whether a home may have heard of it
        self.is_revoked = False
        self.is_placed = False
        self.has_company = False
        self.last_shown = 0
        self.rewinds = 0
        self.records: dict[int, bytes] = {}

    def connect(self, says_where: bool) -> None:
        self.hang_up(says_so=False)  # the home replaces the session itself
        self.session = Session(self)
        self.is_known = True
        resume = self.received if says_where else None
        if resume is not None:
            self.acked = max(self.acked, resume)
        self._attach(resume)

    def _attach(self, resume: int | None) -> None:
        assert self.session is not None
        self.rewinds += 1
        attach = told.Attach(self.device, self.session, resume)
        self.world.homes[self.user].place.tell(attach)

    def hang_up(self, says_so: bool) -> None:
        session, self.session = self.session, None
        if session is not None:
            session.is_open = False
            self.queue.clear()
            if says_so:
                self.world.homes[self.user].place.tell(told.Detach(self.device, session))

    def ack(self, upto: int) -> None:
        if self.session is not None:
            self.acked = max(self.acked, upto)
            self.must_ack = self.must_ack and upto < self.received
            self.world.homes[self.user].place.tell(told.Acked(self.device, upto))

    def read(self) -> None:
        if not self.queue:
            return
        match self.queue.popleft():
            case told.Update(payload):
                self._updated(*payload)
            case told.Accepted() as accepted:
                self.world.accepted(accepted)
            case told.Refused() as refused:
                self.world.refused(refused)
            case told.HomeLost():
                self._attach(None)
            case told.Attached(head, cursor, has_company):
                assert cursor <= head
                self.has_company = has_company
                if not self.is_placed and cursor > self.received:
                    self.received = self.acked = self.last_shown = cursor
                self.is_placed = True
            case told.Company(has_company):
                self.has_company = has_company
                if has_company:
                    self.world.homes[self.user].place.tell(told.Aware(self.session))
            case told.Ended():
                self.hang_up(says_so=True)

    def _updated(self, upd: int, record: bytes) -> None:
        if upd != self.last_shown + 1:
            # It may begin again at its cursor, once for each time that it attached.
            assert upd <= self.received + 1, f"{upd} follows {self.received}: a gap"
            assert self.rewinds > 0, f"{upd} follows {self.last_shown}"
            self.rewinds -= 1
        self.last_shown = upd
        self.must_ack = True
        assert self.records.setdefault(upd, record) == record, "an update has changed"
        self.received = max(self.received, upd)
