"""Knows the short way of plain messages through a session, a conversation and a home.
Must not know anything that these do not do on the long way as well, which is `on_receive`.

Where much goes on, many messages of few kinds wait for the same actor. Here they are handled in
one loop, without a call and a look at everything for each; whatever is out of the ordinary is
handed back. Of all Python that a direct message costs, this saves a sixth.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from actorchat.actor import NOTHING, LocalRef
from actorchat.actor.ref import IDLE
from actorchat.chat.event import Accepted, Acked, Deliver, Post, Record, Update
from actorchat.errors import MailboxFull
from actorchat.protocol import ops
from actorchat.protocol.codec import encode_accepted

if TYPE_CHECKING:
    from actorchat.broker.conversation import ConversationActor
    from actorchat.broker.session import SessionActor
    from actorchat.broker.user import UserActor


class SessionRef(LocalRef):
    """The ref of a session: what only goes out passes a session that has nothing to do at once.

    So an ack and an update cost no place in a mailbox and no visit. Nothing overtakes: it is only
    so while the mailbox is empty and no handler runs. It is not counted among what was told.
    """

    __slots__ = ()

    def tell(self, message: Any) -> None:
        """Put `message` into the mailbox, or show it to the client at once; as `LocalRef.tell`.

        Acks and updates are told in the loop's thread, as all of the broker is.
        """
        kind = type(message)
        if (kind is Update or kind is Accepted) and self._state == IDLE:
            session: Any = self._actor
            if (
                session is not None
                and kind in session._machine.passed
                and self._system._tracing is None
            ):
                if kind is Update:
                    session._connection.push(message.payload)
                    return
                if not message.dup:
                    payload = encode_accepted(message.rid, message.seq, message.ts)
                    session._connection.reply(payload)
                    return
        LocalRef.tell(self, message)

    def tell_each(self, messages: list[Any]) -> None:
        """Put all of `messages` into the mailbox, in their order.

        Raises:
            MailboxFull: There is no room for all of them; none was told.
        """
        queue, count = self._queue, len(messages)
        if len(queue) + count > self._limit:
            if self._limit:
                raise MailboxFull(f"{self.label} has no room for {count} messages")
            for message in messages:  # it is dead
                self.tell(message)
            return
        self._system.told += count
        queue += messages
        if self._state == IDLE:
            self._schedule()


def take_ops(session: SessionActor, messages: Iterator[Any]) -> Any:
    """Pass sends on, and show acks and updates; the `take` of a session."""
    passed, connection = session._machine.passed, session._connection
    if Update not in passed:
        return next(messages, NOTHING)
    for event in messages:
        kind = type(event)
        if kind is ops.Send:
            session._send(event)
        elif kind is Update:
            connection.push(event.payload)
        elif kind is Accepted and not event.dup:
            connection.reply(encode_accepted(event.rid, event.seq, event.ts))
        elif kind is ops.Ack:
            session._ack(event)
        else:
            return event
    return NOTHING


def take_posts(conversation: ConversationActor, messages: Iterator[Any]) -> Any:
    """Store plain messages; the `take` of a direct conversation."""
    if not conversation._has_members:
        return next(messages, NOTHING)
    committer, machine, key = conversation._committer, conversation._machine, conversation._key
    store, prior, now_wall_ms = (
        conversation._store,
        conversation._archive.prior,
        conversation._wall_ms(),
    )
    for event in messages:
        if type(event) is not Post or event.more is not None or committer.is_full:
            return event
        if conversation._generation != committer.generation:
            return event
        effect = machine.post_plain(event, now_wall_ms, prior, key)
        if effect is None:
            return event
        conversation._is_active = True
        store(effect)
    return NOTHING


def store_plain(conversation: ConversationActor, post: Post) -> bool:
    """Store one message, if it is plain; say whether it was."""
    committer = conversation._committer
    if post.more is not None or not conversation._has_members or committer.is_full:
        return False
    if conversation._generation != committer.generation:
        return False
    effect = conversation._machine.post_plain(
        post, conversation._wall_ms(), conversation._archive.prior, conversation._key
    )
    if effect is None:
        return False
    conversation._is_active = True
    conversation._store(effect)
    return True


def take_updates(home: UserActor, messages: Iterator[Any]) -> Any:
    """Append records and deliveries, and let acked ones land; the `take` of a home."""
    committer, machine, perform = home._committer, home._machine, home._PERFORM
    handlers, recorded, received = machine.HANDLERS, machine.recorded, machine.received
    for event in messages:
        kind = type(event)
        if kind is Record:
            if event.pair not in recorded or committer.is_full:
                return event
        elif kind is Deliver:
            if event.pair not in received or committer.is_full:
                return event
        elif kind is not Acked:
            return event
        if home._generation != committer.generation:
            return event
        home._is_active = True
        for effect in handlers[kind](machine, event, 0):
            perform[type(effect)](home, effect)
    return NOTHING
