"""Who finds what in a whole broker, and what is found when the index was behind or lost."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.broker import search
from actorchat.ids import group_address
from actorchat.limits import SEARCH_QUERY_CHARS_MAX
from actorchat.protocol import ops
from actorchat.protocol.ops.group import Add, Change, Create, Remove
from actorchat.store import keys
from actorchat.store.index import TextIndex, has_fts5
from tests.unit.broker.stage import Device, Stage

pytestmark = pytest.mark.skipif(not has_fts5(), reason="this SQLite has no FTS5")


def stage_of() -> tuple[Stage, Device]:
    stage = Stage()
    stage.index = TextIndex(None)
    stage.start()
    stage.add_users("ann", "bob", "eve")
    return stage, stage.hello("ann")


def found(peer: Device, q: str, **how: Any) -> list[tuple[str, int]]:
    reply = peer.ask(lambda rid: ops.Search(rid, q, **how))
    return [(hit["conv"], hit["record"]["seq"]) for hit in reply["ok"]["hits"]]


def test_people_find_what_they_wrote_and_got_and_nothing_else() -> None:
    stage, ann = stage_of()
    bob, eve = stage.hello("bob"), stage.hello("eve")
    ann.send("bob", "see you at eight")
    bob.send("ann", "eight it is")
    eve.send("bob", "my eight secrets")
    assert found(ann, "eight") == [("bob", 2), ("bob", 1)]
    assert found(bob, "eig") == [("eve", 1), ("ann", 2), ("ann", 1)]
    assert found(bob, "eight", conv="ann", limit=1) == [("ann", 2)]
    assert found(eve, "see") == []
    assert found(eve, "eight", conv="ann") == []
    assert found(ann, "secrets", conv="bob") == []


def test_what_is_written_later_is_found_and_pages_go_on_by_time() -> None:
    stage, ann = stage_of()
    for number in range(3):
        ann.send("bob", f"word {number}")
        stage.run(0.1)
    assert found(ann, "word", limit=2) == [("bob", 3), ("bob", 2)]
    reply = ann.ask(lambda rid: ops.Search(rid, "word", limit=2))["ok"]
    assert not reply["partial"]
    last = reply["hits"][-1]["record"]["ts"]
    ann.send("bob", "word 4")
    assert found(ann, "word", before=last) == [("bob", 1)]
    assert found(ann, "4") == [("bob", 4)]


def test_members_find_in_a_group_what_its_history_shows_them() -> None:
    stage, ann = stage_of()
    bob, eve = stage.hello("bob"), stage.hello("eve")
    cid = stage.new_cid()
    group = group_address(cid)
    ann.ask(lambda rid: Change(rid, group, cid, Create("friends", ["bob"])))
    ann.send(group, "before eve")
    ann.ask(lambda rid: Change(rid, group, stage.new_cid(), Add(["eve"])))
    ann.send(group, "with eve")
    assert found(ann, "eve", conv=group) == [(group, 4), (group, 2)]
    assert found(eve, "eve", conv=group) == [(group, 4)]
    ann.ask(lambda rid: Change(rid, group, stage.new_cid(), Remove("bob")))
    assert found(bob, "eve", conv=group) == []


def test_message_that_is_gone_is_found_no_more() -> None:
    stage, ann = stage_of()
    ann.send("bob", "word one")
    ann.send("bob", "word two")
    assert len(found(ann, "word")) == 2
    key = keys.history_key(keys.conversation_key("ann", "bob"), 1)
    stage.broker.context.log.append([(stage.engine.family("history"), key, None)])
    stage.run()
    assert found(ann, "word") == [("bob", 2)]


def test_lost_or_failing_index_only_has_to_catch_up(monkeypatch: pytest.MonkeyPatch) -> None:
    stage, ann = stage_of()
    ann.send("bob", "word")
    assert found(ann, "word") == [("bob", 1)]
    stage.index = TextIndex(None)
    stage.crash()
    ann = stage.hello("ann")
    assert found(ann, "word") == [("bob", 1)]

    def fail(*_: object) -> None:
        raise OSError("disk")

    with monkeypatch.context() as patch:
        patch.setattr(TextIndex, "find", fail)
        reply = ann.ask(lambda rid: ops.Search(rid, "word"))
        assert reply["err"]["code"] == "busy"
    assert found(ann, "word") == [("bob", 1)]
    assert stage.crashes == []


def test_search_indexes_a_bounded_part_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "SEARCH_FEED_ROWS", 2)
    monkeypatch.setattr(search, "SEARCH_FEED_PAGES", 2)
    _, ann = stage_of()
    for _ in range(6):
        ann.send("bob", "word")
    first = ann.ask(lambda rid: ops.Search(rid, "word"))["ok"]
    assert (len(first["hits"]), first["partial"]) == (4, True)
    second = ann.ask(lambda rid: ops.Search(rid, "word"))["ok"]
    assert (len(second["hits"]), second["partial"]) == (6, False)


def test_nothing_is_indexed_before_it_is_durable() -> None:
    stage, ann = stage_of()
    ann.send("bob", "first")
    stage.syncer.is_held = True
    ann.start(lambda rid: ops.Send(rid, "bob", stage.new_cid(), "lost"))
    rid = ann.start(lambda rid: ops.Search(rid, "first"))
    stage.run()
    assert rid not in ann.connection.replies
    stage.syncer.release()
    stage.run()
    assert len(ann.connection.replies[rid]["ok"]["hits"]) == 1


def test_refusals_are_typed() -> None:
    _, ann = stage_of()
    assert ann.ask(lambda rid: ops.Search(rid, "?!"))["err"]["code"] == "bad_request"
    assert found(ann, "word") == []
    plain = Stage()
    plain.add_users("ann")
    reply = plain.hello("ann").ask(lambda rid: ops.Search(rid, "word"))
    assert reply["err"]["code"] == "unsupported"
    assert SEARCH_QUERY_CHARS_MAX < 65_536  # longer ones never get here


def test_hits_are_shown_as_history_shows_them() -> None:
    stage, ann = stage_of()
    bob = stage.hello("bob")
    for number in range(4):
        ann.send("bob", f"word {number}")
    assert len(found(bob, "word")) == 4
    assert "ok" in ann.ask(lambda rid: ops.Edit(rid, "bob", stage.new_cid(), 1, "other"))
    assert "ok" in ann.ask(lambda rid: ops.Delete(rid, "bob", stage.new_cid(), [2]))
    assert "ok" in bob.ask(lambda rid: ops.Block(rid, "ann"))
    ann.send("bob", "word unseen")
    assert ("ann", 2) not in found(bob, "word")
    assert found(bob, "unseen") == []
    hits = bob.ask(lambda rid: ops.Search(rid, "word"))["ok"]["hits"]
    assert [hit["record"]["body"] for hit in hits] == ["word 3", "word 2"]
    assert found(bob, "other") == [("ann", 1)]
