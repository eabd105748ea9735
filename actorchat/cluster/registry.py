"""Knows what every registry can do, its words and its errors. Must not know any back end.

A tree of small entries, as ZooKeeper's: a path, a value, a version. Sessions with a timeout own
*ephemeral* entries, which go when the session does. All changes have one order, `revision`.

    connected ──► suspended ──► recovered      the same session; its ephemeral entries are there
                      └───────► lost ──► connected   a new session; all that it owned is gone

What holds for every back end, and is tested against each:

* A write that returned is durable and seen by every read that begins after it on the same session.
* `multi` does all of its operations or none.
* A call that can't be answered raises `RegistryAway`; `outcome` says whether it may have been done.
  Then read back before trying again: versions and owners tell.
* Watches tell that something changed, never what, and may tell once for several changes. They are
  told after every recovery as well, since anything may have been missed.
* Versions start at 0 and begin anew when an entry is made again: what fences must be an entry that
  is never deleted, or `created`, which only grows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal, Protocol, TypeAlias

import msgspec

from actorchat.errors import ActorchatError, Outcome, Retry, Unavailable
from actorchat.limits import (
    REGISTRY_LEASE_SHARE,
    REGISTRY_OPS_MAX,
    REGISTRY_PATH_CHARS_MAX,
    REGISTRY_VALUE_BYTES_MAX,
)

State = Literal["connecting", "connected", "suspended", "lost", "closed"]

_PATH = re.compile(r"/|(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]{1,80}){1,8}")
SEQUENCE_DIGITS = 10


# -- what there is ------------------------------------------------------------------------------


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One entry as it was read.

    `created` and `changed` are revisions: they grow over the whole registry, so the one of a
    member's entry is its incarnation. `owner` is the session of an ephemeral entry, else 0.
    """

    path: str
    value: bytes
    version: int
    created: int
    changed: int
    owner: int = 0


class Create(msgspec.Struct, frozen=True, gc=False):
    """Make an entry under a parent that is there; `sequential` appends ten digits that grow."""

    path: str
    value: bytes = b""
    ephemeral: bool = False
    sequential: bool = False


class Put(msgspec.Struct, frozen=True, gc=False):
    """Replace the value, if the version is `version` or that is None."""

    path: str
    value: bytes
    version: int | None = None


class Delete(msgspec.Struct, frozen=True, gc=False):
    """Take away an entry without children, if the version is `version` or that is None."""

    path: str
    version: int | None = None


class Check(msgspec.Struct, frozen=True, gc=False):
    """Go on only if the entry is there with this version; None: with any."""

    path: str
    version: int | None = None


Op: TypeAlias = Create | Put | Delete | Check
Result: TypeAlias = str | int | None  # the path made, the new version, nothing

# -- what is told about the session -------------------------------------------------------------


class Connected(msgspec.Struct, frozen=True, gc=False):
    """A new session has begun, the first one or after `Lost`: register again."""

    session: int


class Suspended(msgspec.Struct, frozen=True, gc=False):
    """The registry is out of reach; the session may live. Hold on until `lease_end_s`."""


class Recovered(msgspec.Struct, frozen=True, gc=False):
    """In reach again with the same session; ephemeral entries are still there."""

    session: int


class Lost(msgspec.Struct, frozen=True, gc=False):
    """The session has ended there: what it owned is gone and may be another's by now."""

    session: int


Event: TypeAlias = Connected | Suspended | Recovered | Lost


# -- what can go wrong --------------------------------------------------------------------------


class RegistryAway(Unavailable):
    """No answer: `outcome` is `none` if it was certainly not done, else `unknown`."""

    code = "registry_away"

    def __init__(self, text: str, outcome: Outcome = "unknown") -> None:
        super().__init__(text)
        self.outcome = outcome  # type: ignore[misc]


class SessionLost(RegistryAway):
    """The session ended before the answer."""

    code = "session_lost"
    retry = "reconnect"


class RegistryClosed(RegistryAway):
    """This end was closed."""

    code = "registry_closed"
    retry = "never"


class RegistryRefusal(ActorchatError):
    """A refusal by the rules; nothing was done. `index` is the operation's place in its multi."""

    code = "conflict"
    retry: ClassVar[Retry] = "now"

    def __init__(self, path: str, index: int = 0) -> None:
        super().__init__(path)
        self.path = path
        self.index = index


class BadVersion(RegistryRefusal):
    """Somebody else has changed the entry: read it again."""

    code = "bad_version"


class NoEntry(RegistryRefusal):
    """There is no such entry, or the parent of one to be made is missing."""

    code = "no_entry"


class EntryExists(RegistryRefusal):
    """There is one already."""

    code = "entry_exists"


class NotEmpty(RegistryRefusal):
    """An entry with children can't be deleted."""

    code = "not_empty"


class EphemeralParent(RegistryRefusal):
    """An ephemeral entry has no children."""

    code = "ephemeral_parent"
    retry = "never"


class BadRequest(RegistryRefusal):
    """A path, a value or a number of operations is out of bounds."""

    code = "bad_request"
    retry = "never"


class NotAllowed(RegistryRefusal):
    """The registry does not let this node in: another key, another protocol."""

    code = "not_allowed"
    retry = "never"


REFUSALS: dict[str, type[RegistryRefusal]] = {
    cls.code: cls
    for cls in (
        BadVersion, NoEntry, EntryExists, NotEmpty, EphemeralParent, BadRequest, NotAllowed,
    )
}  # fmt: skip


# -- the port -----------------------------------------------------------------------------------


class Registry(Protocol):
    """One session with a registry. Everything belongs to one event loop's thread."""

    @property
    def state(self) -> State:
        """How it stands with the session."""
        ...

    @property
    def session(self) -> int:
        """The session's id, which owns its ephemeral entries; 0 before there is one."""
        ...

    @property
    def lease_end_s(self) -> float:
        """Until when, in the loop's time, this session's holder may act on what it owns.

        Two thirds of the session's timeout after the last request that was answered was *sent*.
        Past it, stop acking whatever `state` says: the registry may count the session as ended.
        """
        ...

    def on_event(self, callback: Callable[[Event], object]) -> None:
        """Have `callback` told what becomes of the session, in order; it must not block."""
        ...

    async def start(self) -> None:
        """Begin, and wait for the first session.

        Raises:
            RegistryAway: None in time; nothing is left running.
            NotAllowed: The registry does not let this node in.
        """
        ...

    async def close(self) -> None:
        """End the session: what it owns goes at once, if the registry can be told."""
        ...

    async def get(self, path: str) -> Entry | None:
        """Return the entry, None where there is none."""
        ...

    async def children(self, path: str) -> list[str]:
        """Return the names right below `path`, sorted.

        Raises:
            NoEntry: There is no such path.
        """
        ...

    async def multi(self, ops: Sequence[Op]) -> list[Result]:
        """Do all of `ops`, in order, or none.

        Raises:
            RegistryRefusal: One can't be done; `index` says which.
            RegistryAway: Nobody knows, or nothing was done: see `outcome`.
        """
        ...

    async def watch(
        self, path: str, notify: Callable[[str], object], *, children: bool = False
    ) -> Callable[[], None]:
        """Have `notify(path)` called after changes of the entry, or of the names below it.

        An entry that is not there can be watched, its children can't.

        Returns:
            What ends it.

        Raises:
            NoEntry: There is no such path below which to watch.
        """
        ...


async def create(
    registry: Registry,
    path: str,
    value: bytes = b"",
    *,
    ephemeral: bool = False,
    sequential: bool = False,
) -> str:
    """Make one entry; return its path."""
    (made,) = await registry.multi([Create(path, value, ephemeral, sequential)])
    assert isinstance(made, str)
    return made


async def put(registry: Registry, path: str, value: bytes, version: int | None = None) -> int:
    """Replace one value; return its new version."""
    (now,) = await registry.multi([Put(path, value, version)])
    assert isinstance(now, int)
    return now


async def delete(registry: Registry, path: str, version: int | None = None) -> None:
    """Take one entry away."""
    await registry.multi([Delete(path, version)])


async def ensure(registry: Registry, path: str) -> None:
    """See to it that `path` and all above it are there, made empty where they are not."""
    check_path(path)
    parts = path.strip("/").split("/") if path != "/" else []
    for count in range(1, len(parts) + 1):
        above = "/" + "/".join(parts[:count])
        if await registry.get(above) is None:
            try:
                await create(registry, above)
            except EntryExists:
                pass


# -- what may be asked --------------------------------------------------------------------------


def parent_of(path: str) -> str:
    """Return the path above `path`; `/` is its own."""
    return path.rpartition("/")[0] or "/"


def name_of(path: str) -> str:
    """Return the last part of `path`."""
    return path.rpartition("/")[2]


def child_of(path: str, name: str) -> str:
    """Return the path of `name` below `path`."""
    return f"{path if path != '/' else ''}/{name}"


def check_path(path: str, index: int = 0) -> None:
    """Raise `BadRequest` unless `path` is `/` or up to eight names of letters, digits, `._-`."""
    if len(path) > REGISTRY_PATH_CHARS_MAX or _PATH.fullmatch(path) is None:
        raise BadRequest(repr(path[:REGISTRY_PATH_CHARS_MAX]), index)


def check_ops(ops: Sequence[Op]) -> None:
    """Raise `BadRequest` for what no registry would take."""
    if not 1 <= len(ops) <= REGISTRY_OPS_MAX:
        raise BadRequest(f"{len(ops)} operations, from 1 to {REGISTRY_OPS_MAX}")
    for index, op in enumerate(ops):
        check_path(op.path, index)
        if op.path == "/" and not isinstance(op, Check):
            raise BadRequest("/", index)
        if isinstance(op, Create | Put) and len(op.value) > REGISTRY_VALUE_BYTES_MAX:
            raise BadRequest(f"{op.path}: a value of {len(op.value)} bytes", index)


class Lease:
    """Until when a session's holder may act, by its own clock alone."""

    __slots__ = ("end_s", "timeout_s")

    def __init__(self) -> None:
        self.timeout_s = 0.0
        self.end_s = 0.0

    def renew(self, sent_s: float) -> None:
        """Note that what was sent at `sent_s` was answered; an older answer shortens nothing."""
        self.end_s = max(self.end_s, sent_s + self.timeout_s * REGISTRY_LEASE_SHARE)

    def begin(self, timeout_s: float, sent_s: float) -> None:
        """Start anew with the timeout that the registry granted."""
        self.timeout_s = timeout_s
        self.end_s = sent_s + timeout_s * REGISTRY_LEASE_SHARE

    def drop(self) -> None:
        """Let go at once: the session is over."""
        self.end_s = 0.0
