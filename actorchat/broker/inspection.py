"""Knows what an operator is shown of a node's actors. Must not know how it is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actorchat.limits import ACTOR_LINES_MAX

if TYPE_CHECKING:
    from actorchat.actor import ActorSystem
    from actorchat.protocol.ops import Actors


def show(system: ActorSystem, asked: Actors) -> dict[str, Any] | None:
    """Return the answer to `asked`, of a bounded size; None where there is no such actor.

    Its time grows with the number of actors, by some 0.3 µs each, and by several for `memory`.
    Thread: the one that runs the actors.
    """
    shown: list[Any]
    if asked.view == "tree":
        shown = list(system.tree(asked.count, ACTOR_LINES_MAX).rows())
    elif asked.view == "top":
        shown = [info.as_dict() for info in system.top(asked.count, asked.by)]
    else:
        ref = system.find(asked.who or "")
        if ref is None:
            return None
        shown = [system.info(ref).as_dict()]
    return {"total": sum(1 for _ in system.refs()), "actors": shown}
