"""Knows how an application changes what was said, and passes it on.
Must not know how questions are asked.
"""

from __future__ import annotations

from msgspec import convert

from actorchat.client import event
from actorchat.client.message import Entry, Message, Sent
from actorchat.client.post import check_peer, check_send, new_cid
from actorchat.errors import InvalidOp
from actorchat.limits import FORWARD_HOPS_MAX
from actorchat.protocol import ops


class ActCalls:
    """What `Chat` can do with messages that are there.

    Each may be repeated with its `cid`: it is done once. All raise `Refusal` (`no_such_message`,
    `deleted`, `forbidden`, `too_late`, `too_many`, …) and `InvalidOp` for what no server would
    take.
    """

    async def _ask(self, request: event.Request) -> dict[str, object]:
        raise NotImplementedError

    async def send(
        self, to: str, text: str, *, cid: bytes | None = None, extra: ops.Extra | None = None
    ) -> Sent:
        """Send a message; see `Chat.send`."""
        raise NotImplementedError

    async def edit(self, conv: str, seq: int, text: str, *, cid: bytes | None = None) -> Sent:
        """Have the user's own message `seq` say `text`; return the seq of the edit."""
        check_send(conv, text, cid)
        return convert(await self._ask(ops.Edit(0, conv, cid or new_cid(), seq, text)), Sent)

    async def delete(self, conv: str, *seqs: int, cid: bytes | None = None) -> Sent:
        """Delete messages for everybody; return the seq of the record that says so."""
        check_peer(conv)
        return convert(await self._ask(ops.Delete(0, conv, cid or new_cid(), list(seqs))), Sent)

    async def hide(self, conv: str, *seqs: int) -> None:
        """Delete messages for this user alone: in history, and on devices that lack them yet."""
        check_peer(conv)
        await self._ask(ops.Delete(0, conv, new_cid(), list(seqs), "me"))

    async def react(
        self, conv: str, seq: int, emoji: str, on: bool = True, *, cid: bytes | None = None
    ) -> Sent:
        """Put an emoji at a message, or take it away; return the seq of the record of it."""
        check_peer(conv)
        return convert(await self._ask(ops.React(0, conv, cid or new_cid(), seq, emoji, on)), Sent)

    async def forward(
        self, message: Message | Entry, to: str, *, cid: bytes | None = None, named: bool = False
    ) -> Sent:
        """Pass a message on to user or group `to`; `named` says who wrote it first.

        Raises:
            InvalidOp: There is nothing in it to pass on.
        """
        if message.gone or message.change is not None or message.act is not None:
            raise InvalidOp(f"{message.seq} is no message that can be passed on")
        return await self.send(to, message.text, cid=cid, extra=passed_on(message, named))


def passed_on(message: Message | Entry, named: bool) -> ops.Extra:
    """Return the extra of a message that is passed on: what it is, not whom it was meant for."""
    extra = message.extra or ops.Extra()
    before = extra.fwd
    hops = min(FORWARD_HOPS_MAX, 1 + (0 if before is None else before.hops))
    first = message.sender if before is None else before.sender
    return ops.Extra(
        fwd=ops.Forwarded(hops, first if named else None), kind=extra.kind, files=extra.files
    )
