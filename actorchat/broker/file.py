"""Knows how to do what the desk of files decides: look up, keep. Must not know HTTP or disks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from actorchat.actor import Actor, Mailbox
from actorchat.chat.file import (
    Abandoned,
    Arrived,
    Asked,
    Claimed,
    FileDesk,
    FilePolicy,
    KeepFile,
    Tell,
)
from actorchat.chat.own_file import AskedOwn, DropRow, decide
from actorchat.limits import ENTITY_MAILBOX_MAX
from actorchat.protocol import ops

if TYPE_CHECKING:
    from actorchat.broker.context import Context

FILES = "files"


class FilesActor(Actor):
    """The desk where tickets for files are given out and taken back. One a node, named `files`."""

    mailbox: ClassVar[Mailbox] = Mailbox(limit=ENTITY_MAILBOX_MAX, overflow="fail")

    def __init__(self, context: Context, policy: FilePolicy) -> None:
        super().__init__()
        self._context = context
        self._desk = FileDesk(policy)
        self._quota_bytes = policy.quota_bytes

    def on_start(self) -> None:
        """Take the name."""
        self.system.names.register(FILES, self.ref)

    def on_receive(self, event: Any) -> None:
        """Look up what the desk must know, feed it, perform its effects."""
        # What was appended a moment ago is seen; answers wait until it is synced.
        self._context.log.apply()
        if type(event) is AskedOwn:
            self._look_up_own(event)
            decided = decide(event, self._quota_bytes)
            self._PERFORM[type(decided)](self, decided)
            return
        self._look_up(event)
        for effect in self._desk.handle(event, self._context.clock.wall_ms()):
            self._PERFORM[type(effect)](self, effect)

    def _look_up(self, event: Asked | Claimed | Arrived | Abandoned) -> None:
        context, shelf = self._context, self._context.shelf
        if isinstance(event, Asked):
            sha256 = event.op.sha256
            event.ticket, event.base = context.token_source(), context.files_base()
            event.own, event.known = shelf.own(event.user, sha256), shelf.known(sha256)
            event.usage = shelf.usage(event.user)
            event.is_gone = not context.archive.has_account(event.user)
        elif isinstance(event, Claimed):
            who = self._desk.device_of(event.ticket) if event.ticket else (event.user, event.device)
            if who is not None:
                event.right = context.archive.device(*who)
                event.facts = shelf.own(who[0], event.sha256) or shelf.known(event.sha256)
        elif isinstance(event, Arrived):
            user, sha256 = event.pass_.user, event.pass_.sha256
            event.own, event.known = shelf.own(user, sha256), shelf.known(sha256)
            event.usage = shelf.usage(user)
            event.is_gone = not context.archive.has_account(user)

    def _look_up_own(self, event: AskedOwn) -> None:
        shelf, op = self._context.shelf, event.op
        event.usage = shelf.usage(event.user)
        if isinstance(op, ops.Files):
            event.page = shelf.page(event.user, op.after, op.limit + 1)
        else:
            event.own = shelf.own(event.user, op.sha256)

    # -- effects -----------------------------------------------------------------------------------
    def _tell(self, effect: Tell) -> None:
        effect.to.tell(effect.event)

    def _keep(self, effect: KeepFile) -> None:
        rows = self._context.shelf.rows(
            effect.user, effect.sha256, effect.facts, effect.usage, effect.is_new
        )
        self._context.log.append(rows, effect.to.tell, effect.answer)

    def _drop(self, effect: DropRow) -> None:
        rows = self._context.shelf.dropped(effect.user, effect.sha256, effect.usage)
        self._context.log.append(rows, effect.to.tell, effect.answer)

    _PERFORM: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        Tell: _tell,
        DropRow: _drop,
        KeepFile: _keep,
    }
