"""Veils are drawn, kept and lifted; what a user hid stays hidden."""

from __future__ import annotations

from actorchat.broker.archive import Archive
from actorchat.broker.veil import NO_VEILS, VeilLog, rewritten
from actorchat.protocol import rich
from actorchat.protocol.ops import AnyAct, Deleted, Edited, Reacted, Record
from actorchat.store import keys
from actorchat.store.memory import MemoryEngine
from tests.unit.broker.keep import keep

KEY = keys.conversation_key("ann", "bob")
USER = keys.user_key("bob")


def test_veils_are_kept_until_their_updates_are_trimmed() -> None:
    engine = MemoryEngine()
    log = VeilLog(engine)
    assert log.load(USER) is NO_VEILS
    veils, rows = log.drawn(NO_VEILS, USER, KEY, [1, 2], 7)
    veils, more = log.drawn(veils, USER, KEY, [2], 9)
    keep(engine, [*rows, *more])
    assert NO_VEILS == {}
    assert log.load(USER) == veils == {(KEY, 1): 7, (KEY, 2): 9}
    keep(engine, log.lifted(veils, USER, 8))
    assert log.load(USER) == veils == {(KEY, 2): 9}


def test_what_is_hidden_is_found() -> None:
    engine = MemoryEngine()
    archive = Archive(engine)
    keep(engine, VeilLog(engine).hidden(USER, KEY, [3, 5]))
    assert archive.concealed.among(USER, KEY, 3, 4) == {3}
    assert archive.concealed.among(USER, KEY, 1, 9) == {3, 5}
    assert archive.concealed.has(USER, KEY, 5)
    assert not archive.concealed.has(keys.user_key("ann"), KEY, 5)


def test_only_what_has_another_text_is_veiled() -> None:
    def packed(act: AnyAct | None) -> bytes:
        return rich.encode(Record("ann", 9, 5, bytes(16), "", act=act))

    assert rewritten(packed(Edited(3))) == [3]
    assert rewritten(packed(Deleted([3, 4]))) == [3, 4]
    assert rewritten(packed(Reacted(3, "x"))) == []
    assert rewritten(packed(None)) == []
