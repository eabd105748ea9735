"""Knows how a node says that it is there, and who is. Must not know slots or links.

`/members/NAME` is an ephemeral entry; the revision at which it was made is the node's incarnation.
A process that lost its session makes another entry and says there which incarnation it is: it is
still the same, with the same links.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from actorchat import logs
from actorchat.cluster.registry import (
    Connected,
    EntryExists,
    Event,
    Recovered,
    Registry,
    child_of,
    create,
    ensure,
)
from actorchat.cluster.slots import Member
from actorchat.cluster.upkeep import Upkeep
from actorchat.errors import MalformedFrame
from actorchat.ids import is_name
from actorchat.protocol import codec

log = logs.logger(__name__)

MEMBERS = "/members"


def member_out(member: Member) -> bytes:
    """Return a member as its entry's value; its name is the entry's own.

    So is its incarnation, unless it has one: 0 stands for the revision of the entry.
    """
    return codec.encode(
        {
            "zone": member.zone,
            "region": member.region,
            "capacity": member.capacity,
            "address": member.address,
            "key": member.key,
            "leads": member.leads,
            "process": member.incarnation,
        }
    )


def member_in(name: str, value: bytes, incarnation: int) -> Member:
    """Return the member that an entry describes.

    Raises:
        MalformedFrame: It describes none.
    """
    found = codec.decode(value)
    process = found.pop("process", 0) or incarnation
    said = {**found, "name": name, "incarnation": process, "is_up": True}
    try:
        member = msgspec.convert(said, Member)
    except msgspec.ValidationError as error:
        raise MalformedFrame(f"no member: {error}") from None
    if not is_name(name) or not 0 < member.capacity < 1e6:
        raise MalformedFrame("no member: its name or its capacity")
    return member


async def read_members(registry: Registry) -> list[Member]:
    """Return who is there now, by name. An entry that describes no member is passed over."""
    found = []
    for name in await registry.children(MEMBERS):
        entry = await registry.get(child_of(MEMBERS, name))
        if entry is None:
            continue  # it has gone meanwhile
        try:
            found.append(member_in(name, entry.value, entry.created))
        except MalformedFrame as error:
            log.warning("not a member", name=name, reason=str(error))
    return found


class Registration:
    """Keeps one node's entry in place, session after session.

    `incarnation` is 0 until the entry is there, and again when the session was lost; `process` is
    the first that it was, which stays. A name that another session still holds, most likely this
    node's own before a crash, is waited for.
    """

    def __init__(
        self, registry: Registry, member: Member, on_registered: Callable[[int], object]
    ) -> None:
        self.incarnation = 0
        self.process = 0
        self._registry = registry
        self._member = member
        self._on_registered = on_registered
        self._path = child_of(MEMBERS, member.name)
        self._is_watching = False
        self._upkeep = Upkeep("registration", self._see_to_it)

    def start(self) -> None:
        """Begin; the registry may be out of reach."""
        self._registry.on_event(self._on_event)
        self._upkeep.poke()

    async def close(self) -> None:
        """Stop seeing to it; the entry goes with the session."""
        await self._upkeep.close()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Connected | Recovered):
            if isinstance(event, Connected):
                self.incarnation = 0
            self._upkeep.poke()

    async def _see_to_it(self) -> None:
        registry = self._registry
        if not self._is_watching:
            await ensure(registry, MEMBERS)
            await registry.watch(self._path, self._upkeep.poke)
            self._is_watching = True
        try:
            await create(registry, self._path, member_out(self._member), ephemeral=True)
        except EntryExists:
            pass
        entry = await registry.get(self._path)
        if entry is None or entry.owner != registry.session:
            log.debug("the name is held by an older session", name=self._member.name)
            return  # the watch tells when it has gone
        if entry.created != self.incarnation:
            self.incarnation = entry.created
            self.process = self.process or entry.created
            self._member = msgspec.structs.replace(self._member, incarnation=self.process)
            self._on_registered(entry.created)
