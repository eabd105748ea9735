"""Knows what must have become of each message, and judges what was seen. Must not know clients.

The client id of a message is the run's own 8 bytes and the number of its line, so that each
message is known again wherever it turns up, whatever has become of its text, sender or place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from actorchat.ids import CLIENT_ID_BYTES
from nodes.replay.traffic import Line

RUN_BYTES = 8
DIFFERENCES_KEPT_MAX = 20  # of each kind; all are counted

Kind = Literal[
    "failed",  # a send was refused for good
    "unacked",  # a send got no answer
    "lost",  # acked, and never delivered
    "duplicated",  # given to the application twice
    "altered",  # with another text
    "misattributed",  # under another sender's name
    "misdelivered",  # to somebody else
    "reordered",  # before an earlier one of its sender, or against the order of seqs
    "renumbered",  # under another seq than the ack said
    "history_gap",  # a seq is missing, or there twice
    "history_lost",  # acked, and not in its conversation's history
    "history_duplicated",
    "history_altered",
    "history_misattributed",
    "history_misplaced",  # in another conversation's history
    "history_reordered",
    "unread",  # a history could not be read back
    "ended",  # a person's session was ended for good
    "unkilled",  # a kill that was asked for did not take place
    "unmoved",  # a node that was to join or to be drained did not, or was not
    "kept_waiting",  # a send was refused for too long
]


class Difference(Struct, frozen=True):
    """One thing that is not as it must be; `line` counts from 1, 0 where it is about none."""

    kind: Kind
    line: int
    text: str

    def __str__(self) -> str:
        """Return one line for people."""
        where = f"line {self.line}: " if self.line else ""
        return f"{self.kind}: {where}{self.text}"


class Seen(Struct, frozen=True, gc=False):
    """A message as a client saw it, delivered or in a page of history."""

    sender: str
    seq: int
    cid: bytes
    text: str


class Ledger:
    """What is known of every message of one run."""

    def __init__(self, lines: Sequence[Line], run: bytes) -> None:
        assert len(run) == RUN_BYTES
        self._lines = lines
        self._run = run
        self._acked: list[int] = [0] * len(lines)  # the seq of the ack; seqs begin at 1
        self._failed: set[int] = set()
        self._delivered: list[int] = [0] * len(lines)
        self._newest_seq: dict[tuple[str, str], int] = {}  # by reader and sender
        self._newest_index: dict[tuple[str, str], int] = {}
        self._kept: list[Difference] = []
        self._by_pair: dict[tuple[str, str], list[int]] = {}
        for index, line in enumerate(lines):
            self._by_pair.setdefault(line.pair, []).append(index)
        self.counts: Counter[Kind] = Counter()
        self.acked = 0
        self.failed = 0
        self.delivered = 0  # messages, however often
        self.deliveries = 0  # to the applications, duplicates included
        self.foreign = 0  # deliveries of what this run did not send

    # -- what happens ----------------------------------------------------------------------------
    def cid(self, index: int) -> bytes:
        """Return the client id of line `index`, counted from 0."""
        return self._run + index.to_bytes(CLIENT_ID_BYTES - RUN_BYTES)

    def _index(self, cid: bytes) -> int | None:
        if len(cid) != CLIENT_ID_BYTES or cid[:RUN_BYTES] != self._run:
            return None
        index = int.from_bytes(cid[RUN_BYTES:])
        return index if index < len(self._lines) else None

    def on_acked(self, index: int, seq: int) -> None:
        """Note that the send of line `index` was acked as `seq`."""
        self.acked += 1
        self._acked[index] = seq

    def on_failed(self, index: int, why: str) -> None:
        """Note that the send of line `index` was refused for good."""
        self.failed += 1
        self._failed.add(index)
        self._add("failed", index, why)

    def on_delivered(self, reader: str, seen: Seen) -> int | None:
        """Judge a delivery to `reader`'s application; return its line where it is new and ours."""
        index = self._index(seen.cid)
        if index is None:
            self.foreign += 1
            return None
        self.deliveries += 1
        line = self._lines[index]
        if reader != line.to:
            self._add("misdelivered", index, f"to {reader}, it was for {line.to}")
            return None
        if self._delivered[index]:
            self._add("duplicated", index, f"delivered to {reader} again, as seq {seen.seq}")
            return None
        self._delivered[index] = seen.seq
        self.delivered += 1
        if seen.sender != line.sender:
            self._add("misattributed", index, f"came from {seen.sender}, {line.sender} sent it")
        if seen.text != line.text:
            self._add("altered", index, f"delivered as {seen.text!r}, sent as {line.text!r}")
        way = (reader, seen.sender)
        newest_seq, newest_index = self._newest_seq.get(way, 0), self._newest_index.get(way, -1)
        if seen.seq <= newest_seq:
            self._add("reordered", index, f"seq {seen.seq} was delivered after {newest_seq}")
        elif index < newest_index:
            self._add("reordered", index, f"was delivered after line {newest_index + 1}")
        self._newest_seq[way] = max(newest_seq, seen.seq)
        self._newest_index[way] = max(newest_index, index)
        return index

    # -- what must hold in the end ---------------------------------------------------------------
    def judge_ends(self) -> None:
        """Look for messages that were not acked, not delivered, or under another seq."""
        for index, line in enumerate(self._lines):
            acked, delivered = self._acked[index], self._delivered[index]
            if index in self._failed:
                continue
            if not acked:
                self._add("unacked", index, f"{line.sender} to {line.to}")
            if not delivered:
                self._add("lost", index, f"{line.sender} to {line.to}, acked as seq {acked}")
            elif acked and acked != delivered:
                self._add("renumbered", index, f"acked as seq {acked}, delivered as {delivered}")

    def judge_history(
        self, reader: str, other: str, before: int, head: int, entries: Iterable[Seen]
    ) -> None:
        """Judge the whole history of a conversation above seq `before`, as `reader` read it."""
        pair = (reader, other) if reader <= other else (other, reader)
        where = f"history of {reader} and {other}"
        due = before + 1
        found: set[int] = set()
        newest: dict[str, int] = {}
        for seen in entries:
            if seen.seq != due:
                self._note("history_gap", f"{where}: seq {seen.seq} where {due} was due")
            due = seen.seq + 1
            index = self._index(seen.cid)
            if index is not None:
                self._judge_entry(index, seen, pair, where, found, newest)
        if due != head + 1:
            self._note("history_gap", f"{where}: ends at seq {due - 1}, the head is {head}")
        for index in self._by_pair.get(pair, ()):
            if index not in found and self._acked[index]:
                self._add("history_lost", index, f"{where}: not there")

    def _judge_entry(
        self,
        index: int,
        seen: Seen,
        pair: tuple[str, str],
        where: str,
        found: set[int],
        newest: dict[str, int],
    ) -> None:
        line = self._lines[index]
        if line.pair != pair:
            self._add("history_misplaced", index, f"{where}: belongs to {' and '.join(line.pair)}")
            return
        if index in found:
            self._add("history_duplicated", index, f"{where}: again as seq {seen.seq}")
            return
        found.add(index)
        if seen.sender != line.sender:
            self._add("history_misattributed", index, f"{where}: from {seen.sender}")
        if seen.text != line.text:
            self._add("history_altered", index, f"{where}: reads {seen.text!r}")
        if index < newest.get(line.sender, -1):
            after = newest[line.sender] + 1
            self._add("history_reordered", index, f"{where}: stands after line {after}")
        newest[line.sender] = max(newest.get(line.sender, -1), index)
        acked = self._acked[index]
        if acked and acked != seen.seq:
            self._add("renumbered", index, f"{where}: seq {seen.seq}, acked as {acked}")

    def note_unread(self, reader: str, other: str, why: str) -> None:
        """Note that a history could not be read back."""
        self._note("unread", f"history of {reader} and {other}: {why}")

    def note_ended(self, user: str, why: str) -> None:
        """Note that a session was ended by the server before the run was over."""
        self._note("ended", f"session of {user}: {why}")

    def note_unkilled(self, asked: int, done: int) -> None:
        """Note that the node was killed less often than asked for."""
        self._note("unkilled", f"the node was killed {done} times, not {asked}")

    def note_unmoved(self, what: str) -> None:
        """Note that a node that was asked to come or to go did not."""
        self._note("unmoved", what)

    def note_kept_waiting(self, waited_s: float, most_s: float) -> None:
        """Note that a send was refused for longer than it may be."""
        self._note("kept_waiting", f"a send was refused for {waited_s:.3f} s, not {most_s:g} s")

    # -- the verdict -----------------------------------------------------------------------------
    def _add(self, kind: Kind, index: int, text: str) -> None:
        self._keep(Difference(kind, index + 1, text))

    def _note(self, kind: Kind, text: str) -> None:
        self._keep(Difference(kind, 0, text))

    def _keep(self, difference: Difference) -> None:
        self.counts[difference.kind] += 1
        if self.counts[difference.kind] <= DIFFERENCES_KEPT_MAX:
            self._kept.append(difference)

    @property
    def differences(self) -> list[Difference]:
        """Return the first differences of each kind, in the order in which they were found."""
        return list(self._kept)

    @property
    def difference_count(self) -> int:
        """Return how many differences there are."""
        return self.counts.total()
