"""A recording is played through a real node by real clients, and nothing differs."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nodes.replay import traffic
from nodes.replay.child import ChildNode
from nodes.replay.door import MIXED, SCHEMES, gateways_for
from nodes.replay.run import Outcome, Plan, Replay, choose_absent
from tests.recording import made_up, real_recording, write

FEW = traffic.gather(made_up(people=40, messages=600))


def unseen(phase: str, done: int, total: int) -> None:
    assert done <= total, phase


def test_who_stays_away_has_nothing_to_send_and_is_chosen_by_the_seed() -> None:
    absent = choose_absent(FEW, 0.5, random.Random(1))
    assert len(absent) == round(0.5 * len(FEW.recipients))
    assert absent <= FEW.recipients - FEW.senders
    assert absent == choose_absent(FEW, 0.5, random.Random(1))
    assert absent != choose_absent(FEW, 0.5, random.Random(2))


def test_all_and_none_can_stay_away() -> None:
    assert choose_absent(FEW, 0.0, random.Random(1)) == frozenset()
    assert choose_absent(FEW, 1.0, random.Random(1)) == FEW.recipients - FEW.senders


async def play(plan: Plan) -> Outcome:
    outcome = await Replay(plan, unseen).run()
    assert outcome.ledger.differences == []
    assert outcome.ledger.acked == outcome.ledger.delivered == len(plan.traffic.lines)
    return outcome


@pytest.mark.slow
async def test_a_running_node_is_played_through_twice(node: ChildNode) -> None:
    key = (node.data / "operator.key").read_text(encoding="ascii").strip()
    assert any(line.sender == line.to for line in FEW.lines)
    for seed in (1, 2):  # the second time there are histories and devices already
        plan = Plan(FEW, [node.address], key, offline=0.5, check=True, seed=seed)
        outcome = await play(plan)
        assert outcome.people_offline > 0
        assert outcome.histories == sum(
            1 if one == other else 2 for one, other in FEW.conversations
        )
        assert outcome.wire_duplicates == outcome.log_duplicates == outcome.reconnects == 0
        assert outcome.updates_skipped == 0
        assert outcome.ledger.foreign == 0


@pytest.mark.slow
async def test_with_nobody_absent_and_one_send_at_a_time(node: ChildNode) -> None:
    key = (node.data / "operator.key").read_text(encoding="ascii").strip()
    plan = Plan(FEW, [node.address], key, offline=0.0, check=False, window=1)
    outcome = await play(plan)
    assert outcome.people_offline == outcome.histories == 0


@pytest.mark.slow
async def test_people_come_in_by_all_gateways_and_by_others_for_the_check() -> None:
    plan = Plan(FEW, gateways=gateways_for(MIXED), offline=0.5, check=True, seed=3)
    outcome = await play(plan)
    assert set(outcome.people_by_gateway) == set(SCHEMES)
    assert sum(outcome.people_by_gateway.values()) == outcome.people
    assert 0 < outcome.conversations_across < outcome.conversations
    assert "change doors" in outcome.seconds
    assert outcome.histories > 0
    assert outcome.wire_duplicates == outcome.log_duplicates == outcome.reconnects == 0
    assert outcome.node_words == ""


@pytest.mark.slow
@pytest.mark.parametrize("gateway", SCHEMES)
async def test_people_come_in_by_the_one_gateway_that_is_chosen(gateway: str) -> None:
    plan = Plan(FEW, gateways=gateways_for(gateway), offline=0.5, check=True)
    outcome = await play(plan)
    assert outcome.people_by_gateway == {gateway: outcome.people}
    assert outcome.conversations_across == 0
    assert outcome.node_words == ""


@pytest.mark.slow
async def test_a_refused_send_is_a_difference(
    node: ChildNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = (node.data / "operator.key").read_text(encoding="ascii").strip()
    lines = [*made_up(people=8, messages=20), traffic.Line("p000", "p-unheard-of", "hello?")]
    known = traffic.gather(lines[:-1])
    # The last recipient is in the recording, and nobody makes an account for it.
    recording = traffic.Traffic(lines, known.senders, known.recipients, known.conversations)
    outcome = await Replay(Plan(recording, [node.address], key), unseen).run()
    assert dict(outcome.ledger.counts) == {"failed": 1}
    assert "no_such_user" in str(outcome.ledger.differences[0])


@pytest.mark.slow
def test_the_command_prints_what_came_of_it(shell: Any, tmp_path: Path) -> None:
    file = write(tmp_path / "few.jsonl", FEW.lines)
    (summary,) = shell.json("replay", str(file), "--check", "--limit", "200")
    assert summary["messages"] == summary["acked"] == summary["delivered"] == 200
    assert summary["difference_count"] == 0
    assert summary["histories_read"] > 0
    assert set(summary["seconds"]) >= {"send", "drain", "check", "all"}
    done = shell.run("replay", str(file), "--limit", "20")
    assert done.returncode == 0
    assert "no difference in acks and deliveries" in done.stdout


@pytest.mark.slow
def test_a_gateway_that_the_node_does_not_have_is_told(shell: Any, tmp_path: Path) -> None:
    file = write(tmp_path / "few.jsonl", FEW.lines)
    done = shell.run("replay", str(file), "--gateway", "ws")
    assert done.returncode == 2
    assert "no address of the gateway ws" in done.stderr
    (summary,) = shell.json("replay", str(file), "--gateway", "tcp", "--limit", "20")
    assert summary["people_by_gateway"] == {"tcp": summary["people"]}


@pytest.mark.slow
def test_a_running_node_is_played_through_at_several_addresses(
    make_shell: Callable[[Path], Any], tmp_path: Path
) -> None:
    file = write(tmp_path / "few.jsonl", FEW.lines)
    node = ChildNode(tmp_path / "node", ["ws"])
    node.start()
    try:
        shell = make_shell(node.data)
        (by_data,) = shell.json("replay", str(file), "--gateway", "mixed", "--check")
        servers = [word for each in node.addresses.values() for word in ("--server", each)]
        (by_servers,) = shell.json("replay", str(file), *servers, "--check")
        (by_one,) = shell.json("replay", str(file), *servers, "--gateway", "ws")
    finally:
        assert node.stop() == 0
    for summary in (by_data, by_servers):
        assert set(summary["people_by_gateway"]) == {"tcp", "ws"}
        assert summary["difference_count"] == 0
    assert set(by_one["people_by_gateway"]) == {"ws"}


@pytest.mark.slow
def test_the_real_recording_has_no_difference(shell: Any) -> None:
    file = real_recording()
    if file is None:
        pytest.skip("the recording of real messages is not here; name it in ACTORCHAT_SMS")
    arguments = ("replay", str(file), "--self-contained", "--check", "--limit", "5000")
    (summary,) = shell.json(*arguments, "--gateway", "mixed")
    assert summary["delivered"] == 5000
    assert summary["difference_count"] == 0
    assert summary["node_log"] == ""
