"""What is told to all reaches each in order, and one full mailbox keeps it from nobody else."""

from __future__ import annotations

from typing import Any

from actorchat.actor import Actor, ActorSystem, Mailbox, SeededDispatcher, tell_all


class Member(Actor):
    mailbox = Mailbox(limit=2)

    def __init__(self, seen: list[Any]) -> None:
        self.seen = seen

    def on_receive(self, message: Any) -> None:
        self.seen.append(message)


def test_every_ref_is_told_in_order_and_the_accounts_balance() -> None:
    dispatcher = SeededDispatcher(1)
    system = ActorSystem(dispatcher)
    seen: list[list[Any]] = [[] for _ in range(5)]
    refs = [system.spawn(Member, each) for each in seen]
    dispatcher.run()
    assert tell_all(refs, "one") == tell_all(iter(refs), "two") == 5
    dispatcher.run()
    assert seen == [["one", "two"]] * 5
    counts = system.counts()
    assert counts["told"] == counts["handled"] + counts["dead"] + counts["queued"]


def test_full_mailbox_keeps_it_from_nobody_else() -> None:
    dispatcher = SeededDispatcher(1)
    system = ActorSystem(dispatcher)
    seen: list[list[Any]] = [[], []]
    full, free = (system.spawn(Member, each) for each in seen)
    dispatcher.run()
    full.tell(1)
    full.tell(2)
    assert tell_all((full, free), 3) == 1
    dispatcher.run()
    assert seen == [[1, 2], [3]]
    assert system.counts()["refused"] == 1


def test_dead_ref_makes_a_dead_letter() -> None:
    dispatcher = SeededDispatcher(1)
    system = ActorSystem(dispatcher)
    ref = system.spawn(Member, [])
    ref.stop()
    dispatcher.run()
    before = system.counts()["dead"]
    tell_all((ref,), "late")
    assert system.counts()["dead"] == before + 1
