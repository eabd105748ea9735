"""Messages and what was done to them read as words, and as fields for programs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actorchat.client import Entry
from actorchat.protocol.ops import Deleted, Edited, Extra, Forwarded, Reacted
from actorchat.protocol.ops.group import Leave
from nodes.cli.said import fields_of, is_shown, text_of
from tests.vectors.example import FILE


def entry(text: str = "hi", **more: Any) -> Entry:
    return Entry("ann", 7, 2, bytes(16), text, **more)


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({}, "hi"),
        ({"edited": 9}, "hi (edited)"),
        ({"gone": True, "text": ""}, "(deleted)"),
        ({"reactions": {"👍": ["ann", "bob"], "x": ["cid"]}}, "hi  [👍 ann, bob; x cid]"),
        ({"extra": Extra(re=3)}, "(to #3) hi"),
        ({"extra": Extra(mentions=["bob", "cid"])}, "(for bob, cid) hi"),
        ({"extra": Extra(fwd=Forwarded(1))}, "(forwarded) hi"),
        ({"extra": Extra(fwd=Forwarded(5, "cid"))}, "(forwarded often from cid) hi"),
        ({"extra": Extra(kind="location"), "text": "geo:1,2"}, "[location] geo:1,2"),
        ({"extra": Extra(kind="sealed")}, "[sealed] 2 characters"),
        ({"extra": Extra(exp=5)}, "hi (for a while)"),
        (
            {"extra": Extra(kind="file", files=[FILE]), "text": ""},
            "[file] Grüße.png (image/png, 70,000 bytes)",
        ),
        ({"act": Edited(3)}, "* edited #3: hi"),
        ({"act": Edited(3), "gone": True, "text": ""}, "* edited #3: (deleted)"),
        ({"act": Deleted([3, 4])}, "* deleted #3, #4"),
        ({"act": Deleted([3], ["bob", "cid"])}, "* deleted #3 as a moderator"),
        ({"act": Reacted(3, "👍")}, "* reacted to #3 with 👍"),
        ({"act": Reacted(3, "👍", False)}, "* took 👍 off #3"),
        ({"change": Leave()}, "* left"),
    ],
)
def test_a_message_reads_as_what_was_said_or_done(more: dict[str, Any], text: str) -> None:
    assert text_of(entry(**more)) == text


def test_what_one_has_hidden_is_not_shown() -> None:
    assert is_shown(entry(gone=True))
    assert not is_shown(entry(gone=True, hidden=True))


def test_programs_get_the_fields_that_are_there() -> None:
    assert fields_of(entry()) == {}
    full = entry(extra=Extra(kind="file", files=[FILE]), edited=9, reactions={"x": ["bob"]})
    fields = json.loads(json.dumps(fields_of(full)))
    assert fields["extra"]["files"][0]["hash"] == FILE.hash.hex()
    assert (fields["edited"], fields["reactions"]) == (9, {"x": ["bob"]})
    assert fields_of(entry(act=Deleted([3]))) == {"act": {"kind": "delete", "refs": [3]}}
    assert fields_of(entry(gone=True, hidden=True)) == {"gone": True, "hidden": True}
    assert fields_of(entry(change=Leave())) == {"change": {"kind": "leave"}}
