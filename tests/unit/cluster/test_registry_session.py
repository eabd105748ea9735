"""What a session tells of itself, and until when its holder may act."""

from __future__ import annotations

import asyncio

import pytest

from actorchat.cluster.registry import (
    Connected,
    Lease,
    Lost,
    Recovered,
    RegistryAway,
    RegistryClosed,
    Suspended,
)
from actorchat.cluster.registry_session import RegistrySession


def test_lease_counts_from_when_the_request_was_sent() -> None:
    lease = Lease()
    assert lease.end_s == 0.0
    lease.begin(6.0, 100.0)
    assert lease.end_s == 104.0
    lease.renew(103.0)
    assert lease.end_s == 107.0
    lease.renew(101.0)  # a late answer to an earlier request takes nothing away, and adds nothing
    assert lease.end_s == 107.0
    lease.drop()
    assert lease.end_s == 0.0


async def test_session_is_told_of_in_its_order() -> None:
    session = RegistrySession()
    told: list[object] = []
    session.on_event(told.append)
    session.suspended()  # nothing has begun
    session.lost()
    session.began(7, 6.0, 1.0)
    session.suspended()
    session.suspended()
    session.began(7, 6.0, 2.0)
    session.suspended()
    session.lost()
    session.lost()
    session.began(9, 6.0, 3.0)
    assert told == [
        Connected(7),
        Suspended(),
        Recovered(7),
        Suspended(),
        Lost(7),
        Connected(9),
    ]


async def test_lease_goes_with_the_session_and_stays_while_it_is_suspended() -> None:
    session = RegistrySession()
    session.began(7, 6.0, 10.0)
    session.suspended()
    assert session.lease_end_s == 14.0
    session.lost()
    assert session.lease_end_s == 0.0


async def test_watch_is_told_once_for_many_changes_and_after_every_recovery() -> None:
    session = RegistrySession()
    session.began(7, 6.0, 1.0)
    told: list[str] = []
    assert session.watched(("/a", False), told.append)
    for _ in range(5):
        session.changed(("/a", False))
    session.changed(("/a", True))
    await asyncio.sleep(0)
    assert told == ["/a"]
    session.suspended()
    session.began(7, 6.0, 1.0)
    await asyncio.sleep(0)
    assert told == ["/a", "/a"]
    assert session.unwatched(("/a", False), told.append)
    assert not session.unwatched(("/a", False), told.append)
    session.changed(("/a", False))
    await asyncio.sleep(0)
    assert told == ["/a", "/a"]


async def test_waiting_for_the_registry_ends_in_time_or_with_the_session() -> None:
    session = RegistrySession()
    with pytest.raises(RegistryAway) as away:
        await session.reach(0.0)
    assert away.value.outcome == "none"
    waiting = asyncio.create_task(session.reach(10.0))
    await asyncio.sleep(0)
    session.closed()
    with pytest.raises(RegistryClosed):
        await waiting
