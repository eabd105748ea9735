"""Knows the registry's entries and sessions, and what each operation does to them.
Must not know time, connections or disks.

One revision is one change: a transaction, a session's begin or its end. The same changes in the
same order make the same tree, which is how a journal brings it back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from actorchat.cluster.registry import (
    SEQUENCE_DIGITS,
    BadVersion,
    Check,
    Create,
    Delete,
    Entry,
    EntryExists,
    EphemeralParent,
    NoEntry,
    NotEmpty,
    Op,
    Put,
    RegistryRefusal,
    Result,
    check_ops,
    child_of,
    name_of,
    parent_of,
)


class Session(msgspec.Struct, gc=False):
    """Who owns ephemeral entries, for how long without a sign of life, and what proves it."""

    id: int
    timeout_s: float
    secret: bytes


class Row(msgspec.Struct, gc=False):
    """All that is known of one entry, but for the names of its children."""

    path: str
    value: bytes
    version: int
    created: int
    changed: int
    owner: int = 0
    sequence: int = 0  # of the next sequential child


class Touched(msgspec.Struct, frozen=True, gc=False):
    """What a watch may be set on, and has changed."""

    path: str
    children: bool


class Tree:
    """Entries and sessions after `revision` changes."""

    def __init__(self) -> None:
        self.revision = 0
        self.sessions: dict[int, Session] = {}
        self._rows: dict[str, Row] = {"/": Row("/", b"", 0, 0, 0)}
        self._children: dict[str, dict[str, None]] = {"/": {}}
        self._owned: dict[int, dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    # -- reading ----------------------------------------------------------------------------------
    def get(self, path: str) -> Entry | None:
        """Return the entry, None where there is none."""
        row = self._rows.get(path)
        if row is None:
            return None
        return Entry(path, row.value, row.version, row.created, row.changed, row.owner)

    def children(self, path: str) -> list[str]:
        """Return the names right below `path`, sorted.

        Raises:
            NoEntry: There is no such path.
        """
        if path not in self._rows:
            raise NoEntry(path)
        return sorted(self._children.get(path, ()))

    # -- changing ---------------------------------------------------------------------------------
    def begin(self, timeout_s: float, secret: bytes) -> Session:
        """Begin a session, whose id is the revision that it makes."""
        self.revision += 1
        session = Session(self.revision, timeout_s, secret)
        self.sessions[session.id] = session
        self._owned[session.id] = {}
        return session

    def end(self, session: int) -> list[Touched]:
        """End a session and take away what it owns."""
        del self.sessions[session]
        self.revision += 1
        touched: list[Touched] = []
        for path in self._owned.pop(session):
            self._remove(path)
            touched += _around(path)
        return touched

    def apply(self, session: int, ops: Sequence[Op]) -> tuple[list[Result], list[Touched]]:
        """Do all of `ops` as `session`, or none; return what each gives and what has changed.

        Raises:
            RegistryRefusal: One can't be done; the tree is as it was.
        """
        check_ops(ops)
        self.revision += 1
        results: list[Result] = []
        touched: list[Touched] = []
        undo: list[Callable[[], object]] = []
        for index, op in enumerate(ops):
            try:
                results.append(self._do(session, op, touched, undo))
            except RegistryRefusal as refusal:
                for step in reversed(undo):
                    step()
                self.revision -= 1
                refusal.index = index
                raise
        return results, touched

    def _do(
        self, session: int, op: Op, touched: list[Touched], undo: list[Callable[[], object]]
    ) -> Result:
        match op:
            case Create():
                path = self._create(session, op, undo)
                touched += _around(path)
                return path
            case Put(path, value, version):
                row = self._expect(path, version)
                old = (row.value, row.version, row.changed)
                row.value, row.version, row.changed = value, row.version + 1, self.revision

                def restore() -> None:
                    row.value, row.version, row.changed = old

                undo.append(restore)
                touched.append(Touched(path, children=False))
                return row.version
            case Delete(path, version):
                row = self._expect(path, version)
                if self._children.get(path):
                    raise NotEmpty(path)
                self._remove(path)
                if row.owner:
                    self._owned[row.owner].pop(path, None)
                undo.append(lambda: self._insert(row))
                touched += _around(path)
                return None
            case Check(path, version):
                self._expect(path, version)
                return None

    def _create(self, session: int, op: Create, undo: list[Callable[[], object]]) -> str:
        parent = self._rows.get(parent_of(op.path))
        if parent is None:
            raise NoEntry(parent_of(op.path))
        if parent.owner:
            raise EphemeralParent(op.path)
        path = op.path
        if op.sequential:
            path = f"{path}{parent.sequence:0{SEQUENCE_DIGITS}}"
        if path in self._rows:
            raise EntryExists(path)
        if op.sequential:
            parent.sequence += 1

            def give_back() -> None:
                parent.sequence -= 1

            undo.append(give_back)
        owner = session if op.ephemeral else 0
        self._insert(Row(path, op.value, 0, self.revision, self.revision, owner))

        def take_back() -> None:
            self._remove(path)
            if owner:
                self._owned[owner].pop(path)

        undo.append(take_back)
        return path

    def _expect(self, path: str, version: int | None) -> Row:
        row = self._rows.get(path)
        if row is None:
            raise NoEntry(path)
        if version is not None and row.version != version:
            raise BadVersion(path)
        return row

    def _insert(self, row: Row) -> None:
        self._rows[row.path] = row
        if row.path != "/":
            self._children.setdefault(parent_of(row.path), {})[name_of(row.path)] = None
        if row.owner:
            self._owned[row.owner][row.path] = None

    def _remove(self, path: str) -> None:
        """Take an entry out of the tree; who owned it is the caller's affair."""
        del self._rows[path]
        above = parent_of(path)
        names = self._children[above]
        del names[name_of(path)]
        if not names:
            del self._children[above]

    # -- as a whole -------------------------------------------------------------------------------
    def rows(self) -> Iterator[Row]:
        """Yield every entry, parents first."""
        pending = ["/"]
        while pending:
            path = pending.pop()
            yield self._rows[path]
            pending += [child_of(path, name) for name in self._children.get(path, ())]

    def restore(self, revision: int, sessions: Sequence[Session], rows: Sequence[Row]) -> None:
        """Become what a snapshot says; parents come before their children."""
        self.__init__()  # type: ignore[misc]
        self.revision = revision
        for session in sessions:
            self.sessions[session.id] = session
            self._owned[session.id] = {}
        for row in rows:
            self._insert(row)


def _around(path: str) -> list[Touched]:
    return [Touched(path, children=False), Touched(parent_of(path), children=True)]
