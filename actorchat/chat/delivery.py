"""Knows how far one device is with its user's update log. Must not know sockets or rows."""

from __future__ import annotations

from actorchat.chat.event import Address, Attach
from actorchat.limits import CATCH_UP_PAGE_UPDATES, DELIVERY_WINDOW_UPDATES


class Delivery:
    """The delivery window of one device: what it has acked, what was pushed, who it is on.

    At most `DELIVERY_WINDOW_UPDATES` are pushed and unacked; then delivery waits for acks, and goes
    on by reading the log. So a slow device costs no memory, and nothing is ever skipped. Behind a
    page that was cut, because its updates are long, all of it must be acked first: who was away
    and reads again is not sent more than a connection may owe.
    """

    __slots__ = (
        "acked",
        "coming",
        "device",
        "is_kept",
        "is_reading",
        "sent",
        "session",
        "unaware",
        "waiting",
        "wanted",
    )

    def __init__(self, device: str, acked: int) -> None:
        self.device = device
        self.acked = acked
        self.sent = acked
        self.session: Address | None = None
        self.is_reading = False
        self.coming: Address | None = None  # a session that waits for that
        self.is_kept = True  # the log holds its place, synced
        self.wanted = 0  # the ack without which no more is read
        self.unaware: list[Address] = []  # sessions that do not know of this new device yet
        self.waiting: Attach | None = None  # what waits for them

    def has_room(self) -> bool:
        """Say whether one more update may be pushed."""
        return self.sent - self.acked < DELIVERY_WINDOW_UPDATES

    def next_page(self, durable: int) -> tuple[int, int] | None:
        """Return the first and last update to read now; None: up to date, waiting, or reading."""
        if self.session is None or self.is_reading or self.acked < self.wanted:
            return None
        room = DELIVERY_WINDOW_UPDATES - (self.sent - self.acked)
        last = min(durable, self.sent + min(room, CATCH_UP_PAGE_UPDATES))
        return (self.sent + 1, last) if last > self.sent else None
