"""Knows which messages in groups this client sent itself. Must not know updates."""

from __future__ import annotations

from actorchat.ids import GROUP_MARK
from actorchat.limits import CLIENT_UNSENT_MAX
from actorchat.protocol.ops import Change


class Echoes:
    """The client ids that went to groups and have not come back.

    A group delivers to its sender too, for the sake of the other devices; here it is no news.
    Those of a former process are not known: they are handed on like any other.
    """

    __slots__ = ("_due", "_size_max")

    def __init__(self, size_max: int = CLIENT_UNSENT_MAX) -> None:
        self._due: dict[bytes, None] = {}
        self._size_max = size_max

    def expect(self, to: str, cid: bytes) -> None:
        """Note that `cid` is sent, if to a group; beyond the bound the oldest is forgotten."""
        if to[0] != GROUP_MARK:
            return
        if len(self._due) >= self._size_max:
            del self._due[next(iter(self._due))]
        self._due[cid] = None

    def expect_of(self, request: object) -> None:
        """Note what is asked for, if it is a change of a group."""
        if isinstance(request, Change):
            self.expect(request.conv, request.cid)

    def is_echo(self, cid: bytes) -> bool:
        """Say whether a record of this user's with `cid` is what this client sent; once."""
        if cid not in self._due:
            return False
        del self._due[cid]
        return True
