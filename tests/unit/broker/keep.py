"""Knows how a test puts rows into an engine. Must not know which."""

from __future__ import annotations

from collections.abc import Iterable

from actorchat.store.engine import Engine, Op


def keep(engine: Engine, rows: Iterable[Op]) -> None:
    """Write rows; None as a value deletes one."""
    batch = engine.batch()
    for family, key, value in rows:
        batch.delete(key, family) if value is None else batch.put(key, value, family)
    engine.write(batch)
