"""Knows which stretch of a sequence a page of history is. Must not know records or who asks."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from actorchat.limits import HISTORY_PAGE_MESSAGES_MAX


class Wanted(msgspec.Struct, frozen=True, gc=False):
    """What a page is to be beyond its bounds.

    `around` a seq, as many before it as behind it; or `is_forward`, the first behind `after`; of
    `bytes_max` at most, but one record at least; only of `kinds`, if there are any.
    """

    around: int | None = None
    is_forward: bool = False
    bytes_max: int | None = None
    kinds: frozenset[str] = frozenset()


PLAIN = Wanted()


def bounds(
    after: int, before: int | None, limit: int, wanted: Wanted, floor: int, head: int
) -> tuple[int, int, int, bool]:
    """Return (after, before, limit, newest): seqs in (after, before), cut at the other end.

    `floor` is the first seq that the reader may see, `head` the last that there is.
    """
    newest = not wanted.is_forward and (before is not None or after == 0)
    after = max(after, floor - 1)
    end = head + 1 if before is None else min(before, head + 1)
    limit = min(limit, HISTORY_PAGE_MESSAGES_MAX)
    if wanted.around is None:
        return after, end, limit, newest
    # Near either end the other side has the rest.
    low = max(after, min(wanted.around - limit // 2, end - limit) - 1)
    return low, min(end, low + 1 + limit), limit, False


def fit(weights: Sequence[int], budget: int, newest: bool) -> slice:
    """Return which records fit into `budget`: from the end if `newest`; one at least."""
    order = range(len(weights))
    count = 0
    for at in reversed(order) if newest else order:
        budget -= weights[at]
        if budget < 0 and count:
            break
        count += 1
    return slice(len(weights) - count, len(weights)) if newest else slice(0, count)


def fit_around(weights: Sequence[int], budget: int, anchor: int) -> slice:
    """Return which records fit into `budget`: the one at `anchor`, then its neighbours in turn."""
    if not weights:
        return slice(0, 0)
    low = high = min(anchor, len(weights) - 1)
    budget -= weights[low]
    grows = True
    while grows:
        grows = False
        if high + 1 < len(weights) and weights[high + 1] <= budget:
            high, grows = high + 1, True
            budget -= weights[high]
        if low > 0 and weights[low - 1] <= budget:
            low, grows = low - 1, True
            budget -= weights[low]
    return slice(low, high + 1)
