"""The flag protocol under real threads, switched as often as CPython can."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from actorchat.actor import Actor, Mailbox
from actorchat.errors import MailboxFull
from tests.property.actor_stress import (
    ASKS,
    MESSAGES,
    SENDERS,
    Loop,
    ask_while_stopping,
    in_threads,
    send_from_threads,
    two_loops,
)


@pytest.fixture
def loops() -> Iterator[tuple[Loop, Loop]]:
    with two_loops() as pair:
        yield pair


@pytest.mark.slow
def test_each_senders_messages_arrive_in_order_and_none_is_lost(loops: tuple[Loop, Loop]) -> None:
    outcome = send_from_threads(loops, MESSAGES)
    assert outcome.count == 320_000
    assert outcome.broken == []


@pytest.mark.slow
def test_every_call_that_races_a_stop_is_answered(loops: tuple[Loop, Loop]) -> None:
    outcome = ask_while_stopping(loops, ASKS)
    assert outcome.count == 30_000
    assert outcome.broken == []
    assert set(outcome.notes) == {"answered", "dead"}


@pytest.mark.slow
@pytest.mark.parametrize("overflow", ["fail", "drop_new", "drop_old"])
def test_a_full_mailbox_neither_blocks_nor_loses_count_of_a_message(
    loops: tuple[Loop, Loop], overflow: str
) -> None:
    class Full(Actor):
        mailbox = Mailbox(limit=8, overflow=overflow)  # type: ignore[arg-type]
        seen = 0

        def on_receive(self, message: Any) -> None:
            self.seen += 1

    system = loops[0].system
    ref = system.spawn(Full)
    actor: Any = ref._actor
    refused = [0] * SENDERS

    def send(sender: int) -> None:
        for number in range(2_000):
            try:
                ref.tell(number)
            except MailboxFull:
                refused[sender] += 1

    in_threads(SENDERS, send)
    ended = ref.ended()
    ref.stop()
    assert ended.wait(30)
    counts = loops[0].counts()
    assert actor.seen + counts["dead"] + sum(refused) == SENDERS * 2_000
    assert counts["refused"] == sum(refused)
    assert loops[0].balance() == 0
