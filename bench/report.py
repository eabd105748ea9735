"""Knows how figures are shown and kept: a table, flat JSON. Must not know how they are taken."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

Figure = float | int | str | None


def percentile(samples_ns: Sequence[int], share: float) -> float | None:
    """Return a percentile of nanoseconds in milliseconds; None without samples."""
    if not samples_ns:
        return None
    ordered = sorted(samples_ns)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1e6, 3)


def middle(values: Sequence[float], digits: int = 2) -> float:
    """Return the median, rounded."""
    return round(median(values), digits)


def print_table(title: str, rows: Sequence[tuple[str, Figure]]) -> None:
    """Print two columns."""
    print(f"\n{title}")
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        shown = "-" if value is None else f"{value:,}" if isinstance(value, int | float) else value
        print(f"  {name:<{width}}  {shown:>14}")


def write_json(path: str | None, figures: Mapping[str, Figure]) -> None:
    """Write the figures, with what they were taken on, as one flat object."""
    if path is None:
        return
    machine = {"python": platform.python_version(), "machine": platform.machine()}
    Path(path).write_text(json.dumps({**figures, **machine}, indent=2) + "\n", encoding="utf-8")
