"""Knows how a search is done: catch up with the log, ask the index, read the log again.
Must not know SQLite, or how anything is shown.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from actorchat import logs
from actorchat.actor import Actor, Mailbox
from actorchat.broker.access import UserAccess
from actorchat.broker.paging import weigh_rich
from actorchat.broker.reading import Reading
from actorchat.broker.search_afar import SearchesAfar
from actorchat.broker.veil import rewritten
from actorchat.chat.afar import TableTurned
from actorchat.chat.block import hides
from actorchat.chat.event import Answer, Refused
from actorchat.chat.people import Asked
from actorchat.chat.search import (
    Drop,
    DropGone,
    Fed,
    Feed,
    Found,
    Hit,
    Job,
    Look,
    Looked,
    PartFound,
    PartsDue,
    Query,
    SearchPart,
    match_of,
)
from actorchat.errors import Unavailable
from actorchat.ids import GROUP_MARK
from actorchat.limits import (
    ENTITY_MAILBOX_MAX,
    HISTORY_PAGE_BYTES_MAX,
    POSITION_MAX,
    SEARCH_CONVERSATIONS_MAX,
    SEARCH_FEED_PAGES,
    SEARCH_FEED_ROWS,
    SEARCH_HITS_MAX,
    SEARCH_ROUNDS,
)
from actorchat.protocol import codec, rich
from actorchat.store import keys
from actorchat.store.index import Line

if TYPE_CHECKING:
    from actorchat.broker.context import Context
    from actorchat.protocol.ops.search import Search
    from actorchat.store.index import TextIndex

log = logs.logger(__name__)

SEARCH = "search"
NO_SEARCH = "this server has no search"
ELSEWHERE = "this part of the server is elsewhere now; try again"


class IndexActor(Actor):
    """Owns the index, on a thread of its own. Told (what, reply_to)."""

    def __init__(self, index: TextIndex) -> None:
        super().__init__()
        self._index = index

    def on_receive(self, message: Any) -> None:
        """Do one thing; a file that fails is forgotten, and made anew from the log."""
        what, reply_to = message
        try:
            answer = self._work(what)
        except Exception as error:  # noqa: BLE001 (the index is never the truth)
            log.warning("search index failed", reason=repr(error))
            with contextlib.suppress(Exception):
                self._index.forget()
            answer = None if isinstance(what, Drop | DropGone) else Found(what.job, None)
        if answer is not None:
            reply_to.tell(answer)

    def on_stop(self, reason: object) -> None:
        """Close the file."""
        self._index.close()

    def _work(self, what: Look | Feed | Query | Drop | DropGone) -> object:
        index = self._index
        if isinstance(what, DropGone):
            index.drop_all(what.prefixes)
            return None
        if isinstance(what, Drop):
            index.drop(what.key)
            return None
        job = what.job
        if isinstance(what, Look):
            index.drop_over(job.now_wall_ms)
            for key, first in job.firsts.items():
                index.drop(key, first)
            return Looked(job, index.upto(job.names))
        if isinstance(what, Feed):
            index.add(what.key, what.upto, map(_line, [*what.records, *what.rewritten]))
            return Fed(job)
        hits = index.find([*job.names], job.match, job.before, what.limit)
        return Found(job, hits, hits is None or len(hits) < what.limit)


def _line(packed: bytes) -> Line:
    """Return what is found of a record: nothing of acts and changes, nor of what is sealed."""
    record = codec.decode_record(packed)
    extra = record.extra
    is_text = record.act is None and (extra is None or extra.kind != "sealed")
    until = 0 if extra is None or extra.exp is None else extra.exp
    return Line(record.seq, record.ts, record.body if is_text else "", until)


class SearchActor(SearchesAfar):
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
        elif isinstance(event, SearchPart):
            self._part(event)
        elif isinstance(event, PartFound):
            self._part_found(event)
        elif isinstance(event, PartsDue):
            self._parts_due(event)
        elif isinstance(event, Looked):
            self._compare(event.job, event.upto)
            self._feed(event.job)
        elif isinstance(event, Fed):
            self._feed(event.job)
        elif isinstance(event, Drop):
            if self._index is not None:
                self._index.tell((event, self.ref))
        elif isinstance(event, TableTurned):
            self._turned(event)
        else:
            self._answer(event)

    def _turned(self, event: TableTurned) -> None:
        """Keep no words of slots that have gone: what is deleted there is not heard of here."""
        gone = frozenset(map(keys.slot_prefix, filter(self._is_gone, event.slots)))
        if gone and self._index is not None:
            # Behind what is to be fed when it is synced.
            self._context.log.append((), self._index.tell, (DropGone(gone), self.ref))

    def _begin(self, event: Asked) -> None:
        op: Any = event.op
        if self._index is None:
            self._refuse(event.session, op.id, "unsupported", NO_SEARCH)
            return
        match = match_of(op.q)
        if match is None:
            self._refuse(event.session, op.id, "bad_request", "there is no word to search for")
            return
        listed = self._scope(event.user, op)
        if listed and self._context.reach is not None:
            self._spread(event, [*listed.values()])
            return
        self._look(event.session, event.user, op.id, match, listed, op.before, op.limit)

    def _part(self, event: SearchPart) -> None:
        """Search what this node leads of somebody's conversations."""
        match, key_of = match_of(event.q), self._context.census.key_of
        code = reason = ""
        if self._index is None:
            code, reason = "unsupported", NO_SEARCH
        elif match is None or not self._leads_all(event):
            code, reason = Unavailable.code, ELSEWHERE
        if code:
            assert self._context.reach is not None
            node = self._context.reach.node
            _tell((event.asker, PartFound(event.number, node, [], code=code, reason=reason)))
            return
        listed = {key_of(event.user, conv): conv for conv in event.convs}
        about = (event.user, event.number, match or "", listed, event.before, event.limit)
        self._look(event.asker, *about, is_part=True)

    def _look(
        self,
        session: Any,
        user: str,
        rid: int,
        match: str,
        listed: dict[bytes, str],
        before: int | None,
        limit: int,
        is_part: bool = False,
    ) -> None:
        """Begin with those of the conversations that the user may see anything of."""
        names = {key: name for key, name in listed.items() if self._first(user, key, name)}
        since = (POSITION_MAX if before is None else before, 0)
        now = self._context.clock.wall_ms()
        job = Job(session, user, rid, match, names, since, limit, SEARCH_FEED_PAGES, now)
        job.is_part = is_part
        if not names:
            self._end(job, 0)
            return
        first_seq = self._context.archive.first_seq
        job.firsts = {key: first for key in names if (first := first_seq(key)) > 1}
        self._index.tell((Look(job), self.ref))

    def _scope(self, user: str, op: Search) -> dict[bytes, str]:
        """Return the conversations that are searched: those of the user, or the one asked for."""
        context = self._context
        if op.conv is None:
            return dict(context.census.conversation_keys(user, SEARCH_CONVERSATIONS_MAX))
        return {context.census.key_of(user, op.conv): op.conv}

    def _first(self, user: str, key: bytes, name: str) -> int:
        """Return the first seq of a conversation that the user may see; 0: none of it."""
        if name[0] == GROUP_MARK:
            return self._context.groups.first_readable(key, user)
        pair = self._context.archive.members(key)
        return int(pair is not None and user in pair)

    def _compare(self, job: Job, upto: dict[bytes, int]) -> None:
        """See which conversations the index is behind with."""
        job.behind = []
        for key in [*upto]:
            last = self._context.archive.last_seq(key)
            if upto[key] > last:  # of another store than this
                self._index.tell((Drop(key), self.ref))
                upto[key] = 0
            if last > upto[key]:
                job.behind.append((key, upto[key]))
        job.upto = upto

    def _feed(self, job: Job) -> None:
        """Have the next records indexed, or search if there are none or it was enough."""
        context = self._context
        # Only what is durable is indexed: another message must never come to have its seq.
        while job.behind and job.pages_left > 0:
            key, upto = job.behind[0]
            if self._is_gone(keys.slot_in(key)):
                job.behind.pop(0)
                continue
            context.log.apply()
            records = context.archive.records(
                key, upto, keys.SEQ_MAX, SEARCH_FEED_ROWS, False, HISTORY_PAGE_BYTES_MAX
            )
            if not records:
                job.behind.pop(0)
                continue
            job.pages_left -= 1
            last = records[-1][0]
            job.behind[0], job.upto[key] = (key, last), last
            packed = [record for _, record in records]
            feed = Feed(job, key, last, packed, self._rewritten(key, packed))
            context.log.append((), self._index.tell, (feed, self.ref))
            return
        self._index.tell((Query(job, max(job.limit, SEARCH_HITS_MAX)), self.ref))

    def _rewritten(self, key: bytes, records: list[bytes]) -> list[bytes]:
        """Return the messages that acts among `records` have changed the text of."""
        refs = {ref for record in records if rich.is_act(record) for ref in rewritten(record)}
        found = (self._context.archive.find(key, ref) for ref in sorted(refs))
        return [record for record in found if record is not None]

    def _answer(self, event: Found) -> None:
        job = event.job
        if event.hits is None:
            self._refuse_job(job)
            return
        since = 0
        if self._show(job, event.hits):
            since = job.shown[-1].ts
        elif not event.is_all:
            job.rounds += 1
            if job.rounds < SEARCH_ROUNDS:
                job.before = event.hits[-1][2:]
                self._index.tell((Query(job, SEARCH_HITS_MAX), self.ref))
                return
            since = event.hits[-1][2]
        self._end(job, since)

    def _end(self, job: Job, since: int) -> None:
        """Answer; of what is older than `since` nothing was looked at."""
        answer: object
        if job.is_part and any(self._is_gone(keys.slot_in(key)) for key in job.names):
            self._refuse_part(job, Unavailable.code, ELSEWHERE)
            return
        if job.is_part:
            assert self._context.reach is not None
            about = (job.rid, self._context.reach.node, job.shown, bool(job.behind), since)
            answer = PartFound(*about)
        else:
            hits = [{"conv": hit.conv, "record": codec.decode(hit.record)} for hit in job.shown]
            answer = Answer(job.rid, {"hits": hits, "partial": bool(job.behind)})
        self._context.log.append((), _tell, (job.session, answer))

    def _refuse_job(self, job: Job) -> None:
        code, reason = "busy", "the search took too long"
        if job.is_part:
            self._refuse_part(job, code, reason)
        else:
            self._refuse(job.session, job.rid, code, reason, "after")

    def _refuse_part(self, job: Job, code: str, reason: str) -> None:
        assert self._context.reach is not None
        node = self._context.reach.node
        _tell((job.session, PartFound(job.rid, node, [], code=code, reason=reason)))

    def _show(self, job: Job, hits: Sequence[tuple[bytes, int, int, int]]) -> bool:
        """Add what is shown of `hits` to the answer; say whether there is no room for more."""
        firsts = {key: self._first(job.user, key, name) for key, name in job.names.items()}
        for key, seq, ts, _ in hits:
            first = firsts[key]
            record = None if not first or seq < first else self._record(job, key, seq)
            if record is None:
                continue
            job.room -= weigh_rich(record) if rich.is_rich(record) else len(record)
            if job.room < 0 and job.shown:
                return True
            job.shown.append(Hit(job.names[key], ts, record))
            if len(job.shown) == job.limit:
                return True
        return False

    def _record(self, job: Job, key: bytes, seq: int) -> bytes | None:
        """Return a record as who searches is shown it; None where nothing is shown of it."""
        context = self._context
        found = context.archive.find(key, seq)
        if found is None or hides(context.blocks.spans(key, job.user), seq):
            return None
        access = UserAccess(job.user, context.blocks, context.groups)
        now_wall_ms, owner = context.clock.wall_ms(), keys.user_key(job.user)
        reading = Reading(context.archive, now_wall_ms, owner, access=access)
        (shown,) = reading.page(key, [(seq, found)])
        if rich.is_rich(shown):
            said = codec.decode_record(shown)
            if said.act is not None or said.gone or said.hidden:
                return None
            if said.edited is not None and said.edited > job.upto[key]:
                return None  # the index has the text of before
        return shown

    def _refuse(self, session: Any, rid: int, code: str, reason: str, retry: Any = "never") -> None:
        after_ms = 1_000 if retry == "after" else None
        session.tell(Refused(rid, code, reason, retry, "none", after_ms))


def _tell(answer: tuple[Any, object]) -> None:
    asker, event = answer
    with contextlib.suppress(Unavailable):  # who asked gives up after a while
        asker.tell(event)
