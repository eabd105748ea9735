"""The sign-in desk against a model: bounded work, bounded guessing, nothing to learn from it."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import example, given, settings
from hypothesis import strategies as st

from actorchat.chat.account import Account
from actorchat.chat.event import Answer, Refused, SignInRefused
from actorchat.chat.signin import SignInDesk
from actorchat.chat.signin_event import (
    Attempt,
    Enrolment,
    Hashed,
    HasherLost,
    HashPassword,
    IssueToken,
    KeepAccount,
    Provisioning,
    Tell,
    Verified,
    Verify,
)
from actorchat.chat.signup import SignUpPolicy
from actorchat.limits import SIGN_IN_FAILURES_PER_MINUTE as BURST
from tests.unit.chat.cast import Peer

QUEUED_MAX = 12
TRIES_MAX = 5
PASSWORD = "right"
USERS = ("ann", "bob", "nobody")  # the last has no account
ACCOUNTS = {user: Account(user, 0, f"hash of {user}") for user in USERS[:2]}
SESSION = Peer("session")

WRONG = SignInRefused("unauthenticated", "wrong user, device or secret", "never")
STEPS = st.one_of(
    st.tuples(st.just("attempt"), st.sampled_from(USERS), st.booleans()),
    st.tuples(st.just("attempt"), st.sampled_from(USERS), st.just(False)),
    st.tuples(st.just("hasher"), st.integers(0, QUEUED_MAX), st.just(True)),
    st.tuples(st.just("lose"), st.integers(0, QUEUED_MAX), st.just(True)),
    st.tuples(st.just("wait"), st.integers(0, 20_000), st.just(True)),
    st.tuples(st.just("provision"), st.sampled_from(USERS), st.booleans()),
    st.tuples(st.just("enrol"), st.sampled_from(USERS), st.booleans()),
)


class Model:
    """A desk, the hasher's queue, and every guess that was let through."""

    def __init__(self) -> None:
        self.desk = SignInDesk("", QUEUED_MAX, policy=SignUpPolicy("open", TRIES_MAX))
        self.queue: list[Verify | HashPassword] = []
        self.now_ms = 0
        self.enrolled: list[int] = []
        self.guesses: dict[str, list[int]] = defaultdict(list)

    def step(self, kind: str, what: str | int, is_right: bool) -> None:
        if kind == "attempt":
            self.attempt(str(what), is_right)
        elif kind == "provision":
            asked = Provisioning(SESSION, 1, str(what), PASSWORD if is_right else None, None)
            self.perform(asked)
        elif kind == "enrol":
            self.enrol(str(what), is_right)
        elif kind == "wait":
            self.now_ms += int(what)
        elif self.queue:
            job = self.queue.pop(int(what) % len(self.queue))
            self.finish(job, is_lost=kind == "lose")
        assert self.desk.hashes_under_way == len(self.queue) <= QUEUED_MAX

    def attempt(self, user: str, is_right: bool) -> None:
        secret = PASSWORD if is_right else "wrong"
        account = ACCOUNTS.get(user)
        effects = self.perform(Attempt(SESSION, user, "phone", "password", secret, account))
        if isinstance(effects[0], Verify):
            self.guesses[user].append(self.now_ms)
            self.check_rate(user)

    def enrol(self, user: str, is_long: bool) -> None:
        """Somebody wants an account; no more of them than the address may have tries."""
        asked = Enrolment(SESSION, user, "phone", "long enough" if is_long else "short")
        asked.account = ACCOUNTS.get(user)
        effects = self.perform(asked)
        if isinstance(effects[0], HashPassword):
            assert user not in ACCOUNTS
            assert is_long
            self.enrolled.append(self.now_ms)
            for first, start_ms in enumerate(self.enrolled):
                allowed = TRIES_MAX + (self.now_ms - start_ms) * TRIES_MAX / 60_000
                assert len(self.enrolled) - first <= allowed + 1e-6

    def finish(self, job: Verify | HashPassword, is_lost: bool) -> None:
        if isinstance(job, HashPassword):
            asked = job.provisioning
            effects = self.perform(HasherLost(asked) if is_lost else Hashed(asked, "hash"))
            if isinstance(asked, Enrolment):
                assert is_lost != isinstance(effects[0], IssueToken)
                if is_lost:
                    del self.enrolled[:1]
            return
        attempt = job.attempt
        fits = bool(job.password_hash) and attempt.secret == PASSWORD
        effects = self.perform(HasherLost(attempt) if is_lost else Verified(attempt, fits))
        if is_lost:
            # Unless a right password has made all be forgotten meanwhile.
            del self.guesses[attempt.user][:1]
        elif fits:
            assert isinstance(effects[0], IssueToken)
            self.guesses[attempt.user].clear()
        else:
            assert effects == [Tell(SESSION, WRONG)]

    def perform(self, event: object) -> list[object]:
        effects = self.desk.handle(event, self.now_ms)
        assert len(effects) == 1, "each event has one outcome"
        effect = effects[0]
        if isinstance(effect, Verify | HashPassword):
            self.queue.append(effect)
        else:
            assert isinstance(effect, Tell | IssueToken | KeepAccount)
            if isinstance(effect, Tell):
                assert isinstance(effect.event, SignInRefused | Refused | Answer)
        return effects

    def check_rate(self, user: str) -> None:
        """A burst, and after that so many a minute; whatever the interval."""
        guesses = self.guesses[user]
        for first, start_ms in enumerate(guesses):
            allowed = BURST + (self.now_ms - start_ms) * BURST / 60_000
            assert len(guesses) - first <= allowed + 1e-6, "more guesses than are allowed"


@settings(max_examples=100, deadline=None)
@given(st.lists(STEPS, max_size=80))
@example(
    [("attempt", "ann", False), ("attempt", "ann", True), ("hasher", 1, True), ("lose", 0, True)]
)
def test_work_and_guesses_are_bounded(steps: list[tuple[str, str | int, bool]]) -> None:
    model = Model()
    for step in steps:
        model.step(*step)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["try", "wait"]), st.integers(0, 9_000)), max_size=60))
def test_unknown_user_is_told_what_a_wrong_password_is(steps: list[tuple[str, int]]) -> None:
    known, unknown = SignInDesk(""), SignInDesk("")
    now_ms = 0
    for kind, number in steps:
        if kind == "wait":
            now_ms += number
            continue
        answers = []
        for desk, account in ((known, ACCOUNTS["ann"]), (unknown, None)):
            attempt = Attempt(SESSION, "ann", "phone", "password", "wrong", account)
            (effect,) = desk.handle(attempt, now_ms)
            if isinstance(effect, Verify):
                (effect,) = desk.handle(Verified(attempt, False), now_ms)
                answers.append(("hashed", effect))
            else:
                answers.append(("at once", effect))
        assert answers[0] == answers[1]
