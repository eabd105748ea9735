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
    def __init__(self, *failures: list[Any]) -> None:
        super().__init__()
        self.failures = failures

    def on_failure(self, *trace: Any) -> None:
        self.failures[0].append(trace)

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


@pytest.mark.usefixtures("runtime")
def test_an_error_keeps_its_traceback_on_the_way_to_the_caller() -> None:
    with pytest.raises(Boom) as caught:
        Old.start().ask(Boom())
    assert "on_receive" in [entry.name for entry in caught.traceback]


@pytest.mark.usefixtures("runtime")
def test_after_a_failure_the_hook_is_called_and_the_registry_forgets_the_actor() -> None:
    failures: list[Any] = []
    ref, other = Old.start(failures), Old.start()
    error = Boom()
    ref.tell(error)
    ref.actor_stopped.wait(5.0)
    assert pykka.ActorRegistry.get_all() == [other]
    ((kind, value, _traceback),) = failures
    assert (kind, value) == (Boom, error)
