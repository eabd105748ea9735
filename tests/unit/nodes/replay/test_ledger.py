"""The ledger finds every kind of broken delivery, and nothing where all is well."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nodes.replay.ledger import DIFFERENCES_KEPT_MAX, Ledger, Seen
from nodes.replay.traffic import Line

RUN = b"this run"
LINES = [
    Line("ann", "bob", "one"),
    Line("ann", "bob", "two"),
    Line("bob", "ann", "three"),
    Line("ann", "bob", "one"),  # the same text again
    Line("ann", "cat", "four"),
    Line("cat", "cat", "five"),  # to oneself
]
SEQS = [1, 2, 3, 4, 1, 1]
HISTORIES = {("ann", "bob"): [0, 1, 2, 3], ("ann", "cat"): [4], ("cat", "cat"): [5]}


class Node:
    """Plays a perfect node into a ledger, unless told to break something."""

    def __init__(self) -> None:
        self.ledger = Ledger(LINES, RUN)
        self.deliveries = [(line.to, self.seen(index)) for index, line in enumerate(LINES)]
        self.acks = dict(enumerate(SEQS))
        self.pages = {
            pair: [self.seen(index) for index in indices] for pair, indices in HISTORIES.items()
        }
        self.heads = {pair: len(indices) for pair, indices in HISTORIES.items()}

    def seen(self, index: int, **changed: object) -> Seen:
        line = LINES[index]
        fields = {
            "sender": line.sender,
            "seq": SEQS[index],
            "cid": self.ledger.cid(index),
            "text": line.text,
        }
        return Seen(**(fields | changed))  # type: ignore[arg-type]

    def play(self) -> dict[str, int]:
        for index, seq in self.acks.items():
            self.ledger.on_acked(index, seq)
        for reader, seen in self.deliveries:
            self.ledger.on_delivered(reader, seen)
        self.ledger.judge_ends()
        for pair, entries in self.pages.items():
            for reader, other in {pair, pair[::-1]}:
                self.ledger.judge_history(reader, other, 0, self.heads[pair], entries)
        return dict(self.ledger.counts)


def test_a_perfect_run_has_no_difference() -> None:
    node = Node()
    assert node.play() == {}
    assert node.ledger.difference_count == 0
    assert node.ledger.differences == []
    assert (node.ledger.acked, node.ledger.delivered, node.ledger.deliveries) == (6, 6, 6)


def test_client_ids_of_a_run_are_all_different_and_16_bytes() -> None:
    ledger = Ledger(LINES, RUN)
    ids = {ledger.cid(index) for index in range(len(LINES))}
    assert len(ids) == len(LINES)
    assert {len(cid) for cid in ids} == {16}


# -- deliveries ----------------------------------------------------------------------------------


def lose(node: Node) -> None:
    del node.deliveries[4]


def duplicate(node: Node) -> None:
    node.deliveries.append(node.deliveries[4])


def duplicate_under_a_new_seq(node: Node) -> None:
    node.deliveries.append(("cat", node.seen(4, seq=9)))


def reorder(node: Node) -> None:
    node.deliveries[0], node.deliveries[1] = node.deliveries[1], node.deliveries[0]


def reorder_with_seqs_in_order(node: Node) -> None:
    """Two texts changed places at the server: seqs rise, and the sender's order is broken."""
    node.deliveries[0] = ("bob", node.seen(1, seq=1))
    node.deliveries[1] = ("bob", node.seen(0, seq=2))
    node.acks |= {0: 2, 1: 1}
    node.pages["ann", "bob"][:2] = [node.seen(1, seq=1), node.seen(0, seq=2)]


def repeat_a_seq(node: Node) -> None:
    node.deliveries[1] = ("bob", node.seen(1, seq=1))
    node.acks[1] = 1
    node.pages["ann", "bob"][1] = node.seen(1, seq=1)


def alter(node: Node) -> None:
    node.deliveries[2] = ("ann", node.seen(2, text="three "))


def misdeliver(node: Node) -> None:
    node.deliveries[4] = ("bob", node.seen(4))


def deliver_to_a_stranger_too(node: Node) -> None:
    node.deliveries.append(("bob", node.seen(4)))


def misattribute(node: Node) -> None:
    node.deliveries[4] = ("cat", node.seen(4, sender="bob"))


def renumber(node: Node) -> None:
    node.deliveries[4] = ("cat", node.seen(4, seq=2))


def forget_an_ack(node: Node) -> None:
    del node.acks[4]


@pytest.mark.parametrize(
    ("break_it", "found"),
    [
        (lose, {"lost": 1}),
        (duplicate, {"duplicated": 1}),
        (duplicate_under_a_new_seq, {"duplicated": 1}),
        (reorder, {"reordered": 1}),
        (reorder_with_seqs_in_order, {"reordered": 1, "history_reordered": 2}),
        (repeat_a_seq, {"reordered": 1, "history_gap": 4}),
        (alter, {"altered": 1}),
        (misdeliver, {"misdelivered": 1, "lost": 1}),
        (deliver_to_a_stranger_too, {"misdelivered": 1}),
        (misattribute, {"misattributed": 1}),
        (renumber, {"renumbered": 1}),
        (forget_an_ack, {"unacked": 1}),
    ],
)
def test_a_broken_delivery_is_caught(
    break_it: Callable[[Node], None], found: dict[str, int]
) -> None:
    node = Node()
    break_it(node)
    assert node.play() == found


def test_a_refused_send_is_one_difference_and_not_lost_as_well() -> None:
    node = Node()
    del node.acks[4], node.deliveries[4]
    node.pages["ann", "cat"], node.heads["ann", "cat"] = [], 0
    node.ledger.on_failed(4, "no_such_user: cat")
    assert node.play() == {"failed": 1}
    assert str(node.ledger.differences[0]) == "failed: line 5: no_such_user: cat"


def test_what_the_run_did_not_send_is_counted_and_not_judged() -> None:
    node = Node()
    for cid in (b"other id 16 byte", b"", RUN + (99).to_bytes(8)):
        node.deliveries.append(("bob", Seen("ann", 77, cid, "from another time")))
    assert node.play() == {}
    assert node.ledger.foreign == 3


# -- histories -----------------------------------------------------------------------------------

BOTH = 2  # each history is read from both ends


def lose_a_row(node: Node) -> None:
    del node.pages["ann", "bob"][1]


def lose_the_last_row(node: Node) -> None:
    node.pages["ann", "bob"].pop()


def lose_the_last_row_and_the_head(node: Node) -> None:
    node.pages["ann", "bob"].pop()
    node.heads["ann", "bob"] = 3


def store_twice(node: Node) -> None:
    node.pages["ann", "cat"].append(node.seen(4, seq=2))
    node.heads["ann", "cat"] = 2


def alter_a_row(node: Node) -> None:
    node.pages["cat", "cat"][0] = node.seen(5, text="")


def misattribute_a_row(node: Node) -> None:
    node.pages["ann", "cat"][0] = node.seen(4, sender="cat")


def misplace_a_row(node: Node) -> None:
    node.pages["ann", "cat"].append(node.seen(5, seq=2))
    node.heads["ann", "cat"] = 2


def renumber_a_row(node: Node) -> None:
    node.acks[4] = node.acks[4] + 1
    node.deliveries[4] = ("cat", node.seen(4, seq=2))


@pytest.mark.parametrize(
    ("break_it", "found"),
    [
        (lose_a_row, {"history_gap": BOTH, "history_lost": BOTH}),
        (lose_the_last_row, {"history_gap": BOTH, "history_lost": BOTH}),
        (lose_the_last_row_and_the_head, {"history_lost": BOTH}),
        (store_twice, {"history_duplicated": BOTH}),
        (alter_a_row, {"history_altered": 1}),
        (misattribute_a_row, {"history_misattributed": BOTH}),
        (misplace_a_row, {"history_misplaced": BOTH}),
        (renumber_a_row, {"renumbered": BOTH}),
    ],
)
def test_a_broken_history_is_caught(
    break_it: Callable[[Node], None], found: dict[str, int]
) -> None:
    node = Node()
    break_it(node)
    assert node.play() == found


def test_a_history_that_was_there_before_is_read_from_its_old_head_on() -> None:
    ledger = Ledger([Line("ann", "bob", "x")], RUN)
    ledger.on_acked(0, 41)
    ledger.on_delivered("bob", Seen("ann", 41, ledger.cid(0), "x"))
    ledger.judge_ends()
    ledger.judge_history("bob", "ann", 40, 41, [Seen("ann", 41, ledger.cid(0), "x")])
    assert ledger.difference_count == 0
    ledger.judge_history("bob", "ann", 39, 41, [Seen("ann", 41, ledger.cid(0), "x")])
    assert dict(ledger.counts) == {"history_gap": 1}


# -- the verdict ---------------------------------------------------------------------------------


def test_notes_about_no_line_count_too() -> None:
    ledger = Ledger(LINES, RUN)
    ledger.note_unread("ann", "bob", "timeout")
    ledger.note_unkilled(3, 1)
    ledger.note_ended("ann", "takeover")
    ledger.note_unmoved("no node joined")
    ledger.note_kept_waiting(2.5, 2.0)
    assert ledger.difference_count == 5
    assert [str(one).split(":")[0] for one in ledger.differences] == [
        "unread", "unkilled", "ended", "unmoved", "kept_waiting",
    ]  # fmt: skip


def test_of_many_differences_the_first_are_kept_and_all_counted() -> None:
    lines = [Line("ann", "bob", str(number)) for number in range(100)]
    ledger = Ledger(lines, RUN)
    for index in range(100):
        ledger.on_acked(index, index + 1)
    ledger.judge_ends()
    assert ledger.counts["lost"] == 100
    assert [one.line for one in ledger.differences] == list(range(1, DIFFERENCES_KEPT_MAX + 1))
