"""The actors of a running node are looked at, as a tree, by rank, and one by one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nodes.cli import actors, terminal, wire
from nodes.cli.app import run
from nodes.cli.failure import Exit
from nodes.replay.child import ChildNode

LINES = [
    {"depth": 0, "id": 1, "label": "Root", "state": "idle", "queued": 0, "more": 0},
    {"depth": 1, "id": 2, "label": "Pool 'a'", "state": "idle", "queued": 0, "more": 9_998},
    {"depth": 2, "id": 3, "label": "Inner", "state": "idle", "queued": 0, "more": 4},
    {"depth": 3, "id": 4, "label": "Leaf", "state": "waiting", "queued": 1_234, "more": 0},
    {"depth": 2, "id": 5, "label": "Leaf", "state": "ready", "queued": 0, "more": 0},
    {"depth": 1, "id": 6, "label": "\x1b[2JPool", "state": "idle", "queued": 0, "more": 1},
]
INFO = {"id": 7, "label": "Leaf", "state": "idle", "queued": 1_234, "handled": 5}
INFO |= {"memory_bytes": 98_765, "message_type": None, "age_s": None, "reason": None}


class Operator:
    """Answers in a node's place."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer
        self.asked: dict[str, Any] = {}

    async def __aenter__(self) -> Operator:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def actors(self, **asked: Any) -> dict[str, Any]:
        self.asked = asked
        return self.answer


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[Any]], Operator]:
    """Have a node answer with these actors, of 20,000."""

    def answers(shown: list[Any]) -> Operator:
        operator = Operator({"total": 20_000, "actors": shown})
        monkeypatch.setattr(wire, "as_operator", lambda *_: operator)
        return operator

    return answers


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (actors, terminal):
        monkeypatch.setattr(module, "is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")


def test_a_tree_is_indented_and_says_below_the_last_child_what_is_left_out(
    answers: Callable[[list[Any]], Operator], capsys: pytest.CaptureFixture[str]
) -> None:
    operator = answers(LINES)
    assert run(["actors", "tree", "--count", "2"]) == Exit.OK
    assert operator.asked == {"view": "tree", "count": 2}
    assert capsys.readouterr().out.splitlines() == [
        "Root  1 idle",
        "  Pool 'a'  2 idle",
        "    Inner  3 idle",
        "      Leaf  4 waiting, 1,234 waiting",
        "      ... and 4 more",
        "    Leaf  5 ready",
        "    ... and 9,998 more",
        "  \\x1b[2JPool  6 idle",
        "    ... and 1 more",
    ]


@pytest.mark.usefixtures("on_terminal")
def test_a_tree_is_drawn_for_people(
    answers: Callable[[list[Any]], Operator], capsys: pytest.CaptureFixture[str]
) -> None:
    answers(LINES)
    assert run(["actors", "tree"]) == Exit.OK
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "Root  1 idle",
        "├── Pool 'a'  2 idle",
        "│   ├── Inner  3 idle",
        "│   │   ├── Leaf  4 waiting, 1,234 waiting",
        "│   │   └── ... and 4 more",
        "│   ├── Leaf  5 ready",
        "│   └── ... and 9,998 more",
        "└── \\x1b[2JPool  6 idle",
        "    └── ... and 1 more",
    ]


def test_a_ranking_has_tabs_for_programs(
    answers: Callable[[list[Any]], Operator], capsys: pytest.CaptureFixture[str]
) -> None:
    operator = answers([INFO])
    assert run(["actors", "top", "--by", "memory", "-n", "3"]) == Exit.OK
    assert operator.asked == {"view": "top", "count": 3, "by": "memory"}
    told = capsys.readouterr()
    assert told.out == "7\tLeaf\tidle\t1234\t5\t98765\t-\t-\n"
    assert told.err == ""


@pytest.mark.usefixtures("on_terminal")
def test_a_ranking_is_a_table_for_people_that_says_of_how_many(
    answers: Callable[[list[Any]], Operator], capsys: pytest.CaptureFixture[str]
) -> None:
    operator = answers([INFO])
    assert run(["actors", "top"]) == Exit.OK
    assert operator.asked == {"view": "top", "count": 10, "by": "queue"}
    told = capsys.readouterr()
    heading, row = told.out.splitlines()
    assert heading.split()[:4] == ["id", "label", "state", "queued"]
    assert row.split() == ["7", "Leaf", "idle", "1,234", "5", "98,765", "-", "-"]
    assert told.err == "1 of 20,000 actors\n"


def test_one_actor_is_told_field_by_field(
    answers: Callable[[list[Any]], Operator], capsys: pytest.CaptureFixture[str]
) -> None:
    operator = answers([INFO])
    assert run(["actors", "info", "7"]) == Exit.OK
    assert operator.asked == {"view": "info", "who": "7"}
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [name for name, _ in rows] == list(INFO)
    assert ["queued", "1234"] in rows and ["reason", "-"] in rows


@pytest.mark.parametrize(
    "arguments",
    [
        ["tree", "--count", "0"],
        ["top", "-n", "51"],
        ["top", "--by", "age"],
        ["info"],
        ["nonsense"],
    ],
)
def test_wrong_arguments_are_refused(arguments: list[str]) -> None:
    assert run(["actors", *arguments]) == Exit.USAGE


@pytest.mark.slow
def test_every_view_of_a_running_node_is_one_of_the_same_actors(shell: Any) -> None:
    lines = shell.json("actors", "tree")
    by_label = {line["label"]: line for line in lines}
    assert lines[0]["label"] == "Root" and lines[0]["depth"] == 0
    broker = by_label["Supervisor 'broker'"]
    (info,) = shell.json("actors", "info", "broker")
    assert (info["id"], info["supervisor"]) == (broker["id"], "Root")
    assert shell.json("actors", "info", str(broker["id"]))[0]["label"] == broker["label"]
    top = shell.json("actors", "top", "--by", "reductions", "--count", "3")
    assert len(top) == 3
    handled = [actor["handled"] for actor in top]
    assert handled == sorted(handled, reverse=True) and handled[0] > 0


@pytest.mark.slow
def test_an_actor_that_nobody_knows_is_refused(shell: Any) -> None:
    for who in ("nobody", "123456", ""):
        done = shell.run("actors", "info", who)
        assert done.returncode in {Exit.REFUSED, Exit.USAGE}
        assert len(done.stderr.splitlines()) == 1
    assert done.returncode == Exit.USAGE  # an empty name is none
    assert shell.run("actors", "info", "nobody").stderr.startswith("actorchat: no_such_actor: ")


@pytest.mark.slow
def test_without_the_right_key_nothing_is_shown(
    node: ChildNode, make_shell: Callable[[Path], Any], tmp_path: Path
) -> None:
    done = make_shell(tmp_path / "elsewhere").run("actors", "top", "--server", node.address)
    assert done.returncode == Exit.REFUSED
    assert done.stderr.startswith("actorchat: no_operator_key: ")
    (tmp_path / "operator.key").write_text("wrong", encoding="ascii")
    done = make_shell(tmp_path).run("actors", "top", "--server", node.address)
    assert done.returncode == Exit.REFUSED
    assert done.stderr.startswith("actorchat: unauthenticated: ")


def test_a_node_that_is_away_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--server", "tcp://127.0.0.1:1", "--data", str(tmp_path)]
    assert run(["actors", "tree", *arguments]) == Exit.UNREACHABLE
    assert capsys.readouterr().err.startswith("actorchat: unreachable: ")


def test_the_bound_of_the_option_is_that_of_the_node() -> None:
    from actorchat.limits import ACTORS_SHOWN_MAX

    assert run(["actors", "top", "-n", str(ACTORS_SHOWN_MAX), "--help"]) == Exit.OK
    assert run(["actors", "top", "-n", str(ACTORS_SHOWN_MAX + 1)]) == Exit.USAGE
