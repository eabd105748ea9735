"""Knows which local actor has which name or number. Must not know other nodes."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, WeakValueDictionary

from actorchat.actor.reason import NOPROC
from actorchat.errors import ActorDead, NameTaken

if TYPE_CHECKING:
    from threading import RLock

    from actorchat.actor.ref import LocalRef


class Names:
    """Names of actors; a name is free again when its actor ends. Safe from any thread."""

    __slots__ = ("_lock", "_refs")

    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._refs: dict[str, LocalRef] = {}

    def __len__(self) -> int:
        return len(self._refs)

    def register(self, name: str, ref: LocalRef) -> None:
        """Let `name` stand for `ref`. An actor has one name at a time.

        Raises:
            NameTaken: Another actor has the name, or this one has another.
            ActorDead: The actor has ended.
        """
        with self._lock:
            holder = self._refs.get(name)
            if holder is ref:
                return
            if holder is not None:
                msg = f"{name!r} is {holder!r}"
                raise NameTaken(msg)
            if not ref._limit:
                msg = f"{ref!r} has ended and can't be registered as {name!r}"
                raise ActorDead(msg, NOPROC)
            bonds = ref._bond()
            if bonds.name is not None:
                msg = f"{ref!r} can't be registered as {name!r} too"
                raise NameTaken(msg)
            bonds.name = name
            self._refs[name] = ref

    def whereis(self, name: str) -> LocalRef | None:
        """Return the actor called `name`, or None."""
        return self._refs.get(name)

    def unregister(self, name: str) -> None:
        """Free `name`; nothing if nobody has it."""
        with self._lock:
            ref = self._refs.pop(name, None)
            if ref is not None and ref._bonds is not None:
                ref._bonds.name = None

    def release(self, ref: LocalRef) -> None:
        """Free the name of an actor that ends; its label keeps it, for who reads the logs."""
        if ref._bonds is not None and ref._bonds.name is not None:
            with self._lock:
                if self._refs.get(ref._bonds.name) is ref:
                    del self._refs[ref._bonds.name]


class Numbers:
    """Short numbers of actors, from 1, for people to type. Safe from any thread.

    One is given when it is first asked for, so that actors which nobody looks at have none; it
    is never given to another, and forgotten with the last trace of its actor.
    """

    __slots__ = ("_lock", "_next", "_numbers", "_refs")

    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._next = itertools.count(1)
        self._numbers: WeakKeyDictionary[LocalRef, int] = WeakKeyDictionary()
        self._refs: WeakValueDictionary[int, LocalRef] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._numbers)

    def of(self, ref: LocalRef) -> int:
        """Return the number of `ref`."""
        with self._lock:
            number = self._numbers.get(ref)
            if number is None:
                number = self._numbers[ref] = next(self._next)
                self._refs[number] = ref
            return number

    def whose(self, number: int) -> LocalRef | None:
        """Return the actor that was given `number`, or None."""
        with self._lock:
            return self._refs.get(number)
