"""What a block hides of a conversation, as spans of seqs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorchat.chat import block
from actorchat.chat.block import (
    Blocking,
    HiddenRecord,
    KeepBlock,
    Spans,
    StoreHidden,
    closed,
    cut,
    hides,
    is_heard,
    is_open,
    last_shown,
    opened,
    shown_ranges,
)
from actorchat.chat.conversation import TAG_OF_FIRST, TAG_OF_SECOND, Conversation
from actorchat.chat.effect import (
    AppendRecord,
    Push,
    ReadPage,
    Refuse,
    SaveMarks,
    StartTimer,
    Store,
    TellMarks,
)
from actorchat.chat.event import (
    Accepted,
    ConfirmDue,
    Fetch,
    Marked,
    OutOfOrder,
    Post,
    Reached,
    Refused,
)
from actorchat.chat.inbox import Inbox
from actorchat.limits import BLOCK_SPANS_MAX, FAN_OUT_CONFIRM_S
from actorchat.protocol.ops import Deleted, Edited, Reacted
from actorchat.testing.playbook import Playbook
from tests.unit.chat.cast import Peer

ANN, BOB = Peer("ann"), Peer("bob")
PAIR = ("ann", "bob")


def post(sender: str, body: str = "hi", company: bool = False) -> Post:
    return Post(sender, ANN if sender == "ann" else BOB, 1, body.encode().ljust(16), body,
                None, b"", company)  # fmt: skip


def key_of(event: Post) -> bytes:
    return (TAG_OF_FIRST if event.sender == "ann" else TAG_OF_SECOND) + event.cid


# -- spans -------------------------------------------------------------------------------------
def test_block_hides_what_comes_and_stays_hidden_after_it_ends() -> None:
    spans = opened((), 4)
    assert spans == ((5, 0),)
    assert [hides(spans, seq) for seq in (4, 5, 99)] == [False, True, True]
    spans = closed(spans, 7)
    assert spans == ((5, 7),)
    assert [hides(spans, seq) for seq in (4, 5, 7, 8)] == [False, True, True, False]


def test_block_that_hid_nothing_leaves_nothing() -> None:
    assert closed(opened((), 4), 4) == ()
    assert closed(opened(((1, 2),), 4), 4) == ((1, 2),)


def test_doing_it_twice_changes_nothing() -> None:
    assert opened(((5, 0),), 9) == ((5, 0),)
    assert closed(((5, 7),), 9) == ((5, 7),)
    assert closed((), 9) == ()


def test_block_right_behind_another_is_one_with_it() -> None:
    assert opened(((5, 7),), 7) == ((5, 0),)


def test_too_many_spans_make_the_two_oldest_one() -> None:
    spans = tuple((10 * n, 10 * n + 1) for n in range(1, BLOCK_SPANS_MAX + 1))
    more = opened(spans, 100_000)
    assert len(more) == BLOCK_SPANS_MAX
    assert more[0] == (10, 21)
    assert more[-1] == (100_001, 0)


def test_records_that_were_lost_are_not_decided_yet() -> None:
    assert cut(((5, 0),), 2) == ((3, 0),)
    assert cut(((5, 0),), 9) == ((5, 0),)
    assert cut(((2, 3), (5, 8)), 6) == ((2, 3), (5, 6))
    assert cut(((5, 8),), 4) == ()


@st.composite
def lives(draw: st.DrawFn) -> tuple[Spans, set[int], int]:
    """Return spans as a life makes them, the seqs that are hidden, and the head."""
    spans: Spans = ()
    hidden: set[int] = set()
    head = 0
    for what in draw(st.lists(st.sampled_from("bup"), max_size=40)):
        if what == "b":
            spans = opened(spans, head)
        elif what == "u":
            spans = closed(spans, head)
        else:
            head += 1
            if is_open(spans):
                hidden.add(head)
    return spans, hidden, head


@given(lives(), st.integers(0, 30), st.integers(0, 42))
def test_spans_say_what_happened(
    life: tuple[Spans, set[int], int], after: int, before: int
) -> None:
    spans, hidden, head = life
    shown = [seq for seq in range(1, head + 1) if seq not in hidden]
    assert [seq for seq in range(1, head + 1) if not hides(spans, seq)] == shown
    assert last_shown(spans, head) == max(shown, default=0)
    before = min(before, head + 1)
    ranges = shown_ranges(spans, after, before)
    listed = [seq for low, high in ranges for seq in range(low + 1, high)]
    assert listed == [seq for seq in shown if after < seq < before]


@given(lives(), st.integers(0, 40))
def test_cut_spans_keep_what_is_there_and_their_state(
    life: tuple[Spans, set[int], int], kept: int
) -> None:
    spans, hidden, head = life
    kept = min(kept, head)
    after = cut(spans, kept)
    assert [hides(after, seq) for seq in range(1, kept + 1)] == [
        seq in hidden for seq in range(1, kept + 1)
    ]
    assert hides(after, kept + 1) == is_open(spans)


# -- the conversation --------------------------------------------------------------------------
def blocked(user: str, seq: int = 0) -> Conversation:
    machine = Conversation(PAIR, seq)
    machine.blocks[user] = ((seq + 1, 0),)
    return machine


def test_block_is_kept_and_undone() -> None:
    machine = Conversation(PAIR, 3)
    (
        Playbook(machine)
        >> Blocking("ann", ANN, 7, on=True)
        << KeepBlock("ann", "bob", ((4, 0),), True, ANN, 7)
        >> Blocking("ann", ANN, 8, on=False)
        << KeepBlock("ann", "bob", (), False, ANN, 8)
    )
    assert machine.blocks == {}


@pytest.mark.parametrize("blocker", PAIR)
def test_who_is_blocked_is_answered_as_ever_and_who_blocks_must_unblock_first(
    blocker: str,
) -> None:
    other = "bob" if blocker == "ann" else "ann"
    event = post(other)
    play = Playbook(blocked(blocker)) >> event
    play = play << StoreHidden(1, 0, event, key_of(event), False, 0, False, False)
    refused = Refused(1, "blocked", block.UNBLOCK_FIRST)
    play >> post(blocker, "no") << Refuse(ANN if blocker == "ann" else BOB, refused)


def test_what_was_said_before_is_answered_again_under_a_block() -> None:
    machine = Conversation(PAIR)
    machine.handle(post("ann"), 5)
    machine.handle(Blocking("ann", ANN, 7, on=True), 6)
    (again,) = machine.handle(post("ann"), 7)
    assert type(again).__name__ == "AnswerAgain"


def test_other_devices_of_who_is_blocked_get_what_was_sent() -> None:
    event = post("bob", company=True)
    (
        Playbook(blocked("ann"))
        >> event
        << StoreHidden(1, 0, event, key_of(event), True, 0, True, False)
        << StartTimer(FAN_OUT_CONFIRM_S, ConfirmDue())
    )


def test_what_comes_after_the_block_names_the_last_that_was_delivered_as_before() -> None:
    machine = Conversation(PAIR)
    first, second, third = (post("ann", body) for body in "123")
    (store, _) = machine.handle(first, 0)
    machine.handle(Blocking("bob", BOB, 1, on=True), 0)
    (hidden,) = machine.handle(second, 0)
    machine.handle(Blocking("bob", BOB, 2, on=False), 0)
    (last,) = machine.handle(third, 0)
    assert isinstance(store, Store)
    assert isinstance(last, Store)
    assert type(hidden) is StoreHidden
    assert (last.seq, last.prev) == (3, store.seq)
    assert [machine.hides("bob", seq) for seq in (1, 2, 3)] == [False, True, False]
    assert not machine.hides("ann", 2)


def test_marks_of_who_blocks_do_not_pass_the_block_and_are_not_told() -> None:
    machine = Conversation(PAIR, 3)
    machine.blocks["ann"] = ((3, 0),)
    Playbook(machine) >> Reached("ann", 3, 3) << SaveMarks("ann", 2, 2)
    machine.blocks.clear()
    (
        Playbook(machine)
        >> Reached("ann", 3)
        << SaveMarks("ann", 3, 2)
        << TellMarks("bob", Marked("ann", "ann", 3, 2))
    )


def test_page_leaves_out_what_is_hidden_from_who_reads() -> None:
    machine = Conversation(PAIR, 3)
    machine.blocks["ann"] = ((2, 2),)
    play = Playbook(machine) >> Fetch("ann", ANN, 1, 0, None, 9)
    play = play << ReadPage(ANN, 1, 0, 4, 9, True, "ann", ((2, 2),))
    play >> Fetch("bob", BOB, 1, 0, None, 9) << ReadPage(BOB, 1, 0, 4, 9, True, "bob")


# -- the home ----------------------------------------------------------------------------------
def hidden_record(seq: int, is_own: bool) -> HiddenRecord:
    ack = Accepted(1, seq, 0)
    return HiddenRecord(PAIR, b"k", BOB, seq, b"r", (), ANN, ack, is_own=is_own)


def test_home_stores_what_is_hidden_without_an_update() -> None:
    inbox = Inbox("ann")
    inbox.recorded[PAIR] = 0
    event = hidden_record(1, is_own=False)
    Playbook(inbox) >> event << AppendRecord(event, 0, None, False)
    assert (inbox.head, inbox.recorded[PAIR]) == (0, 1)


def test_home_shows_the_users_own_to_other_devices() -> None:
    inbox = Inbox("ann", cursors={"phone": 0, "web": 0})
    inbox.recorded[PAIR] = 0
    event = hidden_record(1, is_own=True)
    Playbook(inbox) >> event << AppendRecord(event, 1, None, False)


def test_home_stores_nothing_behind_a_hole() -> None:
    inbox = Inbox("ann")
    inbox.recorded[PAIR] = 3
    refused, told = inbox.handle(hidden_record(5, is_own=False), 0)
    assert isinstance(refused, Push)
    assert told == Push(BOB, OutOfOrder(3))


def test_only_who_takes_back_what_was_shown_is_heard() -> None:
    spans = ((5, 0),)
    assert is_heard(Deleted([4, 6]), spans)
    assert not is_heard(Deleted([5, 6]), spans)
    assert not is_heard(Edited(4), spans)
    assert not is_heard(Reacted(4, "x", True), spans)
