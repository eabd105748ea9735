"""A remote ref does what a local one does: tell, call, monitor; and says when it can't."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.actor import Actor, Crash, Down, LocalRef
from actorchat.cluster.remote import NOCONNECTION, RemoteRef
from actorchat.errors import (
    ActorDead,
    CallTimeout,
    LinkFull,
    MailboxFull,
    RemoteError,
    StaleEpoch,
    Unsendable,
)
from actorchat.limits import LINK_MESSAGE_BYTES_MAX, LINK_WINDOW_BYTES
from tests.unit.cluster.town import Blob, Note, Town, heard, outcome


class Watcher(Actor):
    """Monitors whom it is given, and keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.mrefs: list[int] = []

    def on_receive(self, message: Any) -> None:
        if isinstance(message, RemoteRef | LocalRef):
            self.mrefs.append(self.monitor(message))
        elif isinstance(message, int):
            self.demonitor(message)
        else:
            self.heard.append(message)


def test_what_is_told_arrives_in_order_and_refs_in_it_lead_back() -> None:
    town = Town("a", "b")
    there, here = town.scribe("b", "desk"), town.scribe("a")
    desk = town["a"].named("b", "desk")
    desk.tell("one")
    desk.tell(Note("two", here))
    desk.tell(3)
    town.run()
    assert [m.text if isinstance(m, Note) else m for m in heard(there)] == ["one", "two", 3]
    back = heard(there)[1].back
    assert isinstance(back, RemoteRef)
    assert heard(here) == [Note("re: two")]


def test_a_ref_that_comes_home_is_the_local_one() -> None:
    town = Town("a", "b")
    here = town.scribe("a")
    town.scribe("b", "desk", answer=lambda _self, note: note)
    reply = town["a"].named("b", "desk").call(Note("x", here))
    town.run()
    assert outcome(reply).back is here


def test_refs_of_one_actor_are_equal_and_of_others_not() -> None:
    town = Town("a", "b")
    mesh = town["a"]
    assert mesh.named("b", "x") == mesh.named("b", "x")
    assert hash(mesh.named("b", "x")) == hash(mesh.named("b", "x"))
    assert mesh.named("b", "x") != mesh.named("b", "y")
    assert RemoteRef(mesh, "b", 1, 2) != RemoteRef(mesh, "b", 2, 2)
    assert RemoteRef(mesh, "b", 1, 2) == RemoteRef(mesh, "b", 1, 2)


def test_a_ref_goes_over_a_third_node_and_still_reaches_its_actor() -> None:
    town = Town("a", "b", "c")
    far = town.scribe("c")
    town.scribe("b", "desk", answer=Note("take it", None))
    town["b"].system.names.whereis("desk")._actor.answer = Note(  # type: ignore[union-attr]
        "take it", RemoteRef(town["b"], "c", 1, town["c"].system.numbers.of(far))
    )
    reply = town["a"].named("b", "desk").call("who?")
    town.run()
    outcome(reply).back.tell("hello from a")
    town.run()
    assert heard(far) == ["hello from a"]


def test_calls_are_answered_and_leave_nothing_behind() -> None:
    town = Town("a", "b")
    town.scribe("b", "desk")
    replies = [town["a"].named("b", "desk").call(number) for number in range(100)]
    town.run()
    assert [outcome(reply) for reply in replies] == list(range(100))
    assert town["a"].counts()["calls"] == 0


def test_a_late_answer_is_dropped_and_leaves_nothing_behind() -> None:
    town = Town("a", "b")

    class Slow(Actor):
        async def on_receive(self, message: Any) -> Any:
            await self.sleep(2.0)
            return message

    town["b"].system.spawn(Slow, name="slow")
    reply = town["a"].named("b", "slow").call("x", timeout_s=1.0)
    town.run(1.5)
    assert isinstance(outcome(reply), CallTimeout)
    assert town["a"].counts()["calls"] == 0
    town.run(2.0)
    assert town["a"].counts()["dropped_late"] == 1


def test_a_call_ends_with_what_went_wrong_there() -> None:
    town = Town("a", "b")
    town.scribe("b", "desk")
    town.scribe("b", "odd", answer=lambda _self, _message: object())
    mesh = town["a"]
    crashed, nobody = mesh.named("b", "desk").call("crash"), mesh.named("b", "nobody").call(1)
    number, odd = RemoteRef(mesh, "b", 1, 999).call(1), mesh.named("b", "odd").call(1)
    town.run()
    error = outcome(crashed)
    assert isinstance(error, ActorDead)
    assert isinstance(error.reason, Crash)
    assert outcome(nobody).reason == outcome(number).reason == "noproc"
    assert isinstance(outcome(odd), RemoteError)
    assert outcome(odd).kind == "Unsendable"


def test_what_cannot_cross_is_the_senders_error() -> None:
    town = Town("a", "b")
    desk = town["a"].named("b", "desk")
    for message in (object(), [1], Blob(bytes(LINK_MESSAGE_BYTES_MAX))):
        with pytest.raises(Unsendable):
            desk.tell(message)
        assert isinstance(outcome(desk.call(message)), Unsendable)
    assert town["a"].counts()["calls"] == 0


def test_a_full_mailbox_there_refuses_a_call() -> None:
    town = Town("a", "b")

    class Tight(Actor):
        from actorchat.actor import Mailbox

        mailbox = Mailbox(limit=1)

        async def on_receive(self, message: Any) -> None:
            del message
            await self.sleep(10)

    town["b"].system.spawn(Tight, name="tight")
    tight = town["a"].named("b", "tight")
    replies = [tight.call(n, timeout_s=60) for n in range(4)]
    town.run(2.0)
    assert isinstance(outcome(replies[3]), MailboxFull)
    for _ in range(4):
        tight.tell("x")
    town.run(1.0)
    assert town["b"].counts()["dropped_busy"] >= 3


def test_a_node_that_takes_nothing_fills_its_window_and_senders_are_told() -> None:
    town = Town("a", "b")
    town.scribe("b", "desk")
    town.partition("a", "b")
    desk = town["a"].named("b", "desk")
    blob = Blob(bytes(LINK_MESSAGE_BYTES_MAX - 100))
    for _ in range(3):
        desk.tell(blob)
    with pytest.raises(LinkFull):
        desk.tell("one more")
    assert isinstance(outcome(desk.call("one more")), LinkFull)
    assert town["a"].counts()["waiting_bytes"] <= LINK_WINDOW_BYTES + LINK_MESSAGE_BYTES_MAX
    town.run(15)  # the peer is silent: down, and nothing is kept
    assert town["a"].counts()["waiting_bytes"] == 0
    desk.tell("dropped")
    assert town["a"].counts()["dropped_noconnection"] == 1


def test_down_comes_once_with_the_reason_after_the_last_message() -> None:
    town = Town("a", "b")
    watcher = town["a"].system.spawn(Watcher)
    remote_watcher = town["b"]._find_ref(town["a"]._pack_ref(watcher))

    def last_words(self: Any, message: Any) -> None:
        if message == "go":
            for number in range(50):
                remote_watcher.tell(f"word {number}")
            self.stop("said it all")

    town.scribe("b", "speaker", answer=last_words)
    speaker = town["a"].named("b", "speaker")
    watcher.tell(speaker)
    watcher.tell(speaker)
    town.run()
    speaker.tell("go")
    town.run()
    *words, one, two = heard(watcher)
    assert words == [f"word {number}" for number in range(50)]
    assert {one.mref, two.mref} == set(watcher._actor.mrefs)  # type: ignore[union-attr]
    assert one.ref == two.ref == speaker
    assert one.reason == two.reason == "said it all"
    assert town["a"].counts()["watches"] == town["b"].counts()["watched"] == 0


def test_monitoring_the_dead_or_unreachable_is_told_at_once() -> None:
    town = Town("a", "b")
    watcher = town["a"].system.spawn(Watcher)
    for ref in (
        town["a"].named("b", "nobody"),
        RemoteRef(town["a"], "b", 1, 999),
        RemoteRef(town["a"], "b", 7, 1),
        town["a"].named("elsewhere", "x"),
    ):
        watcher.tell(ref)
    town.run()
    assert [down.reason for down in heard(watcher)] == [
        NOCONNECTION, NOCONNECTION, "noproc", "noproc",
    ]  # fmt: skip


def test_a_node_that_dies_is_the_down_of_all_its_actors_once() -> None:
    town = Town("a", "b")
    town.scribe("b", "one")
    town.scribe("b", "two")
    watcher = town["a"].system.spawn(Watcher)
    refs = [town["a"].named("b", name) for name in ("one", "two")]
    for ref in refs:
        watcher.tell(ref)
    town.run()
    reply = refs[0].call(Note("never answered"), timeout_s=60)
    town.kill("b")
    town.run(20)
    assert sorted(down.ref.name for down in heard(watcher)) == ["one", "two"]
    assert {down.reason for down in heard(watcher)} == {NOCONNECTION}
    assert outcome(reply).reason == NOCONNECTION
    town.scribe_after = town.start("b", incarnation=2)  # type: ignore[attr-defined]
    town.run(20)
    assert len(heard(watcher)) == 2
    assert not town["a"].counts()["watches"]


def test_a_monitor_that_was_taken_back_is_forgotten_on_both_sides() -> None:
    town = Town("a", "b")
    there = town.scribe("b", "one")
    watcher = town["a"].system.spawn(Watcher)
    watcher.tell(town["a"].named("b", "one"))
    town.run()
    watcher.tell(watcher._actor.mrefs[0])  # type: ignore[union-attr]
    town.run()
    assert town["b"].counts()["watched"] == town["a"].counts()["watches"] == 0
    there.stop()
    town.run()
    assert heard(watcher) == []


def test_a_watcher_that_ends_leaves_nothing_on_either_side() -> None:
    town = Town("a", "b")
    town.scribe("b", "one")
    watcher = town["a"].system.spawn(Watcher)
    watcher.tell(town["a"].named("b", "one"))
    town.run()
    assert town["b"].counts()["watched"] == 1
    watcher.stop()
    town.run()
    assert town["b"].counts()["watched"] == town["a"].counts()["watches"] == 0


def test_a_ref_of_an_earlier_incarnation_reaches_nobody() -> None:
    town = Town("a", "b")
    there = town.scribe("b")
    old = town["a"]._find_ref(town["b"]._pack_ref(there))
    assert old.is_alive()
    town.kill("b")
    town.start("b", incarnation=2)
    town.run(20)
    new = town.scribe("b")
    assert town["b"].system.numbers.of(new) == old.number  # type: ignore[union-attr]
    old.tell("for the dead")
    assert outcome(old.call("for the dead")).reason == NOCONNECTION
    assert not old.is_alive()
    town.run()
    assert heard(new) == []


def test_an_old_epoch_is_refused_where_a_newer_one_is_known() -> None:
    town = Town("a", "b")
    there = town.scribe("b", "slot-7")
    town["b"].fence("slot-7", 5)
    town["b"].fence(there, 5)
    by_number = town["a"]._find_ref(town["b"]._pack_ref(there))
    assert isinstance(by_number, RemoteRef)
    for ref in (town["a"].named("b", "slot-7"), by_number):
        ref.at_epoch(4).tell("old")
        assert ref.at_epoch(4) == ref
        late, good = ref.at_epoch(4).call("old"), ref.at_epoch(5).call("new")
        town.run()
        assert isinstance(outcome(late), StaleEpoch)
        assert outcome(good) == "new"
    assert heard(there) == ["new", "new"]
    assert town["b"].counts()["dropped_moved"] == 2
    town["b"].fence("slot-7", 0)
    town["a"].named("b", "slot-7").tell("unfenced")
    town.run()
    assert heard(there)[-1] == "unfenced"


def test_a_name_on_this_very_node_is_reached_without_a_link() -> None:
    town = Town("a")
    here = town.scribe("a", "desk")
    desk = town["a"].named("a", "desk")
    watcher = town["a"].system.spawn(Watcher)
    watcher.tell(desk)
    town.run()
    desk.tell("hi")
    reply, nobody = desk.call("stop"), town["a"].named("a", "nobody").call(1)
    town.run()
    assert outcome(reply) == "stop"
    assert isinstance(outcome(nobody), ActorDead)
    assert not here.is_alive()
    assert [(down.ref, down.reason) for down in heard(watcher)] == [(desk, "asked")]
    town["a"].named("a", "nobody").tell("x")
    town["a"].named("nowhere", "nobody").tell("x")
    counts = town["a"].counts()
    assert (counts["dropped_noproc"], counts["dropped_noconnection"]) == (1, 1)


def test_a_down_is_an_ordinary_down() -> None:
    town = Town("a", "b")
    watcher = town["a"].system.spawn(Watcher)
    watcher.tell(town["a"].named("b", "nobody"))
    town.run()
    assert isinstance(heard(watcher)[0], Down)
