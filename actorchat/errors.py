"""Knows every error that this library raises or says on the wire. Must not know any package.

    ActorchatError
    ├── ProtocolError             the peer's fault: answer with the code, close if framing is lost
    │   ├── FrameTooBig           too_large
    │   ├── MalformedFrame        bad_frame
    │   ├── UnknownOp             unknown_op
    │   ├── InvalidOp             bad_request
    │   ├── VersionMismatch       version
    │   └── AuthFailed            unauthenticated
    │       └── TokenExpired      token_expired
    ├── Unavailable               the world's fault: back off, shed, count it
    │   ├── StoreFull             store_full
    │   ├── StoreBusy             store_busy
    │   ├── StoreClosed           store_closed
    │   ├── MailboxFull           busy
    │   ├── StashFull             busy
    │   ├── Overloaded            busy
    │   ├── CallTimeout           timeout
    │   ├── ConnectionLost        connection_lost
    │   ├── SlotClosed            moved
    │   ├── LinkFull              busy
    │   ├── StaleEpoch            moved
    │   └── ActorDead             gone
    ├── Refusal                   a refusal by the rules, as a client sees it (`err` of a reply)
    ├── SessionEnded              a client's session is over for good: closed, or ended there
    │   ├── TakenOver             takeover
    │   └── Revoked               revoked
    ├── NameTaken                 a local name is registered for another actor
    ├── NoMessage                 no message is being handled that could be put aside or deferred
    ├── NoEventLoop               an actor off the event loop can't have tasks of it
    ├── CallCycle                 an awaited call waits for itself, over a chain of actors
    ├── Unsendable                a message that can't cross to another node
    ├── RemoteError               an error of another node that has no class here
    ├── SettingsError             a configuration that can't be used
    └── Fatal                     ours: the node must stop acking and exit
        ├── StoreCorrupt          exit status 78
        ├── StoreTooNew           exit status 78
        └── StoreIO               exit status 74

Each class carries the wire `code`, what the peer should do (`retry`) and what is known of the
effect (`outcome`), so that an answer can be made from any of them.
"""

from __future__ import annotations

from typing import ClassVar, Literal

Retry = Literal["never", "now", "after", "reconnect", "elsewhere"]
Outcome = Literal["none", "done", "unknown"]

BUSY = "too much at once; try again a little later"  # what clients are told of a full mailbox


class ActorchatError(Exception):
    """Base of all errors raised by this library."""

    code: ClassVar[str] = "internal"
    retry: ClassVar[Retry] = "never"
    outcome: ClassVar[Outcome] = "none"


class ProtocolError(ActorchatError):
    """The peer broke the protocol."""

    code = "bad_request"


class FrameTooBig(ProtocolError):
    """A frame is longer than the limit in force; framing is lost, the connection ends."""

    code = "too_large"


class MalformedFrame(ProtocolError):
    """A frame is not one well-formed, strict CBOR item; the connection ends."""

    code = "bad_frame"


class UnknownOp(ProtocolError):
    """The op's name is not in the table; the connection goes on."""

    code = "unknown_op"


class InvalidOp(ProtocolError):
    """A field of a known op is missing, of the wrong type, or out of bounds."""

    code = "bad_request"


class VersionMismatch(ProtocolError):
    """The peer speaks a protocol version that this side does not."""

    code = "version"


class AuthFailed(ProtocolError):
    """Wrong secret or unknown user; which of the two is never said."""

    code = "unauthenticated"


class TokenExpired(AuthFailed):
    """The device's token was right, but is too old; sign in by password, or as at first."""

    code = "token_expired"


class Unavailable(ActorchatError):
    """Something outside this code's control is full, busy, late or gone."""

    code = "unavailable"
    retry: ClassVar[Retry] = "after"


class StoreFull(Unavailable):
    """No space left on the store's disk; nothing was written; reads go on."""

    code = "store_full"


class StoreBusy(Unavailable):
    """Another process has the store open, or the engine asks to try again."""

    code = "store_busy"


class StoreClosed(Unavailable):
    """The store was closed."""

    code = "store_closed"


class MailboxFull(Unavailable):
    """A bounded mailbox refused a message; it was not queued."""

    code = "busy"


class StashFull(Unavailable):
    """An actor has as many messages put aside as it may; this one was not."""

    code = "busy"


class Overloaded(Unavailable):
    """A bounded queue is full; nothing was done."""

    code = "busy"


class CallTimeout(Unavailable):
    """A call was not answered in time; its effect is unknown."""

    code = "timeout"
    outcome = "unknown"


class ConnectionLost(Unavailable):
    """The connection went while a request was under way that must not be repeated unasked."""

    code = "connection_lost"
    outcome = "unknown"


class SlotClosed(Unavailable):
    """What is to be written belongs to a part that is on its way to another node."""

    code = "moved"


class LinkFull(Unavailable):
    """As many bytes wait for another node as may; the message was not queued."""

    code = "busy"


class StaleEpoch(Unavailable):
    """The sender went by an older table than the receiver; the message was not handled."""

    code = "moved"
    retry = "elsewhere"


class ActorDead(Unavailable):
    """The actor is not running; `reason` says how it ended where that is known."""

    code = "gone"
    outcome = "unknown"

    def __init__(self, text: str = "", reason: object = None) -> None:
        super().__init__(text)
        self.reason = reason


class Refusal(ActorchatError):
    """A server's refusal as the client sees it; carries the fields of the wire's `err`."""

    def __init__(
        self,
        code: str,
        reason: str,
        retry: Retry = "never",
        outcome: Outcome = "none",
        after_ms: int | None = None,
    ) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code  # type: ignore[misc]
        self.reason = reason
        self.retry = retry  # type: ignore[misc]
        self.outcome = outcome  # type: ignore[misc]
        self.after_ms = after_ms


class SessionEnded(ActorchatError):
    """A client's session is over and won't be taken up again; `code` says why.

    A send that fails with it may have been stored: repeat it with the same `cid`.
    """

    outcome = "unknown"

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code  # type: ignore[misc]


class TakenOver(SessionEnded):
    """The same device signed in elsewhere; the newer session wins."""


class Revoked(SessionEnded):
    """The device's token was revoked."""


class NameTaken(ActorchatError):
    """A local name is already registered for another live actor."""

    code = "name_taken"


class NoMessage(ActorchatError):
    """No message is being handled that could be put aside, or whose answer could be put off."""

    code = "no_message"


class NoEventLoop(ActorchatError):
    """An actor that does not run on an event loop can't have tasks there."""

    code = "no_event_loop"


class CallCycle(ActorchatError):
    """An awaited call would wait for itself; `chain` names the actors, the first again at the end.

    The message lies in the mailbox and will be handled; its answer is dropped.
    """

    code = "call_cycle"
    outcome = "unknown"

    def __init__(self, text: str, chain: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.chain = chain


class Unsendable(ActorchatError):
    """A message is of no type that crosses to other nodes, or too long; it was not sent."""

    code = "unsendable"


class RemoteError(ActorchatError):
    """An error of another node, as text: `kind` is the name of its class there."""

    code = "remote"
    outcome = "unknown"

    def __init__(self, text: str, kind: str = "RemoteError") -> None:
        super().__init__(text)
        self.kind = kind


class SettingsError(ActorchatError):
    """A setting is unknown, of the wrong type, or out of bounds; `problems` names each."""

    code = "settings"

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Fatal(ActorchatError):
    """The node can't keep its promise any more: stop acking, say why, exit with `exit_status`."""

    exit_status: ClassVar[int] = 70
    retry = "reconnect"
    outcome = "unknown"


class StoreCorrupt(Fatal):
    """A checksum or a file of the store is wrong; `path` names the file where it is known.

    Exit status 78 (EX_CONFIG of sysexits.h), so that a supervisor does not restart in a loop.
    """

    code = "store_corrupt"
    exit_status = 78

    def __init__(self, text: str, path: str | None = None) -> None:
        super().__init__(text)
        self.path = path


class StoreTooNew(Fatal):
    """The store was written by a newer version; nothing in it was touched.

    Exit status 78 for the same reason as `StoreCorrupt`.
    """

    code = "store_too_new"
    exit_status = 78

    def __init__(self, found: int, known: int) -> None:
        super().__init__(f"the store has layout version {found}, this program knows up to {known}")
        self.found = found
        self.known = known


class StoreIO(Fatal):
    """Any I/O error of the store but a full disk, a failed sync above all.

    After a failed fsync the kernel may have dropped the dirty pages (Rebello et al., "Can
    Applications Recover from fsync Failures?", USENIX ATC 2020), so only a restart is honest.
    """

    code = "store_io"
    exit_status = 74
