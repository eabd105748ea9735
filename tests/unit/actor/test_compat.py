"""Pykka's manners, where its own suite (tests/conformance) does not look."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pykka
import pytest

from actorchat.actor import ActorSystem, PinnedDispatcher
from actorchat.actor.compat import CompatActor
from tests.unit.actor.cast import Boom


class Old(CompatActor):
    def on_receive(self, message: Any) -> Any:
        if isinstance(message, Exception):
            raise message
        return message


@pytest.fixture
def runtime() -> Iterator[None]:
    dispatcher = PinnedDispatcher("compat")
    Old.runtime = ActorSystem(dispatcher)
    yield
    pykka.ActorRegistry.stop_all()
    dispatcher.close()


@pytest.mark.usefixtures("runtime")
def test_an_error_in_an_ask_goes_to_the_caller_and_the_actor_lives_on() -> None:
    ref = Old.start()
    with pytest.raises(Boom):
        ref.ask(Boom())
    assert ref.ask("still here") == "still here"


@pytest.mark.usefixtures("runtime")
def test_a_tell_to_the_dead_raises() -> None:
    ref = Old.start()
    assert ref.stop() is True
    assert ref.stop() is False
    with pytest.raises(pykka.ActorDeadError):
        ref.tell("hello?")
