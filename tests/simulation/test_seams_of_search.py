"""What is found of messages that were edited, deleted, swept, blocked, or are over."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.broker import search
from actorchat.ids import group_address
from actorchat.limits import CBOR_ITEMS_MAX
from actorchat.protocol import codec, ops, rich
from actorchat.protocol.ops.group import (
    Add,
    AnyChange,
    Change,
    Create,
    Enter,
    Invite,
    Leave,
    Remove,
)
from actorchat.store import keys
from actorchat.store.index import TextIndex, has_fts5
from tests.simulation.test_seams import OLD_S, SHORT, delete, edit, react, say
from tests.unit.broker.stage import Device, Stage

pytestmark = pytest.mark.skipif(not has_fts5(), reason="this SQLite has no FTS5")

TOKEN = "t" * 22


@pytest.fixture
def stage() -> Stage:
    stage = Stage(policy=SHORT, idle_s=1.0)
    stage.index = TextIndex(None)
    stage.start()
    stage.add_users("ann", "bob", "eve")
    return stage


def found(peer: Device, q: str, **how: Any) -> list[tuple[str, int]]:
    reply = peer.ask(lambda rid: ops.Search(rid, q, **how))
    return [(hit["conv"], hit["record"]["seq"]) for hit in reply["ok"]["hits"]]


def change(device: Device, group: str, what: AnyChange) -> None:
    cid = device._stage.new_cid()
    assert "ok" in device.ask(lambda rid: Change(rid, group, cid, what))


def make_group(device: Device, *members: str, history: Any = "all") -> str:
    cid = device._stage.new_cid()
    group = group_address(cid)
    create = Create("g", list(members), history=history)
    assert "ok" in device.ask(lambda rid: Change(rid, group, cid, create))
    return group


@pytest.mark.parametrize("is_fed_first", [False, True])
def test_edited_message_is_found_by_what_it_says_now(stage: Stage, is_fed_first: bool) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    say(ann, "bob", "apple tree")
    say(ann, "bob", "other")
    if is_fed_first:
        assert found(bob, "apple") == [("ann", 1)]
    edit(ann, "bob", 1, "pear tree")
    react(bob, "ann", 1)
    edit(ann, "bob", 1, "plum tree")
    for peer, conv in ((ann, "bob"), (bob, "ann")):
        assert found(peer, "apple") == found(peer, "pear") == []
        assert found(peer, "plum") == found(peer, "tree") == [(conv, 1)]
    hit = bob.ask(lambda rid: ops.Search(rid, "plum"))["ok"]["hits"][0]["record"]
    assert (hit["edited"], hit["reactions"]) == (5, {"x": ["bob"]})


def test_edit_that_is_not_indexed_yet_is_found_by_neither(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = stage.hello("ann")
    say(ann, "bob", "apple")
    assert found(ann, "apple") == [("bob", 1)]
    edit(ann, "bob", 1, "pear")
    monkeypatch.setattr(search, "SEARCH_FEED_PAGES", 0)
    assert found(ann, "apple") == found(ann, "pear") == []


def test_what_was_deleted_or_is_over_is_not_found_and_hides_nothing(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    say(ann, "bob", "apple first")
    for _ in range(60):  # more than the index is asked for at once
        say(ann, "bob", "apple mine")
    bob.ack()
    for first in range(2, 62, 30):
        seqs = list(range(first, first + 30))
        cid = stage.new_cid()
        assert "ok" in bob.ask(lambda rid, s=seqs, c=cid: ops.Delete(rid, "ann", c, s, "me"))
    taken = say(ann, "bob", "apple taken")
    say(ann, "bob", "apple over", expires_s=1)
    assert ("ann", taken) in found(bob, "apple")
    delete(ann, "bob", taken)
    stage.run(2.0)
    assert found(bob, "apple") == found(bob, "apple", limit=1) == [("ann", 1)]
    assert ("bob", taken) not in found(ann, "apple", limit=50)
    assert found(ann, "over") == []
    assert found(ann, "mine", limit=50) == [("bob", seq) for seq in range(61, 11, -1)]


def test_what_retention_let_go_is_not_found_and_leaves_the_index(stage: Stage) -> None:
    ann = stage.hello("ann")
    for _ in range(3):
        say(ann, "bob", "apple")
    assert len(found(ann, "apple")) == 3
    stage.run(OLD_S)
    ann = stage.hello("ann")
    assert found(ann, "apple") == [("bob", 3)]
    assert stage.index is not None
    talk = keys.conversation_key("ann", "bob")
    hits = stage.index.find([talk], '"apple"', (2**53, 0), 9)
    assert [hit.seq for hit in hits or ()] == [3]


def test_what_a_block_hides_is_found_by_its_writer_alone(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    say(ann, "bob", "apple")
    bob.ask(lambda rid: ops.Block(rid, "ann"))
    say(ann, "bob", "apple unseen")
    edit(ann, "bob", 2, "pear unseen")
    bob.ask(lambda rid: ops.Block(rid, "ann", False))
    say(ann, "bob", "apple again")
    assert found(bob, "apple") == [("ann", 4), ("ann", 1)]
    assert found(bob, "unseen") == []
    assert found(ann, "unseen") == [("bob", 2)]


@pytest.mark.parametrize("history", ["all", "since_join"])
def test_groups_are_found_without_their_name_and_within_what_members_may_read(
    stage: Stage, history: str
) -> None:
    ann, bob, eve = stage.hello("ann"), stage.hello("bob"), stage.hello("eve")
    group = make_group(ann, "bob", history=history)
    before = say(ann, group, "apple before")
    assert found(eve, "apple") == found(eve, "apple", conv=group) == []
    change(ann, group, Add(["eve"]))
    since = say(ann, group, "apple since")
    everything = [(group, since), (group, before)]
    assert found(bob, "apple") == everything
    assert found(eve, "apple") == everything[: 1 + (history == "all")]
    change(ann, group, Remove("eve"))
    say(ann, group, "apple without")
    assert found(eve, "apple") == found(eve, "apple", conv=group) == []
    change(ann, group, Invite(TOKEN))
    change(eve, group, Enter(TOKEN))
    again = say(ann, group, "apple again")
    of_eve = found(eve, "apple")
    assert of_eve[0] == (group, again)
    assert len(of_eve) == (4 if history == "all" else 1)
    change(eve, group, Leave())
    assert found(eve, "apple") == []


def test_index_of_another_store_is_begun_anew(stage: Stage) -> None:
    ann = stage.hello("ann")
    assert stage.index is not None
    lost = [search.Line(seq, 10, "plum") for seq in range(1, 9)]
    stage.index.add(keys.conversation_key("ann", "bob"), 8, lost)
    say(ann, "bob", "apple")
    assert found(ann, "plum") == []
    assert found(ann, "apple") == [("bob", 1)]


def test_notes_of_who_is_gone_leave_the_index(stage: Stage) -> None:
    ann = stage.hello("ann")
    say(ann, "ann", "apple note")
    assert found(ann, "apple") == [("ann", 1)]
    assert ann.ask(lambda rid: ops.DeleteAccount(rid, "ann"))["ok"] == {}
    stage.run(5.0)
    assert stage.index is not None
    assert stage.index.upto([keys.conversation_key("ann", "ann")]) == {
        keys.conversation_key("ann", "ann"): 0
    }
    assert stage.crashes == []


def test_what_is_sealed_is_no_text(stage: Stage) -> None:
    ann = stage.hello("ann")
    say(ann, "bob", "apple", kind="sealed")
    assert found(ann, "apple") == []


def test_hits_with_many_reactions_fit_a_frame(stage: Stage) -> None:
    ann = stage.hello("ann")
    users = [f"user-{number}" for number in range(250)]
    for _ in range(50):
        say(ann, "bob", "apple")
    context, talk = stage.broker.context, keys.conversation_key("ann", "bob")
    ops_ = []
    for seq, packed in context.archive.records(talk, 0, 99, 99, False):
        record = codec.decode_record(packed)
        record.reactions = {"x": users}
        ops_.append(context.rows.history(talk, seq, rich.encode(record)))
    context.log.append(ops_)
    reply = ann.ask(lambda rid: ops.Search(rid, "apple", limit=50))
    assert 0 < len(reply["ok"]["hits"]) < 50
    assert count(reply) < CBOR_ITEMS_MAX


def count(value: object) -> int:
    if isinstance(value, dict):
        return 1 + sum(1 + count(each) for each in value.values())
    return 1 + sum(map(count, value)) if isinstance(value, list) else 1
