"""Knows how a search is done: catch up with the log, ask the index, read the log again.
Must not know SQLite, or how anything is shown.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, ClassVar

from actorchat import logs
from actorchat.actor import Actor, Mailbox
from actorchat.broker.access import UserAccess
from actorchat.broker.reading import Reading
from actorchat.chat.block import hides
from actorchat.chat.event import Answer, Refused
from actorchat.chat.people import Asked
from actorchat.chat.search import Fed, Feed, Found, Job, Look, Looked, Query, match_of
from actorchat.ids import GROUP_MARK
from actorchat.limits import (
    ENTITY_MAILBOX_MAX,
    HISTORY_PAGE_BYTES_MAX,
    POSITION_MAX,
    SEARCH_CONVERSATIONS_MAX,
    SEARCH_FEED_PAGES,
    SEARCH_FEED_ROWS,
)
from actorchat.protocol import codec, rich
from actorchat.store import keys

if TYPE_CHECKING:
    from actorchat.broker.context import Context
    from actorchat.protocol.ops.search import Search
    from actorchat.store.index import TextIndex

log = logs.logger(__name__)

SEARCH = "search"
NO_SEARCH = "this server has no search"


class IndexActor(Actor):
    """Owns the index, on a thread of its own. Told (what, reply_to)."""

    def __init__(self, index: TextIndex) -> None:
        super().__init__()
        self._index = index

    def on_receive(self, message: Any) -> None:
        """Do one thing; a file that fails is forgotten, and made anew from the log."""
        what, reply_to = message
        try:
            reply_to.tell(self._work(what))
        except Exception as error:  # noqa: BLE001 (the index is never the truth)
            log.warning("search index failed", reason=repr(error))
            with contextlib.suppress(Exception):
                self._index.forget()
            reply_to.tell(Found(what.job, None))

    def on_stop(self, reason: object) -> None:
        """Close the file."""
        self._index.close()

    def _work(self, what: Look | Feed | Query) -> object:
        job = what.job
        if isinstance(what, Look):
            return Looked(job, self._index.upto(job.names))
        if isinstance(what, Feed):
            rows = []
            for seq, packed in what.records:
                record = codec.decode_record(packed)
                if record.body:
                    rows.append((seq, record.ts, record.body))
            self._index.add(what.key, what.upto, rows)
            return Fed(job)
        return Found(job, self._index.find([*job.names], job.match, job.before_ts, job.limit))


class SearchActor(Actor):
    """The desk where users search their own conversations. One a node, named `search`.

    Nothing is indexed until somebody searches it: then what is new of the conversations asked for
    is fed first, a bounded part of it for each search.
    """

    mailbox: ClassVar[Mailbox] = Mailbox(limit=ENTITY_MAILBOX_MAX, overflow="fail")

    def __init__(self, context: Context, index: Any) -> None:
        super().__init__()
        self._context = context
        self._index = index

    def on_start(self) -> None:
        """Take the name."""
        self.system.names.register(SEARCH, self.ref)

    def on_receive(self, event: Any) -> None:
        """Go on with one search."""
        if isinstance(event, Asked):
            self._begin(event)
        elif isinstance(event, Looked):
            archive = self._context.archive
            event.job.behind = [
                (key, upto) for key, upto in event.upto.items() if archive.last_seq(key) > upto
            ]
            self._feed(event.job)
        elif isinstance(event, Fed):
            self._feed(event.job)
        else:
            self._answer(event)

    def _begin(self, event: Asked) -> None:
        op: Any = event.op
        if self._index is None:
            self._refuse(event.session, op.id, "unsupported", NO_SEARCH)
            return
        match = match_of(op.q)
        if match is None:
            self._refuse(event.session, op.id, "bad_request", "there is no word to search for")
            return
        names = self._scope(event.user, op)
        if not names:
            event.session.tell(Answer(op.id, {"hits": [], "partial": False}))
            return
        before = POSITION_MAX if op.before is None else op.before
        job = Job(
            event.session, event.user, op.id, match, names, before, op.limit, SEARCH_FEED_PAGES
        )
        self._index.tell((Look(job), self.ref))

    def _scope(self, user: str, op: Search) -> dict[bytes, str]:
        """Return the conversations that are searched: those of the user, or the one asked for."""
        context = self._context
        if op.conv is None:
            found = context.census.conversation_keys(user, SEARCH_CONVERSATIONS_MAX)
            return dict(found)
        if op.conv[0] == GROUP_MARK:
            key = keys.group_key(op.conv)
            # Nothing of a group is even indexed for who is not in it: how long that takes tells.
            return {key: op.conv} if context.groups.has_member(key, user) else {}
        return {keys.conversation_key(user, op.conv): op.conv}

    def _feed(self, job: Job) -> None:
        """Have the next records indexed, or search if there are none or it was enough."""
        context = self._context
        # Only what is durable is indexed: another message must never come to have its seq.
        while job.behind and job.pages_left > 0:
            key, upto = job.behind[0]
            context.log.apply()
            records = context.archive.records(
                key, upto, keys.SEQ_MAX, SEARCH_FEED_ROWS, False, HISTORY_PAGE_BYTES_MAX
            )
            if not records:
                job.behind.pop(0)
                continue
            job.pages_left -= 1
            job.behind[0] = (key, records[-1][0])
            feed = Feed(job, key, records[-1][0], records)
            context.log.append((), self._index.tell, (feed, self.ref))
            return
        self._index.tell((Query(job), self.ref))

    def _answer(self, event: Found) -> None:
        job = event.job
        if event.hits is None:
            self._refuse(job.session, job.rid, "busy", "the search took too long", "after")
            return
        shown: list[dict[str, object]] = []
        budget, firsts = HISTORY_PAGE_BYTES_MAX, self._firsts(job)
        for key, seq in event.hits:
            first = firsts.get(key)
            record = None if first is None or seq < first else self._record(job, key, seq)
            if record is None:
                continue
            budget -= len(record)
            if budget < 0 and shown:
                break
            shown.append({"conv": job.names[key], "record": codec.decode(record)})
        answer = Answer(job.rid, {"hits": shown, "partial": bool(job.behind)})
        self._context.log.append((), job.session.tell, answer)

    def _firsts(self, job: Job) -> dict[bytes, int]:
        """Return the first seq that the user may see, of each conversation they may see at all."""
        found = {}
        for key, name in job.names.items():
            if name[0] != GROUP_MARK:
                pair = self._context.archive.members(key)
                if pair is not None and job.user in pair:
                    found[key] = 1
                continue
            roster = self._context.groups.roster(key)
            if roster is not None and roster.may(job.user, "read"):
                found[key] = roster.first_readable(job.user)
        return found

    def _record(self, job: Job, key: bytes, seq: int) -> bytes | None:
        """Return a record as who searches is shown it; None where nothing is shown of it."""
        context = self._context
        found = context.archive.records(key, seq - 1, seq + 1, 1, False)
        if not found or hides(context.blocks.spans(key, job.user), seq):
            return None
        access = UserAccess(job.user, context.blocks, context.groups)
        now_wall_ms, owner = context.clock.wall_ms(), keys.user_key(job.user)
        reading = Reading(context.archive, now_wall_ms, owner, access=access)
        (shown,) = reading.page(key, found)
        if rich.is_rich(shown):
            said = codec.decode_record(shown)
            if said.act is not None or said.gone or said.hidden:
                return None
        return shown

    def _refuse(self, session: Any, rid: int, code: str, reason: str, retry: Any = "never") -> None:
        after_ms = 1_000 if retry == "after" else None
        session.tell(Refused(rid, code, reason, retry, "none", after_ms))
