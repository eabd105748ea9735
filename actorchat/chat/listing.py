"""Knows how long lists are answered in pages by name. Must not know what is listed."""

from __future__ import annotations

from collections.abc import Iterable


def page_of(names: Iterable[str], after: str | None, limit: int) -> tuple[list[str], bool]:
    """Return the first `limit` names, by name, behind `after`, and whether there are more."""
    found = sorted(names if after is None else (name for name in names if name > after))
    return found[:limit], len(found) > limit
