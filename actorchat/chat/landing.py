"""Knows which updates are on their way to devices and which have landed. Must not know devices."""

from __future__ import annotations

from collections import deque

from actorchat.chat.event import Conv


class Landing:
    """From pushed to acked: what the conversations are to be told was delivered.

    An update lands when the first device acks it. Its mark is told a little later, with others, and
    only what was told a round ago (`told`) may leave the log: until then a crash could lose the
    mark, and the row is what it would be made from again.
    """

    __slots__ = ("_flying", "_marks", "landed", "told")

    def __init__(self, landed: int, told: int) -> None:
        self.landed = landed
        self.told = told
        self._flying: deque[tuple[int, Conv, int]] | None = None
        self._marks: dict[Conv, int] | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether a round of marks is still to come."""
        return self._marks is not None

    def fly(self, upd: int, pair: Conv, seq: int) -> None:
        """Note that an update was pushed to a device."""
        if upd <= self.landed:
            return  # another device has it already; its mark must not take a later one's place
        flying = self._flying
        if flying is None:
            flying = self._flying = deque()
        if not flying or flying[-1][0] < upd:
            flying.append((upd, pair, seq))

    def fly_last(self, upd: int, pair: Conv, seq: int) -> None:
        """Note that an update was pushed which is the last of all, so nobody has it yet."""
        flying = self._flying
        if flying is None:
            flying = self._flying = deque()
        flying.append((upd, pair, seq))

    def land(self, upto: int) -> bool:
        """Note an ack of all updates up to `upto`; say whether a round begins with it."""
        if upto > self.landed:
            self.landed = upto
        begins = self.begin_round()
        marks, flying = self._marks, self._flying
        assert marks is not None
        while flying and flying[0][0] <= upto:
            _, pair, seq = flying.popleft()
            marks[pair] = seq
        return begins

    def begin_round(self) -> bool:
        """Begin a round of marks, if none is under way; say whether it was."""
        if self._marks is not None:
            return False
        self._marks = {}
        return True

    def end_round(self) -> dict[Conv, int]:
        """End the round; return the last seq delivered of each conversation in it."""
        marks, self._marks = self._marks or {}, None
        return marks
