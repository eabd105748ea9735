"""A mesh keeps links to all peers, tells who comes and goes, and refuses who is not one."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.cluster.link import PeerAddress
from actorchat.cluster.link_frame import BYE, HELLO, ITEMS, TELL, Head, pack_frame, pack_item
from actorchat.cluster.mesh import Mesh, NodeDown, NodeUp
from actorchat.errors import Unsendable
from actorchat.testing.link_net import LinkWeather
from tests.unit.cluster.town import Blob, Note, Town, heard


def test_all_nodes_find_each_other() -> None:
    town = Town("a", "b", "c")
    assert [sorted(town[name].nodes()) for name in "abc"] == [["b", "c"], ["a", "c"], ["a", "b"]]


def test_those_who_watch_nodes_learn_of_each_after_all_it_told() -> None:
    town = Town("a", "b")
    watcher = town.scribe("a", "desk")
    assert town["a"].monitor_nodes(watcher) == {"b": 1}
    desk = town["b"].named("a", "desk")
    for number in range(100):
        desk.tell(number)
    town["b"].close()
    town.run()
    assert heard(watcher) == [*range(100), NodeDown("b", 1, "shutdown")]
    town.start("b", incarnation=2)
    town.run(20)
    assert heard(watcher)[-1] == NodeUp("b", 2)


def test_a_watcher_of_nodes_that_ended_is_forgotten() -> None:
    town = Town("a", "b")
    watcher = town.scribe("a")
    town["a"].monitor_nodes(watcher)
    watcher.stop()
    town.run()
    town.kill("b")
    town.run(20)
    assert town["a"]._watchers == {}


def test_a_close_delivers_what_was_told_and_settles_when_the_peer_has_it() -> None:
    town = Town("a", "b", weather=LinkWeather(latency_max_s=0.2))
    there = town.scribe("b", "desk")
    desk = town["a"].named("b", "desk")
    for number in range(1_000):
        desk.tell(number)
    closed = town["a"].close()
    desk.tell("too late")
    town.run(1.5)
    assert closed.done()
    assert heard(there) == list(range(1_000))
    assert town["a"].counts()["dropped_noconnection"] == 1


def test_a_close_does_not_wait_for_a_peer_that_is_gone() -> None:
    town = Town("a", "b")
    town.kill("b")
    town["a"].named("b", "desk").tell("x")
    closed = town["a"].close(drain_s=1.0)
    town.run(1.1)
    assert closed.done()


def test_a_new_peer_is_dialled_and_one_that_left_the_book_is_let_go() -> None:
    town = Town("a", "b")
    there = town.scribe("b", "desk")
    town["a"].named("b", "desk").tell("last")
    address = town.book.pop("b")
    town.run()
    assert heard(there) == ["last"]
    assert town["a"].nodes() == {}
    assert "b" not in town["a"].peers
    town.book["b"] = address
    town.run(10)
    assert town["a"].nodes() == {"b": 1}


def test_a_peer_that_moved_is_found_at_its_new_address() -> None:
    town = Town("a", "b")
    town.kill("b")
    town.book["b"] = PeerAddress("sim://elsewhere", "key of b", incarnation=2)
    transport = town.net.transport("sim://elsewhere", "key of b")
    system = town["a"].system.__class__(town.dispatcher)
    mesh = Mesh(system, "b", 2, transport, lambda: town.book)
    mesh.start()
    town.run(5)
    assert town["a"].nodes() == {"b": 2}


def test_a_partition_heals_and_both_sides_saw_it_once() -> None:
    town = Town("a", "b")
    watchers = [town.scribe(name) for name in "ab"]
    for name, watcher in zip("ab", watchers, strict=True):
        town[name].monitor_nodes(watcher)
    town.partition("a", "b")
    town.run(20)
    town.net.heal()
    town.run(20)
    for name, watcher in zip("ba", watchers, strict=True):
        down, up = heard(watcher)
        assert (type(down), down.node) == (NodeDown, name)
        assert up == NodeUp(name, 1)


def test_one_way_silence_takes_both_ends_down() -> None:
    town = Town("a", "b")
    town.net.blocked.add(("sim://a", "sim://b"))
    town.run(15)
    assert town["b"].nodes() == {}
    assert town["a"].nodes() == {}


def test_a_clock_an_hour_apart_changes_nothing() -> None:
    town = Town("a", "b")  # links know no wall clock; incarnations come from the registry
    there = town.scribe("b", "desk")
    town["b"].system.clock = type(
        "Ahead", (), {"wall_ms": lambda _self: 3_600_000 * 10**6, "monotonic_s": lambda _self: 9e9}
    )()
    town["a"].named("b", "desk").tell("on time")
    town.run(30)
    assert heard(there) == ["on time"]
    assert town["a"].nodes() == {"b": 1}


def test_fan_out_is_encoded_once_and_is_one_item_a_node(monkeypatch: pytest.MonkeyPatch) -> None:
    town = Town("a", "b", "c")
    refs: list[Any] = []
    actors = []
    for name in "abc":
        for _ in range(10):
            actor = town.scribe(name)
            actors.append(actor)
            refs.append(town["a"]._find_ref(town[name]._pack_ref(actor)))
    town.scribe("b", "named")
    refs.append(town["a"].named("b", "named"))
    encoded = []
    encode = town["a"].codec.encode
    monkeypatch.setattr(town["a"].codec, "encode", lambda m: (encoded.append(m), encode(m))[1])
    before = [town["a"].peers[name].machine.waiting_bytes for name in "bc"]
    assert town["a"].tell_all(refs[:30], Blob(bytes(1_000))) == 30
    assert len(encoded) == 1
    for name, was in zip("bc", before, strict=True):
        assert town["a"].peers[name].machine.waiting_bytes - was < 1_200
    assert town["a"].tell_all(refs[30:], Note("x")) == 1
    town.run()
    assert all(heard(actor) == [Blob(bytes(1_000))] for actor in actors)


def test_fan_out_to_the_dead_and_unreachable_is_counted() -> None:
    town = Town("a", "b")
    there = town.scribe("b")
    ref = town["a"]._find_ref(town["b"]._pack_ref(there))
    there.stop()
    town.run()
    del there
    town["b"].found.clear()
    town["a"].tell_all([ref], "x")
    town.run()
    counts = town["b"].counts()
    letters = town["b"].system.dead_letters.counts["noproc"]
    assert counts.get("dropped_noproc", 0) + letters == 1
    town.kill("b")
    town.run(20)
    town["a"].tell_all([ref], "x")
    assert town["a"].counts()["dropped_noconnection"] == 1
    with pytest.raises(Unsendable):
        town["a"].tell_all([ref], object())


# -- those who are no peers -----------------------------------------------------------------------
def items(node: str, incarnation: int = 1) -> bytes:
    return pack_frame(Head(ITEMS, node, incarnation, 1, 1), pack_item(TELL, 1, 0, 0, b"\x01"))


@pytest.mark.parametrize(
    ("key", "frame", "why"),
    [
        ("key of b", b"", "bad_frame"),
        ("key of b", b"GET / HTTP/1.1\r\n\r\n", "bad_frame"),
        ("key of b", b"\xa3\x62op\x65hello", "bad_frame"),
        ("key of b", b"\xac\x63" + bytes(70), "version"),
        ("key of z", items("z"), "unknown"),
        ("key of c", items("b"), "key"),
        (None, items("b"), "key"),
        ("key of c", pack_frame(Head(HELLO, "b", 9, 9, 0), b"a"), "key"),
        ("key of c", pack_frame(Head(BYE, "b", 1, 1, 1), b""), "key"),
    ],
)
def test_frames_of_others_are_refused_and_harm_nobody(key: Any, frame: bytes, why: str) -> None:
    town = Town("a", "b", "c")
    watcher = town.scribe("a")
    town["a"].monitor_nodes(watcher)
    town["a"]._receive(key, frame)
    town.run()
    assert town["a"].counts()[f"refused_{why}"] == 1
    assert town["a"].nodes() == {"b": 1, "c": 1}
    assert heard(watcher) == []


@pytest.mark.parametrize(
    "body", [b"\x01", pack_item(99), pack_item(TELL, 1)[:-1], pack_item(8, 2**60, 0, 0, b"x")]
)
def test_a_peer_that_sends_garbage_is_down_and_comes_back(body: bytes) -> None:
    town = Town("a", "b")
    watcher = town.scribe("a")
    town["a"].monitor_nodes(watcher)
    town["b"].peers["a"].machine.urge(body)
    town["b"].peers["a"].flush()
    town.run(20)
    assert [type(event) for event in heard(watcher)] == [NodeDown, NodeUp]
    assert heard(watcher)[0].reason == "malformed"


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (pack_item(TELL, 999, 0, 0, b"\x01"), "noproc"),
        (pack_item(TELL, 1, 0, 64, b"\x01"), "bad_frame"),
        (pack_item(TELL, 1, 0, 9_999, b"\x01"), "unsendable"),
        (pack_item(3, 0, 12_345, 0, b"\x01"), "late"),
    ],
)
def test_an_item_that_makes_no_sense_is_dropped_alone(item: bytes, why: str) -> None:
    town = Town("a", "b")
    there = town.scribe("b", "desk")
    assert town["b"].system.numbers.of(there) == 1
    town["a"].peers["b"].machine.urge(item)
    town["a"].named("b", "desk").tell("after it")
    town.run()
    assert town["b"].counts()[f"dropped_{why}"] == 1
    assert heard(there) == ["after it"]


def test_a_node_with_an_old_incarnation_does_not_get_in() -> None:
    town = Town("a", "b")
    town.kill("b")
    town.start("b", incarnation=3)
    town.run(20)
    assert town["a"].nodes() == {"b": 3}
    zombie = town.start("b", incarnation=2)  # takes the address, as a late restart would
    town.run(20)
    assert town["a"].nodes() in ({}, {"b": 3})
    assert zombie.nodes() == {}


def test_a_node_whose_key_is_another_nodes_does_not_get_in() -> None:
    town = Town("a", "b")
    town.kill("b")
    stranger = town.start("b", incarnation=2, key="key of c")
    town.book["c"] = PeerAddress("sim://c", "key of c")
    town.run(20)
    assert town["a"].nodes() == {}
    assert stranger.nodes() == {}
    assert town["a"].counts()["refused_key"] > 0


@pytest.mark.parametrize(("node", "incarnation"), [("Not A Name", 1), ("", 1), ("a", 0)])
def test_a_node_needs_a_name_and_an_incarnation(node: str, incarnation: int) -> None:
    town = Town("x")
    with pytest.raises(ValueError, match="incarnation"):
        Mesh(town["x"].system, node, incarnation, town["x"].transport, dict)


def test_a_name_that_nobody_has_is_resolved() -> None:
    town = Town("a", "b")
    started: list[str] = []
    scribe = town.scribe("b")

    def resolve(name: str) -> Any:
        started.append(name)
        return scribe if name == "user/ann" else None

    town["b"].resolve = resolve
    town["a"].named("b", "user/ann").tell(Note("hi"))
    town["a"].named("b", "user/bob").tell(Note("hi"))
    town.run()
    assert started == ["user/ann", "user/bob"]
    assert heard(scribe) == [Note("hi")]
    assert town["b"].counts()["dropped_noproc"] == 1


def test_what_can_not_be_told_is_shown_to_the_host() -> None:
    town = Town("a", "b")
    missed: list[Any] = []
    town["b"].undelivered = lambda *about: missed.append(about)
    scribe = town.scribe("b", "desk")
    scribe._limit = 1
    back = town.scribe("a")
    desk = town["a"].named("b", "desk").at_epoch(3)
    desk.tell(1)
    desk.tell(2)
    town["a"].named("b", "nobody").tell(3)
    town.run()
    assert missed == [("desk", 2, 3, "busy"), ("nobody", 3, 0, "noproc")]
    town["b"].fence("desk", 4)
    desk.tell(4)
    town.run()
    assert missed[2:] == [("desk", 4, 3, "moved")]
    back._limit = 1
    scribe._limit = 100
    for text in "xyz":
        town["a"].named("b", "desk").at_epoch(4).tell(Note(text, back))
    town["a"].undelivered = lambda *about: missed.append(about)
    town.run()
    assert [about[1] for about in missed[3:]] == [Note("re: y"), Note("re: z")]
    assert missed[-1][0] is back
