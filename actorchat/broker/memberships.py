"""Knows in which groups a user is, from what the user's home has received. Must not know who asks.

Only a group knows its members. But who is in one has got the record that let them in, so that the
group is among the conversations of which the home keeps how far it has got.
"""

from __future__ import annotations

import msgspec

from actorchat.broker.archive import Archive
from actorchat.broker.group_log import GroupLog
from actorchat.chat.roster import Member
from actorchat.protocol import codec
from actorchat.store import keys
from actorchat.store.engine import Engine


class Memberships:
    """Looks the groups of a user up. Cost: 4 µs for each conversation the user ever had."""

    __slots__ = ("_archive", "_get", "_groups", "_inbox", "_scan", "_state")

    def __init__(self, engine: Engine, archive: Archive, groups: GroupLog) -> None:
        self._archive = archive
        self._groups = groups
        self._get = engine.get
        self._scan = engine.scan
        self._state = engine.family("state")
        self._inbox = engine.family("inbox")

    def groups(self, user: str) -> list[str]:
        """Return the addresses of the groups in which `user` is, in order."""
        owner = keys.user_key(user)
        prefix = keys.state_key(owner, keys.RECEIVED)
        rows = self._scan(self._state, *keys.prefix_range(prefix))
        conversations = {key[len(prefix) :] for key, _ in rows}
        # What came behind the last checkpoint has no such row yet.
        head, _ = self._archive.user_log(owner)
        start, stop = keys.inbox_key(owner, head + 1), keys.inbox_key(owner, keys.SEQ_MAX)
        for _, value in self._scan(self._inbox, start, stop):
            conversations.add(keys.unpack_inbox(value).conversation)
        return sorted(
            address
            for conversation in conversations
            if self._is_member(conversation, user)
            and (address := self._groups.address(conversation)) is not None
        )

    def _is_member(self, group: bytes, user: str) -> bool:
        value = self._get(keys.state_key(group, keys.MEMBER, user.encode()), self._state)
        return value is not None and msgspec.convert(codec.decode(value), Member).since > 0
