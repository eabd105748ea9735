"""Knows about how many bytes an actor holds. Must not know what they are for."""

from __future__ import annotations

import gc
from collections import OrderedDict, defaultdict, deque
from sys import getrefcount, getsizeof
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actorchat.actor.ref import LocalRef

WALK_OBJECTS_MAX = 256  # what one estimate looks at; few actors hold so many
SAMPLE_MESSAGES_MAX = 32  # of a mailbox; the others are taken to be like them

# To ask one of these for what it holds makes a list of all of it: the long ones are not asked.
_SIZED = frozenset({list, tuple, dict, set, frozenset, deque, defaultdict, OrderedDict})


def weight_bytes(ref: LocalRef) -> int:
    """Estimate the memory in bytes that goes with the actor behind `ref`; any thread.

    Counted by `sys.getsizeof`: the ref, the mailbox, the actor, its bonds, a suspended handler,
    and what only these hold: attributes, containers, what lies in them. What others hold too
    (a ref, the parts that all actors share, a short text that Python keeps once) is not
    counted, nor what C code holds out of sight. At most `WALK_OBJECTS_MAX` objects are looked
    at: a container that is longer than what is left of the walk counts without its items, and a
    long mailbox by its first `SAMPLE_MESSAGES_MAX` messages.

    A dead actor's weight is that of its ref.
    """
    queue, task = ref._queue, ref._task
    roots: list[Any] = [ref._actor, ref._bonds]
    if task is not None and task.coro is not None:
        roots += (task, task.coro)
    roots = [root for root in roots if root is not None]
    total = getsizeof(ref) + getsizeof(queue) + sum(getsizeof(root) for root in roots)
    # The instance dict is not asked for: that would make one, and the actor slower for ever.
    total += _weigh([gc.get_referents(root) for root in roots], WALK_OBJECTS_MAX)
    sample = queue[:SAMPLE_MESSAGES_MAX]
    if sample:
        count = len(sample)
        total += _weigh([sample], WALK_OBJECTS_MAX) * len(queue) // count
    return total


def _weigh(ahead: list[list[Any]], left: int) -> int:
    """Sum up what of these lists, and of what lies within, nobody but its owner holds."""
    total = 0
    while ahead and left > 0:
        for value in ahead.pop():
            if getrefcount(value) > _SOLE or left <= 0:
                continue
            left -= 1
            total += getsizeof(value, 0)
            if type(value) not in _SIZED or len(value) <= left:
                ahead.append(gc.get_referents(value))
    return total


def _count_sole_owner() -> int:
    """Return the count of references that `_weigh` sees where there is one owner: it varies."""
    owner = [object()]
    for value in gc.get_referents(owner):
        return getrefcount(value)
    raise AssertionError("a list holds what is in it")


_SOLE = _count_sole_owner()
