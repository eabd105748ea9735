"""Knows what must have become of each message to a group, and judges what members saw.
Must not know clients.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from nodes.replay.ledger import Ledger, Seen
from nodes.replay.traffic import Line

CREATED = 1  # the seq of the record that makes a group, which is delivered too


class GroupLedger(Ledger):
    """A ledger of copies: each message is for every member of its group but its sender.

    Args:
        lines: Each `to` is a group's address.
        members: Those of each group, by its address, without its owner, who alone writes.
    """

    def __init__(
        self, lines: Sequence[Line], run: bytes, members: Mapping[str, Collection[str]]
    ) -> None:
        super().__init__(lines, run)
        self._members = members
        self._newest: dict[tuple[str, str], int] = {}  # by reader and group
        self._order: dict[tuple[str, int], bytes] = {}  # who stands where, as the first saw it
        self._by_group: dict[str, list[int]] = {}
        for index, line in enumerate(lines):
            self._by_group.setdefault(line.to, []).append(index)

    @property
    def copies(self) -> int:
        """Return how many copies are due."""
        return sum(len(self._members[line.to]) for line in self._lines)

    def on_copy(self, reader: str, group: str, seen: Seen) -> bool:
        """Judge what `reader`'s application got; say whether it is a copy that was due."""
        if reader not in self._members.get(group, ()):
            self.foreign += 1
            self._note("misdelivered", f"a message of {group} to {reader}")
            return False
        self.deliveries += 1
        due = self._newest.get((reader, group), 0) + 1
        if seen.seq < due:
            self._note("duplicated", f"seq {seen.seq} of {group} to {reader} again")
            return False
        if seen.seq > due:
            self._note("lost", f"{reader} got seq {seen.seq} of {group} where {due} was due")
        self._newest[reader, group] = seen.seq
        if seen.seq == CREATED:
            return False
        self.delivered += 1
        self._judge_place(f"{reader} in {group}", group, seen)
        return True

    def _judge_place(self, where: str, group: str, seen: Seen) -> None:
        """Judge what stands at a place: what was sent, and the same for everybody."""
        index = self._index(seen.cid)
        if index is None or self._lines[index].to != group:
            self._note("misdelivered", f"{where}: seq {seen.seq} is of another run or group")
            return
        line, known = self._lines[index], self._order.setdefault((group, seen.seq), seen.cid)
        if known != seen.cid:
            self._add("reordered", index, f"{where}: seq {seen.seq}, others see another there")
        if seen.sender != line.sender:
            self._add("misattributed", index, f"{where}: from {seen.sender}")
        if seen.text != line.text:
            self._add("altered", index, f"{where}: reads {seen.text!r}")
        acked = self._acked[index]
        if acked and acked != seen.seq:
            self._add("renumbered", index, f"{where}: seq {seen.seq}, acked as {acked}")

    def judge_ends(self) -> None:
        """Look for sends without an ack, seqs that are not dense, and members who lack the last."""
        for group, indexes in self._by_group.items():
            seqs = sorted(self._acked[index] for index in indexes if index not in self._failed)
            for index in indexes:
                if not self._acked[index] and index not in self._failed:
                    self._add("unacked", index, group)
            head = CREATED + len(seqs)
            if seqs != list(range(CREATED + 1, head + 1)):
                self._note("renumbered", f"{group}: the acks have holes up to {head}")
            for member in self._members[group]:
                newest = self._newest.get((member, group), 0)
                if newest != head:
                    self._note("lost", f"{member} has {group} up to {newest} of {head}")

    def judge_group(self, reader: str, group: str, head: int, entries: Iterable[Seen]) -> None:
        """Judge the whole history of a group as `reader` read it."""
        due = 1
        for seen in entries:
            if seen.seq != due:
                self._note("history_gap", f"{reader}: {group} has {seen.seq}, {due} was due")
            due = seen.seq + 1
            if seen.seq != CREATED:
                self._judge_place(f"history of {group} for {reader}", group, seen)
        if due != head + 1:
            self._note("history_gap", f"{reader}: {group} ends at {due - 1}, its head is {head}")
