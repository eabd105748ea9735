"""Knows which layout a store was written with, and refuses a newer one. Must not know engines."""

from __future__ import annotations

from actorchat.errors import StoreCorrupt, StoreTooNew
from actorchat.store import keys, values
from actorchat.store.engine import FAMILIES, Engine

# Sorts after every key there can be: the slot 0xffff is the last, and its only owner is the node.
_END = b"\xff" * (keys.OWNER_BYTES + 1)


def claim(engine: Engine) -> int:
    """Return the layout version of the store, and write it if the store is new.

    Raises:
        StoreTooNew: A later program wrote this store.
        StoreCorrupt: There are rows, but none that says how to read them.
    """
    state = engine.family("state")
    row = engine.get(keys.FORMAT_KEY, state)
    if row is not None:
        version = values.unpack_format(row)
        if version > keys.LAYOUT_VERSION:
            raise StoreTooNew(version, keys.LAYOUT_VERSION)
        return version
    for name in FAMILIES:
        if engine.scan(engine.family(name), b"", _END, limit=1):
            raise StoreCorrupt(f"the store has rows in {name}, but no format row")
    batch = engine.batch()
    batch.put(keys.FORMAT_KEY, values.pack_format(keys.LAYOUT_VERSION), state)
    engine.write(batch)
    # Before anything else is written, so that no crash can leave rows without it.
    engine.sync()
    return keys.LAYOUT_VERSION
