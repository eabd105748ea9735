"""Knows what must hold between the rows of a store, and counts them. Must not know engines.

It reads only. The engine checks the checksum of every block on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from actorchat.errors import StoreCorrupt
from actorchat.store import keys, kinds, values
from actorchat.store.engine import FAMILIES, Engine, Family, Row

PROBLEMS_KEPT_MAX = 100
_PAGE_ROWS = 4_096
# Behind every key: no owner is all ones, and no key is longer than this.
_END = b"\xff" * (keys.OWNER_BYTES + 1)


@dataclass(frozen=True)
class Problem:
    """One thing that does not hold; `key` is empty where a whole family can't be read."""

    family: str
    key: bytes
    text: str

    def __str__(self) -> str:
        """Return one line for people."""
        return f"{self.family} {self.key.hex() or '-'}: {self.text}"


@dataclass
class Report:
    """What `verify` found: rows by family, and the first problems of all that were counted."""

    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FAMILIES, 0))
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0

    @property
    def is_sound(self) -> bool:
        """Say whether everything holds."""
        return self.problem_count == 0

    def add(self, family: str, key: bytes, text: str) -> None:
        """Count a problem, and keep it if it is one of the first."""
        self.problem_count += 1
        if len(self.problems) < PROBLEMS_KEPT_MAX:
            self.problems.append(Problem(family, key, text))


@dataclass
class FamilyStats:
    """Sizes of one family; owners are the users or conversations that have rows in it."""

    rows: int = 0
    owners: int = 0
    key_bytes: int = 0
    value_bytes: int = 0


def verify(engine: Engine) -> Report:
    """Walk all rows and check what must hold; a damaged file is a problem, not an error.

    Cost: reads everything once, and history once more for each row that points into it.
    """
    report = Report()
    for name, check in _checks(engine).items():
        try:
            for key, value in _walk(engine, engine.family(name)):
                report.rows[name] += 1
                try:
                    found = check(key, value)
                except StoreCorrupt as error:
                    found = str(error)
                if found is not None:
                    report.add(name, key, found)
        except StoreCorrupt as error:
            report.add(name, b"", str(error))
    return report


def stats(engine: Engine) -> dict[str, FamilyStats]:
    """Count rows, owners and bytes of each family, by reading everything once."""
    found = {}
    for name in FAMILIES:
        family = found[name] = FamilyStats()
        last_owner = b""
        for key, value in _walk(engine, engine.family(name)):
            family.rows += 1
            family.key_bytes += len(key)
            family.value_bytes += len(value)
            if (owner := key[: keys.OWNER_BYTES]) != last_owner:
                family.owners += 1
                last_owner = owner
    return found


def _walk(engine: Engine, family: Family) -> Iterator[Row]:
    start = b""
    while rows := engine.scan(family, start, _END, limit=_PAGE_ROWS):
        yield from rows
        start = rows[-1][0] + b"\0"


# What is wrong with a row, or None.
_Check = Callable[[bytes, bytes], "str | None"]


def _checks(engine: Engine) -> dict[str, _Check]:
    """Return one check for each family; each sees all rows of its family in order."""
    history = engine.family("history")

    def has_message(conversation: bytes, seq: int) -> bool:
        return engine.get(keys.history_key(conversation, seq), history) is not None

    state = engine.family("state")

    def has_file(sha256: bytes) -> bool:
        key = keys.state_key(keys.file_key(sha256), kinds.FILE)
        return engine.get(key, state) is not None

    def first_of(conversation: bytes) -> int:
        value = engine.get(keys.state_key(conversation, kinds.LEDGER), state)
        return 1 if value is None else values.unpack_ledger(value)[0]

    def is_or_was(conversation: bytes, seq: int) -> bool:
        # Retention lets a message go, not all that is kept of it beside history.
        return has_message(conversation, seq) or 0 < seq < first_of(conversation)

    def has_any(conversation: bytes) -> bool:
        span = (keys.history_key(conversation, 0), keys.history_key(conversation, keys.SEQ_MAX))
        return first_of(conversation) > 1 or bool(engine.scan(history, *span, limit=1))

    def is_apart(owner: bytes, conversation: bytes) -> bool:
        # In a cluster a slot may go, and nothing may point into it from another.
        return is_of_cluster and owner[:2] != conversation[:2]

    is_of_cluster = engine.get(keys.CLUSTER_KEY, state) is not None
    checks: dict[str, _Check] = {
        "history": _HistoryCheck(first_of),
        "inbox": _InboxCheck(has_message, first_of, is_apart),
        "sent": lambda key, value: _check_sent(key, value, has_message),
        "outbox": lambda key, value: _check_outbox(key, value, has_message),
        "state": _StateCheck(has_file, is_or_was, has_any, is_apart),
    }
    assert tuple(checks) == FAMILIES
    return checks


class _HistoryCheck:
    """Each conversation has its seqs without a hole, from 1 or from where its ledger says."""

    def __init__(self, first_of: Callable[[bytes], int]) -> None:
        self._first_of = first_of
        self._conversation = b""
        self._seq = 0

    def __call__(self, key: bytes, value: bytes) -> str | None:
        conversation, seq = keys.parse_history_key(key)
        is_same = conversation == self._conversation
        expected = self._seq + 1 if is_same else self._first_of(conversation)
        self._conversation, self._seq = conversation, seq
        if seq != expected:
            return f"seq {seq} where {expected} was due"
        if not keys.unpack_history(value)[1]:
            return "the record is empty"
        return None


class _InboxCheck:
    """Each user has updates without a hole, and of each conversation later messages later.

    The first update may be any: what all devices acked is trimmed from the front.
    """

    def __init__(
        self,
        has_message: Callable[[bytes, int], bool],
        first_of: Callable[[bytes], int],
        is_apart: Callable[[bytes, bytes], bool],
    ) -> None:
        self._has_message = has_message
        self._first_of = first_of
        self._is_apart = is_apart
        self._user = b""
        self._upd = 0
        self._seqs: dict[bytes, int] = {}

    def __call__(self, key: bytes, value: bytes) -> str | None:
        user, upd = keys.parse_inbox_key(key)
        row = keys.unpack_inbox(value)
        first = upd - row.updates + 1
        expected = self._upd + 1 if user == self._user else first
        if user != self._user:
            self._seqs.clear()
        self._user, self._upd = user, upd
        if first != expected or first <= 0:
            return f"update {first} where {expected if expected > 0 else 1} was due"
        last = self._seqs.get(row.conversation, 0)
        self._seqs[row.conversation] = max(last, row.seq)
        if row.seq - row.updates < last:
            begin = row.seq - row.updates + 1
            return f"seq {begin} of {row.conversation.hex()} comes after seq {last}"
        if row.kind != keys.INLINE and self._is_apart(user, row.conversation):
            return f"points to seq {row.seq} of {row.conversation.hex()}, which is in another slot"
        if row.kind != keys.INLINE and not self._has_message(row.conversation, row.seq):
            if row.seq < self._first_of(row.conversation):
                return None  # dropped for its age: who comes for it is told that it is gone
            return f"points to seq {row.seq} of {row.conversation.hex()}, which is not in history"
        return None


def _check_sent(key: bytes, value: bytes, has_message: Callable[[bytes, int], bool]) -> str | None:
    conversation, _, _ = keys.parse_sent_key(key)
    seq, _ = keys.unpack_sent(value)
    return None if has_message(conversation, seq) else f"seq {seq} is not in history"


def _check_outbox(
    key: bytes, value: bytes, has_message: Callable[[bytes, int], bool]
) -> str | None:
    # A marker may be one ahead of the head: nothing is owed, but it was moved and not deleted.
    conversation = keys.parse_outbox_key(key)
    seq = keys.unpack_outbox(value)
    if has_message(conversation, seq) or has_message(conversation, seq - 1 if seq else 0):
        return None
    return f"owes seq {seq}, which is neither in history nor next"


class _StateCheck:
    """Each row has a kind that is known, and stands behind what it belongs to.

    What counts against a user's quota is the sum of the user's files, of which the store knows.
    """

    def __init__(
        self,
        has_file: Callable[[bytes], bool],
        has_message: Callable[[bytes, int], bool],
        has_any: Callable[[bytes], bool],
        is_apart: Callable[[bytes, bytes], bool],
    ) -> None:
        self._has_message = has_message
        self._is_apart = is_apart
        self._has_any = has_any
        self._group = b""
        self._has_file = has_file
        self._user = b""  # whose files were counted last
        self._files = self._size = 0
        self._account = b""

    def __call__(self, key: bytes, value: bytes) -> str | None:
        owner, kind, rest = keys.parse_state_key(key)
        if kind in {kinds.FILE, kinds.USAGE}:
            return self._check_files(owner, kind, rest, value)
        if kind == kinds.GROUP:
            self._group = owner
        elif kind == kinds.ACCOUNT:
            self._account = owner
        elif kind in {kinds.MEMBER, kinds.LINK} and owner != self._group:
            return "belongs to a group that has no row"
        elif kind == kinds.PRESENCE:
            values.unpack_presence(value)
        elif kind == kinds.EXPIRY:
            if not self._has_message(owner, keys.parse_expiry_id(rest)[1]):
                return "names a message that is not in history"
        elif kind in {kinds.HIDDEN, kinds.VEIL}:
            other, seq = keys.parse_place(rest)
            # A conversation has such rows of users in other slots. Of one that is on another node
            # there is no history here.
            conversation = owner if self._has_any(owner) else other
            if self._has_any(conversation) and not self._has_message(conversation, seq):
                return "names a message that is not in history"
        elif kind == kinds.EVENT:
            keys.parse_event_key(key)
            keys.parse_history_key(value)
        elif kind == kinds.GONE:
            values.unpack_position(value)
            if owner == self._account:
                return "an account that has ended is there"
        elif kind == kinds.UNSHOWN:
            values.unpack_spans(value)
        elif kind == kinds.MOVED:
            values.unpack_moved(value)
            if self._is_apart(owner, rest):
                return "is of a group of another slot, which tells each record"
        elif kind == kinds.SIZE:
            values.unpack_position(value)
        elif kind == kinds.INVITATION:
            return _check_invitation(owner, rest, value)
        elif kind == kinds.LEDGER:
            first = values.unpack_ledger(value)[0]
            if first > 1 and not self._has_message(owner, first):
                return f"the history begins with seq {first}, which is not there"
        elif key == keys.SWEEP_KEY:
            values.unpack_sweep(value)
        elif key.startswith(keys.LEAVING_PREFIX):
            values.unpack_position(value)
        elif key.startswith(keys.COMING_PREFIX):
            values.unpack_positions(value)
        return _check_format(key, value)

    def _check_files(self, owner: bytes, kind: bytes, sha256: bytes, value: bytes) -> str | None:
        if owner != self._user:
            self._user, self._files, self._size = owner, 0, 0
        if kind == kinds.USAGE:
            size, files = values.unpack_positions(value)
            if (size, files) != (self._size, self._files):
                return f"{size} bytes of {files} files where {self._size} of {self._files} are"
            return None
        size = values.unpack_file(value)[0]
        if not sha256:
            return None  # what is known of the file itself
        self._files += 1
        self._size += size
        return None if self._has_file(sha256) else f"the file {sha256.hex()} has no row of its own"


def _check_invitation(owner: bytes, rest: bytes, value: bytes) -> str | None:
    is_owners = owner in (keys.NODE_OWNER, keys.slot_owner(keys.slot_in(owner)))
    if len(rest) == keys.INVITATION_ID_BYTES and is_owners:
        values.unpack_invitation(value)
    elif len(rest) != 2 * keys.INVITATION_ID_BYTES or is_owners != bool(value):
        return "an invitation is the node's, or its slot's, under 16 bytes of its code's digest"
    return None


def _check_format(key: bytes, value: bytes) -> str | None:
    if key == keys.FORMAT_KEY:
        version = values.unpack_format(value)
        if version != keys.LAYOUT_VERSION:
            return f"layout version {version}, this program knows {keys.LAYOUT_VERSION}"
    return None
