"""What conversations and groups share: pages that stay within their bounds."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.broker import sequence
from actorchat.broker.sequence import SequenceActor
from actorchat.protocol import ops
from tests.unit.broker.stage import Stage


class Weighing:
    """Stands for the actor where only records are weighed."""

    _weigh = SequenceActor._weigh


@pytest.mark.parametrize(("newest", "kept"), [(True, [b"bb", b"cc"]), (False, [b"aa", b"bb"])])
def test_page_is_cut_at_its_open_end(
    newest: bool, kept: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequence, "HISTORY_PAGE_BYTES_MAX", 5)
    records = [b"aa", b"bb", b"cc"]
    cut: Any = SequenceActor._within_budget
    assert cut(Weighing(), records, newest) == (kept, False)
    assert cut(Weighing(), [b"x" * 9], newest) == ([b"x" * 9], True)


def test_page_says_whether_there_is_more() -> None:
    stage = Stage()
    stage.add_users("ann", "bob")
    ann = stage.hello("ann")
    for number in range(4):
        ann.send("bob", f"m{number}")
    page = ann.ask(lambda rid: ops.History(rid, "bob", limit=3))["ok"]
    assert [record["seq"] for record in page["events"]] == [2, 3, 4]
    assert (page["more"], page["head"]) == (True, 4)
