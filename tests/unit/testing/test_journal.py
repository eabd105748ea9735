"""What a journal judges at once, and the digest that it makes of a story."""

from __future__ import annotations

from dataclasses import replace

import pytest

from actorchat.actor.seeded import VirtualClock
from actorchat.protocol.ops import MarkPush, Record
from actorchat.testing.journal import VIOLATIONS_KEPT_MAX, Journal, Posting
from actorchat.testing.world import World
from tests.unit.testing.scene import CALM

CID, OTHER = b"c" * 16, b"o" * 16
POST = Posting("alice", "phone", "bob", CID, "hello", 1, 0)
RECORD = Record("alice", 1, 0, CID, "hello")


def open_journal(is_telling: bool = False) -> Journal:
    journal = Journal(VirtualClock(), is_telling=is_telling)
    journal.posts[CID] = POST
    journal.posts[OTHER] = replace(POST, cid=OTHER, order=2)
    return journal


def rules(journal: Journal) -> list[str]:
    return [text.split(" ")[0] for text in journal.violations]


def digest(*notes: tuple[float, str, bytes]) -> str:
    journal = open_journal()
    for at_s, what, content in notes:
        journal.clock.now_s = at_s
        journal.note(what, content)
    return journal.trace


def test_violation_makes_the_report_of_a_world_unwell() -> None:
    world = World(1, CALM)
    world.journal.violate("I9", "planted")
    report = world.run()
    assert not report.is_well
    assert report.violations == ["I9 at 0.000 s: planted"]
    assert "planted" in str(report)


def test_violations_beyond_the_bound_are_counted_only() -> None:
    journal = open_journal()
    for at in range(VIOLATIONS_KEPT_MAX + 5):
        journal.violate("I1", str(at))
    assert len(journal.violations) == VIOLATIONS_KEPT_MAX
    assert journal.violations[0].endswith(": 0")
    assert journal.counts["violations"] == VIOLATIONS_KEPT_MAX + 5


def test_same_story_has_the_same_digest() -> None:
    story = ((0.0, "a", b"1"), (1.0, "b", b"2"))
    assert digest(*story) == digest(*story)


@pytest.mark.parametrize(
    "other",
    [
        ((1.0, "b", b"2"), (1.0, "a", b"1")),
        ((1.0, "a", b"1"), (1.5, "b", b"2")),
        ((1.0, "a", b"1"), (1.0, "b", b"3")),
        ((1.0, "a", b"1"),),
    ],
    ids=["order", "time", "content", "length"],
)
def test_another_story_has_another_digest(other: tuple[tuple[float, str, bytes], ...]) -> None:
    assert digest((1.0, "a", b"1"), (1.0, "b", b"2")) != digest(*other)


def test_story_is_kept_as_text_only_where_it_is_told() -> None:
    silent, telling = open_journal(), open_journal(is_telling=True)
    for journal in (silent, telling):
        journal.note("came", b"123")
    assert silent.story == []
    assert telling.story == ["0.000000000 came (3 bytes)"]
    assert silent.trace == telling.trace


def test_ack_is_noted_with_the_head_of_its_conversation() -> None:
    journal = open_journal()
    journal.accepted(CID, 4)
    journal.accepted(CID, 4)
    assert journal.acked == {CID: 4}
    assert journal.acked_head[POST.pair] == 4
    assert journal.violations == []


def test_message_that_is_acked_at_two_places_is_a_violation() -> None:
    journal = open_journal()
    journal.accepted(CID, 1)
    journal.accepted(CID, 2)
    assert rules(journal) == ["I6"]


def test_place_that_two_messages_have_is_a_violation() -> None:
    journal = open_journal()
    journal.accepted(CID, 1)
    journal.accepted(OTHER, 1)
    assert rules(journal) == ["I6"]


def test_update_may_be_repeated_but_not_changed() -> None:
    journal = open_journal()
    journal.shown("bob", 1, RECORD)
    journal.shown("bob", 1, RECORD)
    assert journal.violations == []
    journal.shown("bob", 1, Record("alice", 2, 0, OTHER, "hello"))
    assert rules(journal) == ["I6"]


@pytest.mark.parametrize(
    ("user", "record", "rule"),
    [
        ("bob", Record("alice", 1, 0, b"x" * 16, "hello"), "I4"),
        ("bob", Record("alice", 1, 0, CID, "hallo"), "I4"),
        ("bob", Record("carol", 1, 0, CID, "hello"), "I4"),
        ("mallory", RECORD, "I7"),
    ],
    ids=["never sent", "other body", "other sender", "not a member"],
)
def test_record_that_nobody_posted_so_is_a_violation(user: str, record: Record, rule: str) -> None:
    journal = open_journal()
    journal.judge_body("bob", RECORD)
    assert journal.violations == []
    journal.judge_body(user, record)
    assert rules(journal) == [rule]


def test_mark_that_goes_back_in_a_session_is_a_violation() -> None:
    journal = open_journal()
    journal.marked("s1", MarkPush("bob", "alice", 5, 3))
    journal.marked("s2", MarkPush("bob", "alice", 4, 3))
    assert journal.violations == []
    journal.marked("s1", MarkPush("bob", "alice", 4, 3))
    assert rules(journal) == ["I5"]


def test_mark_may_go_back_when_hints_may_be_lost() -> None:
    forgetful, lossy = open_journal(), open_journal()
    lossy.are_marks_lossy = True
    for journal in (forgetful, lossy):
        journal.marked("s1", MarkPush("bob", "alice", 5, 3))
    forgetful.forget_marks()
    for journal in (forgetful, lossy):
        journal.marked("s1", MarkPush("bob", "alice", 4, 2))
        assert journal.violations == []


def test_mark_that_reads_what_was_not_delivered_is_a_violation() -> None:
    journal = open_journal()
    journal.marked("s1", MarkPush("bob", "alice", 1, 2))
    assert rules(journal) == ["I5"]
