"""Pages of names follow each other without a hole."""

from __future__ import annotations

from actorchat.chat.listing import page_of


def test_pages_have_every_name_once() -> None:
    names = {f"u{number:03}": None for number in range(25)}
    found: list[str] = []
    after, more = None, True
    while more:
        page, more = page_of(names, after, 10)
        found += page
        after = page[-1]
    assert found == list(names)


def test_last_page_says_that_it_is_the_last() -> None:
    assert page_of(["b", "a"], None, 2) == (["a", "b"], False)
    assert page_of(["b", "a"], None, 1) == (["a"], True)
    assert page_of(["b", "a"], "b", 1) == ([], False)
