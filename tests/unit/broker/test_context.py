from __future__ import annotations

from actorchat.broker.context import Context
from tests.unit.broker.stage import Stage


def test_two_nodes_in_one_process_share_nothing() -> None:
    one, other = Stage(1), Stage(2)
    one.add_users("ann", "bob")
    assert isinstance(one.broker.context, Context)
    assert one.broker.context.archive.has_account("ann")
    assert not other.broker.context.archive.has_account("ann")
    assert one.broker.context.report() == {}
