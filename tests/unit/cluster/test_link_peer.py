"""A peer's frames wait for room and go on; threads may tell while the loop sends."""

from __future__ import annotations

import threading
from typing import Any

from actorchat.testing.link_net import LinkWeather
from tests.unit.cluster.town import Town, heard, outcome


def test_frames_that_are_not_taken_at_once_go_later_and_in_order() -> None:
    town = Town("a", "b", weather=LinkWeather(refusal=0.5))
    there = town.scribe("b", "desk")
    desk = town["a"].named("b", "desk")
    for number in range(200):
        desk.tell(number)
        if number % 10 == 0:
            town.run(0.01)
    town.run(10)
    assert heard(there) == list(range(200))


def test_all_of_one_turn_goes_in_one_frame() -> None:
    town = Town("a", "b")
    town.scribe("b", "desk")
    lane: Any = town["a"].peers["b"]._lane
    frames: list[bytes] = []
    send = lane.send
    lane.send = lambda frame: (frames.append(frame), send(frame))[1]
    desk = town["a"].named("b", "desk")
    for number in range(500):
        desk.tell(number)
    town.run(0.1)
    assert len(frames) == 1


def test_what_threads_tell_arrives_in_the_order_of_each() -> None:
    town = Town("a", "b")
    there = town.scribe("b", "desk")
    desk = town["a"].named("b", "desk")

    def talk(who: int) -> None:
        for number in range(2_000):
            desk.tell(who * 10_000 + number)

    threads = [threading.Thread(target=talk, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    town.run(5)
    got = heard(there)
    assert len(got) == 8_000
    for who in range(4):
        mine = [number for number in got if number // 10_000 == who]
        assert mine == sorted(mine)


def test_an_answer_of_an_earlier_link_is_not_sent_on_the_next() -> None:
    town = Town("a", "b")
    owed: list[Any] = []
    town.scribe("b", "late", answer=lambda self, _message: owed.append(self.defer()))
    reply = town["a"].named("b", "late").call("x", timeout_s=60)
    town.run()
    town.partition("a", "b")
    town.run(15)
    town.net.heal()
    town.run(15)
    assert outcome(reply).reason == "noconnection"
    again = town["a"].named("b", "late").call("y", timeout_s=60)
    town.run()
    owed[0].reply("stale")
    owed[1].reply("fresh")
    town.run()
    assert outcome(again) == "fresh"
