"""Operations, entries and refusals come back as they went."""

from __future__ import annotations

import pytest

from actorchat.cluster import registry_wire as wire
from actorchat.cluster.registry import (
    REFUSALS,
    BadRequest,
    Check,
    Create,
    Delete,
    Entry,
    Op,
    Put,
    RegistryAway,
    SessionLost,
)
from actorchat.errors import MalformedFrame
from actorchat.protocol import codec

OPS: list[Op] = [
    Create("/a", b"\x00\xff", ephemeral=True, sequential=True),
    Put("/a", b"", 3),
    Put("/a", b""),
    Delete("/a", 0),
    Check("/a"),
]


def test_operations_come_back_as_they_went() -> None:
    said = codec.decode(codec.encode({"ops": wire.ops_out(OPS)}))["ops"]
    assert wire.ops_in(said) == OPS


def test_text_is_no_value() -> None:
    with pytest.raises(BadRequest) as refused:
        wire.ops_in([["check", "/a", None], ["put", "/a", "dGV4dA==", None]])
    assert refused.value.index == 1


def test_entry_comes_back_and_what_is_none_is_refused() -> None:
    entry = Entry("/a", b"\xff", 2, 7, 9, 5)
    assert wire.entry_in(codec.decode(codec.encode(wire.entry_out(entry)))) == entry
    assert wire.entry_in(wire.entry_out(None)) is None
    with pytest.raises(MalformedFrame):
        wire.entry_in({"entry": {"path": "/a"}})


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=list(REFUSALS))
def test_refusal_comes_back_as_itself(refusal: type) -> None:
    back = wire.refusal_in(wire.refusal_out(refusal("/a", 3)))
    assert type(back) is refusal
    assert (back.path, back.index) == ("/a", 3)


@pytest.mark.parametrize("said", [None, {}, "no", {"code": 7}, {"code": "new"}, {"code": ["a"]}])
def test_error_that_nobody_knows_leaves_the_outcome_open(said: object) -> None:
    back = wire.refusal_in(said)
    assert type(back) is RegistryAway
    assert back.outcome == "unknown"


def test_lost_session_is_told_from_a_silent_registry() -> None:
    assert isinstance(wire.refusal_in({"code": "session_lost"}), SessionLost)


def test_results_are_paths_versions_or_nothing() -> None:
    assert wire.results_in({"results": ["/a", 1, None]}) == ["/a", 1, None]
    with pytest.raises(MalformedFrame):
        wire.results_in({"results": [1.5]})
