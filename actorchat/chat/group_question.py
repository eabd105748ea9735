"""Knows what a group answers who asks about it: pages, members, marks; or why it does not.
Must not know what changes a group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from actorchat.chat.concealing import Conceal, on_conceal
from actorchat.chat.effect import Effect, Push, ReadPage, Refuse
from actorchat.chat.event import Answer, Fetch, Post, Refused
from actorchat.chat.group_event import AskReceipts, Describe
from actorchat.chat.history import bounds
from actorchat.chat.listing import page_of
from actorchat.chat.moderating import Moderated, on_moderated
from actorchat.chat.receipt import Marks
from actorchat.chat.roster import FORBIDDEN, NO_GROUP, Roster, Verdict
from actorchat.limits import MEMBERS_PAGE_MAX, RECEIPTS_PAGE_MAX

_NO_MARKS = Marks()


class GroupQuestions:
    """The part of a group that answers, and changes nothing."""

    __slots__ = ()

    address: str
    roster: Roster | None
    seq: int
    marks: dict[str, Marks]

    def _on_fetch(self, event: Fetch, now_wall_ms: int) -> list[Effect]:
        roster = self.roster
        if roster is None or not roster.may(event.user, "read"):
            return [self._refuse(event, event.user)]
        wanted, first = event.wanted, roster.first_readable(event.user)
        page = bounds(event.after, event.before, event.limit, wanted, first, self.seq)
        return [ReadPage(event.session, event.rid, *page, event.user, (), wanted)]

    def _on_describe(self, event: Describe, now_wall_ms: int) -> list[Effect]:
        roster = self.roster
        if roster is None or not roster.may(event.user, "read"):
            return [self._refuse(event, event.user)]
        profile = roster.profile
        names, more = page_of(roster.members, event.after, MEMBERS_PAGE_MAX)
        links = sorted(roster.links) if roster.may(event.user, "unlink") else []
        ok: dict[str, object] = {
            "conv": self.address,
            **{field: getattr(profile, field) for field in profile.__struct_fields__},
            "head": self.seq,
            "members": {user: roster.members[user].role for user in names},
            "links": links,
        }
        if more:
            ok["more"] = True
        return [Push(event.session, Answer(event.rid, ok))]

    def _on_ask_receipts(self, event: AskReceipts, now_wall_ms: int) -> list[Effect]:
        roster = self.roster
        if roster is None or not roster.may(event.user, "read"):
            return [self._refuse(event, event.user)]
        names, more = page_of(roster.members, event.after, RECEIPTS_PAGE_MAX)
        ok: dict[str, object] = {"head": self.seq, "marks": self._marks_of(names)}
        if more:
            ok["more"] = True
        return [Push(event.session, Answer(event.rid, ok))]

    def shown_marks(self, members_max: int) -> dict[str, dict[str, int]]:
        """Return each member's marks; none if the group has more than `members_max`."""
        members = () if self.roster is None else self.roster.members
        return {} if len(members) > members_max else self._marks_of(members)

    def _marks_of(self, members: Iterable[str]) -> dict[str, dict[str, int]]:
        return {
            user: {"delivered": marks.delivered, "read": marks.read}
            for user in members
            for marks in (self.marks.get(user, _NO_MARKS),)
        }

    def _refuse(self, event: Post | Fetch | Describe | AskReceipts, user: str) -> Effect:
        is_member = self.roster is not None and user in self.roster.members
        verdict = FORBIDDEN if is_member else Verdict("no_such_group", NO_GROUP)
        return Refuse(event.session, Refused(event.rid, verdict.code, verdict.reason))

    ANSWERED: dict[type, Callable[[Any, Any, int], list[Effect]]] = {
        Fetch: _on_fetch,
        Describe: _on_describe,
        AskReceipts: _on_ask_receipts,
        Conceal: on_conceal,
        Moderated: on_moderated,
    }
