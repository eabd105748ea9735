"""Knows which bounds of the node are made so small that a short run meets them. Must not know why.

With the bounds of production a world of a hundred messages would never trim, page or forget. Each
seed draws its own, production's among them. Source: FoundationDB's buggified knobs.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from actorchat.broker import conversation as broker_conversation
from actorchat.broker import group as broker_group
from actorchat.broker import moved as broker_moved
from actorchat.broker import paging as broker_paging
from actorchat.broker import rows
from actorchat.chat import conversation, delivery, group, inbox, moved, window

_KNOBS: tuple[tuple[ModuleType, str, tuple[float, ...]], ...] = (
    (window, "IDEMPOTENCE_WINDOW", (1, 3, 64)),
    (inbox, "CHECKPOINT_EVERY_UPDATES", (1, 5, 64)),
    (inbox, "TRIM_EVERY_UPDATES", (1, 6, 64)),
    (inbox, "MARK_DELAY_S", (0.0, 0.25, 0.5)),
    (delivery, "DELIVERY_WINDOW_UPDATES", (2, 10, 1_024)),
    (delivery, "CATCH_UP_PAGE_UPDATES", (1, 4, 256)),
    (broker_conversation, "CATCH_UP_PAGE_UPDATES", (1, 4, 256)),
    (broker_paging, "HISTORY_PAGE_BYTES_MAX", (600, 131_072)),
    (rows, "INBOX_INLINE_BYTES_MAX", (90, 512)),
    (conversation, "FAN_OUT_CONFIRM_S", (0.1, 1.0)),
    (group, "FAN_OUT_CONFIRM_S", (0.1, 1.0)),
    (group, "GROUP_MARKS_DELAY_S", (0.0, 1.0)),
    (broker_group, "CATCH_UP_PAGE_UPDATES", (1, 4, 256)),
    (broker_group, "GROUP_MOVED_EVERY_S", (0.0, 0.1, 1.0)),
    (moved, "GROUP_MOVED_RECORDS_MAX", (1, 64)),
    (broker_moved, "GROUP_SLICE_HOMES", (1, 2, 64)),
)


@contextmanager
def tight_bounds(rng: random.Random) -> Iterator[dict[str, float]]:
    """Draw each knob, and put all back in the end; yields what was drawn."""
    before = [(module, name, getattr(module, name)) for module, name, _ in _KNOBS]
    drawn = {}
    try:
        for module, name, choices in _KNOBS:
            drawn[f"{module.__name__}.{name}"] = choice = rng.choice(choices)
            setattr(module, name, choice)
        yield drawn
    finally:
        for module, name, kept in before:
            setattr(module, name, kept)
