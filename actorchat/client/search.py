"""Knows how an application searches. Must not know how anything is found."""

from __future__ import annotations

from msgspec import Struct

from actorchat.client import event
from actorchat.client.message import Entry, entry_of
from actorchat.client.people import read
from actorchat.protocol import ops
from actorchat.protocol.ops import Record


class Hit(Struct, frozen=True):
    """A message that was found, in the conversation with `conv`."""

    conv: str
    entry: Entry


class HitAnswer(Struct):
    """A hit as the server says it."""

    conv: str
    record: Record


class SearchAnswer(Struct):
    """The server's answer to `search`."""

    hits: list[HitAnswer]
    partial: bool = False


class SearchCalls:
    """What `Chat` can find."""

    async def _ask(self, request: event.Request) -> dict[str, object]:
        raise NotImplementedError

    async def search(
        self, text: str, *, conv: str | None = None, before: int | None = None, limit: int = 20
    ) -> list[Hit]:
        """Return the newest messages that have all words of `text`, the last perhaps only begun.

        Args:
            conv: Only of this user's or group's; else of all that the user is in.
            before: Only what is older than this time (ms): the `ts` of the last hit goes on.
        Raises:
            Refusal: `unsupported`: the server has no search. InvalidOp: no server would take it.
        """
        answer = await self._ask(ops.Search(0, text, conv, before, limit))
        return [_hit(one) for one in read(answer, SearchAnswer).hits]


def _hit(one: HitAnswer) -> Hit:
    return Hit(one.conv, entry_of(one.record))
