from __future__ import annotations

from actorchat.broker.fan_out import FanOutKeeper
from actorchat.protocol import ops
from tests.unit.broker.stage import Stage


def test_debt_from_before_a_restart_is_seen_to_without_anybody_asking() -> None:
    stage = Stage()
    stage.add_users("ann", "bob")
    ann = stage.hello("ann")
    outbox = stage.engine.family("outbox")
    ann.start(lambda rid: ops.Send(rid, "bob", stage.new_cid(), "hi"))
    stage.dispatcher.run(until=lambda: bool(stage.engine.scan(outbox, b"", b"\xff" * 32)))
    stage.engine.sync()
    stage.crash()
    stage.run(5.0)
    assert stage.rows("outbox") == []
    bob = stage.hello("bob")
    stage.run()
    assert bob.bodies == ["hi"]
    assert any(ref.actor_class is FanOutKeeper for ref in stage.system.refs())
