"""The order of sends: what waits for what, and what never overtakes."""

from __future__ import annotations

import pytest

from actorchat.client.outgoing import SendQueue, full_jitter
from actorchat.errors import Overloaded


class Wire:
    """A queue whose sends go out as far as they may; bodies name them."""

    def __init__(self, window: int = 4, *, strict: bool = False, unsent_max: int = 100) -> None:
        self.queue = SendQueue(
            window=window, unsent_max=unsent_max, strict=strict, jitter=lambda: 1.0
        )
        self.rids: dict[str, int] = {}
        self._rid = 0

    def post(self, *sends: str) -> None:
        """Post sends named `conversation` + `number`."""
        for name in sends:
            self.queue.post(name, name[0], b"", name)

    def pump(self, now: float = 0.0) -> list[str]:
        """Let go out what may; return it."""
        self.queue.wake(now)
        out = []
        while (outgoing := self.queue.next()) is not None:
            self._rid += 1
            self.rids[outgoing.body] = self._rid
            self.queue.sent(outgoing, self._rid, now)
            out.append(outgoing.body)
        return out

    def ok(self, name: str, now: float = 0.0) -> None:
        """Answer a send."""
        outgoing = self.queue.answered(self.rids[name])
        assert outgoing is not None
        self.queue.done(outgoing, now)

    def refuse(
        self, name: str, after_ms: int | None, now: float = 0.0, retry: str = "after"
    ) -> None:
        """Refuse a send for now."""
        outgoing = self.queue.answered(self.rids[name])
        assert outgoing is not None
        self.queue.refused(outgoing, retry, after_ms, now)  # type: ignore[arg-type]


def test_sends_go_out_in_order_as_the_window_lets_them() -> None:
    wire = Wire(window=2)
    wire.post("a1", "b1", "a2")
    assert wire.pump() == ["a1", "b1"]
    wire.ok("b1")
    assert wire.pump() == ["a2"]
    assert wire.queue.oldest_sent_at() == 0.0


def test_the_queue_counts_what_waits_and_not_what_is_under_way() -> None:
    wire = Wire(window=1, unsent_max=1)
    wire.post("a1")
    wire.pump()
    wire.post("a2")
    with pytest.raises(Overloaded):
        wire.post("a3")
    assert wire.queue.size == 2


def test_when_all_under_way_are_refused_the_order_is_kept_in_full() -> None:
    wire = Wire()
    wire.post("a1", "a2", "a3")
    wire.pump()
    wire.refuse("a2", 100)
    wire.refuse("a1", 100)
    wire.post("a4", "b1")
    assert wire.pump(0.2) == ["b1"]  # a3 is not answered yet
    wire.refuse("a3", 100)
    assert wire.queue.retry_at() == pytest.approx(0.1)
    assert wire.pump(0.2) == ["a1"]
    wire.ok("a1", 0.2)
    assert wire.pump(0.2) == ["a2", "a3", "a4"]


def test_what_was_under_way_may_overtake_but_nothing_later_does() -> None:
    wire = Wire()
    wire.post("a1", "a2", "a3")
    wire.pump()
    wire.refuse("a1", 100)
    wire.post("a4")
    wire.ok("a2")
    wire.ok("a3")
    assert wire.pump(0.05) == []
    assert wire.pump(0.1) == ["a1"]
    assert wire.pump(0.1) == []
    wire.ok("a1", 0.1)
    assert wire.pump(0.1) == ["a4"]


def test_a_probe_that_is_refused_waits_longer_each_time() -> None:
    wire = Wire()
    wire.post("a1", "a2")
    wire.pump()
    wire.refuse("a1", None, 0.0, "now")
    wire.refuse("a2", None, 0.0, "now")
    waits, now = [], 0.0
    for _ in range(3):
        at = wire.queue.retry_at()
        assert at is not None
        waits.append(round(at - now, 3))
        now = at
        assert wire.pump(now) == ["a1"]
        wire.refuse("a1", None, now, "now")
    assert waits == [0.2, 0.2, 0.4]


def test_a_refusal_for_now_alone_is_repeated_at_once() -> None:
    wire = Wire()
    wire.post("a1")
    wire.pump()
    wire.refuse("a1", None, 0.0, "now")
    assert wire.pump(0.0) == ["a1"]


def test_after_a_loss_all_go_out_again_in_the_order_of_posting() -> None:
    wire = Wire(window=3)
    wire.post("a1", "b1", "a2", "a3", "b2")
    wire.pump()
    wire.refuse("a1", 100)
    wire.pump(0.0)
    wire.queue.lost(0.0)
    assert wire.pump(0.0) == ["b1", "b2"]  # a1's time has not come, and none overtakes it
    assert wire.pump(0.1) == ["a1"]
    wire.ok("a1", 0.1)
    wire.ok("b1", 0.1)
    assert wire.pump(0.1) == ["a2", "a3"]


def test_a_strict_queue_has_one_send_to_a_conversation_under_way() -> None:
    wire = Wire(strict=True)
    wire.post("a1", "a2", "b1", "a3")
    assert wire.pump() == ["a1", "b1"]
    wire.refuse("a1", 100)
    assert wire.pump(0.05) == []
    assert wire.pump(0.1) == ["a1"]
    wire.ok("a1", 0.1)
    assert wire.pump(0.1) == ["a2"]
    wire.queue.lost(0.0)
    assert sorted(wire.pump(0.1)) == ["a2", "b1"]
    wire.ok("a2", 0.1)
    assert wire.pump(0.1) == ["a3"]
    wire.ok("a3", 0.1)
    wire.ok("b1", 0.1)
    assert wire.queue.size == 0
    wire.post("a4")
    assert wire.pump(0.1) == ["a4"]


def test_draining_gives_everything_oldest_first() -> None:
    wire = Wire(window=2)
    wire.post("a1", "a2", "b1", "a3")
    wire.pump()
    wire.refuse("a1", 100)
    assert [outgoing.body for outgoing in wire.queue.drain()] == ["a1", "a2", "b1", "a3"]
    assert wire.queue.size == 0
    assert wire.queue.retry_at() is None


def test_the_backoff_is_drawn_from_nothing_to_its_bound() -> None:
    assert full_jitter(0, lambda: 0.0) == 0.0
    assert full_jitter(3, lambda: 0.5) == pytest.approx(0.4)
    assert full_jitter(10_000, lambda: 1.0) == 15.0


def test_longest_refusal_is_from_the_first_until_it_is_stored() -> None:
    wire = Wire()
    wire.post("a1", "b1", "c1")
    wire.pump(1.0)
    wire.ok("c1", 9.0)  # was slow, and not refused
    assert wire.queue.refused_max_s == 0.0
    wire.refuse("a1", 100, 2.0)
    wire.pump(2.1)
    wire.refuse("a1", 100, 2.2)
    wire.pump(2.4)
    wire.ok("a1", 2.5)
    assert wire.queue.refused_max_s == 0.5
    wire.queue.lost(3.0)
    wire.pump(3.0)
    wire.queue.lost(4.0)
    wire.pump(4.0)
    wire.ok("b1", 5.0)
    assert wire.queue.refused_max_s == 2.0


def test_send_without_a_session_is_refused_from_the_start() -> None:
    wire = Wire()
    wire.queue.post("a1", "a", b"", "a1", None, 1.0)
    wire.pump(3.0)
    wire.ok("a1", 3.5)
    assert wire.queue.refused_max_s == 2.5
