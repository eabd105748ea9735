"""Knows how to say of which users there is an account here. Must not know who asks, or why."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from actorchat.actor import Actor, Mailbox
from actorchat.chat.afar import AboutThem, AskAbout, Known, WhoIs
from actorchat.errors import Unavailable
from actorchat.ids import slot_of
from actorchat.limits import ENTITY_MAILBOX_MAX

if TYPE_CHECKING:
    from actorchat.broker.context import Context

WHOIS = "whois"


class WhoIsActor(Actor):
    """The desk where conversations of other nodes ask for a user. One a node, named `whois`.

    It is asked, and not the user's home, so that names that somebody tries start no actors.
    """

    mailbox: ClassVar[Mailbox] = Mailbox(limit=ENTITY_MAILBOX_MAX, overflow="fail")

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context

    def on_start(self) -> None:
        """Take the name."""
        self.system.names.register(WHOIS, self.ref)

    def on_receive(self, event: WhoIs | AskAbout) -> None:
        """Look it up; answer when what was appended before is synced.

        Whose slot has gone is asked for where it is now; whose has come is here, whatever the table
        says by now. Of several who are not all here nothing is said: who asks gives up, and a part
        would look like all.
        """
        if isinstance(event, AskAbout):
            if not all(map(self._is_here, event.users)):
                return
        elif not self._is_here(event.user):
            self._pass_on(event)
            return
        log, has_account = self._context.log, self._context.archive.has_account
        log.apply()
        known: Known | AboutThem
        if isinstance(event, AskAbout):
            has_blocked, reach = self._context.blocks.has_blocked, self._context.reach
            assert reach is not None
            unknown = [user for user in event.users if not has_account(user)]
            barred = [user for user in event.users if has_blocked(user, event.sender)]
            known = AboutThem(event.number, reach.node, unknown, barred)
        else:
            known = Known(event.user, has_account(event.user))
        log.append((), self._tell, (event.asker, known))

    def _is_here(self, user: str) -> bool:
        reach, slot = self._context.reach, slot_of(user)
        return reach is None or reach.leader(slot) == reach.node or slot in reach.held

    def _pass_on(self, event: WhoIs) -> None:
        reach = self._context.reach
        assert reach is not None
        with suppress(Unavailable):  # who asked gives up after a while
            reach.desk(event.user, WHOIS).tell(event)

    def _tell(self, answer: tuple[object, Known | AboutThem]) -> None:
        asker, known = answer
        with suppress(Unavailable):  # who asked gives up after a while
            asker.tell(known)  # type: ignore[attr-defined]
