from __future__ import annotations

import pytest

from actorchat.broker.tree import ENTITIES, SESSIONS
from tests.unit.broker.stage import Stage


def test_counts_say_what_runs_and_what_was_written() -> None:
    stage = Stage()
    stage.add_users("ann", "bob")
    stage.hello("ann").send("bob", "hi")
    counts = stage.broker.counts()
    assert counts["users"] == 2
    assert counts["conversations"] == 1
    assert counts["log_batches"] > 0
    assert counts["log_full"] == 0


@pytest.mark.parametrize("name", [SESSIONS, ENTITIES])
def test_supervisor_that_crashes_is_found_under_its_name_again(name: str) -> None:
    stage = Stage()
    stage.add_users("ann", "bob")
    supervisor = stage.system.names.whereis(name)
    supervisor.kill()
    stage.run(1.0)
    assert stage.system.names.whereis(name) is not supervisor
    ann, bob = stage.hello("ann"), stage.hello("bob")
    assert "ok" in ann.send("bob", "hi")
    assert bob.bodies == ["hi"]


def test_hints_reach_the_engine_by_the_beat_of_the_keeper() -> None:
    stage = Stage()
    stage.add_users("ann", "bob")
    ann, bob = stage.hello("ann"), stage.hello("bob")
    ann.send("bob", "hi")
    bob.ack()
    stage.run(1.0)
    rows = stage.engine.scan(stage.engine.family("state"), b"", b"\xff" * 64)
    assert any(key[18:19] == b"C" and value[-1] == 1 for key, value in rows)


def test_accounts_of_all_messages_add_up() -> None:
    stage = Stage(idle_s=1.0)
    stage.add_users("ann", "bob")
    ann = stage.hello("ann")
    for number in range(20):
        ann.send("bob", f"m{number}")
    ann.leave()
    stage.run(10.0)
    counts = stage.system.counts()
    assert counts["told"] == counts["handled"] + counts["dead"] + counts["queued"]
    assert stage.broker.context.router.counts() == {"users": 0, "conversations": 0, "groups": 0}


def test_sessions_end_with_the_entities_that_would_tell_them() -> None:
    stage = Stage()
    stage.add_users("ann", "bob")
    ann, bob = stage.hello("ann"), stage.hello("bob")
    stage.system.names.whereis(ENTITIES).kill()
    stage.run(1.0)
    assert ann.connection.is_closed
    assert bob.connection.is_closed
    ann, bob = stage.hello("ann"), stage.hello("bob")
    assert ann.send("bob", "again")["ok"]["seq"] == 1
    assert bob.bodies == ["again"]
