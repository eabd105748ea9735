"""Knows which actors form a group, and who watches it. Must not know other nodes.

After OTP's `pg` (https://www.erlang.org/doc/apps/kernel/pg.html).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from actorchat.actor.lifecycle import require_alive
from actorchat.actor.mailbox import NOTHING, Signal
from actorchat.errors import MailboxFull

if TYPE_CHECKING:
    from collections.abc import Hashable
    from threading import RLock

    from actorchat.actor.ref import LocalRef, Ref

DEFAULT_SCOPE: Final = "pg"
_ALL: Final = object()  # what a monitor of the whole scope watches


@dataclass(frozen=True, slots=True)
class Joined:
    """`refs` joined `group`, each as often as it stands there. For who monitors the group."""

    group: Hashable
    refs: tuple[Ref, ...]
    scope: str = DEFAULT_SCOPE


@dataclass(frozen=True, slots=True)
class Left:
    """`refs` left `group`, or ended, each as often as it stands there."""

    group: Hashable
    refs: tuple[Ref, ...]
    scope: str = DEFAULT_SCOPE


class ChangeSignal(Signal):
    """A Joined or Left on its way; not handled if its monitor was taken back meanwhile.

    A signal, because a watcher whose mailbox dropped one would have a false view for ever.
    """

    __slots__ = ("change", "watch")

    def __init__(self, watch: _Watch, change: Joined | Left) -> None:
        self.watch = watch
        self.change = change

    def unwrap(self, ref: LocalRef) -> object:
        """Return the change."""
        del ref
        return self.change if self.watch.is_on else NOTHING


class Tie(Protocol):
    """What an actor's bonds hold: a group that it is in, or a monitor that it has."""

    def cut(self, ref: LocalRef) -> None:
        """Let go of `ref`, which ends; under the lock."""


class _Group:
    """The members of one group, each with the number of its memberships."""

    __slots__ = ("name", "refs", "scope", "snapshot")

    def __init__(self, scope: Groups, name: Hashable) -> None:
        self.scope = scope
        self.name = name
        self.refs: dict[LocalRef, int] = {}  # in the order of their first joins
        self.snapshot: tuple[LocalRef, ...] | None = None  # None: to be made anew

    def change(self, ref: LocalRef, by: int) -> None:
        """Let `ref` have `by` memberships more; a group without members is none."""
        count = self.refs.get(ref, 0) + by
        self.snapshot = None
        if count:
            self.refs[ref] = count
        else:
            del self.refs[ref]
            if not self.refs:
                del self.scope._groups[self.name]

    def cut(self, ref: LocalRef) -> None:
        count = self.refs[ref]
        self.change(ref, -count)
        self.scope._note(Left, self.name, (ref,) * count)

    def listed(self) -> tuple[LocalRef, ...]:
        if self.snapshot is None:
            refs = self.refs
            if sum(refs.values()) == len(refs):
                self.snapshot = tuple(refs)
            else:
                self.snapshot = tuple(ref for ref, count in refs.items() for _ in range(count))
        return self.snapshot


class _Watch:
    """A monitor of one group, or of all."""

    __slots__ = ("is_on", "ref", "scope", "target")

    def __init__(self, scope: Groups, ref: LocalRef, target: Hashable) -> None:
        self.scope = scope
        self.ref = ref
        self.target = target
        self.is_on = True

    def cut(self, ref: LocalRef) -> None:
        self.is_on = False
        watches = self.scope._watches[self.target]
        del watches[ref]
        if not watches:
            del self.scope._watches[self.target]


class _News:
    """Changes that some watchers have not been told of yet, of all scopes, in their order."""

    __slots__ = ("_is_telling", "_lock", "waiting")

    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._is_telling = False
        self.waiting: deque[ChangeSignal] = deque()

    def tell(self) -> None:
        """Tell all that waits, also what other threads left; afterwards nothing waits.

        Each watcher is told under the lock, by whichever thread comes first, so that two
        changes can't overtake each other; between two the lock is free, so that a change that
        thousands watch stops nobody for long.
        """
        waiting = self.waiting
        while waiting:
            with self._lock:
                if self._is_telling:  # a finalizer amid the lines below: they will go on
                    return
                if not waiting:
                    return
                self._is_telling = True
                try:
                    # Taken out last: who finds nothing waiting may rely on all being told.
                    signal = waiting[0]
                    if signal.watch.is_on:
                        signal.watch.ref._signal(signal)
                finally:
                    waiting.popleft()
                    self._is_telling = False


class Groups:
    """The groups of one scope; `system.groups` is the default one. Safe from any thread.

    A group is anything hashable and exists while it has members. An actor that ends leaves all
    its groups in the same step, before any of its Downs is sent. Watchers see the changes of a
    group in the order in which they happened, and each once.
    """

    __slots__ = ("_groups", "_lock", "_news", "_scopes", "_watches", "name")

    def __init__(self, lock: RLock, name: str = DEFAULT_SCOPE) -> None:
        self.name = name
        self._lock = lock
        self._groups: dict[Hashable, _Group] = {}
        self._watches: dict[Hashable, dict[LocalRef, _Watch]] = {}
        self._news = _News(lock)
        self._scopes: dict[str, Groups] = {name: self}

    def __repr__(self) -> str:
        return f"<Groups {self.name!r} of {len(self._groups)}>"

    def scope(self, name: str) -> Groups:
        """Return the scope called `name`, which has groups of its own; made when first named.

        It stays, so a scope's name belongs into the program and not into its input.
        """
        with self._lock:
            found = self._scopes.get(name)
            if found is None:
                found = Groups(self._lock, name)
                found._news, found._scopes = self._news, self._scopes
                self._scopes[name] = found
            return found

    # -- membership ------------------------------------------------------------------------

    def join(self, group: Hashable, ref: LocalRef) -> None:
        """Make `ref` a member of `group`, once more if it is one already.

        Raises:
            ActorDead: The actor has ended.
            TypeError: `ref` is no ref of a local actor.
            ValueError: The actor lives in another system.
        """
        with self._lock:
            require_alive(ref, self._lock)
            found = self._groups.get(group)
            if found is None:
                found = self._groups[group] = _Group(self, group)
            found.change(ref, 1)
            _ties(ref)[found] = None
            self._note(Joined, group, (ref,))
        self._news.tell()

    def leave(self, group: Hashable, ref: LocalRef) -> bool:
        """Take back one membership; False when there is none (any more)."""
        with self._lock:
            found = self._groups.get(group)
            if found is None or ref not in found.refs:
                return False
            found.change(ref, -1)
            if ref not in found.refs:
                _untie(ref, found)
            self._note(Left, group, (ref,))
        self._news.tell()
        return True

    def members(self, group: Hashable) -> tuple[Ref, ...]:
        """Return the members, in the order in which they first joined.

        One that joined several times stands there as often. `()` when there is no such group.
        """
        return self.local_members(group)

    def local_members(self, group: Hashable) -> tuple[LocalRef, ...]:
        """Return the members that run in this process, like `members`."""
        found = self._groups.get(group)
        if found is None:
            return ()
        snapshot = found.snapshot
        if snapshot is None:
            with self._lock:
                snapshot = found.listed()
        return snapshot

    def which_groups(self) -> tuple[Hashable, ...]:
        """Return the groups, the oldest first. None is empty."""
        with self._lock:
            return tuple(self._groups)

    def tell(self, group: Hashable, message: Any) -> int:
        """Tell every member, as often as it joined; return how often it was told.

        A full mailbox that refuses does not keep the message from the others; it is counted by
        `system.dead_letters.refused` alone.
        """
        told = 0
        for ref in self.members(group):  # which need not be refs of this process
            try:
                ref.tell(message)
            except MailboxFull:
                continue
            told += 1
        return told

    # -- watching --------------------------------------------------------------------------

    def monitor(self, ref: LocalRef, group: Hashable) -> tuple[Ref, ...]:
        """Have `ref` told of all later changes of `group`; return the members there are now.

        It is told with `Joined` and `Left`, as ordinary messages. The group need not exist. To
        monitor it once more begins anew: changes that wait in the mailbox are in the returned
        members already and are not handled.

        Raises:
            ActorDead: The actor has ended.
            TypeError: `ref` is no ref of a local actor.
            ValueError: The actor lives in another system, or monitors the whole scope.
        """
        with self._lock:
            require_alive(ref, self._lock)
            if ref in self._watches.get(_ALL, ()):
                msg = f"{ref!r} monitors all groups of {self.name!r}"
                raise ValueError(msg)
            self._unwatch(ref, group)
            self._watch(ref, group)
            return self.members(group)

    def demonitor(self, ref: LocalRef, group: Hashable) -> bool:
        """Take a monitor back: no change will be handled, not even one that waits already.

        Returns False when there is no such monitor (any more).
        """
        with self._lock:
            return self._unwatch(ref, group)

    def monitor_scope(self, ref: LocalRef) -> dict[Hashable, tuple[Ref, ...]]:
        """Have `ref` told of the changes of every group; return the members of all.

        Takes the place of its monitors of single groups. Raises as `monitor` does.
        """
        with self._lock:
            require_alive(ref, self._lock)
            for tie in list(_ties(ref)):
                if isinstance(tie, _Watch) and tie.scope is self:
                    self._unwatch(ref, tie.target)
            self._watch(ref, _ALL)
            return {name: self.members(name) for name in self._groups}

    def demonitor_scope(self, ref: LocalRef) -> bool:
        """Take the monitor of the scope back; see `demonitor`."""
        with self._lock:
            return self._unwatch(ref, _ALL)

    # -- for the runtime -------------------------------------------------------------------

    def release(self, ref: LocalRef) -> None:
        """Take an actor that ends out of its groups and monitors, in all scopes.

        The caller holds the system's lock and calls `tell_watchers` when it has let it go.
        """
        bonds = ref._bonds
        if bonds is not None and bonds.groups is not None:
            ties, bonds.groups = bonds.groups, None
            for tie in ties:
                tie.cut(ref)

    def tell_watchers(self) -> None:
        """Tell the watchers, of all scopes, of what they have not been told yet."""
        self._news.tell()

    def _note(self, kind: type[Joined | Left], group: Hashable, refs: tuple[Ref, ...]) -> None:
        watches = [
            watch
            for target in (group, _ALL)
            for watch in self._watches.get(target, _NO_WATCHES).values()
        ]
        if watches:
            change = kind(group, refs, self.name)
            self._news.waiting.extend([ChangeSignal(watch, change) for watch in watches])

    def _watch(self, ref: LocalRef, target: Hashable) -> None:
        watch = _Watch(self, ref, target)
        self._watches.setdefault(target, {})[ref] = watch
        _ties(ref)[watch] = None

    def _unwatch(self, ref: LocalRef, target: Hashable) -> bool:
        watch = self._watches.get(target, _NO_WATCHES).get(ref)
        if watch is None:
            return False
        watch.cut(ref)
        _untie(ref, watch)
        return True


_NO_WATCHES: dict[LocalRef, _Watch] = {}


def _ties(ref: LocalRef) -> dict[Tie, None]:
    bonds = ref._bond()
    if bonds.groups is None:
        bonds.groups = {}
    return bonds.groups


def _untie(ref: LocalRef, tie: Tie) -> None:
    bonds = ref._bonds
    if bonds is not None and bonds.groups is not None:
        del bonds.groups[tie]
        if not bonds.groups:
            bonds.groups = None
