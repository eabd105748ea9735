"""Knows how one figure is taken in a process of its own. Must not know which are wanted.

    python -m bench.actors_child RUNTIME FIGURE COUNT LIVE

prints one line of JSON. Every Python runtime has the collector as a node sets it up, so that none
is measured with a collector that looks at a million actors again and again.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from bench.actors_plan import Size

# What must be installed for each runtime, and what its `take` needs besides.
HOMES: dict[str, tuple[str | None, tuple[str, ...]]] = {
    "ours": (None, ()),
    "asyncio": (None, ()),
    "threading": (None, ()),
    "xoscar": ("xoscar", ()),
    "thespian": ("thespian", ()),
    "thespian_simple": ("thespian", ("simpleSystemBase",)),
    "erlang": (None, ()),
    "erlang_raw": (None, ("raw",)),
}
PAUSE = "pause"


def _home(runtime: str) -> Any:
    """Import the one module that measures `runtime`: no rival may be in another's process."""
    match runtime:
        case "ours":
            from bench import actors_ours as home
        case "asyncio":
            from bench import actors_tasks as home
        case "threading":
            from bench import actors_threads as home
        case "xoscar":
            from bench import actors_xoscar as home
        case "thespian" | "thespian_simple":
            from bench import actors_thespian as home
        case "erlang" | "erlang_raw":
            from bench import actors_beam as home
        case _:
            from bench import actors_pause as home
    return home


def take(runtime: str, figure: str, size: Size) -> dict[str, Any]:
    """Return `value` and `checked`, or all pauses by name."""
    home = _home(runtime)
    if runtime == PAUSE:
        return dict(home.take(figure, size))
    if not runtime.startswith("erlang"):
        from bench.actors_cost import tune_collector

        tune_collector()
    _, more = HOMES[runtime]
    value, checked = home.take(figure, size, *more)
    return {"value": value, "checked": checked}


def main(args: list[str]) -> int:
    """Take the figure and print it."""
    runtime, figure, count, live = args
    print(json.dumps(take(runtime, figure, Size(int(count), int(live)))), flush=True)
    if runtime == "threading":
        os._exit(0)  # ten thousand threads would be joined one by one
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
