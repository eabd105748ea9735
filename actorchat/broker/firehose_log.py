"""Knows the rows of the firehose, both ways, and how positions get into the log.
Must not know who reads or why.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from actorchat import logs
from actorchat.broker.reading import Reading
from actorchat.chat.aside import shown_to
from actorchat.chat.firehose_event import HookRow, Item, Place
from actorchat.errors import InvalidOp, MalformedFrame, StoreCorrupt
from actorchat.ids import other_of
from actorchat.limits import EVENTS_PAGE_BYTES_MAX, GROUP_PAGE_ITEMS_MAX
from actorchat.protocol import codec, rich
from actorchat.store import keys, kinds

if TYPE_CHECKING:
    from actorchat.broker.archive import Archive
    from actorchat.store.committer import Put
    from actorchat.store.engine import Engine, Op

log = logs.logger(__name__)

_T = TypeVar("_T")
_READERS = keys.NODE_OWNER + kinds.EVENT_READER
_PLACES = keys.NODE_OWNER + kinds.EVENT_PLACE
_ROWS_AT_ONCE = 256  # looked at in one go, at 5 µs each
_TRIM_ROWS = 1_024


class Grant(msgspec.Struct):
    """What a bot may read, as it is kept."""

    kinds: list[str]


class FirehoseLog:
    """The events of one node: a row for each record that was stored while somebody reads them.

    The row is in the record's own batch, and so are its positions in the order of the log. It only
    says where the record is.
    """

    __slots__ = (
        *("_archive", "_get", "_history", "_is_told", "_scan", "_sent", "_state", "_tell"),
        "head",
    )

    def __init__(self, engine: Engine, archive: Archive) -> None:
        self._archive = archive
        self._get = engine.get
        self._scan = engine.scan
        self._history = engine.family("history")
        self._sent = engine.family("sent")
        self._state = engine.family("state")
        self._tell: Callable[[], object] = _nobody
        self._is_told = False
        self.head = 0  # the last position that was given out

    # -- into the log ------------------------------------------------------------------------------
    def begin(self, tell: Callable[[], object]) -> None:
        """Give out positions behind all that there are; `tell` once when there are new ones."""
        self.head = max(self.head, self.last())
        self._tell = tell
        self._is_told = False

    def take(self) -> int:
        """Return the last position; from now on `tell` is called again."""
        self._is_told = False
        return self.head

    def tap(self, put: Put) -> Put:
        """Return a `put` that notes each record; the committer's `Tap`."""
        history, sent, state, key_of = self._history, self._sent, self._state, keys.event_key
        record = b""

        def tapped(key: bytes, value: bytes, family: object) -> None:
            nonlocal record
            put(key, value, family)
            if family is history:
                record = key
            elif family is sent and record:
                # What is written anew, by an act or for its time, has no client id behind it.
                at, record = record, b""
                self.head = head = self.head + 1
                put(key_of(head), at, state)
                if not self._is_told:
                    self._is_told = True
                    self._tell()

        return tapped

    # -- out of the log ----------------------------------------------------------------------------
    def last(self) -> int:
        """Return the last position that there is, or that a reader has; 0 if there is none."""
        rows = self._scan(self._state, *keys.prefix_range(keys.EVENT_PREFIX), 1, True)
        last = keys.parse_event_key(rows[0][0]) if rows else 0
        return max([last, *(place.position for place in self.places().values())])

    def first(self) -> int:
        """Return the first position that there is; 0 if there is none."""
        rows = self._scan(self._state, *keys.prefix_range(keys.EVENT_PREFIX), 1)
        return keys.parse_event_key(rows[0][0]) if rows else 0

    def read(
        self, after: int, upto: int, limit: int, kinds: list[str], now_wall_ms: int = 0
    ) -> tuple[int, list[Item]]:
        """Return events in (after, upto], and up to which position that is all of `kinds`.

        They are as they are shown now: what is gone or over comes without its text.
        """
        reading = Reading(self._archive, now_wall_ms)
        start, stop = keys.event_key(after + 1), keys.event_key(upto + 1)
        rows = self._scan(self._state, start, stop, _ROWS_AT_ONCE)
        found: list[Item] = []
        bytes_left, items_left = EVENTS_PAGE_BYTES_MAX, GROUP_PAGE_ITEMS_MAX
        for key, at in rows:
            position = keys.parse_event_key(key)
            value = self._get(at, self._history)
            if value is None:  # the record is not kept any more
                after = position
                continue
            record = keys.unpack_history(value)[1]
            item = self._item(position, at, record, reading)
            if item is not None and item["kind"] in kinds:
                bytes_left -= len(record)
                # As a page of history counts them: whom a change names is an item each.
                items_left -= 50 + len(record) // 2 if item["kind"] == "change" else 25
                items_left -= rich.count_items(record) if rich.is_rich(record) else 0
                if found and (bytes_left < 0 or items_left < 0 or len(found) >= limit):
                    return after, found
                found.append(item)
            after = position
        return (after if len(rows) == _ROWS_AT_ONCE else upto), found

    def _item(self, position: int, at: bytes, record: bytes, reading: Reading) -> Item | None:
        """Return the event; None for what is no record, on which all readers would be stuck."""
        conversation, _ = keys.parse_history_key(at)
        try:
            said: dict[str, Any] = codec.decode(reading.shown(conversation, record))
            sender = str(said["from"])
        except (MalformedFrame, InvalidOp, KeyError):
            log.error("event that is no record passed over", position=position)
            return None
        kind = next((kind for kind in ("change", "act") if kind in said), "message")
        item: Item = {"id": position, "kind": kind, **said}
        if "reactions" in said:
            item["reactions"] = shown_to(said["reactions"], "")
        act = said.get("act")
        if "conv" not in said and not (isinstance(act, dict) and act.get("between")):
            pair = self._archive.members(conversation)
            if pair is None or sender not in pair:
                log.error("event of an unknown conversation passed over", position=position)
                return None
            item["to"] = other_of(pair, sender)
        return item

    def drop_range(
        self, upto: int, before_wall_ms: float
    ) -> tuple[int, tuple[object, bytes, bytes]] | None:
        """Return the rows up to `upto`, and those of before a time; never the last one.

        As (last position, (family, start, stop)), None if there is nothing to drop.
        """
        start, stop = keys.prefix_range(keys.EVENT_PREFIX)
        rows = self._scan(self._state, start, stop, _TRIM_ROWS)
        # The last of them that has a record; what has none says nothing of when it was.
        last = next(((key, ts) for key, at in reversed(rows) if (ts := self._ts(at))), None)
        if last is not None and last[1] < before_wall_ms:
            upto = max(upto, keys.parse_event_key(last[0]))
        end = min(upto, self.last() - 1)
        if not rows or end < keys.parse_event_key(rows[0][0]):
            return None
        return end, (self._state, start, keys.event_key(end + 1))

    def _ts(self, at: bytes) -> float:
        value = self._get(at, self._history)
        if value is None:
            return 0
        try:
            return float(codec.decode(keys.unpack_history(value)[1])["ts"])
        except (MalformedFrame, KeyError):
            return 0

    # -- readers -----------------------------------------------------------------------------------
    def hooks(self) -> list[tuple[HookRow, Place]]:
        """Return all hooks, each with its place."""
        places = self.places()
        return [
            (_read(value, HookRow), places.get(reader) or Place(self.last()))
            for reader, value in self._rows(_READERS).items()
            if reader.startswith("hook/")
        ]

    def bots(self) -> dict[str, tuple[list[str], Place]]:
        """Return who may read events: bot → (kinds, place)."""
        places = self.places()
        return {
            reader.removeprefix("bot/"): (
                _read(value, Grant).kinds,
                places.get(reader) or Place(self.last()),
            )
            for reader, value in self._rows(_READERS).items()
            if reader.startswith("bot/")
        }

    def places(self) -> dict[str, Place]:
        """Return how far each reader is."""
        return {reader: _read(value, Place) for reader, value in self._rows(_PLACES).items()}

    def hook_rows(self, row: HookRow, place: Place) -> tuple[Op, ...]:
        """Return the rows of a hook and its place."""
        reader = f"hook/{row.name}"
        value = codec.encode(msgspec.to_builtins(row))
        return ((self._state, _READERS + reader.encode(), value), self.place_row(reader, place))

    def no_hook(self, name: str) -> tuple[Op, ...]:
        """Return the changes that forget a hook."""
        reader = f"hook/{name}".encode()
        return ((self._state, _READERS + reader, None), (self._state, _PLACES + reader, None))

    def grant_rows(self, user: str, kinds: list[str]) -> tuple[Op, ...]:
        """Return the rows that let a bot read events of `kinds`, or, of none, no more."""
        reader = f"bot/{user}".encode()
        if kinds:
            return ((self._state, _READERS + reader, codec.encode(Grant(kinds))),)
        return ((self._state, _READERS + reader, None), (self._state, _PLACES + reader, None))

    def place_row(self, reader: str, place: Place) -> Op:
        """Return the row of how far a reader is."""
        return (self._state, _PLACES + reader.encode(), codec.encode(msgspec.to_builtins(place)))

    def _rows(self, prefix: bytes) -> dict[str, bytes]:
        rows = self._scan(self._state, *keys.prefix_range(prefix))
        return {key[len(prefix) :].decode(): value for key, value in rows}


def _nobody() -> None:
    """Stand in for whoever is told."""


def _read(value: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.convert(codec.decode(value), kind)
    except (MalformedFrame, msgspec.ValidationError) as error:
        raise StoreCorrupt(f"bad row of a reader of events: {error}") from error
