from __future__ import annotations

import pytest

from actorchat.broker.hasher import Argon2, HasherActor
from actorchat.chat.signin_event import (
    Attempt,
    Hashed,
    HasherLost,
    HashPassword,
    Provisioning,
    Verified,
    Verify,
)
from actorchat.testing import ActorTestKit, SyncKit


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


def test_hasher_answers_whoever_asked(argon2: Argon2) -> None:
    stage = SyncKit(HasherActor, argon2)
    desk = stage.ref("desk")
    asked = Provisioning(stage.ref("session"), 1, "ann", "secret", None)
    stage.tell((HashPassword(asked), desk))
    (hashed,) = desk.take()
    assert isinstance(hashed, Hashed)
    attempt = Attempt(asked.session, "ann", "phone", "password", "secret")
    stage.tell((Verify(attempt, hashed.password_hash), desk))
    stage.tell((Verify(attempt, ""), desk))
    assert desk.told == [Verified(attempt, True), Verified(attempt, False)]


def test_secret_that_can_not_be_encoded_is_a_lost_job(argon2: Argon2) -> None:
    stage = SyncKit(HasherActor, argon2)
    desk = stage.ref("desk")
    attempt = Attempt(stage.ref("session"), "ann", "phone", "password", "\udcff")
    stage.tell((Verify(attempt, ""), desk))
    assert desk.told == [HasherLost(attempt)]


def test_jobs_that_a_hasher_leaves_behind_are_lost(argon2: Argon2) -> None:
    with ActorTestKit(seed=1) as kit:
        kit.expects_crash(ValueError, times=1)
        desk, session = kit.probe("desk"), kit.probe("session")
        hasher = kit.spawn(HasherActor, argon2)
        attempt = Attempt(session.ref, "ann", "phone", "password", "secret")
        asked = Provisioning(session.ref, 1, "ann", "secret", None)
        hasher.tell("what is this?")
        hasher.tell((Verify(attempt, ""), desk.ref))
        hasher.tell((HashPassword(asked), desk.ref))
        desk.expect(HasherLost(attempt))
        desk.expect(HasherLost(asked))
        desk.expect_no_message()
