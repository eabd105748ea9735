from __future__ import annotations

from typing import Any

import pytest

from actorchat.actor import ActorSystem, SeededDispatcher
from actorchat.broker.hasher import Argon2, HasherActor
from actorchat.chat.signin import (
    Attempt,
    Hashed,
    HasherLost,
    HashPassword,
    Provisioning,
    Verified,
    Verify,
)


class Told:
    def __init__(self) -> None:
        self.events: list[Any] = []

    def tell(self, event: object) -> None:
        self.events.append(event)


@pytest.fixture(scope="module")
def argon2() -> Argon2:
    return Argon2(memory_kib=8, time_cost=1, parallelism=1)


def test_argon2_knows_its_own_hashes(argon2: Argon2) -> None:
    kept = argon2.hash("pässword")
    assert kept.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert argon2.fits(kept, "pässword")
    assert not argon2.fits(kept, "password")
    assert kept != argon2.hash("pässword")


def test_nothing_fits_no_hash_or_a_broken_one(argon2: Argon2) -> None:
    assert not argon2.fits("", "nobody has this password")
    assert not argon2.fits("broken", "secret")


def work(argon2: Argon2, job: object) -> list[Any]:
    dispatcher = SeededDispatcher(1)
    told = Told()
    hasher = ActorSystem(dispatcher).spawn(HasherActor, argon2)
    hasher.tell((job, told))
    dispatcher.run()
    return told.events


def test_hasher_answers_whoever_asked(argon2: Argon2) -> None:
    asked = Provisioning(Told(), 1, "ann", "secret", None)
    (hashed,) = work(argon2, HashPassword(asked))
    assert isinstance(hashed, Hashed)
    attempt = Attempt(Told(), "ann", "phone", "password", "secret")
    assert work(argon2, Verify(attempt, hashed.password_hash)) == [Verified(attempt, True)]
    assert work(argon2, Verify(attempt, "")) == [Verified(attempt, False)]


def test_secret_that_can_not_be_encoded_is_a_lost_job(argon2: Argon2) -> None:
    attempt = Attempt(Told(), "ann", "phone", "password", "\udcff")
    assert work(argon2, Verify(attempt, "")) == [HasherLost(attempt)]


def test_jobs_that_a_hasher_leaves_behind_are_lost(argon2: Argon2) -> None:
    dispatcher = SeededDispatcher(1)
    told = Told()
    hasher = ActorSystem(dispatcher).spawn(HasherActor, argon2)
    attempt = Attempt(Told(), "ann", "phone", "password", "secret")
    asked = Provisioning(Told(), 1, "ann", "secret", None)
    dispatcher.run()
    hasher.tell("what is this?")
    hasher.tell((Verify(attempt, ""), told))
    hasher.tell((HashPassword(asked), told))
    dispatcher.run()
    assert told.events == [HasherLost(attempt), HasherLost(asked)]
