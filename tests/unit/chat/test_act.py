"""Who may edit, delete and react, and what the messages are afterwards."""

from __future__ import annotations

import pytest

from actorchat.chat.act import Acts, asked_of, refs_of, tombstone
from actorchat.chat.acting import Acting
from actorchat.chat.event import Post
from actorchat.limits import EMOJIS_MAX, REACTIONS_MAX, RECORD_BYTES_MAX
from actorchat.protocol.ops import AnyAct, Deleted, Edited, Extra, Reacted, Record
from actorchat.protocol.ops.group import Leave

TS = 1_700_000_000_000
WINDOW_MS = 1_000
CID = bytes(16)


class Nobody:
    def tell(self, event: object) -> None:
        raise AssertionError


def said(seq: int = 1, sender: str = "ann", body: str = "hi", **more: object) -> Record:
    return Record(sender, seq, TS, CID, body, **more)  # type: ignore[arg-type]


def judged(
    act: AnyAct,
    *targets: Record,
    user: str = "ann",
    body: str = "",
    at: int = TS,
    first: int = 1,
    head: int = 9,
    staff: bool = False,
) -> str | tuple[Record, ...]:
    """Return the code of the refusal, or what the messages are."""
    acting = Acting(act, {target.seq: target for target in targets})
    post = Post(user, Nobody(), 1, CID, body, more=acting)
    verdict = Acts(WINDOW_MS).judge(post, first, head, staff, at)
    if verdict is not None:
        assert acting.rewrites == ()
        return verdict.code
    return acting.rewrites


def test_own_message_is_edited() -> None:
    extra = Extra(re=1, mentions=["bob"])
    before = said(2, extra=extra, reactions={"x": ["bob"]})
    (after,) = judged(Edited(2), before, body="ho")
    assert after == said(2, body="ho", extra=extra, reactions={"x": ["bob"]}, edited=10)
    assert before.body == "hi"


@pytest.mark.parametrize(
    ("act", "targets", "expected"),
    [
        (Edited(1), (), "no_such_message"),
        (Edited(2), (said(2, "bob"),), "forbidden"),
        (Edited(2), (said(2, gone=True),), "deleted"),
        (Edited(2), (said(2, act=Edited(1)),), "no_such_message"),
        (Edited(2), (said(2, change=Leave()),), "no_such_message"),
        (Edited(2), (said(2, extra=Extra(exp=TS)),), "deleted"),
        (Deleted([1, 2]), (said(1),), "no_such_message"),
        (Deleted([1, 2]), (said(1), said(2, "bob")), "forbidden"),
        (Deleted([1, 1]), (said(1),), "bad_request"),
        (Deleted([1]), (said(1, gone=True),), "deleted"),
        (Reacted(1, "x"), (said(1, gone=True),), "deleted"),
        (Reacted(3, "x"), (said(1),), "no_such_message"),
    ],
)
def test_what_may_not_be_is_refused(
    act: AnyAct, targets: tuple[Record, ...], expected: str
) -> None:
    assert judged(act, *targets, body="ho") == expected


def test_an_edit_has_its_time() -> None:
    assert judged(Edited(1), said(), body="ho", at=TS + WINDOW_MS + 1) == "too_late"
    assert judged(Edited(1), said(), body="ho", at=TS + WINDOW_MS) != "too_late"
    assert judged(Deleted([1]), said(), at=TS + 10**9) == (tombstone(said()),)


def test_what_was_before_or_is_not_yet_is_not_there() -> None:
    assert judged(Reacted(2, "x"), said(2), first=3) == "no_such_message"
    assert judged(Reacted(2, "x"), said(2), head=1) == "no_such_message"


def test_staff_deletes_what_others_wrote_and_edits_it_not() -> None:
    other = said(2, "bob")
    assert judged(Deleted([2]), other, staff=True) == (tombstone(other),)
    assert judged(Edited(2), other, staff=True) == "forbidden"


def test_an_edited_location_is_still_one() -> None:
    place = said(1, body="geo:1,2", extra=Extra(kind="location"))
    assert judged(Edited(1), place, body="nowhere") == "bad_request"
    (after,) = judged(Edited(1), place, body="geo:3,4")
    assert isinstance(after, Record)
    assert after.body == "geo:3,4"


def test_a_tombstone_keeps_the_place_alone() -> None:
    full = said(2, extra=Extra(re=1), edited=3, reactions={"x": ["bob"]})
    assert tombstone(full) == Record("ann", 2, TS, CID, "", gone=True)


def test_reactions_come_and_go() -> None:
    (one,) = judged(Reacted(1, "x"), said(), user="bob")
    assert isinstance(one, Record)
    assert one.reactions == {"x": ["bob"]}
    (two,) = judged(Reacted(1, "x"), one)
    assert isinstance(two, Record)
    assert two.reactions == {"x": ["bob", "ann"]}
    assert judged(Reacted(1, "x"), two) == (two,)
    (three,) = judged(Reacted(1, "x", on=False), two, user="bob")
    assert isinstance(three, Record)
    assert three.reactions == {"x": ["ann"]}
    assert judged(Reacted(1, "x", on=False), three) == (said(),)
    assert judged(Reacted(1, "x", on=False), said()) == (said(),)


def test_reactions_are_bounded() -> None:
    many = said(reactions={str(n): ["bob"] for n in range(EMOJIS_MAX)})
    assert judged(Reacted(1, "x"), many) == "too_many"
    assert judged(Reacted(1, "0"), many) != "too_many"
    full = said(reactions={"x": [str(n) for n in range(REACTIONS_MAX)]})
    assert judged(Reacted(1, "x"), full) == "too_many"
    assert judged(Reacted(1, "x"), full, user="0") != "too_many"


def test_a_message_may_not_outgrow_a_frame() -> None:
    long = said(body="x" * (RECORD_BYTES_MAX - 90))
    assert judged(Reacted(1, "emoji", on=True), long, user="b" * 64) == "too_many"


def test_what_is_under_way_is_known_until_it_is_synced() -> None:
    acts = Acts(WINDOW_MS)

    def edit(ref: int, head: int) -> None:
        acting = Acting(Edited(ref), {ref: said(ref)})
        post = Post("ann", Nobody(), 1, CID, "ho", more=acting)
        assert acts.judge(post, 1, head, False, TS) is None

    edit(1, 4)
    edit(2, 5)
    edit(1, 6)
    acts.settle(5)
    assert acts.pending == {1: said(body="ho", edited=7), 2: said(2, body="ho", edited=6)}
    acts.settle(6)
    assert acts.pending.keys() == {1}
    acts.settle(7)
    assert acts.pending == {}


def test_what_an_act_asked_for_is_known_as_long_as_its_text_is() -> None:
    edit = said(3, act=Edited(1))
    assert asked_of(edit, said(1, body="ho", edited=3)) == ("ho", Edited(1))
    assert asked_of(edit, said(1, body="ho", edited=4)) is None
    assert asked_of(edit, None) is None
    assert asked_of(said(3, act=Deleted([1])), None) == ("", Deleted([1]))
    assert refs_of(Deleted([1, 2])) == [1, 2]
    assert refs_of(Reacted(3, "x")) == [3]
