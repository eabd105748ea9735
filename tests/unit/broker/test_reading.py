"""What is kept is shown as it is now: edits are, what is over, deleted or hidden is not."""

from __future__ import annotations

import pytest

from actorchat.broker.archive import Archive
from actorchat.broker.reading import Reading
from actorchat.broker.rows import Rows
from actorchat.broker.veil import VeilLog
from actorchat.protocol import codec, rich
from actorchat.protocol.ops import Edited, Extra, Record
from actorchat.store import keys
from actorchat.store.memory import MemoryEngine
from tests.unit.broker.keep import keep

NOW = 1_700_000_000_000
CID = bytes(16)
KEY = keys.conversation_key("ann", "bob")
USER = keys.user_key("bob")


class Kept:
    """A store of a few records."""

    def __init__(self, *records: Record) -> None:
        self.engine = MemoryEngine()
        self.rows = Rows(self.engine)
        keep(
            self.engine,
            [self.rows.history(KEY, record.seq, rich.encode(record)) for record in records],
        )
        self.archive = Archive(self.engine)

    def hide(self, *seqs: int) -> None:
        keep(self.engine, VeilLog(self.engine).hidden(USER, KEY, seqs))

    def read(self, **options: object) -> Reading:
        return Reading(self.archive, NOW, **options)  # type: ignore[arg-type]

    def page(self, user: bytes = USER) -> list[Record]:
        found = self.archive.records(KEY, 0, 99, 99, False)
        return [codec.decode_record(one) for one in self.read(user=user).page(KEY, found)]


def said(seq: int, body: str = "hi", **more: object) -> Record:
    return Record("ann", seq, NOW, CID, body, **more)  # type: ignore[arg-type]


def test_a_plain_page_is_as_it_is() -> None:
    kept = Kept(said(1), said(2))
    assert kept.page() == [said(1), said(2)]
    assert kept.page(b"") == [said(1), said(2)]
    assert Kept().page() == []


def test_an_edit_shows_what_its_message_says_now() -> None:
    kept = Kept(said(1, "new", edited=3), said(2, "", act=Edited(1)), said(3, "", act=Edited(1)))
    assert [record.body for record in kept.page()] == ["new", "new", "new"]
    gone = Kept(said(1, "", gone=True), said(2, "", act=Edited(1)))
    assert gone.page()[1] == said(2, "", act=Edited(1), gone=True)


@pytest.mark.parametrize(("exp", "is_over"), [(NOW, True), (NOW + 1, False)])
def test_what_is_over_is_gone(exp: int, is_over: bool) -> None:
    extra = Extra(exp=exp)
    first, second = Kept(said(1, extra=extra), said(2, "", act=Edited(1))).page()
    assert first == (said(1, "", gone=True) if is_over else said(1, extra=extra))
    assert second.body == ("" if is_over else "hi")
    assert second.gone is is_over


def test_what_is_hidden_is_hidden_from_who_hid_it() -> None:
    kept = Kept(said(1), said(2), said(3, "", act=Edited(1)))
    kept.hide(1)
    assert [(one.body, one.hidden) for one in kept.page()] == [
        ("", True),
        ("hi", False),
        ("", True),
    ]
    assert [one.body for one in kept.page(keys.user_key("ann"))] == ["hi", "hi", "hi"]


def test_an_older_text_of_an_update_is_not_shown_behind_a_veil() -> None:
    kept = Kept(said(1, "new", edited=2))
    old = rich.encode(said(1, "old"))
    assert kept.read(user=USER).update(KEY, 1, old) == old
    veiled = kept.read(user=USER, veiled={(KEY, 1): 5})
    assert codec.decode_record(veiled.update(KEY, 1, old)).body == "new"
    assert veiled.update(KEY, 2, old) == old
    kept.hide(1)
    shown = codec.decode_record(veiled.update(KEY, 1, old))
    assert (shown.body, shown.gone, shown.hidden) == ("", True, True)
