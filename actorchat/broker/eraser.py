"""Knows how to do what the eraser decides: find, leave, have rows taken away.
Must not know the layout of keys.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, ClassVar

from actorchat.actor import Actor, Mailbox
from actorchat.broker.search import SEARCH
from actorchat.chat.effect import StartTimer
from actorchat.chat.erasure import (
    AccountGone,
    AskWipe,
    EndAccount,
    Eraser,
    Finish,
    GroupsFound,
    LeaveGroup,
    PeerGone,
    ReadGroups,
    ReadUnfinished,
    TellPeer,
    Unfinished,
    WipeHome,
)
from actorchat.chat.event import Conv
from actorchat.chat.firehose_event import Granted
from actorchat.chat.group_event import Changing
from actorchat.chat.search import Drop
from actorchat.chat.sighting import Forget
from actorchat.errors import SlotClosed, Unavailable
from actorchat.ids import CLIENT_ID_BYTES, direct_pair, is_group
from actorchat.limits import ENTITY_MAILBOX_MAX, ERASURE_ROWS_AT_ONCE
from actorchat.protocol.ops.group import Leave
from actorchat.store import keys

if TYPE_CHECKING:
    from actorchat.broker.context import Context

ERASER = "eraser"


class EraserActor(Actor):
    """Takes away what deleted accounts had. One a node, named `eraser`."""

    mailbox: ClassVar[Mailbox] = Mailbox(limit=ENTITY_MAILBOX_MAX, overflow="fail")

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._machine = Eraser()
        self._me = self.ref

    def on_start(self) -> None:
        """Take the name; go on with what is left from before."""
        self.system.names.register(ERASER, self.ref)
        self._perform(self._machine.start())

    def on_receive(self, event: Any) -> None:
        """Feed the machine; perform its effects."""
        self._perform(self._machine.handle(event, self._context.clock.wall_ms()))

    def _perform(self, effects: list[Any]) -> None:
        for effect in effects:
            self._PERFORM[type(effect)](self, effect)

    # -- effects -----------------------------------------------------------------------------------
    def _read_unfinished(self, effect: ReadUnfinished) -> None:
        self._context.log.apply()
        reach = self._context.reach
        slots = [] if reach is None else reach.led()
        self._me.tell(Unfinished(self._context.tombs.unfinished(1, slots)))

    def _end_account(self, effect: EndAccount) -> None:
        context, user = self._context, effect.user
        gone = AccountGone(user)
        _try(context.router.user(user), gone)
        for peer in context.census.peers(user):
            pair = direct_pair(user, peer)
            if context.router.runs(pair):
                _try(context.router.conversation(pair), gone)
        _try(context.trackers.place(context.trackers.number_of(user)), Forget(user))
        firehose = self.system.names.whereis("firehose")
        if firehose is not None:
            _try(firehose, Granted(user, []))  # nobody waits for a bot that is gone

    def _read_groups(self, effect: ReadGroups) -> None:
        context, user = self._context, effect.user
        context.log.apply()
        if context.reach is not None:
            self._me.tell(self._listed(user, effect.after))
            return
        found, after = context.tombs.groups(user, effect.after, ERASURE_ROWS_AT_ONCE)
        named: list[Conv] = [address for key in found if (address := context.groups.address(key))]
        self._me.tell(GroupsFound(user, named, after))

    def _listed(self, user: str, after: bytes) -> GroupsFound:
        """Return the next of what the home lists, and has to know; its own slot knows already.

        What had not arrived there yet is heard of when it does: see `Stray`.
        """
        context, owner = self._context, keys.user_key(user)
        rows = context.census.listed(user, after or None, ERASURE_ROWS_AT_ONCE)
        found: list[Conv] = [
            conv if is_group(conv) else direct_pair(user, conv)
            for key, conv in rows
            if is_group(conv) or context.archive.concealed.is_apart(owner, key)
        ]
        return GroupsFound(user, found, rows[-1][0] if len(rows) == ERASURE_ROWS_AT_ONCE else b"")

    def _tell_peer(self, effect: TellPeer) -> None:
        place = self._context.router.conversation(effect.pair)
        _try(place, PeerGone(effect.user, self._me, effect.rid))

    def _leave_group(self, effect: LeaveGroup) -> None:
        user, group = effect.user, effect.group
        # Always the same id: it is one wish, however often it is told.
        again = f"\0{effect.seq}" if effect.seq else ""
        name = f"erase\0{user}\0{group}{again}".encode()
        cid = blake2b(name, digest_size=CLIENT_ID_BYTES).digest()
        place = self._context.router.conversation(group)
        _try(place, Changing(user, self._me, effect.rid, cid, Leave()))

    def _ask_wipe(self, effect: AskWipe) -> None:
        user = effect.user
        _try(self._context.router.user(user), WipeHome(user, self._me))
        desk = self.system.names.whereis(SEARCH)
        if desk is not None:
            _try(desk, Drop(keys.conversation_key(user, user)))

    def _finish(self, effect: Finish) -> None:
        if not self._context.log.is_full:  # else it is done again
            user, context = effect.user, self._context
            grant = context.firehose.grant_rows(user, [])
            with suppress(SlotClosed):  # done again where it is led next
                context.log.append((context.tombs.finished_row(user), *grant))

    def _start_timer(self, effect: StartTimer) -> None:
        self.send_after(effect.delay_s, effect.event, key=type(effect.event))

    _PERFORM: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        ReadUnfinished: _read_unfinished,
        EndAccount: _end_account,
        ReadGroups: _read_groups,
        LeaveGroup: _leave_group,
        TellPeer: _tell_peer,
        AskWipe: _ask_wipe,
        Finish: _finish,
        StartTimer: _start_timer,
    }


def _try(place: Any, event: object) -> None:
    try:
        place.tell(event)
    except Unavailable:
        return  # it is told again in a while
