"""Knows what the sweep of a store would let go now, by reading everything once.
Must not know how anything goes.
"""

from __future__ import annotations

from actorchat.broker.archive import Archive
from actorchat.broker.group_log import GroupLog
from actorchat.broker.retention import RetentionLog, Totals
from actorchat.chat.retention import Policy, droppable, expired_upto, measure
from actorchat.store.engine import Engine

_ALL = 2**62


def forecast(engine: Engine, policy: Policy, now_wall_ms: int) -> tuple[Totals, Totals]:
    """Return what was let go since the store was made, and what is due to go.

    Cost: reads each user's and conversation's rows whole, one after the other.
    """
    archive = Archive(engine)
    rows = RetentionLog(engine, archive, GroupLog(engine))
    messages = size = updates = 0
    after = b""
    while (owner := rows.next_owner(after)) is not None:
        after = owner.key
        if owner.user is not None:
            trimmed = rows.trimmed(after)
            lines = rows.updates(after, trimmed, _ALL)
            updates += max(0, expired_upto(policy, lines, now_wall_ms) - trimmed)
        elif owner.conv is not None and policy.drops_history:
            ledger = rows.ledger(after)
            lines = [line for line, _ in rows.records(after, ledger.first, _ALL)]
            measure(ledger, lines)
            head = lines[-1].position if lines else 0
            count = droppable(policy, ledger, lines, head, archive.owed(after), now_wall_ms)
            messages += count
            size += sum(line.size for line in lines[:count])
    return rows.progress()[1], Totals(messages, size, updates)
