"""Knows the rows of files, both ways. Must not know who asks, or where their bytes are."""

from __future__ import annotations

from collections.abc import Iterable

from actorchat.chat.file import FileFacts, Usage
from actorchat.protocol.ops import FileRef
from actorchat.store import keys, kinds, values
from actorchat.store.engine import Engine, Op


class Shelf:
    """What the store keeps of files: one row a file, one for each of its users, and their sums.

    What was appended and not yet applied is not seen, as in `Archive`.
    """

    __slots__ = ("_get", "_scan", "_state")

    def __init__(self, engine: Engine) -> None:
        self._get = engine.get
        self._scan = engine.scan
        self._state = engine.family("state")

    def known(self, sha256: bytes) -> FileFacts | None:
        """Return what is known of a file, whosever it is; None: it is not stored."""
        return self._facts(keys.state_key(keys.file_key(sha256), kinds.FILE))

    def own(self, user: str, sha256: bytes) -> FileFacts | None:
        """Return what is known of a file as the user's; None: it is not."""
        return self._facts(keys.state_key(keys.user_key(user), kinds.FILE, sha256))

    def has(self, files: Iterable[FileRef]) -> bool:
        """Say whether all of `files` are stored, whosever they are, and as long as they say."""
        for file in files:
            facts = self.known(file.hash)
            if facts is None or facts.size != file.size:
                return False
        return True

    def usage(self, user: str) -> Usage:
        """Return what counts against the user's quota."""
        value = self._get(keys.state_key(keys.user_key(user), kinds.USAGE), self._state)
        return Usage() if value is None else Usage(*values.unpack_positions(value))

    def page(self, user: str, after: bytes | None, limit: int) -> list[tuple[bytes, FileFacts]]:
        """Return the first `limit` files of the user behind the one with hash `after`, by hash."""
        start, end = keys.prefix_range(keys.state_key(keys.user_key(user), kinds.FILE))
        if after is not None:
            start = start + after + b"\0"
        found = []
        for key, value in self._scan(self._state, start, end, limit):
            size, at_wall_ms, media_type = values.unpack_file(value)
            found.append((keys.parse_state_key(key)[2], FileFacts(size, media_type, at_wall_ms)))
        return found

    def dropped(self, user: str, sha256: bytes, usage: Usage) -> tuple[Op, ...]:
        """Return the rows by which a file is the user's no more; `usage` is without it."""
        owner = keys.user_key(user)
        counted = values.pack_positions(usage.size, usage.files)
        return (
            (self._state, keys.state_key(owner, kinds.FILE, sha256), None),
            (self._state, keys.state_key(owner, kinds.USAGE), counted),
        )

    def rows(
        self, user: str, sha256: bytes, facts: FileFacts, usage: Usage, is_new: bool
    ) -> tuple[Op, ...]:
        """Return the rows by which a file becomes the user's; `usage` includes it."""
        value = values.pack_file(facts.size, facts.at_wall_ms, facts.type)
        owner = keys.user_key(user)
        mine = (self._state, keys.state_key(owner, kinds.FILE, sha256), value)
        counted = values.pack_positions(usage.size, usage.files)
        sums = (self._state, keys.state_key(owner, kinds.USAGE), counted)
        if not is_new:
            return (mine, sums)
        return (mine, sums, (self._state, keys.state_key(keys.file_key(sha256), kinds.FILE), value))

    def _facts(self, key: bytes) -> FileFacts | None:
        value = self._get(key, self._state)
        if value is None:
            return None
        size, at_wall_ms, media_type = values.unpack_file(value)
        return FileFacts(size, media_type, at_wall_ms)
