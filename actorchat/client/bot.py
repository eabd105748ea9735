"""Knows what bots read of all that is stored, and what an operator does with bots and hooks.
Must not know how questions are asked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal, cast

from msgspec import Struct, field

from actorchat.client import event
from actorchat.client.message import Sent
from actorchat.client.people import read
from actorchat.client.post import new_cid
from actorchat.errors import InvalidOp
from actorchat.limits import EVENTS_PAGE_MAX, EVENTS_WAIT_MS_MAX
from actorchat.protocol import ops
from actorchat.protocol.ops.firehose import EventKind, HookDeed

EVERY_KIND: tuple[EventKind, ...] = ("message", "change", "act")
HookState = Literal["active", "paused", "dead"]


class StoredEvent(Struct, frozen=True):
    """Something that was stored on the node: `id` is its position among all.

    A direct message has `to`, what is in a group has `conv`; a change of a group has `change`, as
    the wire says it. `extra`, `act` and what follows are as in `ops.Record`, at the time when it
    was read. `ts` in ms since 1970.
    """

    id: int
    kind: str
    sender: str = field(name="from")
    seq: int
    ts: int
    cid: bytes
    text: str = field(name="body")
    to: str | None = None
    conv: str | None = None
    change: dict[str, Any] | None = None
    extra: ops.Extra | None = None
    act: ops.AnyAct | None = None
    edited: int | None = None
    gone: bool = False
    reactions: dict[str, list[str]] = {}


class EventPage(Struct, frozen=True):
    """Events in order: go on after `position`; `missed` where some before were too old."""

    events: list[StoredEvent]
    position: int
    head: int
    missed: bool = False


class HookInfo(Struct, frozen=True):
    """A hook as the operator sees it: `head - position` positions are still to be posted."""

    name: str
    url: str
    kinds: list[str]
    state: HookState
    created: int
    position: int
    head: int
    failures: int
    error: str


class HooksAnswer(Struct):
    """The server's answer to `hooks`."""

    hooks: list[HookInfo]


class TrialAnswer(Struct):
    """The server's answer to a test: the status of the receiver's answer, 0 for none, and why."""

    status: int
    reason: str


class BotCalls:
    """What `Chat` can do with events, and, for operators, with bots and hooks.

    All raise `Refusal`, and `InvalidOp` for what no server would take.
    """

    async def _ask(self, request: event.Request) -> dict[str, object]:
        raise NotImplementedError

    async def events(
        self, after: int | None = None, *, limit: int = EVENTS_PAGE_MAX, wait_s: float = 0.0
    ) -> EventPage:
        """Return what was stored behind position `after`, which tells that all before is safe.

        None is from where the server knows this bot to be. `wait_s`, at most 5, is how long to wait
        for the first. At least once: what was not told safe comes again.

        Raises:
            Refusal: `forbidden`: this user was granted none.
        """
        wait_ms = min(round(wait_s * 1000), EVENTS_WAIT_MS_MAX)
        return read(await self._ask(ops.Events(0, after, limit, wait_ms)), EventPage)

    async def follow_events(self, after: int | None = None) -> AsyncIterator[StoredEvent]:
        """Iterate over what is stored, for ever; an event is told safe when the next page is due.

        Raises:
            Refusal, InvalidOp, SessionEnded: as `events`.
        """
        while True:
            page = await self.events(after, wait_s=EVENTS_WAIT_MS_MAX / 1000)
            for one in page.events:
                yield one
            after = page.position

    async def make_bot(
        self,
        user: str,
        device: str,
        events: Sequence[EventKind] = (),
        *,
        moderates: bool = False,
    ) -> str:
        """Make a bot, or grant it other things; return a new token of `device`; for operators.

        Args:
            events: What it may read of everybody's.
            moderates: It may delete messages of others, in any conversation (`moderate`).
        """
        answer = await self._ask(ops.Bot(0, user, device, list(events), moderates))
        token = answer.get("token")
        if not isinstance(token, str):
            raise InvalidOp("the server's answer makes no sense: no token")
        return token

    async def moderate(
        self, conv: str, *seqs: int, of: str | None = None, cid: bytes | None = None
    ) -> Sent:
        """Delete messages of others for everybody, as a bot that was granted to moderate.

        Args:
            conv: A group; or a user, where `of` is the other user of their conversation.
            cid: As of `send`: repeating it is safe.
        Raises:
            Refusal: `forbidden`: this user was not granted it; else as `Chat.delete`.
            InvalidOp: `of` with a group, or a user without it.
        """
        try:
            asked = ops.Delete(0, conv, cid or new_cid(), list(seqs), "moderate", of)
        except ValueError as error:
            raise InvalidOp(str(error)) from None
        return read(await self._ask(asked), Sent)

    async def add_hook(
        self, name: str, url: str, secret: str, kinds: Sequence[EventKind] = EVERY_KIND
    ) -> None:
        """Have events of `kinds` posted to `url`, signed with `secret`; for operators."""
        if not (url and secret and kinds):
            raise InvalidOp("a hook has a URL, a secret and kinds of events")
        await self._ask(ops.Hook(0, name, "add", url, secret, list(kinds)))

    async def change_hook(self, name: str, deed: Literal["remove", "pause", "resume"]) -> None:
        """Remove a hook, pause it, or have it go on where it was; for operators."""
        await self._ask(ops.Hook(0, name, cast(HookDeed, deed)))

    async def test_hook(self, name: str) -> tuple[int, str]:
        """Have a test posted; return the answer's status, 0 for none, and why; for operators."""
        answer = read(await self._ask(ops.Hook(0, name, "test")), TrialAnswer)
        return answer.status, answer.reason

    async def hooks(self) -> list[HookInfo]:
        """Return all hooks, by name; for operators."""
        return read(await self._ask(ops.Hooks(0)), HooksAnswer).hooks
