"""Knows who may bring and fetch which files, and what counts against whose quota.
Must not know bytes, disks or HTTP.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from actorchat import limits
from actorchat.chat.account import Device, token_fits
from actorchat.chat.event import Address, Answer, Refused
from actorchat.protocol.ops.file import Download, Upload

NO_FILE = "there is no file with this hash"
NO_TICKET = "no such ticket: it was used, it is too old, or it is for something else"
NOT_SIGNED_IN = "a ticket, or user, device and token are needed"
BUSY = "too many tickets are out; use some, or come back later"
_SPENT_MAX = 1_024  # tickets that were used and are still queued to grow old


class FilePolicy(msgspec.Struct, frozen=True):
    """What the node grants; `base` is where HTTP is to be had, empty if nowhere."""

    file_bytes_max: int = limits.FILE_BYTES_MAX
    quota_bytes: int = limits.FILE_QUOTA_BYTES
    ticket_s: float = limits.FILE_TICKET_S
    tickets_max: int = limits.FILE_TICKETS_MAX
    tickets_user_max: int = limits.FILE_TICKETS_USER_MAX


class FileFacts(msgspec.Struct, frozen=True):
    """What the store knows of a file: size in bytes, media type, when it came (wall ms)."""

    size: int
    type: str
    at_wall_ms: int


class Usage(msgspec.Struct, frozen=True):
    """What counts against a user's quota."""

    size: int = 0
    files: int = 0


class Pass(msgspec.Struct, gc=False):
    """What a ticket is good for; `reserved` counts against the quota while it is."""

    user: str
    device: str
    sha256: bytes
    size: int
    type: str
    expires_at_wall_ms: int
    is_upload: bool
    reserved: int = 0


class Asked(msgspec.Struct, gc=False):
    """A session asks for `op`; the shell fills in what the answer needs.

    `ticket` is new and unguessable, `base` where HTTP is to be had; `own` what the store has of the
    file as this user's, `known` as anybody's, `usage` what counts against the user.
    """

    session: Address
    user: str
    device: str
    op: Upload | Download
    ticket: str = ""
    base: str = ""
    own: FileFacts | None = None
    known: FileFacts | None = None
    usage: Usage = Usage()
    is_gone: bool = False  # the user's account has ended


class Claimed(msgspec.Struct, gc=False):
    """Somebody comes over HTTP for the file `sha256`, by a ticket or as user, device and token.

    The shell fills in `right`, the device if it may sign in, and `facts`, those of the file as this
    user's, or else as anybody's.
    """

    reply: Address
    sha256: bytes
    is_upload: bool
    ticket: str = ""
    user: str = ""
    device: str = ""
    token: str = ""
    right: Device | None = None
    facts: FileFacts | None = None


class Arrived(msgspec.Struct, gc=False):
    """The file of `pass_` is whole and on disk; own, known, usage, is_gone as in `Asked`."""

    reply: Address
    pass_: Pass
    own: FileFacts | None = None
    known: FileFacts | None = None
    usage: Usage = Usage()
    is_gone: bool = False


class Abandoned(msgspec.Struct, gc=False):
    """The file of `pass_` did not come."""

    pass_: Pass


class Tell(msgspec.Struct, gc=False):
    """Effect: tell `to` the `event`, an answer or a refusal."""

    to: Address
    event: object


class Admit(msgspec.Struct, gc=False):
    """What is told to who claimed: come in, with this pass."""

    pass_: Pass


class KeepFile(msgspec.Struct, gc=False):
    """Effect: keep that the file is the user's, and when synced tell `to` the `answer`.

    `is_new` says that the store has nothing of the file yet.
    """

    to: Address
    user: str
    sha256: bytes
    facts: FileFacts
    usage: Usage
    is_new: bool
    answer: Answer


class FileDesk:
    """Gives out tickets and takes them back; what was granted and not yet stored is held here.

    Tickets are in memory alone: after a restart clients ask for new ones. Each is good once, for
    one file, one way, and one device.
    """

    __slots__ = ("_by_age", "_count", "_passes", "_policy", "_reserved")

    def __init__(self, policy: FilePolicy) -> None:
        self._policy = policy
        self._passes: dict[str, Pass] = {}
        self._by_age: deque[tuple[int, str]] = deque()
        self._count: dict[str, int] = {}  # tickets, by user
        self._reserved: dict[str, int] = {}  # bytes of tickets and of transfers, by user

    def handle(
        self, event: Asked | Claimed | Arrived | Abandoned, now_wall_ms: int
    ) -> list[object]:
        """Take `event` in; return what must be done, in this order."""
        self._expire(now_wall_ms)
        return self._HANDLERS[type(event)](self, event, now_wall_ms)

    @property
    def tickets(self) -> int:
        """Say how many tickets are good now."""
        return len(self._passes)

    def reserved(self, user: str) -> int:
        """Say how many bytes of the user are on their way, or may come."""
        return self._reserved.get(user, 0)

    # -- sessions ----------------------------------------------------------------------------------
    def _on_asked(self, event: Asked, now_wall_ms: int) -> list[object]:
        op, user, policy = event.op, event.user, self._policy
        if event.is_gone:
            return _refuse(event, "unauthenticated", NOT_SIGNED_IN)
        if not event.base:
            return _refuse(event, "unsupported", "this node has no HTTP gateway")
        is_crowded = self._count.get(user, 0) >= policy.tickets_user_max
        if is_crowded or len(self._passes) >= policy.tickets_max:
            return _refuse(event, "busy", BUSY, 1_000)
        expires_at = now_wall_ms + int(policy.ticket_s * 1000)
        grant: dict[str, object] = {
            "base": event.base,
            "path": f"/v1/files/{op.sha256.hex()}",
            "ticket": event.ticket,
            "expires": expires_at,
        }
        facts = event.own or event.known
        if isinstance(op, Download):
            if facts is None:
                return _refuse(event, "no_such_file", NO_FILE)
            self._issue(event, expires_at, facts.size, facts.type, 0)
            grant |= {"size": facts.size, "type": facts.type}
            return [Tell(event.session, Answer(op.id, grant))]
        refusal = self._why_not(op.size, event)
        if refusal is not None:
            return refusal
        self._issue(event, expires_at, op.size, op.type, 0 if facts is not None else op.size)
        grant["stored"] = facts is not None
        answer = Answer(op.id, grant)
        if event.own is not None or event.known is None:
            return [Tell(event.session, answer)]
        mine = FileFacts(op.size, op.type, now_wall_ms)
        return [
            KeepFile(
                event.session, user, op.sha256, mine, _more(event.usage, op.size), False, answer
            )
        ]

    def _why_not(self, size: int, event: Asked) -> list[object] | None:
        policy = self._policy
        if size > policy.file_bytes_max:
            reason = f"a file has at most {policy.file_bytes_max} bytes"
            return _refuse(event, "too_large", reason)
        facts = event.own or event.known
        if facts is not None and facts.size != size:
            return _refuse(event, "size_mismatch", "the file with this hash has another size")
        taken = event.usage.size + self.reserved(event.user)
        if event.own is None and taken + size > policy.quota_bytes:
            reason = f"a user's files have at most {policy.quota_bytes} bytes together"
            return _refuse(event, "quota_exceeded", reason)
        return None

    def _issue(self, event: Asked, expires_at: int, size: int, type: str, reserved: int) -> None:
        op, user = event.op, event.user
        is_upload = isinstance(op, Upload)
        granted = Pass(user, event.device, op.sha256, size, type, expires_at, is_upload, reserved)
        if len(self._by_age) > 2 * len(self._passes) + _SPENT_MAX:
            self._by_age = deque(entry for entry in self._by_age if entry[1] in self._passes)
        self._passes[event.ticket] = granted
        self._by_age.append((expires_at, event.ticket))
        self._count[user] = self._count.get(user, 0) + 1
        self._hold(user, reserved)

    # -- HTTP --------------------------------------------------------------------------------------
    def _on_claimed(self, event: Claimed, now_wall_ms: int) -> list[object]:
        if event.ticket:
            found = self._passes.get(event.ticket)
            fits = (
                found is not None
                and found.sha256 == event.sha256
                and found.is_upload == event.is_upload
                and event.right is not None
            )
            if found is None or not fits:
                return [Tell(event.reply, Refused(0, "unauthenticated", NO_TICKET))]
            self._take_back(event.ticket)
            return [Tell(event.reply, Admit(found))]
        if event.is_upload or not token_fits(event.right, event.token):
            return [Tell(event.reply, Refused(0, "unauthenticated", NOT_SIGNED_IN))]
        facts = event.facts
        if facts is None:
            return [Tell(event.reply, Refused(0, "no_such_file", NO_FILE))]
        found = Pass(
            event.user, event.device, event.sha256, facts.size, facts.type, now_wall_ms, False
        )
        return [Tell(event.reply, Admit(found))]

    def device_of(self, ticket: str) -> tuple[str, str] | None:
        """Return the user and device that a ticket was given to; None if it is not good."""
        found = self._passes.get(ticket)
        return None if found is None else (found.user, found.device)

    def _on_arrived(self, event: Arrived, now_wall_ms: int) -> list[object]:
        found = event.pass_
        self._release(found)
        if event.is_gone:  # what came with it is on disk, and nobody's
            return [Tell(event.reply, Refused(0, "unauthenticated", NOT_SIGNED_IN))]
        answer = Answer(0, {"size": found.size, "type": found.type})
        mine = FileFacts(found.size, found.type, now_wall_ms)
        usage = event.usage if event.own is not None else _more(event.usage, found.size)
        if event.own is None and usage.size > self._policy.quota_bytes:
            refused = Refused(0, "quota_exceeded", "the quota was used up meanwhile")
            return [Tell(event.reply, refused)]
        is_new = event.known is None
        return [KeepFile(event.reply, found.user, found.sha256, mine, usage, is_new, answer)]

    def _on_abandoned(self, event: Abandoned, now_wall_ms: int) -> list[object]:
        self._release(event.pass_)
        return []

    # -- what is held ------------------------------------------------------------------------------
    def _expire(self, now_wall_ms: int) -> None:
        by_age = self._by_age
        while by_age and by_age[0][0] <= now_wall_ms:
            _, ticket = by_age.popleft()
            if ticket in self._passes:
                self._release(self._take_back(ticket))

    def _take_back(self, ticket: str) -> Pass:
        """Make a ticket void; what it reserves stays reserved."""
        found = self._passes.pop(ticket)
        left = self._count[found.user] - 1
        if left:
            self._count[found.user] = left
        else:
            del self._count[found.user]
        return found

    def _release(self, found: Pass) -> None:
        reserved, found.reserved = found.reserved, 0
        self._hold(found.user, -reserved)

    def _hold(self, user: str, size: int) -> None:
        held = self._reserved.get(user, 0) + size
        if held > 0:
            self._reserved[user] = held
        else:
            self._reserved.pop(user, None)

    _HANDLERS: dict[type, Callable[[Any, Any, int], list[object]]] = {
        Asked: _on_asked,
        Claimed: _on_claimed,
        Arrived: _on_arrived,
        Abandoned: _on_abandoned,
    }


def _more(usage: Usage, size: int) -> Usage:
    return Usage(usage.size + size, usage.files + 1)


def _refuse(event: Asked, code: str, reason: str, after_ms: int | None = None) -> list[object]:
    if after_ms is None:
        return [Tell(event.session, Refused(event.op.id, code, reason))]
    return [Tell(event.session, Refused(event.op.id, code, reason, "after", "none", after_ms))]
