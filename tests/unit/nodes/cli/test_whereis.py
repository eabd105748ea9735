"""Where a user is, and should go, is told by the command line."""

from __future__ import annotations

import pytest

from actorchat.client import Whereabouts
from nodes.cli.whereis import lines_of

ANN = Whereabouts("ann", 7, "n1", 2, True, True)


def test_node_that_is_alone_is_everybodys_home(shell) -> None:  # type: ignore[no-untyped-def]
    assert shell.run("user", "add", "wendy", "--generate").returncode == 0
    (found,) = shell.json("whereis", "wendy")
    assert (found["user"], found["home"], found["up"], found["account"]) == (
        "wendy",
        "",
        True,
        True,
    )
    assert found["devices"] == []
    (located,) = shell.json("locate", "wendy", "--region", "eu")
    assert located["addresses"] == []
    assert "no better one" in shell.run("locate", "wendy").stdout
    assert "at home on this node" in shell.run("whereis", "wendy").stdout


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (ANN, "no device is connected"),
        (Whereabouts("ann", 7, "n1", 2, True, False), "no such account"),
        (Whereabouts("ann", 7, "n1", 2, False), "can't be reached"),
        (
            Whereabouts("ann", 7, "n1", 2, True, True, [{"device": "phone", "node": "n3"}]),
            "device phone is connected by n3",
        ),
    ],
)
def test_people_are_told_in_words(found: Whereabouts, said: str) -> None:
    lines = lines_of(found)
    assert lines[0] == "ann is at home on node n1, slot 7, epoch 2"
    assert said in lines[1]
