"""The registry answers when it is durable, not before, and comes back with all that it answered."""

from __future__ import annotations

import itertools
from random import Random
from typing import Any

import pytest

from actorchat.actor import ActorSystem, LocalRef, SeededDispatcher
from actorchat.cluster.journal import Journal
from actorchat.cluster.registry import Create, Delete, Op, Put
from actorchat.cluster.registry_actor import Came, Counted, Plan, RegistryActor
from actorchat.cluster.registry_machine import Gone, Said, proof
from actorchat.cluster.registry_wire import ops_out
from actorchat.errors import StoreIO
from actorchat.store.committer import Done
from tests.unit.cluster.test_journal import FlakyFolder


class HeldSyncer:
    """A syncer whose syncs end when the test says so."""

    def __init__(self, sync: Any) -> None:
        self.sync = sync
        self.waiting: list[Done] = []
        self.is_closed = False

    def start(self, done: Done) -> None:
        assert not self.waiting, "one sync at a time"
        self.waiting.append(done)

    def close(self) -> None:
        self.is_closed = True

    def finish(self) -> None:
        done = self.waiting.pop()
        try:
            self.sync()
        except StoreIO as error:
            done(error)
        else:
            done(None)


class Ear:
    """A peer that remembers what it was told."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        self.hung: list[str] = []

    def say(self, message: dict[str, Any]) -> None:
        self.said.append(message)

    def hang(self, reason: str) -> None:
        self.hung.append(reason)

    @property
    def answered(self) -> set[int]:
        return {message["re"] for message in self.said if "ok" in message}


class Stage:
    def __init__(self, folder: FlakyFolder, seed: int = 0) -> None:
        self.dispatcher = SeededDispatcher(seed)
        self.system = ActorSystem(self.dispatcher)
        self.syncer: HeldSyncer
        self.crashes: list[object] = []
        self.system.on_crash(lambda ref, reason, traceback: self.crashes.append(reason.error))
        self.ear = Ear()
        self.ids = itertools.count(1)
        bytes_of = Random(seed).randbytes

        def make_syncer(sync: Any) -> HeldSyncer:
            self.syncer = HeldSyncer(sync)
            return self.syncer

        plan = Plan(folder=lambda: folder, syncer=make_syncer, chance=bytes_of)
        self.ref: LocalRef = self.system.spawn(RegistryActor, plan)
        self.run()

    def run(self, seconds: float = 0.0) -> None:
        self.dispatcher.run(until=self.dispatcher.clock.monotonic_s() + seconds)

    def connect(self) -> None:
        self.ref.tell(Came(1, self.ear))
        self.run()
        nonce = self.ear.said[0]["nonce"]
        hello = {
            "id": 0,
            "do": "hello",
            "version": 1,
            "nonce": b"m",
            "proof": proof(b"", b"node", nonce, b"m"),
            "timeout_s": 9.0,
        }
        self.ref.tell(Said(1, hello))
        self.run()

    def ask(self, do: str, **fields: Any) -> int:
        number = next(self.ids)
        self.ref.tell(Said(1, {"id": number, "do": do, **fields}))
        self.run()
        return number

    def write(self, *ops: Op) -> int:
        return self.ask("multi", ops=ops_out(ops))


def test_nothing_is_answered_before_it_is_synced_reads_of_it_neither() -> None:
    stage = Stage(FlakyFolder())
    stage.connect()
    assert stage.ear.answered == set()
    stage.syncer.finish()
    stage.run()
    assert stage.ear.answered == {0}
    first = stage.write(Create("/a"))
    read = stage.ask("get", path="/a")
    second = stage.write(Create("/b"))
    assert stage.ear.answered == {0}
    stage.syncer.finish()
    stage.run()
    assert stage.ear.answered == {0, first}
    stage.syncer.finish()  # the next batch had both
    stage.run()
    assert stage.ear.answered == {0, first, read, second}
    assert stage.ask("get", path="/b") in stage.ear.answered  # nothing is owed: at once


def test_sync_that_fails_ends_the_registry_and_nothing_of_it_is_answered() -> None:
    folder = FlakyFolder()
    stage = Stage(folder)
    stage.connect()
    stage.syncer.finish()
    stage.run()
    number = stage.write(Create("/a"))
    folder.error = OSError(5, "no")
    stage.syncer.finish()
    stage.run()
    assert [type(error) for error in stage.crashes] == [StoreIO]
    assert number not in stage.ear.answered
    assert stage.ear.hung
    assert stage.syncer.is_closed


def test_clean_stop_writes_and_says_what_is_left() -> None:
    folder = FlakyFolder()
    stage = Stage(folder)
    stage.connect()
    stage.syncer.finish()
    stage.run()
    numbers = {stage.write(Create("/a")), stage.write(Create("/b"))}
    stage.ref.stop()
    stage.run()
    assert numbers <= stage.ear.answered
    assert stage.ear.hung == ["the registry stops"]
    assert Journal(FlakyFolder(folder.files)).tree.children("/") == ["a", "b"]


def test_counters_tell_what_there_is() -> None:
    stage = Stage(FlakyFolder())
    stage.connect()
    stage.syncer.finish()
    stage.run()
    reply = stage.ref.call(Counted())
    stage.run()
    counts = reply.result()
    assert (counts["sessions"], counts["connections"], counts["journal_records"]) == (1, 1, 1)
    stage.ref.tell(Gone(1))
    stage.run()


@pytest.mark.parametrize("seed", range(40))
def test_whatever_was_answered_is_there_after_a_crash_at_any_moment(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actorchat.cluster.journal.REGISTRY_JOURNAL_RECORDS", 5)
    rng = Random(seed)
    folder = FlakyFolder()
    stage = Stage(folder, seed)
    stage.connect()
    asked: dict[int, str] = {}
    for _ in range(rng.randint(0, 60)):
        if rng.random() < 0.4 and stage.syncer.waiting:
            stage.syncer.finish()
            stage.run()
        else:
            path = f"/e{len(asked)}"
            ops = [Create(path), Put(path, b"1"), Create("/t"), Delete("/t")]
            asked[stage.write(*ops)] = path
    back = Journal(folder.after_crash(rng)).tree
    there = back.children("/")
    for number in stage.ear.answered - {0}:
        entry = back.get(asked[number])
        assert entry is not None
        assert entry.value == b"1"
    assert there == sorted(f"e{number}" for number in range(len(there)))
