"""Knows how a conversation learns who takes part in it, whose home may be on another node.
Must not know what they say.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from actorchat.broker.place import Place
from actorchat.broker.reach import NODE_DOWN
from actorchat.broker.roundup import PEOPLE
from actorchat.broker.sequence import SequenceActor
from actorchat.broker.whois import WHOIS
from actorchat.chat.afar import AnswerDue, BlockKept, Known, Listed, WhoIs
from actorchat.chat.block import KeepBlock
from actorchat.chat.conversation import Conversation
from actorchat.chat.erasure import KeepGone
from actorchat.chat.event import Answer, Pair, Post, Refused, Relay
from actorchat.errors import MailboxFull, Unavailable
from actorchat.limits import SHUT_S, UNAVAILABLE_AFTER_MS, WHOIS_WAIT_S


class Meeting(SequenceActor):
    """The part of a direct conversation that sees to it that both its users are there.

    The first of the two is at home on this node. For the second one another node may have to be
    asked; posts wait meanwhile, if there has been none yet.
    """

    _machine: Conversation
    _pair: Pair
    _home: Place
    _away: Place

    def _meet_as(self, pair: Pair) -> None:
        """Begin, before the log is read."""
        context = self._context
        self._pair = self.conv = pair
        self._census = context.census
        self._has_members = False
        self._is_far = context.is_apart(*pair)  # the second one's home may be on another node
        self._shut_until_s = 0.0  # as of a place
        self._strangers: list[Post] = []  # what waits for that node's answer

    def _are_here(self) -> bool:
        if self._is_far:  # who was here before the first message is not asked for again
            is_gone = self._context.tombs.is_noted(self._key, self._pair[1])
            return (
                self._archive.has_account(self._pair[0]) and self._machine.seq > 0 and not is_gone
            )
        return all(map(self._archive.has_account, self._pair))

    def _index_rows(self) -> tuple[Any, ...]:
        rows = self._census.index_rows(self._key, self._pair)
        return rows[:1] if self._is_far else rows

    def _list_afar(self) -> None:
        """Have the conversation listed where the second user is at home, once it is synced."""
        if self._is_far:
            with suppress(MailboxFull):  # it is told again when this actor is started again
                self._home.tell(Relay(self._away, Listed(self._pair, self._key)))

    def _keep_block_afar(self, effect: KeepBlock) -> None:
        """Keep what is hidden; the home of who blocks keeps the rest, and answers."""
        row = self._context.blocks.spans_row(self._key, effect.user, effect.spans)
        about = (effect.user, effect.other, effect.on, effect.session, effect.rid)
        self._log.append((row,), self._tell_people, BlockKept(*about))

    def _tell_people(self, kept: BlockKept) -> None:
        reach = self._context.reach
        assert reach is not None
        try:
            reach.desk(kept.user, PEOPLE).tell(kept)
        except Unavailable as error:
            refused = Refused(kept.rid, error.code, str(error), "after", "unknown")
            kept.session.tell(refused)

    def _keep_gone(self, effect: KeepGone) -> None:
        """Keep that the other user's account has ended, which is written where that was."""
        asked = effect.asked
        if not self._committer.is_full:  # else it is told again
            row = self._context.tombs.noted_row(self._key, asked.user, effect.at_wall_ms)
            self._log.append((row,), asked.session.tell, Answer(asked.rid, {}))

    def _ask_for(self, post: Post) -> None:
        """Hold a first message back, until the other user's home has said who that is."""
        reach = self._context.reach
        assert reach is not None
        if reach.now_s() < self._shut_until_s:
            _refuse(post, Unavailable(NODE_DOWN))
            return
        self._strangers.append(post)
        if len(self._strangers) > 1:
            return
        try:
            reach.desk(self._pair[1], WHOIS).tell(WhoIs(self._pair[1], self._me))
        except Unavailable as error:
            self._send_away(error)
        else:
            self.send_after(WHOIS_WAIT_S, AnswerDue(), key=AnswerDue)

    def _meet(self, event: Known | AnswerDue) -> None:
        if type(event) is Known and event.is_here:
            self._has_members = True
            while self._strangers:
                self.on_receive(self._strangers[0])
                del self._strangers[0]
        elif type(event) is Known:
            self._send_away(None)
            self._passivate()
        else:
            self._send_away(Unavailable(NODE_DOWN))

    def _send_away(self, error: Unavailable | None) -> None:
        if error is not None:
            assert self._context.reach is not None
            self._shut_until_s = self._context.reach.now_s() + SHUT_S
        while self._strangers:
            _refuse(self._strangers.pop(0), error)


def _refuse(post: Post, error: Unavailable | None) -> None:
    if error is None:
        refused = Refused(post.rid, "no_such_user", "there is no such user")
    else:
        refused = Refused(post.rid, error.code, str(error), "after", "none", UNAVAILABLE_AFTER_MS)
    post.session.tell(refused)
