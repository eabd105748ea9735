"""What a sweep would let go is what it does let go."""

from __future__ import annotations

import msgspec

from actorchat.broker.forecast import forecast
from actorchat.broker.retention import Totals
from actorchat.chat.retention import Policy
from tests.unit.broker.stage import Stage

SHORT = Policy(10.0, 20.0, 10_000, 15.0, 1.0)


def test_what_is_due_goes() -> None:
    stage = Stage(policy=Policy())
    stage.add_users("ann", "bob")
    ann = stage.hello("ann")
    for number in range(4):
        ann.send("bob", f"text {number}")
    stage.run(30.0)
    now = stage.dispatcher.clock.wall_ms()
    gone, due = forecast(stage.engine, SHORT, now)
    assert gone == Totals()
    assert (due.messages, due.updates) == (3, 4)
    assert forecast(stage.engine, msgspec.structs.replace(SHORT, inbox_keep_s=60.0), now)[1] == (
        Totals()
    )
    stage.policy = SHORT
    stage.engine.sync()
    stage.crash()
    stage.run(40.0)
    gone, now_due = forecast(stage.engine, SHORT, now)
    assert gone == due
    assert now_due == Totals()
