"""Knows how passwords are hashed and compared.
Must not know whose they are, or where hashes are kept.
"""

from __future__ import annotations

from typing import Any, Protocol

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from actorchat.actor import Actor
from actorchat.chat.bearer import Reading
from actorchat.chat.signin_event import (
    Attempt,
    Enrolment,
    Erasing,
    Hashed,
    HasherLost,
    HashPassword,
    PasswordChange,
    Provisioning,
    ReadToken,
    TokenRead,
    Verified,
    Verify,
)


class Hashing(Protocol):
    """A slow hash; the seam by which a simulated node avoids the work."""

    def hash(self, password: str) -> str:
        """Return the hash of `password`, salted, with its parameters in it."""
        ...

    def fits(self, password_hash: str, password: str) -> bool:
        """Say whether `password` gives `password_hash`; "" costs as much and never fits."""
        ...


class TokenReader(Protocol):
    """Reads tokens of another issuer; any thread."""

    def read(self, token: str) -> Reading:
        """Return whose a token is, or why it is not good."""
        ...


class Argon2:
    """Argon2id with parameters that are kept in each hash. 31 ms of a core at OWASP's floor.

    Source: RFC 9106; OWASP Password Storage Cheat Sheet (m=19456 KiB, t=2, p=1).
    Thread: any; the hash itself releases the GIL.
    """

    def __init__(self, memory_kib: int, time_cost: int, parallelism: int) -> None:
        self._hasher = PasswordHasher(
            time_cost=time_cost, memory_cost=memory_kib, parallelism=parallelism
        )
        # Made once here, so that an unknown user costs as much as a wrong password.
        self._dummy = self._hasher.hash("nobody has this password")

    def hash(self, password: str) -> str:
        """Return an encoded hash."""
        return self._hasher.hash(password)

    def fits(self, password_hash: str, password: str) -> bool:
        """Compare; a hash that can't be read never fits."""
        try:
            self._hasher.verify(password_hash or self._dummy, password)
        except (VerificationError, InvalidHashError):
            return False
        return bool(password_hash)


class HasherActor(Actor):
    """Hashes for the sign-in desk, on a dispatcher of its own thread.

    Told (job, reply_to): `Verify` is answered by `Verified`, `HashPassword` by `Hashed`,
    `ReadToken` by `TokenRead`; a job that fails or is left over by `HasherLost`.
    """

    def __init__(self, hashing: Hashing, tokens: TokenReader | None = None) -> None:
        super().__init__()
        self._hashing = hashing
        self._tokens = tokens

    def on_receive(self, message: Any) -> None:
        """Do one job."""
        job, reply_to = message
        reply_to.tell(self._work(job))

    def discarded(self, message: Any) -> None:
        """Say that a job was not done."""
        job, reply_to = message
        reply_to.tell(HasherLost(_asked(job)))

    def _work(self, job: Verify | HashPassword | ReadToken) -> object:
        try:
            if isinstance(job, ReadToken):
                assert self._tokens is not None, "the desk asks only where tokens are taken"
                return TokenRead(job.attempt, self._tokens.read(job.attempt.secret))
            if isinstance(job, Verify):
                fits = self._hashing.fits(job.password_hash, job.attempt.secret)
                return Verified(job.attempt, fits)
            password = job.provisioning.password
            assert password is not None
            return Hashed(job.provisioning, self._hashing.hash(password))
        except (MemoryError, UnicodeEncodeError):
            return HasherLost(_asked(job))


def _asked(
    job: Verify | HashPassword | ReadToken,
) -> Attempt | Provisioning | PasswordChange | Erasing | Enrolment:
    return job.provisioning if isinstance(job, HashPassword) else job.attempt
