from __future__ import annotations

import gc
import inspect

import msgspec
import pytest

from actorchat.chat import sighting

WORDS = [
    word
    for _, word in inspect.getmembers(sighting, inspect.isclass)
    if word.__module__ == sighting.__name__
]


@pytest.mark.parametrize("word", WORDS)
def test_a_word_says_what_it_means_and_is_no_work_for_the_collector(
    word: type[msgspec.Struct],
) -> None:
    assert word.__doc__
    assert not word.__struct_config__.gc


def test_an_edge_is_not_tracked() -> None:
    assert not gc.is_tracked(sighting.Departed("ann", object()))  # type: ignore[arg-type]
