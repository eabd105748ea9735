"""The vocabulary of effects: each has somebody who asks for it and somebody who performs it."""

from __future__ import annotations

import ast
import functools
import inspect
from pathlib import Path

import msgspec
import pytest

from actorchat.chat import effect
from actorchat.chat.effect import Barrier, Effect, Push, Stop, Trim
from actorchat.chat.event import Event, MarksDue
from tests.unit.chat.cast import Peer

EFFECTS = [
    kind
    for kind in vars(effect).values()
    if inspect.isclass(kind) and issubclass(kind, Effect) and kind is not Effect
]
PACKAGE = Path(effect.__file__).parents[1]


@functools.cache
def names_in(package: str, *, but: str = "") -> set[str]:
    """Return all the names that the modules of a package use, imports aside."""
    return {
        node.id
        for path in (PACKAGE / package).glob("*.py")
        if path.name != but
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Name)
    }


@pytest.mark.parametrize("kind", EFFECTS, ids=lambda k: k.__name__)
def test_every_effect_is_a_value_of_its_own_kind(kind: type[msgspec.Struct]) -> None:
    assert kind.__struct_config__.gc is False
    assert not issubclass(kind, Event)
    fields = range(len(kind.__struct_fields__))
    assert kind(*fields) == kind(*fields)
    assert kind(*fields) != Barrier(Peer(), MarksDue())


@pytest.mark.parametrize("kind", EFFECTS, ids=lambda k: k.__name__)
def test_every_effect_is_asked_for_and_performed(kind: type) -> None:
    assert kind.__name__ in names_in("chat", but="effect.py")
    assert kind.__name__ in names_in("broker")


def test_effects_are_told_apart_by_their_fields() -> None:
    assert Trim(0, 5) != Trim(0, 6)
    assert Push(Peer(), MarksDue()) != Push(Peer(), MarksDue())
    assert Stop() == Stop()
