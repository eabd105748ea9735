"""What users hide from themselves has a row where it is looked for."""

from __future__ import annotations

from actorchat.broker.concealing import HiddenRows
from actorchat.broker.veil import VeilLog
from actorchat.ids import slot_of
from actorchat.protocol import ops
from actorchat.store import keys
from actorchat.store.memory import MemoryEngine
from tests.unit.broker.city import City
from tests.unit.broker.keep import keep

ANN, BOB = keys.user_key("ann"), keys.user_key("bob")
PAIR = keys.conversation_key("ann", "bob")  # in the slot of the first


def test_one_node_has_one_row_for_each_message() -> None:
    engine = MemoryEngine()
    rows = HiddenRows(engine)
    keep(engine, VeilLog(engine).hidden(BOB, PAIR, [3, 5]))
    assert not rows.is_apart(BOB, PAIR)
    assert rows.among(BOB, PAIR, 1, 4) == {3}
    assert rows.has(BOB, PAIR, 5)
    assert not rows.has(ANN, PAIR, 5)


def test_several_nodes_have_one_in_each_of_two_slots() -> None:
    engine = MemoryEngine()
    rows = HiddenRows(engine, True)
    assert slot_of("ann") != slot_of("bob")
    assert rows.is_apart(BOB, PAIR)
    assert not rows.is_apart(ANN, PAIR)
    keep(engine, VeilLog(engine).hidden(BOB, PAIR, [3]))
    keep(engine, VeilLog(engine).hidden(ANN, PAIR, [4]))
    assert rows.has(BOB, PAIR, 3, is_home=True)
    assert not rows.has(BOB, PAIR, 3)  # the conversation has not kept it
    assert rows.among(ANN, PAIR, 1, 9) == {4}
    keep(engine, rows.rows(BOB, PAIR, [3, 6]))
    assert rows.has(BOB, PAIR, 3)
    assert rows.among(BOB, PAIR, 4, 9) == {6}
    assert rows.among(ANN, PAIR, 1, 9) == {4}


def test_full_disk_on_either_side_is_told() -> None:
    for node, outcome in (("a", "none"), ("b", "unknown")):
        city = City({"ann": "a", "bob": "b"})
        bob, ann = city.hello("bob", "c"), city.hello("ann", "c")
        ann.send("bob", "one")
        city.run(2.0)
        city[node].broker.context.log.committer.is_full = True
        error = bob.ask(lambda rid: ops.Delete(rid, "ann", bytes(16), [1], "me"))["err"]
        assert (error["code"], error["outcome"]) == ("store_full", outcome)
