from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from actorchat.chat.effect import Effect
from actorchat.chat.event import Event
from actorchat.chat.presence import Presence
from actorchat.chat.sighting import (
    AnswerLevel,
    Arrived,
    Departed,
    Due,
    LevelChanged,
    SaveLevel,
    SaveSeen,
    SetPrivacy,
    Sighted,
    Signalled,
    SignalSeen,
    Subscribe,
    Tell,
    Unsubscribe,
    Watched,
)
from actorchat.limits import PRESENCE_FLUSH_S, PRESENCE_FORGET_S, SIGNALS_PER_FLUSH_MAX
from actorchat.protocol.ops import PresenceState, PrivacyLevel

WALL_MS = 1_700_000_000_000


class Session:
    """The address of a session; the tests look at effects, not at mailboxes."""

    def tell(self, event: object, /) -> None:
        raise AssertionError("a machine tells nobody by itself")


@dataclass
class Stage:
    """One tracker, its log and the time."""

    rows: dict[str, tuple[int, PrivacyLevel]] = field(default_factory=dict)
    contacts: set[tuple[str, str]] = field(default_factory=set)
    now_s: float = 1_000.0
    wall_ms: int = WALL_MS

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Start a machine over the log as it is."""
        self.machine = Presence(
            3,
            lambda user: self.rows.get(user, (0, "everyone")),
            lambda user, other: (user, other) in self.contacts,
        )

    def feed(self, event: Event) -> list[Effect]:
        out = self.machine.handle(event, self.now_s, self.wall_ms)
        for effect in out:
            if isinstance(effect, SaveSeen | SaveLevel):
                self.rows[effect.user] = (effect.last_seen, effect.level)
        return [effect for effect in out if not isinstance(effect, SaveSeen)]

    def wait(self, seconds: float) -> list[Effect]:
        """Let time pass as the shell does: `Due` comes at the deadline."""
        until_s, out = self.now_s + seconds, []
        while (due_s := self.machine.deadline()) is not None and due_s <= until_s:
            self._pass(max(0.0, due_s - self.now_s))
            out += self.feed(Due())
        self._pass(until_s - self.now_s)
        return out

    def _pass(self, seconds: float) -> None:
        self.now_s += seconds
        self.wall_ms += round(seconds * 1000)

    def watch(
        self, session: Session, *users: str, by: str = "bob", level: PrivacyLevel = "everyone"
    ) -> list[PresenceState]:
        (told,) = self.feed(Subscribe(by, level, session, list(users), 7))
        assert isinstance(told, Tell)
        assert isinstance(told.event, Watched)
        assert (told.session, told.event.rid, told.event.tracker) == (session, 7, 3)
        return told.event.states

    def level(self, user: str, session: Session, level: PrivacyLevel) -> list[Effect]:
        return self.feed(SetPrivacy(user, session, 9, level))


@pytest.fixture
def stage() -> Stage:
    return Stage()


def sighted(session: Session, *states: PresenceState) -> Tell:
    return Tell(session, Sighted(list(states)))


ONE, OTHER, EYE = Session(), Session(), Session()
ON = PresenceState("ann", True)
OFF = PresenceState("ann", False)


def test_first_device_is_told_at_once_and_the_second_is_not(stage: Stage) -> None:
    assert stage.watch(EYE, "ann") == [OFF]
    assert stage.feed(Arrived("ann", ONE)) == [sighted(EYE, ON)]
    assert stage.feed(Arrived("ann", OTHER)) == []
    assert stage.feed(Arrived("ann", ONE)) == []


def test_user_is_offline_a_minute_after_the_last_device_went(stage: Stage) -> None:
    stage.watch(EYE, "ann")
    stage.feed(Arrived("ann", ONE))
    stage.feed(Arrived("ann", OTHER))
    assert stage.feed(Departed("ann", ONE)) == []
    assert stage.wait(300) == []
    gone_ms = stage.wall_ms
    assert stage.feed(Departed("ann", OTHER)) == []
    assert stage.wait(59.9) == []
    assert stage.wait(0.2) == [sighted(EYE, PresenceState("ann", False, gone_ms))]


def test_dropped_connection_alone_changes_nothing(stage: Stage) -> None:
    stage.watch(EYE, "ann")
    stage.feed(Arrived("ann", ONE))
    for _ in range(100):
        assert stage.feed(Departed("ann", ONE)) == []
        assert stage.wait(50) == []
        assert stage.feed(Arrived("ann", ONE)) == []
    assert len(stage.machine._queue) == 1


def test_silence_before_the_end_counts(stage: Stage) -> None:
    stage.watch(EYE, "ann")
    stage.feed(Arrived("ann", ONE))
    stage.wait(100)
    stage.feed(Departed("ann", ONE, silent_s=40.0))
    assert stage.wait(19.9) == []
    (told,) = stage.wait(0.2)
    assert told == sighted(EYE, PresenceState("ann", False, WALL_MS + 60_000))


def test_who_was_silent_for_longer_is_offline_at_once(stage: Stage) -> None:
    stage.watch(EYE, "ann")
    stage.feed(Arrived("ann", ONE))
    stage.wait(100)
    (told,) = stage.feed(Departed("ann", ONE, silent_s=75.0))
    assert told == sighted(EYE, PresenceState("ann", False, WALL_MS + 25_000))


def test_who_was_sent_away_for_good_is_offline_at_once(stage: Stage) -> None:
    stage.watch(EYE, "ann")
    stage.feed(Arrived("ann", ONE))
    stage.wait(10)
    (told,) = stage.feed(Departed("ann", ONE, is_final=True))
    assert told == sighted(EYE, PresenceState("ann", False, WALL_MS + 10_000))


def test_departure_of_somebody_unknown_changes_nothing(stage: Stage) -> None:
    stage.feed(Departed("ann", ONE))
    stage.feed(Arrived("ann", ONE))
    stage.feed(Departed("ann", OTHER))
    stage.wait(100)
    assert stage.machine.is_online("ann")


def test_changes_of_many_come_together_and_only_so_often(stage: Stage) -> None:
    users = [f"u{number}" for number in range(100)]
    stage.watch(EYE, *users)
    first = stage.feed(Arrived(users[0], ONE))
    rest = [effect for user in users[1:] for effect in stage.feed(Arrived(user, ONE))]
    assert (len(first), rest) == (1, [])
    (told,) = stage.wait(PRESENCE_FLUSH_S)
    assert isinstance(told, Tell)
    assert isinstance(told.event, Sighted)
    assert [state.user for state in told.event.states] == users[1:]


def test_one_change_reaches_each_device_of_each_watcher(stage: Stage) -> None:
    stage.watch(EYE, "ann")
    stage.watch(OTHER, "ann")
    stage.watch(ONE, "ann", by="cat")
    told = stage.feed(Arrived("ann", Session()))
    assert {effect.session for effect in told if isinstance(effect, Tell)} == {EYE, OTHER, ONE}


def test_who_looks_no_more_is_told_no_more(stage: Stage) -> None:
    stage.watch(EYE, "ann", "cat")
    stage.watch(OTHER, "ann")
    stage.feed(Unsubscribe("bob", EYE, ["ann", "cat", "never watched"]))
    assert stage.feed(Arrived("ann", ONE)) == [sighted(OTHER, ON)]
    stage.feed(Unsubscribe("nobody", EYE, ["ann"]))


def test_nothing_stays_of_who_is_gone_and_unwatched(stage: Stage) -> None:
    stage.watch(EYE, "ann", "cat", "dan")
    stage.feed(Arrived("ann", ONE))
    stage.feed(Departed("ann", ONE))
    stage.feed(Arrived("eve", ONE))
    stage.feed(Departed("eve", ONE))
    stage.feed(Unsubscribe("bob", EYE, ["ann", "cat", "dan"]))
    stage.wait(60 + 2 * PRESENCE_FORGET_S)
    assert stage.machine._entries == {}
    assert stage.machine.deadline() is None
    assert stage.machine.counts() == (0, 0)


def test_last_seen_outlives_the_tracker(stage: Stage) -> None:
    stage.feed(Arrived("ann", ONE))
    stage.wait(10)
    stage.feed(Departed("ann", ONE))
    stage.wait(500)
    stage.begin()
    assert stage.watch(EYE, "ann") == [PresenceState("ann", False, WALL_MS + 10_000)]


def test_new_tracker_shows_nobody_offline_who_was_here_a_moment_ago(stage: Stage) -> None:
    stage.feed(Arrived("ann", ONE))
    stage.feed(Arrived("cat", OTHER))
    stage.wait(1_000)
    for effect in stage.machine.last_words(stage.wall_ms):
        assert isinstance(effect, SaveSeen)
        stage.rows[effect.user] = (effect.last_seen, effect.level)
    stage.begin()
    assert stage.watch(EYE, "ann", "cat") == [ON, PresenceState("cat", True)]
    assert stage.feed(Arrived("ann", ONE)) == []
    gone_ms = stage.wall_ms
    assert stage.wait(59) == []
    assert stage.wait(2) == [sighted(EYE, PresenceState("cat", False, gone_ms))]


def test_clock_set_back_does_not_keep_anybody_online(stage: Stage) -> None:
    stage.rows["ann"] = (WALL_MS + 10_000_000, "everyone")
    stage.watch(EYE, "ann")
    assert len(stage.wait(61)) == 1


def test_what_a_session_did_not_take_is_told_again(stage: Stage) -> None:
    stage.watch(EYE, "ann")
    stage.feed(Arrived("ann", ONE))
    stage.machine.untold([ON, PresenceState("never heard of", True)])
    assert stage.wait(PRESENCE_FLUSH_S) == [sighted(EYE, ON)]


def test_it_knows_every_session_that_must_be_told_of_its_end(stage: Stage) -> None:
    stage.watch(EYE, "ann")
    stage.feed(Arrived("ann", ONE))
    assert stage.machine.sessions() == {EYE, ONE}


# -- typing ----------------------------------------------------------------------------------------
def test_signal_reaches_the_one_it_is_for_if_they_look(stage: Stage) -> None:
    stage.watch(EYE, "ann")
    stage.watch(OTHER, "ann", by="cat")
    seen = SignalSeen("ann", "typing")
    assert stage.feed(Signalled("ann", "bob", "typing")) == [Tell(EYE, seen)]
    assert stage.feed(Signalled("ann", "dan", "typing")) == []
    assert stage.feed(Signalled("zed", "bob", "typing")) == []


def test_signals_beyond_the_bound_are_dropped_until_the_next_flush(stage: Stage) -> None:
    stage.watch(EYE, "ann")
    signal = Signalled("ann", "bob", "typing")
    passed = sum(len(stage.feed(signal)) for _ in range(SIGNALS_PER_FLUSH_MAX + 10))
    assert passed == SIGNALS_PER_FLUSH_MAX
    stage.wait(PRESENCE_FLUSH_S)
    assert len(stage.feed(signal)) == 1


# -- privacy ---------------------------------------------------------------------------------------
def test_hiding_looks_like_never_having_been_here_and_at_once(stage: Stage) -> None:
    stage.watch(EYE, "ann")
    stage.feed(Arrived("ann", ONE))
    stage.wait(5)
    told = stage.level("ann", ONE, "nobody")
    assert SaveLevel("ann", WALL_MS, "nobody", ONE, 9) in told
    assert Tell(ONE, LevelChanged("nobody")) in told
    assert sighted(EYE, OFF) in told
    assert stage.watch(OTHER, "ann", by="cat") == [OFF]
    assert stage.feed(Signalled("ann", "bob", "typing")) == []
    stage.wait(5)
    assert sighted(EYE, ON) in stage.level("ann", ONE, "everyone")


def test_who_hides_sees_nobody(stage: Stage) -> None:
    stage.feed(Arrived("ann", ONE))
    assert stage.watch(EYE, "ann", level="nobody") == [OFF]
    assert stage.watch(EYE, "ann", level="everyone") == [ON]


def test_contacts_see_and_others_do_not(stage: Stage) -> None:
    stage.rows["ann"] = (0, "contacts")
    stage.contacts.add(("ann", "bob"))
    stage.feed(Arrived("ann", ONE))
    assert stage.watch(EYE, "ann") == [ON]
    assert stage.watch(OTHER, "ann", by="cat") == [OFF]


def test_setting_is_kept_through_coming_and_going(stage: Stage) -> None:
    stage.level("ann", ONE, "contacts")
    stage.feed(Arrived("ann", ONE))
    stage.feed(Departed("ann", ONE))
    assert stage.rows["ann"] == (WALL_MS, "contacts")
    stage.wait(100)
    assert stage.feed(SetPrivacy("ann", ONE, 4, None)) == [AnswerLevel(ONE, 4, "contacts")]


def test_setting_that_did_not_reach_the_log_is_taken_back(stage: Stage) -> None:
    stage.watch(EYE, "ann")
    stage.feed(Arrived("ann", ONE))
    before = stage.rows["ann"]
    stage.wait(5)
    stage.level("ann", ONE, "nobody")
    stage.rows["ann"] = before
    stage.machine.reload()
    assert stage.wait(5) == [sighted(EYE, ON)]
