"""What a message may have beside its text: who may be named, what may be answered, which kinds."""

from __future__ import annotations

import pytest

from actorchat.chat.acting import Acting
from actorchat.chat.extra import (
    asked,
    digest_of,
    digest_of_record,
    is_over,
    judge_body,
    judge_extra,
    recorded,
)
from actorchat.protocol.ops import Edited, Extra, FileRef, Record

TS = 1_700_000_000_000
MEMBERS = ("ann", "bob")
FILE = FileRef(bytes(32), 1, "text/plain", "a.txt")


def code(extra: Extra, body: str = "hi", first: int = 1, head: int = 5) -> str | None:
    verdict = judge_extra(extra, body, first, head, MEMBERS)
    return None if verdict is None else verdict.code


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        (Extra(re=1), None),
        (Extra(re=5), None),
        (Extra(re=6), "no_such_message"),  # itself, so that no circle can be made
        (Extra(re=7), "no_such_message"),
        (Extra(mentions=["ann", "bob"]), None),
        (Extra(mentions=["cid"]), "bad_request"),
        (Extra(mentions=["bob", "bob"]), "bad_request"),
        (Extra(exp=TS), "bad_request"),
        (Extra(expires_s=1), None),
        (Extra(kind="file", files=[FILE]), None),
    ],
)
def test_an_extra_is_judged(extra: Extra, expected: str | None) -> None:
    assert code(extra) == expected


def test_what_was_before_a_member_came_is_not_answered() -> None:
    assert code(Extra(re=2), first=3) == "no_such_message"
    assert code(Extra(re=3), first=3) is None


@pytest.mark.parametrize(
    ("kind", "body", "is_good"),
    [
        ("text", "", True),
        ("location", "geo:52.5,13.4", True),
        ("location", "geo:-90,180,34.5;u=10", True),
        ("location", "geo:91,0", False),
        ("location", "geo:0,181", False),
        ("location", "geo:nan,0", False),
        ("location", "geo:1,2\n", False),
        ("location", "52.5,13.4", False),
        ("contact", "bob", True),
        ("contact", "BEGIN:VCARD\r\nFN:Bob\r\nEND:VCARD", True),
        ("contact", "Bob the builder", False),
        ("sealed", "AAEC", True),
        ("sealed", "", False),
    ],
)
def test_a_kind_has_its_form(kind: str, body: str, is_good: bool) -> None:
    assert (judge_body(kind, body) is None) is is_good


@pytest.mark.parametrize("extra", [Extra(), Extra(re=1), Extra(expires_s=60, mentions=["bob"])])
def test_what_is_kept_tells_what_was_asked(extra: Extra) -> None:
    kept = recorded(extra, TS)
    assert kept.expires_s is None
    assert asked(kept, TS) == extra
    record = Record("ann", 1, TS, bytes(16), "hi", extra=kept)
    assert digest_of_record(record) == digest_of("hi", extra)


def test_content_is_told_apart() -> None:
    contents = [
        ("hi", None),
        ("ho", None),
        ("hi", Extra()),
        ("hi", Extra(re=1)),
        ("ho", Extra(re=1)),
        ("hi", Edited(1)),
    ]
    assert len({digest_of(body, more) for body, more in contents}) == len(contents)
    assert digest_of("hi", Acting(Edited(1))) == digest_of("hi", Edited(1))


def test_what_is_not_kept_can_not_be_compared() -> None:
    for record in (
        Record("ann", 1, TS, bytes(16), "", gone=True),
        Record("ann", 1, TS, bytes(16), "other", edited=2),
    ):
        assert digest_of_record(record) is None


def test_a_message_is_over_at_its_time() -> None:
    record = Record("ann", 1, TS, bytes(16), "hi", extra=recorded(Extra(expires_s=2), TS))
    assert not is_over(record, TS + 1_999)
    assert is_over(record, TS + 2_000)
    assert not is_over(Record("ann", 1, TS, bytes(16), "hi"), TS + 10**9)
