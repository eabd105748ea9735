"""Whatever connects, drops and waits: nobody flickers, everybody fades, all views agree."""

from __future__ import annotations

from typing import cast

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from actorchat.chat.event import Event
from actorchat.chat.presence import Presence
from actorchat.chat.sighting import (
    Arrived,
    Departed,
    Due,
    LevelChanged,
    SaveLevel,
    SaveSeen,
    SetPrivacy,
    Sighted,
    Subscribe,
    Tell,
    Unsubscribe,
    Watched,
)
from actorchat.chat.visibility import LEVELS, may_see
from actorchat.limits import OFFLINE_AFTER_S
from actorchat.protocol.ops import PresenceState, PrivacyLevel

USERS = ("ann", "bob", "cat")
CONTACTS = {("ann", "bob"), ("bob", "ann"), ("cat", "ann")}
BEGAN_MS = 1_700_000_000_000


class Step(Struct):
    """What happens next: `what` to `user` (or from `user` to `other`) on device `device`."""

    what: str
    user: str
    device: int
    other: str
    level: PrivacyLevel
    wait_s: float


steps = st.builds(
    Step,
    st.sampled_from(("arrive", "arrive", "depart", "watch", "unwatch", "privacy", "crash")),
    st.sampled_from(USERS),
    st.integers(0, 1),
    st.sampled_from(USERS),
    st.sampled_from(LEVELS),
    st.sampled_from((0.0, 0.1, 1.0, 20.0, 59.0, 61.0, 200.0)),
)


class Session:
    """A session: whose, whether connected, what it was shown of whom."""

    def __init__(self, user: str) -> None:
        self.user = user
        self.is_here = False
        self.shown: dict[str, PresenceState] = {}
        self.offline_told_s: list[tuple[str, float]] = []

    def tell(self, event: object, /) -> None:
        raise AssertionError("a machine tells nobody by itself")


class Play:
    """One tracker and all sessions, with what must hold of them."""

    def __init__(self) -> None:
        self.now_s = 50.0
        self.rows: dict[str, tuple[int, PrivacyLevel]] = {}
        self.levels: dict[str, PrivacyLevel] = dict.fromkeys(USERS, "everyone")
        self.sessions = {(u, d): Session(u) for u in USERS for d in (0, 1)}
        self.left_s: dict[str, float] = {}  # when the last session of a user went
        self.begin()

    @property
    def wall_ms(self) -> int:
        return BEGAN_MS + round(self.now_s * 1000)

    def begin(self) -> None:
        self.machine = Presence(
            0,
            lambda user: self.rows.get(user, (0, "everyone")),
            lambda user, other: (user, other) in CONTACTS,
        )

    def here(self, user: str) -> bool:
        return any(self.sessions[user, device].is_here for device in (0, 1))

    def feed(self, event: object) -> None:
        known = cast(Event, event)
        for effect in self.machine.handle(known, self.now_s, self.wall_ms):
            self.perform(effect)

    def perform(self, effect: object) -> None:
        if isinstance(effect, SaveSeen | SaveLevel):
            self.rows[effect.user] = (effect.last_seen, effect.level)
        elif isinstance(effect, Tell):
            session, event = effect.session, effect.event
            assert isinstance(session, Session)
            if isinstance(event, LevelChanged):
                self.subscribe(session, list(session.shown))
            elif isinstance(event, Sighted | Watched):
                self.show(session, event.states)

    def show(self, session: Session, states: list[PresenceState]) -> None:
        for state in states:
            if state.user not in session.shown:
                continue  # unwatched meanwhile
            session.shown[state.user] = state
            if state.online:
                assert self.sees(state.user, session.user)
                gone_s = self.now_s - self.left_s.get(state.user, self.now_s)
                assert self.here(state.user) or gone_s <= OFFLINE_AFTER_S + 1e-3
            elif self.sees(state.user, session.user) and state.last_seen is not None:
                # Nobody is shown as offline who is here, or was a moment ago.
                assert not self.here(state.user)
                assert self.now_s - self.left_s[state.user] >= OFFLINE_AFTER_S - 1e-3

    def sees(self, owner: str, watcher: str) -> bool:
        levels = self.levels
        return may_see(
            owner, levels[owner], watcher, levels[watcher], lambda u, o: (u, o) in CONTACTS
        )

    def subscribe(self, session: Session, users: list[str]) -> None:
        if users:
            level = self.levels[session.user]
            self.feed(Subscribe(session.user, level, session, users, None))

    def wait(self, seconds: float) -> None:
        until_s = self.now_s + seconds
        while (due_s := self.machine.deadline()) is not None and due_s <= until_s:
            self.now_s = max(self.now_s, due_s)
            self.feed(Due())
        self.now_s = until_s

    def step(self, step: Step) -> None:
        user, session = step.user, self.sessions[step.user, step.device]
        if step.what == "arrive":
            session.is_here = True
            self.feed(Arrived(user, session))
        elif step.what == "depart" and session.is_here:
            self.leave(session)
        elif step.what == "watch" and session.is_here:
            session.shown.setdefault(step.other, PresenceState(step.other, False))
            self.subscribe(session, [step.other])
        elif step.what == "unwatch" and step.other in session.shown:
            del session.shown[step.other]
            self.feed(Unsubscribe(user, session, [step.other]))
        elif step.what == "privacy" and session.is_here:
            self.levels[user] = step.level
            self.feed(SetPrivacy(user, session, 1, step.level))
        elif step.what == "crash":
            self.crash()
        self.wait(step.wait_s)

    def leave(self, session: Session) -> None:
        session.is_here = False
        if not self.here(session.user):
            self.left_s[session.user] = self.now_s
        self.feed(Departed(session.user, session))
        watched = list(session.shown)
        session.shown.clear()
        if watched:
            self.feed(Unsubscribe(session.user, session, watched))

    def crash(self) -> None:
        """Stop the tracker; the next one hears of all sessions again."""
        for effect in self.machine.last_words(self.wall_ms):
            self.perform(effect)
        self.begin()
        for session in self.sessions.values():
            if session.is_here:
                self.feed(Arrived(session.user, session))
            self.subscribe(session, list(session.shown))


@given(st.lists(steps, max_size=40))
def test_nobody_flickers_everybody_fades_and_views_agree(story: list[Step]) -> None:
    play = Play()
    for step in story:
        play.step(step)
    play.wait(OFFLINE_AFTER_S + 5)
    for session in play.sessions.values():
        for user, state in session.shown.items():
            assert state.online == (play.here(user) and play.sees(user, session.user))
    for session in play.sessions.values():
        if session.is_here:
            play.leave(session)
    play.wait(OFFLINE_AFTER_S + 20)
    assert play.machine.counts() == (0, 0)
    assert play.machine._entries == {}
    assert play.machine.deadline() is None
