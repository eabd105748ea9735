from __future__ import annotations

import pytest

from actorchat.chat.effect import StartTimer
from actorchat.chat.event import Answer, Refused
from actorchat.chat.sighting import (
    LevelChanged,
    Sighted,
    Subscribe,
    TrackerLost,
    Unsubscribe,
    Watched,
)
from actorchat.chat.watchlist import PUSH_DUE, ToTracker, Watchlist
from actorchat.limits import PRESENCE_PUSH_S, WATCHED_MAX
from actorchat.protocol.ops import Presence, PresenceState, Unwatch, Watch


class Me:
    def tell(self, event: object, /) -> None:
        raise AssertionError("a machine tells nobody by itself")


ME = Me()
COOL = StartTimer(PRESENCE_PUSH_S, PUSH_DUE)


def on(user: str) -> PresenceState:
    return PresenceState(user, True)


def off(user: str, last_seen: int | None = None) -> PresenceState:
    return PresenceState(user, False, last_seen)


def asks(tracker: int, rid: int | None, *users: str, level: str = "everyone") -> ToTracker:
    asked = Subscribe("bob", level, ME, list(users), rid)  # type: ignore[arg-type]
    return ToTracker(tracker, asked)


@pytest.fixture
def watchlist() -> Watchlist:
    """Users are tracked by the number at the end of their name."""
    return Watchlist("bob", "everyone", ME, lambda user: int(user[-1]))


def test_each_tracker_is_asked_once_and_the_answer_waits_for_all(watchlist: Watchlist) -> None:
    out = watchlist.handle(Watch(4, ["a1", "b2", "c1", "a1"]))
    assert out == [asks(1, 4, "a1", "c1"), asks(2, 4, "b2")]
    assert watchlist.handle(Watched(1, 4, [on("a1"), off("c1", 5)])) == []
    (answer,) = watchlist.handle(Watched(2, 4, [off("b2")]))
    assert answer == Answer(
        4,
        {
            "states": [
                {"user": "a1", "online": True},
                {"user": "b2", "online": False},
                {"user": "c1", "online": False, "last_seen": 5},
            ]
        },
    )


def watch(watchlist: Watchlist, *users: str) -> None:
    watchlist.handle(Watch(1, list(users)))
    for tracker in {int(user[-1]) for user in users}:
        states = [off(user) for user in users if user.endswith(str(tracker))]
        watchlist.handle(Watched(tracker, 1, states))


def test_first_change_is_pushed_at_once_and_the_next_ones_together(watchlist: Watchlist) -> None:
    watch(watchlist, "a1", "b2", "c3")
    assert watchlist.handle(Sighted([on("a1")])) == [Presence([on("a1")]), COOL]
    assert watchlist.handle(Sighted([on("b2")])) == []
    assert watchlist.handle(Sighted([on("c3")])) == []
    assert watchlist.handle(PUSH_DUE) == [Presence([on("b2"), on("c3")]), COOL]
    assert watchlist.handle(PUSH_DUE) == []
    assert watchlist.handle(Sighted([off("a1")])) == [Presence([off("a1")]), COOL]


def test_what_is_known_is_not_pushed_again(watchlist: Watchlist) -> None:
    watch(watchlist, "a1")
    assert watchlist.handle(Sighted([off("a1"), on("stranger1")])) == []


def test_the_last_of_several_changes_is_pushed(watchlist: Watchlist) -> None:
    watch(watchlist, "a1", "b2")
    watchlist.handle(Sighted([on("b2")]))
    watchlist.handle(Sighted([on("a1")]))
    watchlist.handle(Sighted([off("a1", 9)]))
    assert watchlist.handle(PUSH_DUE) == [Presence([off("a1", 9)]), COOL]


def test_lost_tracker_is_asked_again_and_only_differences_are_pushed(watchlist: Watchlist) -> None:
    watch(watchlist, "a1", "b2", "c1")
    assert watchlist.handle(TrackerLost(1)) == [asks(1, None, "a1", "c1")]
    assert watchlist.handle(TrackerLost(5)) == []
    out = watchlist.handle(Watched(1, None, [on("a1"), off("c1")]))
    assert out == [Presence([on("a1")]), COOL]


def test_question_that_a_lost_tracker_owes_is_put_again(watchlist: Watchlist) -> None:
    watchlist.handle(Watch(4, ["a1", "b2"]))
    watchlist.handle(Watched(2, 4, [off("b2")]))
    assert asks(1, 4, "a1") in watchlist.handle(TrackerLost(1))
    assert any(isinstance(e, Answer) for e in watchlist.handle(Watched(1, 4, [on("a1")])))
    assert watchlist.handle(Watched(1, 4, [on("a1")])) == []


def test_own_setting_asks_everything_anew(watchlist: Watchlist) -> None:
    watch(watchlist, "a1", "b2")
    out = watchlist.handle(LevelChanged("nobody"))
    assert out == [
        asks(1, None, "a1", level="nobody"),
        asks(2, None, "b2", level="nobody"),
    ]


def test_unwatched_users_are_given_up_and_not_shown(watchlist: Watchlist) -> None:
    watch(watchlist, "a1", "b2", "c3")
    watchlist.handle(Sighted([on("c3")]))
    watchlist.handle(Sighted([on("a1")]))
    out = watchlist.handle(Unwatch(["a1", "stranger1"]))
    assert out == [ToTracker(1, Unsubscribe("bob", ME, ["a1"]))]
    assert watchlist.handle(PUSH_DUE) == []
    assert watchlist.handle(Sighted([on("a1")])) == []


def test_end_gives_up_all(watchlist: Watchlist) -> None:
    watch(watchlist, "a1", "b2", "c1")
    assert watchlist.close() == [
        ToTracker(1, Unsubscribe("bob", ME, ["a1", "c1"])),
        ToTracker(2, Unsubscribe("bob", ME, ["b2"])),
    ]


def test_only_so_many_are_watched(watchlist: Watchlist) -> None:
    most = [f"u{number}x1" for number in range(WATCHED_MAX)]
    assert len(watchlist.handle(Watch(1, most))) == 1
    (refused,) = watchlist.handle(Watch(2, ["one-more1"]))
    assert isinstance(refused, Refused)
    assert (refused.rid, refused.code, refused.retry) == (2, "too_many", "never")
    assert len(watchlist.handle(Watch(3, most[:5]))) == 1
    watchlist.handle(Unwatch(most[:1]))
    assert len(watchlist.handle(Watch(4, ["one-more1"]))) == 1


def test_an_id_that_waits_is_refused(watchlist: Watchlist) -> None:
    watchlist.handle(Watch(1, ["a1"]))
    (refused,) = watchlist.handle(Watch(1, ["a1"]))
    assert isinstance(refused, Refused)
    assert refused.code == "bad_request"
