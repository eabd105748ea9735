"""People find what they wrote and got, whichever nodes have it."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.broker import search
from actorchat.chat import search as words
from actorchat.cluster.slots import Slot
from actorchat.ids import group_address, slot_of
from actorchat.limits import SEARCH_WAIT_S
from actorchat.protocol import ops
from actorchat.protocol.ops.group import Add, Change, Create
from actorchat.store import keys
from actorchat.store.index import TextIndex, has_fts5
from tests.unit.broker.city import DOWN_S, City
from tests.unit.broker.stage import Device

pytestmark = pytest.mark.skipif(not has_fts5(), reason="this SQLite has no FTS5")

GROUP_ID = bytes(range(16))
GROUP = group_address(GROUP_ID)
HOMES = {"ann": "a", "bob": "b", "cat": "c", "dan": "a", GROUP: "c"}


@pytest.fixture
def city() -> City:
    return City(HOMES, search=True)


def ask(peer: Device, q: str, **how: Any) -> Any:
    return peer.ask(lambda rid: ops.Search(rid, q, **how))


def found(peer: Device, q: str, **how: Any) -> list[tuple[str, int]]:
    return [(hit["conv"], hit["record"]["seq"]) for hit in ask(peer, q, **how)["ok"]["hits"]]


def talk(city: City) -> Device:
    """Have bob write and get from all sides, one after the other; return bob's phone."""
    bob = city.hello("bob", "c")
    ann, cat, dan = (city.hello(user, "b") for user in ("ann", "cat", "dan"))
    create = Create("all", ["bob", "dan"])
    cat.ask(lambda rid: Change(rid, GROUP, GROUP_ID, create))
    for peer, to in ((bob, "ann"), (cat, "bob"), (dan, GROUP), (ann, "bob"), (bob, "bob")):
        assert "ok" in peer.send(to, f"the word to {to}")
        city.run(0.1)
    assert "ok" in ann.send("dan", "the word that is not bob's")
    return bob


ALL = [("bob", 1), ("ann", 2), (GROUP, 2), ("cat", 1), ("ann", 1)]  # the newest first


def test_all_of_ones_own_is_found_newest_first_and_nothing_else(city: City) -> None:
    bob = talk(city)
    assert found(bob, "word") == ALL
    assert found(bob, "wor", limit=2) == ALL[:2]
    assert found(bob, "word", conv="ann") == [("ann", 2), ("ann", 1)]
    assert found(bob, "word", conv=GROUP) == [(GROUP, 2)]
    assert found(bob, "nothing") == []
    assert found(city.hello("cat", "a"), "word", conv="ann") == []
    assert found(city.hello("ann", "c"), "word", conv=GROUP) == []
    assert ask(bob, '" ( )')["err"]["code"] == "bad_request"
    assert city.crashes == []


def test_pages_go_on_by_time_across_nodes(city: City) -> None:
    bob = talk(city)
    seen: list[tuple[str, int]] = []
    before = None
    while True:
        page = ask(bob, "word", limit=2, before=before)["ok"]["hits"]
        if not page:
            break
        seen += [(hit["conv"], hit["record"]["seq"]) for hit in page]
        before = page[-1]["record"]["ts"]
    assert seen == ALL


def test_page_that_is_full_of_one_nodes_bytes_leaves_nothing_newer_out(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob, ann = city.hello("bob", "c"), city.hello("ann", "b")
    for peer, to, text in ((bob, "bob", "word"), (ann, "bob", "word " * 60), (ann, "bob", "word")):
        assert "ok" in peer.send(to, text)
        city.run(0.1)
    size = 200  # bytes: of two of these, but not with the long one
    whole = search.Job

    def small(*about: Any) -> search.Job:
        job = whole(*about)
        job.room = size
        return job

    monkeypatch.setattr(search, "Job", small)
    monkeypatch.setattr(words, "HISTORY_PAGE_BYTES_MAX", size)
    pages = []
    before = None
    while page := ask(bob, "word", before=before)["ok"]["hits"]:
        pages.append([(hit["conv"], hit["record"]["seq"]) for hit in page])
        before = page[-1]["record"]["ts"]
    assert pages == [[("ann", 2)], [("ann", 1)], [("bob", 1)]]


def test_what_somebody_may_not_see_is_not_found_at_another_node(city: City) -> None:
    bob = talk(city)
    city["a"].add_users("eve")
    cat, eve = city.hello("cat", "a"), city.hello("eve", "b")
    cat.ask(lambda rid: Change(rid, GROUP, bytes(16), Add(["eve"])))
    cat.send(GROUP, "a word to eve, too")
    assert found(eve, "word") == [(GROUP, 4)]
    bob.ask(lambda rid: ops.Delete(rid, "ann", bytes(16), [2], "me"))
    assert ("ann", 2) not in found(bob, "word")
    cat.ask(lambda rid: ops.Delete(rid, "bob", bytes(16), [1]))
    assert ("cat", 1) not in found(bob, "word")


def test_part_would_look_like_all(city: City) -> None:
    bob = talk(city)
    city["a"].power_off()
    city.run(DOWN_S)
    bob = city.hello("bob", "c")
    error = ask(bob, "word")["err"]
    assert (error["code"], error["retry"], error["outcome"]) == ("unavailable", "after", "none")
    assert found(bob, "word", conv="cat") == [("cat", 1)]  # which needs no other
    city["a"].start()
    city.run(DOWN_S)
    assert found(bob, "word") == ALL


def test_node_that_does_not_answer_is_given_up(city: City) -> None:
    bob = talk(city)
    city["a"].system.names.whereis("search")._actor._part = lambda event: None
    rid = bob.start(lambda rid: ops.Search(rid, "word"))
    city.run(SEARCH_WAIT_S + 1.0)
    assert bob.connection.replies[rid]["err"]["code"] == "unavailable"
    rid = bob.start(lambda rid: ops.Search(rid, "word"))
    city.run(0.2)
    city["b"].system.names.whereis("search").stop("test")
    city.run(0.5)
    assert bob.connection.replies[rid]["err"]["code"] == "unavailable"
    assert city.crashes == []


def test_failure_of_a_part_is_that_of_the_search(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = talk(city)

    def fail(*_: object) -> None:
        raise OSError("disk")

    with monkeypatch.context() as patch:
        patch.setattr(TextIndex, "find", fail)
        assert ask(bob, "word")["err"]["code"] == "busy"
    city["a"].system.names.whereis("search")._actor._index = None
    error = ask(bob, "word")["err"]
    assert (error["code"], error["retry"]) == ("unsupported", "never")


def test_node_that_leads_it_no_more_does_not_search(city: City) -> None:
    bob = talk(city)
    table = list(city.table)
    slot = slot_of("ann")
    table[slot] = Slot("c", 3, ("c",), ("c",))
    city["a"].turn(table)  # the home has not seen it
    assert ask(bob, "word")["err"]["code"] == "unavailable"


def test_index_that_is_behind_anywhere_is_said(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "SEARCH_FEED_ROWS", 1)
    monkeypatch.setattr(search, "SEARCH_FEED_PAGES", 1)
    bob = talk(city)
    assert ask(bob, "word")["ok"]["partial"]
    for _ in range(4):
        last = ask(bob, "word")["ok"]
    assert (len(last["hits"]), last["partial"]) == (len(ALL), False)


def test_part_of_a_slot_that_has_gone_meanwhile_is_refused(city: City) -> None:
    talk(city)
    bob = city.hello("bob", "c", "laptop")  # who has told nobody anything there
    dan = city.hello("dan", "b")
    city["a"].syncer.is_held = True
    dan.start(lambda rid: ops.Send(rid, "ann", city["a"].new_cid(), "what is not synced"))
    city.run(0.2)
    rid = bob.start(lambda rid: ops.Search(rid, "word"))
    city.run(0.2)
    assert rid not in bob.connection.replies
    slot = slot_of("ann")
    city.write(slot, Slot("b", 2, ("b",), ("b",)))
    city.run(0.2)
    city["a"].syncer.release()
    city.run(SEARCH_WAIT_S / 4)
    error = bob.connection.replies[rid]["err"]
    assert (error["code"], error["retry"]) == ("unavailable", "after")
    assert city.crashes == []


def test_words_of_slots_that_are_elsewhere_at_a_start_are_forgotten(city: City) -> None:
    bob = talk(city)
    assert found(bob, "word") == ALL
    index: Any = next(
        ref._actor._index
        for ref in city["a"].system.refs()
        if ref.actor_class is search.IndexActor and ref._actor is not None
    )
    keys_kept = "SELECT key FROM conversation"
    before = index._opened().execute(keys_kept).fetchall()
    moved = list(city.table)
    moved[slot_of("ann")] = Slot("b", 2, ("b",), ("b",))
    city["a"].turn(moved)
    city.run(0.2)
    after = index._opened().execute(keys_kept).fetchall()
    gone = {key for (key,) in set(before) - set(after)}
    assert gone
    assert {keys.slot_in(key) for key in gone} == {slot_of("ann")}
    assert len(after) == len(before) - len(gone)
