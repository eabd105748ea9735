"""Big groups in a whole broker: one entry for many records, and nobody misses or repeats one."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.broker import group as broker_group
from actorchat.broker import moved as broker_moved
from actorchat.broker.moved import MovedTeller
from actorchat.chat.moved import Changed, MovedDue
from actorchat.chat.roster import Member
from actorchat.errors import MailboxFull
from actorchat.ids import group_address
from actorchat.limits import GROUP_MOVED_EVERY_S
from actorchat.protocol import ops
from actorchat.protocol.ops.group import Add, AnyChange, Create, Leave, Remove
from actorchat.store import keys, kinds, values
from actorchat.store.verify import verify
from tests.unit.broker.stage import Device, Stage

USERS = ("ann", "bob", "cid", "dan")
ID = bytes(range(16))
GROUP = group_address(ID)
SOON_S = GROUP_MOVED_EVERY_S + 0.05


@pytest.fixture
def stage() -> Stage:
    stage = Stage(group_inline_max=2)
    stage.add_users(*USERS)
    return stage


def change(device: Device, what: AnyChange, cid: bytes | None = None) -> dict[str, Any]:
    name = device._stage.new_cid() if cid is None else cid
    return device.ask(lambda rid: ops.Change(rid, GROUP, name, what))


def made(stage: Stage, *others: str) -> Device:
    """Return ann's device, in a group of ann and `others`, who are not here."""
    ann = stage.hello("ann")
    assert change(ann, Create("g", list(others)), ID)["ok"]["seq"] == 1
    return ann


def seqs(device: Device) -> list[int]:
    return [message["msg"]["seq"] for message in device.messages]


def rows_of(stage: Stage, user: str) -> list[keys.InboxRow]:
    owner = keys.user_key(user)
    return [keys.unpack_inbox(v) for k, v in stage.rows("inbox") if k.startswith(owner)]


def waiting(stage: Stage, user: str) -> list[tuple[int, int, str]]:
    prefix = keys.state_key(keys.user_key(user), kinds.MOVED)
    return [values.unpack_moved(v) for k, v in stage.rows("state") if k.startswith(prefix)]


def test_who_is_away_has_one_entry_however_much_is_posted(stage: Stage) -> None:
    ann = made(stage, "bob", "cid")
    for number in range(20):
        ann.send(GROUP, f"m{number}")
    assert rows_of(stage, "bob") == []
    stage.run(3.0)
    assert waiting(stage, "bob") == [(0, 21, GROUP)]
    assert stage.rows("outbox") == []
    bob = stage.hello("bob")
    stage.run(SOON_S)
    assert seqs(bob) == list(range(1, 22))
    assert [message["upd"] for message in bob.messages] == list(range(1, 22))
    assert [row.updates for row in rows_of(stage, "bob")] == [21]
    assert waiting(stage, "bob") == []
    assert verify(stage.engine).is_sound
    assert stage.crashes == []


def test_who_is_here_gets_each_at_once_and_together_what_comes_fast(stage: Stage) -> None:
    ann = made(stage, "bob", "cid")
    stage.run(SOON_S)
    bob = stage.hello("bob")
    stage.run(SOON_S)
    for number in range(5):
        ann.start(lambda rid, number=number: ops.Send(rid, GROUP, stage.new_cid(), f"m{number}"))
    stage.run(0.01)
    assert seqs(bob)[:2] == [1, 2]
    stage.run(SOON_S)
    assert seqs(bob) == [1, 2, 3, 4, 5, 6]
    assert len(rows_of(stage, "bob")) < 6
    bob.ack()
    stage.run(3.0)
    marks = ann.ask(lambda rid: ops.Receipts(rid, GROUP))["ok"]["marks"]
    assert marks["bob"] == {"delivered": 6, "read": 0}


def test_entries_in_the_log_and_out_of_it_survive_a_restart(stage: Stage) -> None:
    ann = made(stage, "bob", "cid")
    ann.send(GROUP, "one")
    stage.run(3.0)
    ann.send(GROUP, "two")  # of which bob's home has told the log nothing yet
    stage.engine.sync()
    stage.crash()
    bob = stage.hello("bob")
    stage.run(3.0)
    assert seqs(bob) == [1, 2, 3]
    stage.crash()
    stage.run(3.0)
    again = stage.hello("bob", resume=3)
    stage.run(0.1)
    assert again.messages == []
    assert verify(stage.engine).is_sound


def test_part_of_a_span_is_read_on_where_a_device_stopped(stage: Stage) -> None:
    ann = made(stage, "bob", "cid")
    for number in range(9):
        ann.send(GROUP, f"m{number}")
    bob = stage.hello("bob")
    stage.run(SOON_S)
    bob.ack(4)
    bob.leave()
    bob = stage.hello("bob")
    stage.run(SOON_S)
    assert seqs(bob) == [5, 6, 7, 8, 9, 10]


def test_crossing_the_bound_loses_and_repeats_nothing(stage: Stage) -> None:
    ann = made(stage, "bob")
    bob = stage.hello("bob")
    laptop = stage.hello("bob", "laptop")
    stage.run(SOON_S)
    for round_ in range(3):
        ann.start(lambda rid: ops.Send(rid, GROUP, stage.new_cid(), "small"))
        change(ann, Add(["cid"]))
        ann.start(lambda rid: ops.Send(rid, GROUP, stage.new_cid(), "big"))
        ann.start(lambda rid: ops.Send(rid, GROUP, stage.new_cid(), "big"))
        change(ann, Remove("cid"))
        if round_ == 1:
            stage.run(3.0)
    stage.run(3.0)
    head = ann.ask(lambda rid: ops.Group(rid, GROUP))["ok"]["head"]
    assert seqs(bob) == seqs(laptop) == list(range(1, head + 1))
    cid = stage.hello("cid")
    stage.run(SOON_S)
    assert seqs(cid) == [3, 4, 5, 6, 8, 9, 10, 11, 13, 14, 15, 16]
    assert verify(stage.engine).is_sound
    assert stage.crashes == []


def test_who_went_gets_that_and_nothing_that_was_said_later(stage: Stage) -> None:
    ann = made(stage, "bob", "cid", "dan")
    ann.send(GROUP, "hi")
    dan = stage.hello("dan")
    stage.run(SOON_S)
    change(dan, Leave())
    ann.send(GROUP, "canary")
    stage.run(3.0)
    assert seqs(dan) == [1, 2, 3]
    change(ann, Add(["dan"]))
    ann.send(GROUP, "back")
    stage.run(SOON_S)
    assert seqs(dan) == [1, 2, 3, 5, 6]
    assert "canary" not in dan.bodies


def test_news_that_got_lost_is_told_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = made(stage, "bob", "cid", "dan")
    bob = stage.hello("bob")
    stage.run(3.0)
    monkeypatch.setattr(broker_moved, "tell_all", lambda refs, message: 0)
    ann.send(GROUP, "lost")
    change(ann, Remove("dan"))
    stage.run(0.3)
    assert seqs(bob) == [1]
    monkeypatch.undo()
    stage.run(3.0)
    assert seqs(bob) == [1, 2, 3]
    assert stage.rows("outbox") == []
    dan = stage.hello("dan")
    stage.run(0.1)
    assert seqs(dan) == [1, 2, 3]


def test_restart_tells_again_all_that_is_owed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = made(stage, "bob", "cid", "dan")
    stage.run(3.0)
    monkeypatch.setattr(broker_moved, "tell_all", lambda refs, message: 0)
    ann.send(GROUP, "lost")
    change(ann, Remove("dan"))
    ann.send(GROUP, "after")
    monkeypatch.undo()
    stage.engine.sync()
    stage.crash()
    stage.run(5.0)
    assert stage.rows("outbox") == []
    found = {}
    for user in ("bob", "dan"):
        device = stage.hello(user)
        stage.run(0.1)
        found[user] = seqs(device)
    assert found == {"bob": [1, 2, 3, 4], "dan": [1, 2, 3]}


class _Places:
    def user(self, name: str) -> str:
        return name


class _FullGroup:
    def __init__(self) -> None:
        self.told = 0

    def tell(self, event: object) -> None:
        assert isinstance(event, MovedDue)
        self.told += 1
        raise MailboxFull("full")


def test_group_whose_mailbox_is_full_is_asked_again() -> None:
    group = _FullGroup()
    teller = MovedTeller(_Places(), GROUP, b"key", group, 0)  # type: ignore[arg-type]
    teller.posted((1, (), b"r"))
    teller.posted((2, (), b"r"))
    assert group.told == 2
    assert teller.due()
    assert not teller.due()


class _Home:
    def __init__(self, name: str, told: list[str]) -> None:
        self.name = name
        self.told = told

    def ref(self) -> _Home:
        return self


def test_many_homes_are_told_a_slice_a_turn_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[list[tuple[str, int]]] = []
    asked: list[object] = []

    class _Me:
        def tell(self, event: object) -> None:
            asked.append(event)

    def tell_all(refs: list[Any], message: Any) -> int:
        turns.append([(ref.name, message.seq) for ref in refs])
        return len(refs)

    monkeypatch.setattr(broker_moved, "GROUP_SLICE_HOMES", 2)
    monkeypatch.setattr(broker_moved, "tell_all", tell_all)
    teller = MovedTeller(_Places(), GROUP, b"key", _Me(), 0)  # type: ignore[arg-type]
    homes: Any = tuple(_Home(name, []) for name in "abcde")
    teller.posted((1, homes, b"r"))
    assert teller.due()
    assert turns == [[("a", 1), ("b", 1)]]
    teller.posted((2, homes[:1], b"r"))
    assert teller.due()
    assert len(turns) == 1  # behind what is still to be told
    teller.tell_slice()
    teller.tell_slice()
    assert turns[1:] == [[("c", 1), ("d", 1)], [("e", 1)]]
    assert [type(event).__name__ for event in asked] == ["MovedDue", *["SliceDue"] * 3]
    teller.tell_slice()
    assert turns[3:] == [[("a", 2)]]
    teller.tell_slice()  # nothing is left, and nothing is asked for
    assert len(asked) == 4
    teller.posted((3, homes, b"r"))
    teller.tell_rest(None)
    assert [len(turn) for turn in turns[4:]] == [2, 2, 1]


def test_slices_of_a_group_whose_mailbox_is_full_are_told_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    monkeypatch.setattr(broker_moved, "GROUP_SLICE_HOMES", 1)
    monkeypatch.setattr(
        broker_moved, "tell_all", lambda refs, message: told.extend(ref.name for ref in refs)
    )

    class _Full:
        def tell(self, event: object) -> None:
            raise MailboxFull("full")

    teller = MovedTeller(_Places(), GROUP, b"key", _Full(), 0)  # type: ignore[arg-type]
    homes: Any = tuple(_Home(name, []) for name in "abc")
    teller.posted((1, homes, b"r"))
    assert teller.due()
    assert told == ["a", "b", "c"]


def test_change_is_told_to_each_by_what_came_before_for_them() -> None:
    teller = MovedTeller(_Places(), GROUP, b"key", None, 0)  # type: ignore[arg-type]
    rows = {
        "ann": Member("owner", 1),
        "bob": Member("member", 0, ((1, 9),)),  # goes with it
        "cid": Member("member", 9),
        "dan": Member("member", 9, ((2, 4),)),
        "eve": Member("member", 0, ((2, 4),)),
    }
    found = teller.change(9, b"r", 0, rows)
    assert found == Changed(9, b"r", 0, ("ann", "bob"), {0: ["cid"], 4: ["dan"]})


def test_all_is_told_again_in_the_order_of_seqs() -> None:
    teller = MovedTeller(_Places(), GROUP, b"key", None, 0)  # type: ignore[arg-type]
    rows = {"ann": Member("owner", 1), "dan": Member("member", 7, ((2, 4),))}
    again = teller.again(rows, 1, 8)
    found = [(m.first, m.seq, m.prev, places) for m, places in again]
    assert found == [(2, 4, 0, ("dan",)), (2, 8, 1, ("ann",)), (7, 8, 4, ("dan",))]
    again = teller.again({"dan": rows["dan"]}, 3, 8, 3)
    assert [(m.first, m.seq, m.prev) for m, _ in again] == [(4, 4, 3), (7, 8, 4)]


def test_group_actor_that_crashes_before_it_told_tells_later(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_group, "GROUP_MOVED_EVERY_S", 60.0)
    ann = made(stage, "bob", "cid")
    bob = stage.hello("bob")
    ann.send(GROUP, "at once")
    ann.send(GROUP, "held back")
    assert seqs(bob) == [1, 2]
    entities: Any = stage.system.names.whereis("entities")
    for ref in list(entities._actor.children):
        if ref.actor_class is broker_group.GroupActor:
            ref.tell(object())
    stage.run(4.0)
    assert seqs(bob) == [1, 2, 3]
