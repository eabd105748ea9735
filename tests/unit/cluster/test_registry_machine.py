"""What the registry says to its connections, and whom it gives up."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from actorchat.cluster.registry import Create, Op, Put
from actorchat.cluster.registry_machine import (
    Arrived,
    Effect,
    Gone,
    Hang,
    Keep,
    RegistryMachine,
    Said,
    Say,
    Tick,
    proof,
    replay,
)
from actorchat.cluster.registry_tree import Tree
from actorchat.cluster.registry_wire import ops_out

KEY = b"secret"
MINE = b"m" * 16


class Stage:
    """A machine, its connections, and a clock that is moved by hand."""

    def __init__(self, tree: Tree | None = None) -> None:
        self.tree = tree or Tree()
        self.now = 100.0
        self._bytes = itertools.count()
        self.machine = RegistryMachine(
            self.tree, self.now, lambda size: bytes([next(self._bytes)]) * size, KEY
        )
        self.kept: list[dict[str, Any]] = []
        self._ids = itertools.count(1)
        self.nonces: dict[int, bytes] = {}

    def feed(self, event: Any) -> list[Effect]:
        effects = self.machine.handle(event, self.now)
        self.kept += [effect.record for effect in effects if isinstance(effect, Keep)]
        return effects

    def arrive(self, conn: int) -> None:
        (said,) = self.feed(Arrived(conn))
        assert isinstance(said, Say)
        self.nonces[conn] = said.message["nonce"]

    def hello(self, conn: int, key: bytes = KEY, **more: Any) -> dict[str, Any]:
        self.arrive(conn)
        said = {
            "version": 1,
            "nonce": MINE,
            "proof": proof(key, b"node", self.nonces[conn], MINE),
            "timeout_s": 4.0,
            **more,
        }
        return self.answer(self.ask(conn, "hello", **said), conn)

    def ask(self, conn: int, do: str, **fields: Any) -> list[Effect]:
        return self.feed(Said(conn, {"id": next(self._ids), "do": do, **fields}))

    def answer(self, effects: list[Effect], conn: int) -> dict[str, Any]:
        (answer,) = [
            e.message
            for e in effects
            if isinstance(e, Say) and e.conn == conn and "re" in e.message
        ]
        return answer

    def write(self, conn: int, *ops: Op) -> list[Effect]:
        return self.ask(conn, "multi", ops=ops_out(ops))

    def pass_time(self, seconds: float) -> list[Effect]:
        effects: list[Effect] = []
        for _ in range(round(seconds / self.machine.tick_s)):
            self.now += self.machine.tick_s
            effects += self.feed(Tick())
        return effects


def test_session_is_granted_and_both_sides_prove_themselves() -> None:
    stage = Stage()
    granted = stage.hello(1)["ok"]
    assert granted["proof"] == proof(KEY, b"registry", MINE, stage.nonces[1])
    assert granted["timeout_s"] == 4.0
    assert list(stage.tree.sessions) == [granted["session"]]


@pytest.mark.parametrize("asked", [0.0, -1.0, float("nan"), float("inf"), 1e9])
def test_timeout_is_bounded_whatever_is_asked_for(asked: float) -> None:
    granted = Stage().hello(1, timeout_s=asked)["ok"]
    assert 0.5 <= granted["timeout_s"] <= 120.0


@pytest.mark.parametrize(
    "more",
    [
        {"key": b"another"},
        {"version": 2},
        {"nonce": None},
        {"proof": "text"},
        {"proof": b""},
        {"timeout_s": "soon"},
    ],
)
def test_who_does_not_prove_itself_is_sent_away(more: dict[str, Any]) -> None:
    stage = Stage()
    assert stage.hello(1, **more)["err"]["code"] == "not_allowed"
    assert not stage.tree.sessions
    assert stage.ask(1, "get", path="/") == []  # it is not heard any more


def test_proof_of_another_connection_does_not_count() -> None:
    stage = Stage()
    stage.arrive(1)
    old = proof(KEY, b"node", stage.nonces[1], MINE)
    assert stage.hello(2, proof=old)["err"]["code"] == "not_allowed"


def test_nothing_is_done_before_hello() -> None:
    stage = Stage()
    stage.arrive(1)
    for do in ("get", "multi", "close", "watch", ""):
        answer = stage.answer(stage.ask(1, do, path="/"), 1)
        assert answer["err"]["code"] == "bad_request"


@pytest.mark.parametrize("message", [{}, {"id": "x"}, {"id": -1}, {"id": True}, {"id": None}])
def test_request_without_an_id_ends_the_connection(message: dict[str, Any]) -> None:
    stage = Stage()
    stage.hello(1)
    assert isinstance(stage.feed(Said(1, message))[-1], Hang)
    assert stage.ask(1, "ping") == []


@pytest.mark.parametrize(
    "fields",
    [
        {"do": "get"},
        {"do": "get", "path": 7},
        {"do": "get", "path": "no"},
        {"do": "multi"},
        {"do": "multi", "ops": [["fly", "/a"]]},
        {"do": "multi", "ops": [["put", "/a"]]},
        {"do": "multi", "ops": [[]]},
        {"do": "multi", "ops": [[["put"], "/a", b"", None]]},
        {"do": "multi", "ops": [["put", "/a", "text", None]]},
        {"do": "nothing"},
        {"do": ["get"]},
    ],
)
def test_request_that_is_none_is_refused_and_the_session_goes_on(fields: dict[str, Any]) -> None:
    stage = Stage()
    stage.hello(1)
    answer = stage.answer(stage.feed(Said(1, {"id": 5, **fields})), 1)
    assert answer["err"]["code"] == "bad_request"
    assert "ok" in stage.answer(stage.ask(1, "ping"), 1)


def test_silent_session_is_given_up_after_its_timeout_and_not_before() -> None:
    stage = Stage()
    stage.hello(1)
    stage.write(1, Create("/mine", b"", ephemeral=True))
    stage.hello(2)
    stage.ask(2, "watch", path="/mine")
    assert not [e for e in stage.pass_time(3.9) if not isinstance(e, Keep)]
    stage.ask(2, "ping")
    effects = stage.pass_time(0.3)
    assert Say(2, {"event": "changed", "path": "/mine", "children": False}) in effects
    assert Say(1, {"event": "lost"}) in effects
    assert Hang(1, "session ended") in effects
    assert stage.tree.get("/mine") is None


def test_registry_that_stood_still_gives_nobody_up_for_it() -> None:
    stage = Stage()
    stage.hello(1)
    stage.now += 1_000.0  # this process was stopped
    assert stage.feed(Tick()) == []
    assert stage.machine.counters["pauses"] == 1
    assert stage.pass_time(3.9) == []
    assert stage.pass_time(0.3) != []


def test_session_is_taken_up_on_a_new_connection_and_the_old_one_is_deaf() -> None:
    stage = Stage()
    granted = stage.hello(1)["ok"]
    stage.write(1, Create("/mine", b"", ephemeral=True))
    again = stage.hello(2, session=granted["session"], secret=granted["secret"])["ok"]
    assert again["session"] == granted["session"]
    # A write that was under way on the old connection comes late: it must not be done.
    assert stage.write(1, Put("/mine", b"late")) == []
    stage.feed(Gone(1))
    assert stage.tree.get("/mine") is not None
    assert "ok" in stage.answer(stage.write(2, Put("/mine", b"new")), 2)


def test_session_of_another_can_not_be_taken_up() -> None:
    stage = Stage()
    granted = stage.hello(1)["ok"]
    assert (
        stage.hello(2, session=granted["session"], secret=b"guess")["err"]["code"] == "bad_request"
    )
    assert "ok" in stage.answer(stage.ask(1, "ping"), 1)


def test_session_that_has_ended_is_said_to_be_lost() -> None:
    stage = Stage()
    granted = stage.hello(1)["ok"]
    stage.feed(Gone(1))
    stage.pass_time(4.2)
    said = stage.hello(2, session=granted["session"], secret=granted["secret"])
    assert said["err"]["code"] == "session_lost"
    assert "ok" in stage.hello(3)


def test_sessions_survive_a_restart_with_their_whole_timeout() -> None:
    stage = Stage()
    granted = stage.hello(1)["ok"]
    stage.write(1, Create("/mine", b"", ephemeral=True))
    stage.pass_time(3.0)
    tree = Tree()
    for record in stage.kept:
        replay(tree, record)
    restarted = Stage(tree)
    assert restarted.tree.revision == stage.tree.revision
    restarted.pass_time(3.0)
    assert restarted.tree.get("/mine") is not None
    again = restarted.hello(9, session=granted["session"], secret=granted["secret"])
    assert again["ok"]["session"] == granted["session"]
    restarted.feed(Gone(9))
    restarted.pass_time(4.2)
    assert restarted.tree.get("/mine") is None


def test_record_comes_before_the_answer_that_it_must_be_durable_for() -> None:
    stage = Stage()
    stage.hello(1)
    kinds = [type(effect) for effect in stage.write(1, Create("/a"))]
    assert kinds == [Keep, Say]
    assert Keep not in [type(effect) for effect in stage.write(1, Create("/a"))]


def test_closing_takes_what_the_session_owns_along() -> None:
    stage = Stage()
    stage.hello(1)
    stage.write(1, Create("/mine", b"", ephemeral=True))
    effects = stage.ask(1, "close")
    assert isinstance(effects[-1], Hang)
    assert stage.tree.get("/mine") is None
    assert not stage.tree.sessions


def test_watch_ends_with_unwatch_and_with_its_connection() -> None:
    stage = Stage()
    stage.hello(1)
    stage.hello(2)
    stage.ask(2, "watch", path="/a")
    stage.ask(2, "watch", path="/", children=True)
    told = [e for e in stage.write(1, Create("/a")) if isinstance(e, Say) and e.conn == 2]
    assert len(told) == 2
    stage.ask(2, "unwatch", path="/a")
    assert not [e for e in stage.write(1, Put("/a", b"")) if isinstance(e, Say) and e.conn == 2]
    stage.feed(Gone(2))
    assert not [e for e in stage.write(1, Create("/b")) if isinstance(e, Say) and e.conn == 2]


def test_journal_of_something_else_is_no_record() -> None:
    with pytest.raises(Exception, match="no record"):
        replay(Tree(), {"what": 1})
