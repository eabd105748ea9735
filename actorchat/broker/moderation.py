"""Knows which bots may delete what others wrote, and how that gets into the store and the log.
Must not know what is deleted, or how.
"""

from __future__ import annotations

from actorchat import logs
from actorchat.chat.act import refs_of
from actorchat.chat.acting import Acting
from actorchat.chat.event import Post
from actorchat.store import keys, kinds
from actorchat.store.engine import Engine, Op

log = logs.logger(__name__)


class Moderators:
    """The rows of bots that were granted to moderate. Costs: a get 2 µs.

    It is asked each time, so that a grant that is taken away counts from the next request on.
    """

    __slots__ = ("_get", "_state")

    def __init__(self, engine: Engine) -> None:
        self._get = engine.get
        self._state = engine.family("state")

    def has(self, user: str) -> bool:
        """Say whether `user` may moderate. What was appended and not yet applied is not seen."""
        return self._get(_key(user), self._state) is not None

    def row(self, user: str, on: bool) -> Op:
        """Return the row that grants it, or the change that takes it away."""
        return (self._state, _key(user), b"" if on else None)


def audit(post: Post, conversation: str, seq: int) -> None:
    """Tell in the log what a moderator did, as record `seq` of a conversation."""
    acting = post.more
    if isinstance(acting, Acting) and acting.moderates:
        log.warning(
            "a moderator deleted messages",
            moderator=post.sender,
            conversation=conversation,
            seqs=refs_of(acting.act),
            seq=seq,
        )


def _key(user: str) -> bytes:
    return keys.state_key(keys.user_key(user), kinds.MODERATOR)
