from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from actorchat.actor import Actor, Reply
from actorchat.limits import PING_INTERVAL_S
from actorchat.settings import load
from nodes.roles.standalone import Standalone, index_of, policy_of, terms_of


async def test_node_starts_reports_and_stops_in_this_loop(tmp_path: Path) -> None:
    overrides = {"gateway.tcp.listen": "127.0.0.1:0", "auth.argon2_memory_kib": 64}
    ended: list[int] = []
    node = Standalone(load(None, {}, overrides), tmp_path, "key", ended.append)
    await node.start()
    try:
        report = node.report()
        assert node.tcp_address.startswith("tcp://127.0.0.1:")
        assert report["sessions"] == 0
        assert report["tcp_open"] == 0
        assert report["actor_crashes"] == 0
    finally:
        await node.stop()
    assert ended == []
    assert node.failure is None


def test_clients_are_told_what_the_settings_make_of_an_ack() -> None:
    assert terms_of(load(None, {}, {})).durability == "fsync"
    assert terms_of(load(None, {}, {"store.sync": False})).durability == "none"


def test_pings_fit_into_the_idle_timeout_and_the_bound_is_the_gateways() -> None:
    overrides = {"limits.idle_timeout_s": 30.0, "limits.requests_in_flight_max": 7}
    terms = terms_of(load(None, {}, overrides))
    assert terms.ping_s == 10.0
    assert terms.in_flight_max == 7
    assert terms_of(load(None, {}, {})).ping_s == PING_INTERVAL_S


class Stuck(Actor):
    """Waits for what it is told."""

    async def on_receive(self, message: Any) -> None:
        await message


async def test_actors_that_are_behind_are_logged_and_the_others_are_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    overrides = {"gateway.tcp.listen": "127.0.0.1:0", "auth.argon2_memory_kib": 64}
    node = Standalone(load(None, {}, overrides), tmp_path, "key", lambda status: None)
    await node.start()
    pause: Reply[None] = Reply()
    try:
        stuck = node._system.spawn(Stuck, name="stuck")
        for _ in range(3):
            stuck.tell(pause)
        while stuck._task is None or stuck._task.coro is None:
            await asyncio.sleep(0)
        caplog.clear()
        node.log_actors()
        lines = [(record.getMessage(), vars(record)["fields"]) for record in caplog.records]
        assert {record.levelno for record in caplog.records} == {logging.WARNING}
        assert [event for event, _ in lines] == [
            "actors at this moment",
            "actor with a long queue",
            "actor with a suspended handler",
        ]
        (_, counts), (_, queue), (_, waiting) = lines
        assert counts["queued"] == 2 and counts["actors"] > 5
        for fields in (queue, waiting):
            assert (fields["rank"], fields["name"], fields["queued"]) == (1, "stuck", 2)
        assert waiting["message_type"] == "Reply" and waiting["age_s"] >= 0
        assert "reason" not in waiting
    finally:
        pause.settle(None)
        await node.stop()


def test_retention_is_what_the_settings_say() -> None:
    policy = policy_of(load(None, {}, {}))
    assert policy.inbox_keep_s == 30 * 86_400
    assert not policy.drops_history
    overrides = {"retention.history_days": 2.0, "retention.history_bytes_max": 9}
    policy = policy_of(load(None, {}, overrides))
    assert (policy.history_keep_s, policy.history_bytes_max) == (172_800.0, 9)


def test_search_may_be_switched_off_or_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert index_of(load(None, {}, {"search.enabled": False}), tmp_path) is None
    monkeypatch.setattr("actorchat.store.index.has_fts5", lambda: False)
    assert index_of(load(None, {}, {}), tmp_path) is None
    monkeypatch.setattr("actorchat.store.index.has_fts5", lambda: True)
    assert index_of(load(None, {}, {}), tmp_path) is not None
