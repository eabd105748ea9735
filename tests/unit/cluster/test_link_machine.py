"""A link is up when both lanes are; what is missing, old or silent ends it; windows are bytes."""

from __future__ import annotations

import random

import pytest

from actorchat import limits
from actorchat.cluster import link_machine as link
from actorchat.cluster.link_frame import HELLO, ITEMS, Head, pack_frame, parse_head
from actorchat.cluster.link_machine import Deliver, Dial, Down, Leave, LinkMachine, Up
from actorchat.errors import LinkFull


class End:
    """A machine, and the frames that it would send."""

    def __init__(self, node: str, peer: str, incarnation: int = 1) -> None:
        self.machine = LinkMachine(node, incarnation, peer)
        self.effects: list[object] = []
        self.bodies: list[bytes] = []

    def frames(self, now_s: float = 0.0) -> list[bytes]:
        found = []
        while (frame := self.machine.next_frame(now_s)) is not None:
            self.machine.sent()
            found.append(frame)
        return found

    def take(self, frame: bytes, now_s: float = 0.0) -> list[object]:
        head, at = parse_head(frame)
        effects: list[object] = [*self.machine.receive(head, frame, at, now_s)]
        if Deliver() in effects:
            self.bodies.append(frame[at:])
        self.effects += effects
        return effects


def exchange(one: End, other: End, now_s: float = 0.0) -> None:
    """Let frames go both ways until nobody has any."""
    for _ in range(20):
        here, there = one.frames(now_s), other.frames(now_s)
        if not here and not there:
            return
        for frame in here:
            other.take(frame, now_s)
        for frame in there:
            one.take(frame, now_s)
    raise AssertionError("they never come to rest")


def pair(incarnation: int = 1) -> tuple[End, End]:
    one, other = End("a", "b", incarnation), End("b", "a")
    for end in (one, other):
        assert end.machine.tick(0.0) == [Dial()]
    exchange(one, other)
    assert one.machine.state == other.machine.state == link.UP
    return one, other


def test_both_ends_are_up_once_after_their_hellos() -> None:
    one, other = pair()
    assert [e for e in one.effects if isinstance(e, Up)] == [Up(1)]
    assert [e for e in other.effects if isinstance(e, Up)] == [Up(1)]


@pytest.mark.parametrize("seed", range(30))
def test_hellos_in_any_order_bring_the_link_up(seed: int) -> None:
    rng = random.Random(seed)
    one, other = End("a", "b"), End("b", "a")
    flying: list[tuple[End, bytes]] = []
    now_s = 0.0
    for _ in range(300):
        now_s += 0.05
        for end, peer in ((one, other), (other, one)):
            if rng.random() < 0.3:
                end.machine.tick(now_s)
            flying += [(peer, frame) for frame in end.frames(now_s)]
        for peer in (one, other):
            mine = [frame for to, frame in flying if to is peer]
            if mine and rng.random() < 0.5:
                flying.remove((peer, mine[0]))
                peer.take(mine[0], now_s)
    assert one.machine.state == other.machine.state == link.UP


def test_items_of_a_turn_go_in_one_frame_in_their_order() -> None:
    one, other = pair()
    for item in (b"1", b"2", b"3"):
        one.machine.offer(item)
    exchange(one, other)
    assert other.bodies == [b"123"]


def test_more_than_a_frame_holds_goes_in_several() -> None:
    one, other = pair()
    items = [bytes([n]) * 100_000 for n in range(7)]
    for item in items:
        one.machine.offer(item)
    exchange(one, other)
    assert b"".join(other.bodies) == b"".join(items)
    assert max(map(len, other.bodies)) <= limits.LINK_FRAME_BYTES_MAX
    long = bytes(limits.LINK_FRAME_BYTES_MAX + 1)
    one.machine.offer(long)
    exchange(one, other)
    assert other.bodies[-1] == long


def test_a_missing_frame_ends_the_link_and_what_follows_is_not_delivered() -> None:
    one, other = pair()
    for item in (b"1", b"2", b"3"):
        one.machine.offer(item)
        frames = one.frames()
        if item != b"2":
            other.take(frames[0])
    assert other.bodies == [b"1"]
    assert other.effects[-1] == Down(1, link.GAP, True)
    assert not other.machine.takes


def test_after_a_gap_both_ends_come_up_anew_and_nothing_old_is_delivered() -> None:
    one, other = pair()
    one.machine.offer(b"lost")
    one.frames()
    one.machine.offer(b"after the gap")
    stale = one.frames()[0]
    other.take(stale)
    one.machine.offer(b"waits")  # the sender does not know yet
    assert other.machine.tick(1.0) == [Dial()]
    exchange(one, other, 1.0)
    assert Down(1, link.RESET, True) in one.effects
    one.machine.tick(2.0)
    exchange(one, other, 2.0)
    assert one.machine.state == other.machine.state == link.UP
    assert other.take(stale) == []
    one.machine.offer(b"new")
    exchange(one, other, 2.0)
    assert other.bodies == [b"new"]


def test_a_new_incarnation_takes_the_link_down_before_it_comes_up() -> None:
    one, other = pair()
    again = End("a", "b", incarnation=2)
    again.machine.tick(1.0)
    other.effects.clear()
    exchange(again, other, 1.0)
    other.machine.tick(2.0)
    exchange(again, other, 2.0)
    kinds = [e for e in other.effects if isinstance(e, Up | Down)]
    assert kinds == [Down(1, link.RESTARTED, True), Up(2)]
    one.machine.offer(b"from the dead")
    before = other.machine.refused
    other.take(one.frames()[0])
    assert other.machine.refused == before + 1
    assert other.bodies == []


def test_an_old_incarnations_hello_is_refused() -> None:
    _, other = pair(incarnation=5)
    hello = pack_frame(Head(HELLO, "a", 4, 99, 0), b"b")
    assert other.take(hello) == []
    assert other.machine.state == link.UP
    assert other.machine.peer_incarnation == 5


def test_the_registrys_word_fences_an_incarnation_that_was_never_heard() -> None:
    _, other = pair(incarnation=5)
    assert other.machine.fence(6, 1.0) == [Down(5, link.RESTARTED, True)]
    assert other.take(pack_frame(Head(HELLO, "a", 5, 99, 0), b"b")) == []
    assert other.machine.fence(6, 1.0) == []


def test_a_hello_for_somebody_else_is_refused() -> None:
    end = End("a", "b")
    end.machine.tick(0.0)
    assert end.take(pack_frame(Head(HELLO, "b", 1, 1, 0), b"c")) == []
    assert end.machine.refused == 1


def test_items_without_a_hello_are_refused() -> None:
    end = End("a", "b")
    end.machine.tick(0.0)
    assert end.take(pack_frame(Head(ITEMS, "b", 1, 1, 1), b"x")) == []
    assert end.bodies == []


def test_a_silent_peer_is_down_and_an_idle_one_is_not() -> None:
    one, other = pair()
    now_s = 0.0
    while now_s < 60:
        now_s += limits.LINK_BEAT_S
        one.machine.tick(now_s)
        other.machine.tick(now_s)
        exchange(one, other, now_s)
    assert one.machine.state == link.UP
    died_s = now_s
    effects: list[object] = []
    while not effects:
        now_s += limits.LINK_BEAT_S
        effects = [*one.machine.tick(now_s)]
        one.frames(now_s)
    assert effects == [Down(1, link.SILENT, True)]
    assert now_s - died_s <= limits.LINK_SILENT_S + limits.LINK_BEAT_S


def test_an_idle_link_sends_a_frame_every_tick_and_no_more() -> None:
    one, other = pair()
    sent = 0
    for beat in range(1, 81):
        now_s = beat * limits.LINK_BEAT_S
        one.machine.tick(now_s)
        other.machine.tick(now_s)
        here, there = one.frames(now_s), other.frames(now_s)
        sent += len(here)
        for frame in here:
            other.take(frame, now_s)
        for frame in there:
            one.take(frame, now_s)
    assert sent == 80 * limits.LINK_BEAT_S / limits.LINK_TICK_S


def test_a_node_that_slept_does_not_blame_its_peer() -> None:
    one, _ = pair()
    one.machine.tick(0.25)
    assert one.machine.tick(100.0) == []
    assert one.machine.state == link.UP


def test_a_break_of_the_connection_is_forgiven_if_the_peer_shows_itself() -> None:
    one, other = pair()
    one.machine.tick(0.25)
    assert one.machine.suspect(0.25) == []
    exchange(one, other, 0.3)
    other.machine.offer(b"here")
    exchange(one, other, 0.4)
    assert one.machine.tick(0.25 + limits.LINK_SUSPECT_S) == []


def test_a_break_of_the_connection_ends_the_link_soon_otherwise() -> None:
    one, _ = pair()
    one.machine.tick(0.25)
    one.machine.suspect(0.25)
    one.frames(0.25)
    assert one.machine.tick(1.2) == []
    assert one.machine.tick(1.25) == [Down(1, link.SUSPECTED, True)]


def test_a_refused_connection_is_dialled_anew_with_growing_waits() -> None:
    end = End("a", "b")
    end.machine.tick(0.0)
    waits, now_s = [], 0.0
    for _ in range(8):
        assert end.machine.suspect(now_s) == [Down(0, link.SUSPECTED, False)]
        begun_s = now_s
        while not end.machine.tick(now_s):
            now_s += 0.05
        waits.append(now_s - begun_s)
    assert waits[0] < 0.2
    assert waits == sorted(waits)
    assert waits[-1] <= limits.LINK_REDIAL_MAX_S + 0.1


def test_the_window_is_counted_in_bytes_and_freed_by_acks() -> None:
    one, other = pair()
    half = bytes(limits.LINK_WINDOW_BYTES // 2)
    one.machine.offer(half)
    one.machine.offer(half)
    with pytest.raises(LinkFull):
        one.machine.offer(b"x")
    frames = one.frames()
    with pytest.raises(LinkFull):  # sent is not acked
        one.machine.offer(b"x")
    for frame in frames:
        other.take(frame)
    exchange(one, other)  # a quarter and more unacked: the ack needs no tick
    assert one.machine.waiting_bytes == 0
    one.machine.offer(b"x")


def test_answers_pass_the_window_and_too_many_cut_the_link() -> None:
    one, _ = pair()
    one.machine.tick(0.25)
    one.machine.offer(bytes(limits.LINK_WINDOW_BYTES))
    one.machine.urge(bytes(limits.LINK_WINDOW_BYTES))
    assert one.machine.tick(0.5) == []
    one.machine.urge(bytes(limits.LINK_OVERRUN_BYTES))
    assert one.machine.tick(0.75) == [Down(1, link.OVERRUN, True)]
    assert one.machine.waiting_bytes == 0


def test_a_goodbye_comes_last_and_is_acked_before_the_peer_leaves() -> None:
    one, other = pair()
    one.machine.offer(b"last words")
    one.machine.say_goodbye()
    assert not one.machine.takes
    assert not one.machine.is_drained
    for frame in one.frames():
        effects = other.take(frame)
    assert effects[-1] == Leave()
    assert other.bodies == [b"last words"]
    for frame in other.frames():
        one.take(frame)
    assert one.machine.is_drained
    assert other.machine.left(1.0) == [Down(1, link.SHUTDOWN, True)]


def test_a_closed_link_neither_hears_nor_dials() -> None:
    one, other = pair()
    assert one.machine.close(1.0) == [Down(1, link.SHUTDOWN, True)]
    other.machine.offer(b"x")
    assert one.take(other.frames()[0]) == []
    assert one.machine.tick(100.0) == []


def test_what_another_thread_queued_while_the_link_was_down_is_not_sent_later() -> None:
    one, other = pair()
    one.machine.give_up("test", 1.0)
    one.machine.offer(b"late")
    lost = one.machine.lost
    one.machine.tick(2.0)
    exchange(one, other, 2.0)
    other.machine.tick(3.0)
    exchange(one, other, 3.0)
    assert one.machine.state == link.UP
    assert other.bodies == []
    assert one.machine.lost == lost + 1


def test_ends_that_dial_at_the_same_time_do_not_chase_each_other() -> None:
    one, other = pair()
    for end in (one, other):
        end.machine.give_up("test", 1.0)
    for end in (one, other):
        assert end.machine.tick(2.0) == [Dial()]
    exchange(one, other, 2.0)  # comes to rest
    one.machine.tick(4.0)
    other.machine.tick(4.0)
    exchange(one, other, 4.0)
    assert one.machine.state == other.machine.state == link.UP


def test_an_end_whose_lane_was_given_up_is_told_and_dials_another() -> None:
    one, other = pair()
    for end in (one, other):
        end.machine.give_up("test", 1.0)
        end.machine.tick(2.0)
    exchange(one, other, 2.0)
    one.machine.give_up("test", 3.0)  # the other is up, or dials on a lane that is spent
    for now_s in (4.0, 5.0, 6.0):
        one.machine.tick(now_s)
        other.machine.tick(now_s)
        exchange(one, other, now_s)
    assert one.machine.state == other.machine.state == link.UP
