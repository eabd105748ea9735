"""What was sent to a group is known again when it comes back, once."""

from __future__ import annotations

from actorchat.client.echo import Echoes
from actorchat.protocol.ops import Change, History
from actorchat.protocol.ops.group import Leave
from tests.unit.client.playbook import CID

GROUP = "#" + "A" * 22


def test_what_went_to_a_group_comes_back_once() -> None:
    echoes = Echoes()
    echoes.expect(GROUP, CID)
    assert echoes.is_echo(CID)
    assert not echoes.is_echo(CID)


def test_what_went_to_a_user_does_not_come_back() -> None:
    echoes = Echoes()
    echoes.expect("bob", CID)
    assert not echoes.is_echo(CID)


def test_changes_come_back_and_other_requests_do_not() -> None:
    echoes = Echoes()
    echoes.expect_of(History(1, GROUP))
    echoes.expect_of(Change(1, GROUP, CID, Leave()))
    assert echoes.is_echo(CID)


def test_oldest_is_forgotten_beyond_the_bound() -> None:
    echoes = Echoes(size_max=2)
    cids = [bytes((number,)) * 16 for number in range(3)]
    for cid in cids:
        echoes.expect(GROUP, cid)
    assert [echoes.is_echo(cid) for cid in cids] == [False, True, True]
