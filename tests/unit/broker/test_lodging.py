"""Entities are found by name from other nodes; what comes to the wrong node is passed on."""

from __future__ import annotations

import pytest

from actorchat.chat.event import Acked
from actorchat.limits import ENTITY_MAILBOX_MAX
from actorchat.protocol import ops
from tests.unit.broker.city import City, table_of

HOMES = {"ann": "a", "bob": "b", "cat": "c"}


@pytest.fixture
def city() -> City:
    return City(HOMES)


@pytest.mark.parametrize(
    "name",
    [
        "user/ann",  # at home elsewhere
        "user/No Name",
        "user/",
        "direct/bob",
        "direct/cat/bob",  # not in order
        "group/bob",
        "desk/bob",
        "bob",
    ],
)
def test_what_is_no_entity_of_this_node_is_nobody(city: City, name: str) -> None:
    assert city["b"].mesh.resolve(name) is None


@pytest.mark.parametrize("name", ["user/bob", "direct/bob/cat"])
def test_entity_is_started_once(city: City, name: str) -> None:
    ref = city["b"].mesh.resolve(name)
    assert ref is not None
    assert city["b"].mesh.resolve(name) is ref


def test_by_an_older_table_a_message_is_passed_on(city: City) -> None:
    newer = table_of({**HOMES, "bob": "c"}, "a", epoch=2)
    for node in "bc":  # not yet at a
        city[node].turn(newer)
    city["a"].broker.context.router.user("bob").tell(Acked("phone", 1))
    city.run()
    assert city["c"].broker.context.router.counts()["users"] == 1
    assert city["b"].broker.context.router.counts()["users"] == 0


def test_by_a_newer_table_than_the_receivers_it_is_refused(city: City) -> None:
    ann = city.hello("ann", "a")
    city["a"].turn(table_of({**HOMES, "ann": "b"}, "a", epoch=2))  # b knows nothing of it
    reply = ann.send("ann", "to me")
    city.run()
    assert reply["err"]["code"] == "unavailable"
    assert reply["err"]["outcome"] == "none"


def test_what_a_full_mailbox_refuses_is_answered(city: City) -> None:
    ann = city.hello("ann", "c")
    assert "ok" in ann.send("bob", "1")
    before = len(ann.connection.replies)
    (conversation,) = (ref for ref in city["a"].system.refs() if ref.label == "ConversationActor")
    conversation._limit = 1
    for _ in range(10):
        cid = city["a"].new_cid()
        ann.start(lambda rid, cid=cid: ops.Send(rid, "bob", cid, "x"))  # type: ignore[misc]
    city.run(1.0)
    replies = list(ann.connection.replies.values())[before:]
    assert len(replies) == 10
    assert {reply["err"]["code"] for reply in replies if "err" in reply} == {"busy"}
    assert ENTITY_MAILBOX_MAX > 10
