"""Knows how a moderator's request is told from a member's. Must not know who may moderate."""

from __future__ import annotations

from actorchat.chat.acting import Acting
from actorchat.chat.event import Post


def is_moderating(post: Post) -> bool:
    """Say whether it is asked by who need not be a member, and was granted to delete."""
    return type(post.more) is Acting and post.more.moderates
