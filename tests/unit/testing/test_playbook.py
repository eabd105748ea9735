from __future__ import annotations

import pytest

from actorchat.testing.playbook import Playbook


class Echo:
    """A machine whose effects are the words of the event, and the time if asked for it."""

    def __init__(self) -> None:
        self.heard = 0

    def handle(self, event: str, now: int, /) -> list[object]:
        self.heard += 1
        return [now if word == "now" else word for word in event.split()]


def test_effects_as_expected_make_a_play_true() -> None:
    assert Playbook(Echo()) >> "a b" << "a" << "b" >> "" >> "c" << "c"


def test_new_play_expects_nothing() -> None:
    assert Playbook(Echo())


def test_play_shows_the_time_that_was_set() -> None:
    play = Playbook(Echo(), now=7) >> "now" << 7
    play.now = 9
    assert play >> "now" << 9


def test_each_event_is_played_once() -> None:
    echo = Echo()
    play = Playbook(echo) >> "a" << "a" >> "b" << "b"
    assert play
    play.done()
    assert echo.heard == 2


@pytest.mark.parametrize(
    ("event", "effects"),
    [
        ("a", []),
        ("", ["a"]),
        ("a b", ["b", "a"]),
        ("a b", ["a"]),
        ("a", ["a", "b"]),
        ("a a", ["a"]),
        ("a", ["c"]),
    ],
)
def test_other_effects_than_expected_fail_at_the_end(event: str, effects: list[str]) -> None:
    play = Playbook(Echo()) >> event
    for effect in effects:
        play = play << effect
    with pytest.raises(AssertionError):
        play.done()
    with pytest.raises(AssertionError):
        bool(play)


def test_unexpected_effect_fails_before_the_next_event_is_played() -> None:
    echo = Echo()
    play = Playbook(echo) >> "a b" << "a"
    with pytest.raises(AssertionError):
        play >> "c"
    assert echo.heard == 1


def test_failure_names_the_event_and_shows_a_diff() -> None:
    play = Playbook(Echo()) >> "one two" << "one" << "three"
    with pytest.raises(AssertionError) as caught:
        play.done()
    text = str(caught.value)
    assert "after 'one two'" in text
    lines = [line.strip() for line in text.splitlines()]
    assert "'one'" in lines
    assert "- 'three'" in lines
    assert "+ 'two'" in lines
