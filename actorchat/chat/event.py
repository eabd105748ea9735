"""Knows what can happen to a machine: the closed vocabulary of events.
Must not know who performs effects.

Events are also what the actors tell each other. They are `msgspec.Struct(gc=False)`: 0.08 µs to
make against 0.27 for a slotted dataclass and 1.45 for a frozen one. The collector does not see
them, so an event must never be part of a reference cycle: it points at refs and at plain values,
and nothing that it points at points back at it. What clients ask are the ops themselves.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from actorchat.chat.acting import Acting
from actorchat.chat.history import PLAIN, Wanted
from actorchat.errors import Outcome, Retry
from actorchat.protocol.ops import Extra, Reconnect

Pair = tuple[str, str]
Conv = Pair | str  # a direct conversation by its users, or a group by its address


class Address(Protocol):
    """Anything that can be told an event: a ref, or the place of an entity."""

    def tell(self, event: object, /) -> None:
        """Put `event` into the mailbox behind this address; never waits."""
        ...


class Event(msgspec.Struct, gc=False):
    """Base of all events."""


# -- conversation ------------------------------------------------------------------------------
class Prior(msgspec.Struct, gc=False):
    """What is known of a client id that was used before: its seq, time and a hash (None: gone)."""

    seq: int
    ts: int
    digest: int | None


class Post(Event):
    """A member asks for `body` to be appended under its own 16-byte id `cid`.

    `key` (sender tag + client id) and, if the id is in the machine's window, `prior` are noted by
    `Conversation.key_to_look_up`; if it is in the store, `prior` is filled in by the shell.
    `has_company`: the sender may have other devices, which are to get it too. `more`: see there.
    """

    sender: str
    session: Address
    rid: int
    cid: bytes
    body: str
    prior: Prior | None = None
    key: bytes = b""
    has_company: bool = False
    more: Extra | Acting | None = None


class Durable(Event):
    """Every record up to and with `seq` is synced."""

    seq: int


class Reached(Event):
    """`user` has got, or read, everything up to a seq (0: says nothing of it)."""

    user: str
    delivered: int = 0
    read: int = 0


class FannedOut(Event):
    """The home of `user` holds, synced, every delivery of this conversation up to `seq`."""

    user: str
    seq: int


class Missing(Event):
    """The home of `user` holds deliveries up to `have` only and was shown a later one."""

    user: str
    have: int


class Redriven(Event):
    """What was missing has been told again; `seq` is the last of it, 0 when there was nothing."""

    seq: int


class OutOfOrder(Event):
    """The log's last seq of this conversation is `have`, and a record did not follow it."""

    have: int


class ConfirmDue(Event):
    """Time to ask the recipients whether the fan-out that is owed has arrived."""


class Fetch(Event):
    """A member asks for a page of history; seqs in (after, before), newest first cut by `limit`."""

    user: str
    session: Address
    rid: int
    after: int
    before: int | None
    limit: int
    wanted: Wanted = PLAIN


# -- inbox (a user's home) ---------------------------------------------------------------------
class Update(Event):
    """An encoded update for a device; `payload` is opaque here."""

    payload: bytes


class Accepted(Event):
    """A send is durable under `seq`, at `ts` in wall ms; `dup` when it had been before."""

    rid: int
    seq: int
    ts: int
    dup: bool = False


class Refused(Event):
    """A request is refused; the fields are those of the wire's `err`.

    `rid` is None where the request's id could not be read.
    """

    rid: int | None
    code: str
    reason: str
    retry: Retry = "never"
    outcome: Outcome = "none"
    after_ms: int | None = None


class Record(Event):
    """A conversation at home with this user has given out `seq`: store the record.

    `key` names the conversation in the log, `ops` are the record's rows; both are opaque here.
    `deliver` goes to `recipient` once they are synced: to the other user, or to other devices of
    the sender. The user at home is the recipient, or, if it `is_own`, the sender: then it is an
    update only with `has_company`. `ack` goes to `session` once they are synced, and a `Durable`
    back to `conversation` if `wants_durable`.
    """

    pair: Conv
    key: bytes
    conversation: Address
    seq: int
    record: bytes
    ops: tuple[tuple[object, bytes, bytes | None], ...]
    session: Address
    ack: Accepted
    recipient: Address | None = None
    deliver: Deliver | None = None
    wants_durable: bool = False
    is_own: bool = False
    has_company: bool = False


class Deliver(Event):
    """A record that is durable in its conversation, for a user whose home is elsewhere.

    `prev` is the seq of the delivery before this one to the same user, or 0 when all before are
    known to have arrived: it turns a lost delivery into a gap that the recipient sees. `value` is
    the inbox row's value, where it was made once for all members of a group. `is_own`: the user
    wrote it to another user, on another device, or, if it `is_again` told after a crash, on any.
    """

    pair: Conv
    key: bytes
    conversation: Address
    seq: int
    prev: int
    record: bytes
    is_own: bool = False
    is_again: bool = False
    value: bytes = b""


class Repeat(Event):
    """A message was sent again that was given out as `seq`: tell `session` once that is synced.

    The first copy may have died with an earlier actor of this home; then it must not be acked.
    """

    pair: Conv
    key: bytes
    conversation: Address
    seq: int
    session: Address
    ack: Accepted


class Join(Event):
    """A conversation is about to be built from the log, and asks when it may be read.

    Records that it told before it crashed, or had to forget, may still be on their way. Built
    without them, it would give out again what it has given out.
    """

    conversation: Address


class Joined(Event):
    """Every record of this conversation that was on its way is appended, or refused for good."""


class Relay(Event):
    """Tell `event` to `to` once everything before it in this mailbox is synced."""

    to: Address
    event: Event


class Confirm(Event):
    """A conversation asks whether its deliveries up to `seq` have arrived."""

    pair: Conv
    key: bytes
    conversation: Address
    seq: int


class Stored(Event):
    """Every update up to `upd` is synced; `payload` is the encoded update `upd`, if any."""

    upd: int
    pair: Conv | None = None
    seq: int = 0
    payload: bytes = b""


class Row(msgspec.Struct, gc=False):
    """One row of an inbox, read back; `payload` is the encoded update."""

    upd: int
    pair: Conv
    seq: int
    payload: bytes


class Rows(Event):
    """A page of an inbox that was asked for `device`: dense, ascending.

    `is_cut` where it became too long in bytes before it had all that was asked for.
    """

    device: str
    rows: list[Row]
    is_cut: bool = False


class Unmarked(Event):
    """Updates that devices have and whose conversations may not know it: the last seq of each."""

    marks: dict[Conv, int]


class Acked(Event):
    """A device says that it holds every update up to `upd`."""

    device: str
    upd: int


class Attach(Event):
    """A signed-in session of `device` is here; `resume` is the last update that it holds.

    `is_kept`: the place of a new device has been synced since this was told first.
    """

    device: str
    session: Address
    resume: int | None = None
    is_kept: bool = False


class Detach(Event):
    """That session is gone."""

    device: str
    session: Address


class Company(Event):
    """A session's user has other devices, or none any more: its sends go to them, or need not."""

    has_company: bool


class Aware(Event):
    """`session` knows of its company: all that it sends from now on reaches the others."""

    session: Address


class CompanyDue(Event):
    """Time to let a new device in, whichever session has not said that it knows of it."""


class MarksDue(Event):
    """Time to tell the conversations what was delivered."""


class Marked(Event):
    """`user`'s marks in the conversation with `conv`, for the devices of the other member."""

    conv: str
    user: str
    delivered: int
    read: int


class DeviceRevoked(Event):
    """`device` may sign in no more; its session ends and its position is forgotten."""

    device: str


# -- session -----------------------------------------------------------------------------------
class SignedIn(Event):
    """The secret was right; `token` is a new one, made for a sign-in by password."""

    user: str
    device: str
    token: str | None = None
    lifetime: tuple[int, int] | None = None  # of the token: what is left, and all of it, in ms


class SignedInOperator(Event):
    """The operator's key was right."""


class SignInRefused(Event):
    """The secret was wrong, or can't be checked now."""

    code: str
    reason: str
    retry: Retry = "never"
    after_ms: int | None = None


class Attached(Event):
    """The user's home knows this session now: `head` is its last update, `cursor` this device's."""

    head: int
    cursor: int
    has_company: bool = False
    is_too_old: bool = False  # what the device lacked first is gone from the log


class Answer(Event):
    """The answer to a request, as fields of its `ok`."""

    rid: int
    ok: dict[str, object]


class Page(Event):
    """A page of history; `records` are encoded and opaque, ascending by seq."""

    rid: int
    records: list[bytes]
    head: int
    more: bool
    marks: dict[str, dict[str, int]]
    place: tuple[int, int | None] = (1, None)  # the first seq there is, where to go on


class Ended(Event):
    """This session must end: `code` as in the wire's `bye`."""

    code: str
    reconnect: Reconnect


class HomeLost(Event):
    """The actor of the user's home has stopped; it is started again at the next event."""


class Disconnected(Event):
    """The connection is closed."""

    reason: str
