"""Knows what a machine can want done: the closed vocabulary of effects.
Must not know who performs them.

Events that are only passed on (`Accepted`, `Update`, …) stand for themselves as effects, and so do
the ops that a session lets through (`Send`, `Ack`, …).
"""

from __future__ import annotations

import msgspec

from actorchat.chat.event import Address, Conv, Deliver, Event, Marked, Post, Record, Refused
from actorchat.chat.history import PLAIN, Wanted
from actorchat.protocol.ops import Reconnect


class Effect(msgspec.Struct, gc=False):
    """Base of all effects."""


# -- conversation ------------------------------------------------------------------------------
class Store(Effect):
    """Store `post` under `seq`, in one batch with its id, through the home of the pair.

    `key` is the sender tag + client id; `prev` as in `Deliver`; `is_away` when the home of the
    recipient, or of the sender's other devices, is elsewhere; `owes` when the fan-out marker must
    be put at this seq in the same batch.
    """

    seq: int
    ts: int
    post: Post
    key: bytes
    is_away: bool
    prev: int
    owes: bool
    wants_durable: bool


class AnswerAgain(Effect):
    """Answer a resend with what the first one got, once that is durable."""

    session: Address
    rid: int
    seq: int
    ts: int


class Refuse(Effect):
    """Tell a session that its request is refused."""

    session: Address
    refused: Refused


class MoveMarker(Effect):
    """Put the fan-out marker at `seq`; None: delete it."""

    seq: int | None


class AskFanOut(Effect):
    """Ask the home of `user` for a `FannedOut` up to `seq`, behind all deliveries before it."""

    user: str
    seq: int


class Redrive(Effect):
    """Deliver to `user` again all after `after`; `prev` starts the chain. Then comes `Redriven`.

    It comes before any other event: until then the next delivery would have no `prev`.
    """

    user: str
    after: int
    prev: int


class SaveMarks(Effect):
    """Keep `user`'s marks; a hint, need not be synced."""

    user: str
    delivered: int
    read: int


class TellMarks(Effect):
    """Show `user`'s new marks to the other member `to`."""

    to: str
    marked: Marked


class ReadPage(Effect):
    """Show `user` the records in (after, before), at most `limit`, the newest if `newest`.

    `hidden` are spans of seqs that are not shown, (first, last), last 0 where it goes on.
    """

    session: Address
    rid: int
    after: int
    before: int
    limit: int
    newest: bool
    user: str = ""
    hidden: tuple[tuple[int, int], ...] = ()
    wanted: Wanted = PLAIN


class StartTimer(Effect):
    """Feed `event` back after `delay_s`."""

    delay_s: float
    event: Event


class Restart(Effect):
    """This machine's state can't be trusted any more: stop, to be rebuilt from the log."""

    reason: str


# -- inbox -------------------------------------------------------------------------------------
class AppendRecord(Effect):
    """Append `record`'s rows; with `upd` > 0 as update `upd` too.

    The update goes to `session` as soon as it is synced; if `notify`, a `Stored` comes back here.
    """

    record: Record
    upd: int
    session: Address | None
    notify: bool


class AppendUpdate(Effect):
    """Append a delivery from elsewhere as update `upd`; otherwise as `AppendRecord`."""

    deliver: Deliver
    upd: int
    session: Address | None
    notify: bool


class Checkpoint(Effect):
    """Keep what was received of each conversation, and the log's head, with the next append."""

    head: int
    trimmed: int
    received: dict[Conv, int]


class Barrier(Effect):
    """Tell `event` to `to` once all that was appended before is synced."""

    to: Address | None
    event: Event


class ReadRows(Effect):
    """Read the updates `first` to `last` and feed them back as `Rows` for `device`."""

    device: str
    first: int
    last: int


class ReadUnmarked(Effect):
    """Look up which of the updates `first` to `last` lack their mark; feed back `Unmarked`."""

    first: int
    last: int


class Push(Effect):
    """Tell `event` to a session."""

    session: Address
    event: Event


class SaveCursor(Effect):
    """Keep a device's position; a hint: a device that is behind gets again what it has."""

    device: str
    upd: int


class ForgetDevice(Effect):
    """Drop a device's position."""

    device: str


class Trim(Effect):
    """Delete the updates up to and with `upto`, which every device has."""

    after: int
    upto: int


class TellReached(Effect):
    """Tell a conversation what this user's devices have."""

    pair: Conv
    delivered: int


# -- session -----------------------------------------------------------------------------------
class CheckSecret(Effect):
    """Have the secret of a hello checked."""

    user: str
    device: str
    mech: str
    secret: str


class MakeAccount(Effect):
    """Have an account made, and sign in by it."""

    user: str
    device: str
    password: str
    code: str | None


class Admit(Effect):
    """The connection is signed in: lift the limits for strangers."""


class AttachHome(Effect):
    """Make this session known at the home of its user."""

    user: str
    device: str
    resume: int | None


class DetachHome(Effect):
    """Take this session off the home of its user."""

    user: str
    device: str


class ConfirmCompany(Effect):
    """Tell the home of its user that this session knows of the other devices."""


class Welcome(Effect):
    """Answer the hello."""

    rid: int
    user: str
    device: str
    token: str | None
    head: int
    cursor: int
    is_too_old: bool = False
    lifetime: tuple[int, int] | None = None


class Pong(Effect):
    """Answer a ping."""


class Hangup(Effect):
    """Say `bye` with `code` and close the connection; an empty code closes without a word."""

    code: str
    reconnect: Reconnect


class Stop(Effect):
    """The session is over."""
