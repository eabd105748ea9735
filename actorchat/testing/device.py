"""Knows how a person's device behaves: an application over the real client machine.

Must not know the node.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from actorchat.actor import SeededDispatcher
from actorchat.client import event
from actorchat.client.signin import Identity
from actorchat.errors import ActorchatError, AuthFailed, Revoked, TakenOver
from actorchat.testing.journal import Journal, Posting
from actorchat.testing.net import Net
from actorchat.testing.process import Habit, Ledger, Process


class Surroundings:
    """What all devices share: time, the net, randomness and the journal."""

    def __init__(
        self,
        dispatcher: SeededDispatcher,
        net: Net,
        rng: random.Random,
        journal: Journal,
        is_space_short: Callable[[], bool],
    ) -> None:
        self.net = net
        self.rng = rng
        self.journal = journal
        self.is_space_short = is_space_short
        self.now_s = dispatcher.now_s
        self.later = dispatcher.call_later


class Device:
    """A device of a user: what it keeps, and the process that runs on it, if one does."""

    def __init__(
        self, surroundings: Surroundings, identity: Identity, habit: Habit | None = None
    ) -> None:
        self.surroundings = surroundings
        self.identity = identity
        self.habit = habit or Habit()
        self.ledger = Ledger()
        self.process: Process | None = None
        self._hanging: list[Process] = []
        self.is_revoking = False
        self.is_revoked = False
        self.has_overlapped = False
        self.away_until_s = 0.0
        self.refusals = 0

    @property
    def user(self) -> str:
        """Whose device it is."""
        return self.identity.user

    @property
    def name(self) -> str:
        """The device's own name."""
        return self.identity.device

    @property
    def label(self) -> str:
        """User and device."""
        return f"{self.user}/{self.name}"

    @property
    def is_open(self) -> bool:
        """Whether a process runs, is signed in and reads."""
        return self.process is not None and self.process.is_open

    def start(self) -> None:
        """Start the application, if it does not run."""
        if self.process is None and not self.is_revoking:
            self.process = Process(self)
            self.process.start()

    def close(self) -> None:
        """End the application in good order."""
        if self.process is not None:
            self.process.resume()
            self.process.handle(event.Close())

    def crash(self) -> None:
        """End the application as a kill does: what it had not kept is lost, its wire breaks."""
        process, self.process = self.process, None
        if process is not None:
            self.refusals += process.refusals
            process.die()

    def take_over(self) -> None:
        """Start the application anew while its old process still hangs on its connection."""
        if self.process is not None:
            self.refusals += self.process.refusals
            self.process.is_frozen = True
            self._hanging.append(self.process)
            self.has_overlapped = True
            self.process = None
        self.start()

    def bury(self) -> None:
        """End the old processes that hang."""
        hanging, self._hanging = self._hanging, []
        for process in hanging:
            process.die()

    def process_ended(self, process: Process, error: ActorchatError) -> None:
        """Take note that a process is over."""
        if self.is_revoking and isinstance(error, Revoked | AuthFailed):
            self.is_revoked = True
        elif not isinstance(error, TakenOver) and error.code != "closed":
            journal = self.surroundings.journal
            journal.violate("sign-in", f"{self.label} was sent away: {error}")
        if process is self.process:
            self.refusals += process.refusals
            self.process = None

    def post(self, posting: Posting) -> None:
        """Keep a message until it is accepted, and send it if the application runs."""
        self.ledger.outbox[posting.cid] = posting
        self.ledger.orders.add(posting.order)
        if self.process is not None:
            self.process.post(posting)
