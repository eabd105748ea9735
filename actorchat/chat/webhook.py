"""Knows what becomes of one hook: what is posted next, when it is tried again, when it is given up.
Must not know other hooks, HTTP or rows.

    idle ──events behind its position──► reading ──found──► posting ──2xx──► idle
      ▲                                     │ none of its kinds  │ anything else
      └─────────────────────────────────────┘◄──due── waiting ◄──┘ full jitter, then the breaker
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from urllib.parse import urlsplit

from actorchat.chat.firehose_event import (
    Found,
    HookDue,
    HookRow,
    KeepHook,
    KeepPlace,
    Later,
    Place,
    Posted,
    PostItems,
    Read,
)
from actorchat.limits import (
    EVENTS_PAGE_MAX,
    HOOK_BACKOFF_BASE_S,
    HOOK_BACKOFF_CAP_S,
    HOOK_BREAK_AFTER,
    HOOK_BREAK_S,
    HOOK_REASON_CHARS_MAX,
)

GONE = 410  # the receiver says that nobody will ever take posts there
_DOUBLINGS_MAX = 16


class Phase(Enum):
    """What a hook is doing."""

    IDLE = "nothing"
    READING = "its next events are being read"
    POSTING = "events are on their way"
    WAITING = "a post failed, and the next is not due yet"


class Webhook:
    """One hook: events in order, one post under way, a position that is only moved by an answer.

    Args:
        row, place: As kept.
        give_up_ms: A hook that fails for longer is dead.
        chance: Returns a number of [0, 1), for the jitter.
    """

    __slots__ = ("_chance", "_give_up_ms", "_serial", "_upto", "phase", "place", "row")

    def __init__(
        self, row: HookRow, place: Place, give_up_ms: float, chance: Callable[[], float]
    ) -> None:
        self.row = row
        self.place = place
        self.phase = Phase.IDLE
        self._give_up_ms = give_up_ms
        self._chance = chance
        self._serial = 0
        self._upto = 0

    @property
    def reader(self) -> str:
        """The name of this hook among all readers."""
        return f"hook/{self.row.name}"

    @property
    def is_active(self) -> bool:
        """Whether events are posted to it."""
        return self.row.state == "active"

    @property
    def serial(self) -> int:
        """The number of the post under way, or of the wait after it."""
        return self._serial

    def go_on(self, head: int) -> list[object]:
        """Return what must be done now that events up to `head` are durable."""
        if not self.is_active or self.phase is not Phase.IDLE or self.place.position >= head:
            return []
        self.phase = Phase.READING
        # One event alone after a failure: a receiver that is merely slow may manage that.
        limit = 1 if self.place.failures else EVENTS_PAGE_MAX
        return [Read(self.reader, self.place.position, head, limit, self.row.kinds)]

    def found(self, event: Found, serial: int, missed: bool) -> list[object]:
        """Post what was read as `serial`; what is of no kind of this hook's is passed over."""
        if self.phase is not Phase.READING or not self.is_active:
            return []
        if not event.items:
            self.phase = Phase.IDLE
            self.place.position = event.upto
            return []
        self.phase = Phase.POSTING
        self._serial, self._upto = serial, event.upto
        row = self.row
        return [PostItems(serial, row.name, row.url, row.secret, event.items, missed)]

    def posted(self, event: Posted, now_wall_ms: int) -> list[object]:
        """Move on after an answer of success; wait, or give up, after anything else."""
        if self.phase is not Phase.POSTING or event.serial != self._serial:
            return []
        if 200 <= event.status < 300:
            self.phase = Phase.IDLE
            self.place = Place(self._upto)
            return [KeepPlace(self.reader, self.place)]
        place = self.place
        since = place.failing_since_wall_ms or now_wall_ms
        error = (event.reason or f"status {event.status}")[:HOOK_REASON_CHARS_MAX]
        self.place = place = Place(place.position, since, place.failures + 1, error)
        if event.status == GONE or now_wall_ms - since > self._give_up_ms:
            self.set_state("dead")
            return [KeepHook(self.row, place)]
        self.phase = Phase.WAITING
        return [KeepPlace(self.reader, place), Later(self._wait_s(), self._due())]

    def due(self, event: HookDue) -> bool:
        """Say whether it is to be tried again now."""
        is_due = self.phase is Phase.WAITING and event.serial == self._serial
        if is_due:
            self.phase = Phase.IDLE
        return is_due

    def set_state(self, state: str) -> None:
        """Pause it, or begin anew with what it has not got; forgets failures when it begins."""
        row = self.row
        self.row = HookRow(row.name, row.url, row.secret, row.kinds, state, row.created_at_wall_ms)
        self.phase = Phase.IDLE
        self._serial = 0
        if state == "active":
            self.place = Place(self.place.position)

    def shown(self, head: int) -> dict[str, object]:
        """Return what an operator is shown; never the secret."""
        row, place = self.row, self.place
        return {
            "name": row.name,
            "url": row.url,
            "kinds": row.kinds,
            "state": row.state,
            "created": row.created_at_wall_ms,
            "position": place.position,
            "head": head,
            "failures": place.failures,
            "error": place.error,
        }

    def _due(self) -> HookDue:
        return HookDue(self.row.name, self._serial)

    def _wait_s(self) -> float:
        failures = self.place.failures
        if failures >= HOOK_BREAK_AFTER:
            return HOOK_BREAK_S * (1.0 + self._chance())
        most = HOOK_BACKOFF_BASE_S * 2.0 ** min(failures - 1, _DOUBLINGS_MAX)
        return self._chance() * min(most, HOOK_BACKOFF_CAP_S)


def why_bad_url(url: str) -> str:
    """Say what is wrong with the URL of a hook; empty if nothing is."""
    if not (url.isascii() and url.isprintable()) or " " in url:
        return "a URL is printable ASCII without spaces"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "this is no URL"
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        return "a URL begins with http:// or https:// and a host"
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "a URL has neither a user nor a fragment; the signature says who posts"
    return ""
