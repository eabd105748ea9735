from __future__ import annotations

import inspect
from typing import get_args

import pytest

from actorchat import errors

CLASSES = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, errors.ActorchatError)
]


@pytest.mark.parametrize("cls", CLASSES)
def test_error_can_be_answered_on_the_wire(cls: type[errors.ActorchatError]) -> None:
    assert cls.code.replace("_", "").isalpha()
    assert cls.code.islower()
    assert cls.retry in get_args(errors.Retry)
    assert cls.outcome in get_args(errors.Outcome)


@pytest.mark.parametrize("cls", CLASSES)
def test_error_stands_in_the_tree_that_opens_the_module(cls: type) -> None:
    assert f" {cls.__name__} " in (errors.__doc__ or "").replace("\n", " ")


@pytest.mark.parametrize("cls", [cls for cls in CLASSES if not cls.__subclasses__()])
def test_code_in_the_tree_is_the_code_of_the_class(cls: type[errors.ActorchatError]) -> None:
    row = next(line for line in (errors.__doc__ or "").splitlines() if f" {cls.__name__} " in line)
    if issubclass(cls, errors.ProtocolError | errors.Unavailable):
        assert row.split()[-1] == cls.code


def test_peers_fault_is_never_repeated_and_a_full_world_is() -> None:
    assert errors.FrameTooBig.retry == "never"
    assert errors.StoreFull.retry == "after"
    assert errors.StoreFull.outcome == "none"


@pytest.mark.parametrize("cls", [errors.CallTimeout, errors.ActorDead, errors.StoreIO])
def test_unknown_outcome_is_said_so(cls: type[errors.ActorchatError]) -> None:
    assert cls.outcome == "unknown"


def test_refusal_carries_what_the_server_said() -> None:
    refusal = errors.Refusal("busy", "too many", retry="after", outcome="none", after_ms=250)
    assert (refusal.code, refusal.retry, refusal.after_ms) == ("busy", "after", 250)
    assert str(refusal) == "busy: too many"
    assert errors.Refusal.code == errors.ActorchatError.code


def test_settings_error_names_every_problem() -> None:
    error = errors.SettingsError(["a: wrong", "b: unknown"])
    assert error.problems == ["a: wrong", "b: unknown"]
    assert "a: wrong" in str(error)
    assert "b: unknown" in str(error)


@pytest.mark.parametrize("cls", [cls for cls in CLASSES if issubclass(cls, errors.Fatal)])
def test_fatal_error_ends_with_a_status_of_sysexits(cls: type[errors.Fatal]) -> None:
    assert 64 <= cls.exit_status <= 78
    assert cls.outcome == "unknown"


def test_corrupt_store_names_the_file() -> None:
    assert errors.StoreCorrupt("bad checksum", path="000012.sst").path == "000012.sst"


def test_dead_actor_says_how_it_ended() -> None:
    assert errors.ActorDead("gone", reason="shutdown").reason == "shutdown"
