"""What a whole broker lets go of, when, and what it still promises then."""

from __future__ import annotations

import pytest

from actorchat.broker.archive import Archive
from actorchat.broker.retention import RetentionLog
from actorchat.chat.retention import Policy
from actorchat.errors import StoreFull
from actorchat.ids import group_address
from actorchat.limits import INBOX_INLINE_BYTES_MAX, SWEEP_RANGE_ROWS_MIN, SWEEP_ROWS
from actorchat.protocol import ops
from actorchat.protocol.ops.group import Change, Create
from actorchat.store import keys, kinds, values
from actorchat.store.memory import Fault
from actorchat.store.verify import verify
from tests.unit.broker.stage import Device, Stage

# An update waits 10 s, a message stays 20 s and its client id 15 s.
SHORT = Policy(10.0, 20.0, None, 15.0, 1.0)
TALK = keys.conversation_key("ann", "bob")
LONG = "x" * (INBOX_INLINE_BYTES_MAX + 1)


def stage_of(policy: Policy = SHORT) -> tuple[Stage, Device]:
    stage = Stage(policy=policy, idle_s=1.0)
    stage.add_users("ann", "bob")
    return stage, stage.hello("ann")


def seqs(stage: Stage) -> list[int]:
    rows = stage.rows("history")
    return [keys.parse_history_key(key)[1] for key, _ in rows if key.startswith(TALK)]


def post(stage: Stage, sender: Device, count: int, body: str = "text") -> None:
    for _ in range(count):
        sender.start(lambda rid: ops.Send(rid, "bob", stage.new_cid(), body))
    stage.run()


def assert_sound(stage: Stage) -> None:
    stage.broker.context.log.apply()
    assert verify(stage.engine).problems == []
    assert stage.crashes == []


def test_device_that_stays_away_too_long_is_told_and_reads_history_instead() -> None:
    stage, ann = stage_of(Policy(10.0))
    bob = stage.hello("bob")
    post(stage, ann, 2)
    bob.ack()
    bob.leave()
    post(stage, ann, 3)
    stage.run(12.0)
    post(stage, ann, 1)
    again = stage.hello("bob")
    welcome = again.connection.replies[1]["ok"]
    assert (welcome["too_old"], welcome["cursor"], welcome["head"]) == (True, 5, 6)
    assert [message["upd"] for message in again.messages] == [6]
    assert len(again.ask(lambda rid: ops.History(rid, "ann"))["ok"]["events"]) == 6
    again.ack()
    again.leave()
    assert "too_old" not in stage.hello("bob").connection.replies[1]["ok"]
    assert stage.broker.counts()["swept_updates"] == 5
    assert_sound(stage)


def test_updates_of_somebody_who_comes_in_time_stay() -> None:
    stage, ann = stage_of(Policy(10.0))
    post(stage, ann, 3)
    stage.run(9.0)
    bob = stage.hello("bob")
    stage.run()
    assert len(bob.messages) == 3


def test_old_messages_go_with_their_client_ids_and_the_rest_is_dense() -> None:
    stage, ann = stage_of()
    post(stage, ann, SWEEP_ROWS + 5)
    stage.run(30.0)
    assert seqs(stage) == [SWEEP_ROWS + 5]  # the last one stays
    assert len(stage.rows("sent")) == 1
    post(stage, ann, 1)
    assert seqs(stage) == [SWEEP_ROWS + 5, SWEEP_ROWS + 6]
    counts = stage.broker.counts()
    assert counts["swept_messages"] == SWEEP_ROWS + 4
    assert counts["swept_bytes"] > 0
    assert_sound(stage)


@pytest.mark.parametrize("count", [3, SWEEP_RANGE_ROWS_MIN + 1])
def test_few_rows_and_many_go_alike(count: int) -> None:
    stage, ann = stage_of()
    post(stage, ann, count)
    stage.run(30.0)
    assert seqs(stage) == [count]
    assert_sound(stage)


def test_resend_is_known_as_long_as_its_message_lives() -> None:
    stage, ann = stage_of()
    first = ann.send("bob", "old", b"c" * 16)["ok"]["seq"]
    ann.send("bob", "new")
    stage.run(19.0)  # its actor was put away long since: the log remembers
    again = ann.send("bob", "old", b"c" * 16)["ok"]
    assert (again["seq"], again["dup"]) == (first, True)
    assert ann.send("bob", "other", b"c" * 16)["err"]["code"] == "id_conflict"


def test_what_is_owed_stays_until_it_has_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Archive, "owing", lambda *_: [])  # nobody sees to it
    stage, ann = stage_of()
    post(stage, ann, 3)
    stage.run(5.0)
    marker = (stage.engine.family("outbox"), TALK, keys.pack_outbox(2))
    stage.broker.context.log.append([marker])
    stage.run(40.0)
    assert seqs(stage) == [2, 3]


def test_only_the_newest_bytes_of_a_conversation_stay() -> None:
    policy = Policy(1.0, None, 600, 2.0, 1.0)
    stage, ann = stage_of(policy)
    post(stage, ann, 3 * SWEEP_ROWS, "x" * 34)
    stage.run(1.5)
    assert len(seqs(stage)) == 3 * SWEEP_ROWS  # too much, but too young
    stage.run(10.0)
    records = [value for key, value in stage.rows("history") if key.startswith(TALK)]
    assert sum(len(value) - 4 for value in records) <= 600
    assert len(records) > 3
    assert_sound(stage)


def test_group_goes_as_a_conversation_does() -> None:
    stage, ann = stage_of()
    cid = stage.new_cid()
    group = group_address(cid)
    change = Create("friends", ["bob"])
    assert "ok" in ann.ask(lambda rid: Change(rid, group, cid, change))
    for _ in range(4):
        ann.send(group, "text")
    ann.ack()
    stage.run(30.0)
    ann.send(group, "last")
    rows = [key for key, _ in stage.rows("history")]
    assert [keys.parse_history_key(key)[1] for key in rows] == [5, 6]
    assert len(stage.rows("sent")) == 2
    assert_sound(stage)


def test_update_whose_long_text_is_gone_is_told_as_too_old(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It should have gone before; where it did not, nobody is served a hole."""
    monkeypatch.setattr(RetentionLog, "updates", lambda *_: [])
    stage, ann = stage_of(Policy(1_000.0))
    post(stage, ann, 3, LONG)
    log, engine = stage.broker.context.log, stage.engine
    history, state = engine.family("history"), engine.family("state")
    gone = [(history, keys.history_key(TALK, seq), None) for seq in (1, 2)]
    ledger = (state, keys.state_key(TALK, kinds.LEDGER), values.pack_ledger(3, 0, 0))
    log.append([*gone, ledger])
    stage.run()
    ends = []
    for _ in range(3):
        bob = stage.hello("bob")
        stage.run(3.0)
        ends.append(bob.connection.bye)
    assert [bye and bye["reconnect"] for bye in ends] == ["now", "now", None]
    assert bob.connection.replies[1]["ok"]["too_old"]
    assert [message["msg"]["seq"] for message in bob.messages] == [3]
    assert stage.crashes == []


def test_sweep_goes_on_after_crashes_and_its_totals_are_what_is_gone() -> None:
    stage, ann = stage_of()
    count = 6 * SWEEP_ROWS
    post(stage, ann, count)
    stage.run()
    left = []
    for life in range(8):
        stage.run(20.3 + 0.06 * life)
        left.append(len(seqs(stage)))
        stage.crash()
        assert_sound(stage)
    stage.run(40.0)
    assert any(1 < some < count for some in left), "no crash came in the middle"
    assert seqs(stage) == [count]
    assert stage.broker.counts()["swept_messages"] == count - 1
    assert_sound(stage)


def test_full_disk_is_left_alone() -> None:
    stage, ann = stage_of()
    post(stage, ann, 3)
    stage.run(15.0)
    stage.engine.inject(Fault("write", StoreFull("full"), count=1_000))
    ann.send("bob", "no space")
    stage.run(20.0)
    assert seqs(stage) == [1, 2, 3]
    stage.engine.reopen()
    stage.run(20.0)
    assert seqs(stage) == [3]
    assert_sound(stage)


def test_chores_are_done_for_each_conversation_in_each_pass() -> None:
    stage, ann = stage_of()
    seen: list[tuple[bytes, object]] = []

    def chore(key: bytes, conv: object, now_wall_ms: int) -> int:
        seen.append((key, conv))
        return 1

    stage.chores.append(chore)
    post(stage, ann, 1)
    ann.send("ann", "note")
    stage.run(2.5)
    assert set(seen) == {
        (TALK, ("ann", "bob")),
        (keys.conversation_key("ann", "ann"), ("ann",) * 2),
    }
    assert len(seen) >= 4


def test_who_is_here_and_acks_nothing_for_so_long_is_sent_away() -> None:
    stage, ann = stage_of(Policy(10.0))
    bob = stage.hello("bob")
    post(stage, ann, 1)
    stage.run(15.0)
    assert bob.connection.bye == {"op": "bye", "code": "slow_consumer", "reconnect": "now"}
    assert not ann.connection.is_closed


def test_sweeper_buries_what_has_expired() -> None:
    stage, ann = stage_of()
    extra = ops.Extra(expires_s=60)
    assert "ok" in ann.ask(lambda rid: ops.Send(rid, "bob", stage.new_cid(), "soon gone", extra))
    assert any(b"soon gone" in value for _, value in stage.rows("history"))
    stage.run(70.0)
    assert not any(b"soon gone" in value for _, value in stage.rows("history"))
    assert_sound(stage)
