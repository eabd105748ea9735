"""Knows one peer: what is told it, what it tells, and who here waits for it.

Must not know sockets, or what the messages mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from actorchat.actor import LocalRef, Reply, tell_all
from actorchat.actor.monitor import unwatch_from_afar, watch_from_afar
from actorchat.actor.reason import NOPROC
from actorchat.cluster import link_frame as wire
from actorchat.cluster.link import Lane, PeerAddress
from actorchat.cluster.link_frame import (
    TELL,
    Head,
    pack_item,
    pack_named,
    pack_spread,
    parse_items,
    split_spread,
)
from actorchat.cluster.link_machine import (
    Deliver,
    Dial,
    Down,
    Effect,
    Leave,
    LinkMachine,
    Up,
)
from actorchat.cluster.remote import NOCONNECTION, RemoteRef
from actorchat.errors import (
    ActorchatError,
    ActorDead,
    MailboxFull,
    MalformedFrame,
    StaleEpoch,
    Unsendable,
)

if TYPE_CHECKING:
    from actorchat.cluster.mesh import Mesh

LINGER_S = 0.5  # for libzmq to pass on what it took of a link that ends
MALFORMED = "malformed"


class Peer:
    """A link and all that goes over it. What is sent may come from any thread."""

    def __init__(self, mesh: Mesh, name: str, address: PeerAddress) -> None:
        self.name = name
        self.address = address
        self.machine = LinkMachine(
            mesh.node, mesh.incarnation, name, mesh.system.rng.random, mesh.lanes
        )
        self._mesh = mesh
        self._codec = mesh.codec
        self._post = mesh.system.dispatcher.post
        self._now_s = mesh.system.dispatcher.now_s
        self._lane: Lane | None = None
        self._is_due = False
        self._is_blocked = False
        self._generation = 0  # of the link: answers of an earlier one are not sent
        self._calls: dict[int, Reply[Any]] = {}  # of actors here, that wait for the peer
        self._watches: dict[int, Callable[[object], None]] = {}  # by mref, of actors here
        self._watched: dict[int, tuple[LocalRef, int]] = {}  # by the peer's mref

    # -- out: any thread -------------------------------------------------------------------------
    def reaches(self, ref: RemoteRef) -> bool:
        """Say whether what is told `ref` now would be sent."""
        machine = self.machine
        return machine.takes and ref.incarnation in {0, machine.peer_incarnation}

    def tell(self, ref: RemoteRef, message: object) -> None:
        """See `RemoteRef.tell`."""
        code, payload = self._codec.encode(message)
        machine = self.machine
        if not machine.takes or (
            ref.incarnation != machine.peer_incarnation and ref.incarnation != 0
        ):
            self._mesh.drop(NOCONNECTION)
            return
        if ref.name is None:
            machine.offer(pack_item(TELL, ref.number, 0, code, payload, ref.epoch))
        else:
            machine.offer(pack_named(TELL, ref.name.encode(), 0, code, payload, ref.epoch))
        if not self._is_due:
            self._is_due = True
            self._post(self.flush)

    def spread(self, refs: list[RemoteRef], code: int, payload: bytes, epoch: int) -> None:
        """Tell all of `refs`, which have numbers, one message in one item."""
        pids = [ref.number for ref in refs if self.reaches(ref)]
        if len(pids) < len(refs):
            self._mesh.drop(NOCONNECTION, len(refs) - len(pids))
        if pids:
            self.machine.offer(pack_spread(pids, code, payload, epoch))
            self._flush_soon()

    def call(self, ref: RemoteRef, message: object, reply: Reply[Any]) -> None:
        """See `RemoteRef.call`; the caller sees to the deadline."""
        calls, number = self._calls, next(self._mesh.numbers)
        generation = self._generation
        try:
            code, payload = self._codec.encode(message)
            if not self.reaches(ref):
                raise ref.dead()
            if ref.name is None:
                item = pack_item(wire.CALL, ref.number, number, code, payload, ref.epoch)
            else:
                item = pack_named(wire.CALL, ref.name.encode(), number, code, payload, ref.epoch)
            calls[number] = reply
            reply.on_settled(lambda _settled: calls.pop(number, None))
            self.machine.offer(item)
        except ActorchatError as error:
            reply.settle(None, error)
            return
        self._flush_soon()
        if generation != self._generation or not self.machine.takes:  # meanwhile, seen by a thread
            reply.settle(None, ref.dead())

    def watch(self, ref: RemoteRef, mref: int, owe: Callable[[object], None]) -> None:
        """See `RemoteRef.watch`."""
        if not self.reaches(ref):
            owe(NOCONNECTION)
            return
        generation = self._generation
        self._watches[mref] = owe
        if ref.name is None:
            self._urge(pack_item(wire.MONITOR, ref.number, mref))
        else:
            self._urge(pack_named(wire.MONITOR, ref.name.encode(), mref))
        if generation != self._generation or not self.machine.takes:
            self._down(mref, NOCONNECTION)

    def unwatch(self, mref: int) -> None:
        """See `RemoteRef.unwatch`."""
        if self._watches.pop(mref, None) is not None:
            self._urge(pack_item(wire.DEMONITOR, 0, mref))

    def _urge(self, item: bytes) -> None:
        if self.machine.takes:
            self.machine.urge(item)
            self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._post(self.flush)

    # -- the link: the mesh's thread from here on ------------------------------------------------
    def flush(self) -> None:
        """Hand all that waits to the connection, one frame if it fits into one."""
        self._is_due = False  # before the look: who adds from now on asks for another
        lane, machine = self._lane, self.machine
        if lane is None or self._is_blocked:
            return
        now_s = self._now_s()
        while (frame := machine.next_frame(now_s)) is not None:
            if not lane.send(frame):
                self._is_blocked = True
                return
            machine.sent()

    def perform(self, effects: Iterable[Effect], frame: bytes = b"", at: int = 0) -> None:
        """Do what the machine decided; `frame` is what it was shown."""
        for effect in effects:
            match effect:
                case Deliver():
                    try:
                        self._deliver(frame, at)
                    except MalformedFrame:
                        self.perform(self.machine.give_up(MALFORMED, self._now_s()))
                        return
                case Dial():
                    self._dial()
                case Up():
                    self._generation += 1
                    self._mesh.node_up(self.name, effect.incarnation)
                case Leave():
                    self.flush()  # the goodbye's ack
                    self.perform(self.machine.left(self._now_s()))
                case Down():
                    self._fall(effect)
        if self.machine.has_work:
            self._flush_soon()

    def receive(self, head: Head, frame: bytes, at: int) -> None:
        """Take a frame that this peer has truly sent."""
        self.perform(self.machine.receive(head, frame, at, self._now_s()), frame, at)

    def beat(self) -> None:
        """Look at the clock."""
        self.perform(self.machine.tick(self._now_s()))

    def counts(self) -> dict[str, int]:
        """Return what waits here, by kind."""
        return {
            "calls": len(self._calls),
            "watches": len(self._watches),
            "watched": len(self._watched),
            "waiting_bytes": self.machine.waiting_bytes,
        }

    def _dial(self) -> None:
        self._hang_up(0.0)
        self._is_blocked = False
        self._lane = self._mesh.transport.open(self.address, self._writable, self._broken)

    def _hang_up(self, linger_s: float) -> None:
        if self._lane is not None:
            self._lane.close(linger_s)
            self._lane = None

    def _writable(self) -> None:
        self._is_blocked = False
        self.flush()

    def _broken(self) -> None:
        self.perform(self.machine.suspect(self._now_s()))

    def _fall(self, down: Down) -> None:
        self._hang_up(LINGER_S)
        if not down.was_up:
            return
        self._generation += 1
        calls, self._calls = self._calls, {}
        for reply in list(calls.values()):
            text = f"node {self.name} is down: {down.reason}"
            reply.settle(None, ActorDead(text, NOCONNECTION))
        for mref in list(self._watches):
            self._down(mref, NOCONNECTION)
        watched, self._watched = self._watched, {}
        for ref, mref in watched.values():
            unwatch_from_afar(self._mesh.system, ref, mref)
        self._mesh.node_down(self.name, down.incarnation, down.reason)

    # -- in --------------------------------------------------------------------------------------
    def _deliver(self, frame: bytes, at: int) -> None:
        find, decode, drop = self._mesh.find, self._codec.decode, self._mesh.drop
        found = self._mesh.found.get
        fences = self._mesh.fences
        for kind, code, epoch, to, number, payload in parse_items(frame, at):
            if kind == TELL:
                ref = found(to) or find(to)
                if ref is None:
                    drop(NOPROC)
                elif fences and fences.get(to, 0) > epoch:
                    drop(StaleEpoch.code)
                else:
                    try:
                        message = decode(code, payload)
                    except (MalformedFrame, Unsendable) as error:
                        drop(error.code)
                        continue
                    try:
                        ref.tell(message)
                    except MailboxFull as error:
                        drop(error.code)
                        self._mesh.undelivered(ref, message, epoch, error.code)
            else:
                self._take(kind, code, epoch, to, number, payload)

    def _take(self, kind: int, code: int, epoch: int, to: int, number: int, payload: bytes) -> None:
        who: int | str = to
        if kind & wire.NAMED:
            kind ^= wire.NAMED
            if to > len(payload):
                raise MalformedFrame("a name is missing")
            who, payload = payload[:to].decode(errors="replace"), payload[to:]
        match kind:
            case wire.TELL:
                self._told(self._mesh.find_name(str(who)), who, code, epoch, payload)
            case wire.CALL:
                self._called(who, code, epoch, number, payload)
            case wire.REPLY:
                self._answered(number, code, payload)
            case wire.FAIL:
                if (reply := self._calls.get(number)) is not None:
                    reply.settle(None, self._codec.decode_error(payload))
            case wire.MONITOR:
                self._watch_for_peer(number, who)
            case wire.DEMONITOR:
                ref, mref = self._watched.pop(number, (None, 0))
                if ref is not None:
                    unwatch_from_afar(self._mesh.system, ref, mref)
            case wire.DOWN:
                self._down(number, self._codec.decode_reason(payload))
            case wire.SPREAD:
                self._spread_here(to, code, epoch, payload)
            case _:
                raise MalformedFrame(f"no item of kind {kind}")

    def _told(
        self, ref: LocalRef | None, who: int | str, code: int, epoch: int, payload: bytes
    ) -> None:
        try:
            message = self._codec.decode(code, payload)
        except (MalformedFrame, Unsendable) as error:
            self._mesh.drop(error.code)
            return
        if ref is None:
            why = NOPROC
        elif self._mesh.fences.get(who, 0) > epoch:
            why = StaleEpoch.code
        else:
            try:
                ref.tell(message)
            except MailboxFull as error:
                why = error.code
            else:
                return
        self._mesh.drop(why)
        self._mesh.undelivered(str(who), message, epoch, why)

    def _spread_here(self, count: int, code: int, epoch: int, payload: bytes) -> None:
        pids, payload = split_spread(count, payload)
        fences = self._mesh.fences
        refs = [self._mesh.find(pid) for pid in pids if fences.get(pid, 0) <= epoch]
        found = [ref for ref in refs if ref is not None]
        self._mesh.drop(StaleEpoch.code, len(pids) - len(refs))
        self._mesh.drop(NOPROC, len(refs) - len(found))
        try:
            told = tell_all(found, self._codec.decode(code, payload))
        except (MalformedFrame, Unsendable) as error:
            self._mesh.drop(error.code, len(found))
        else:
            self._mesh.drop(MailboxFull.code, len(found) - told)

    def _called(self, who: int | str, code: int, epoch: int, number: int, payload: bytes) -> None:
        ref = self._mesh.find_name(who) if isinstance(who, str) else self._mesh.find(who)
        generation = self._generation
        reply: Reply[Any] = Reply()
        if ref is None:
            reply.settle(None, ActorDead(f"{who!r} on {self._mesh.node} is dead: noproc", NOPROC))
        elif self._mesh.fences.get(who, 0) > epoch:
            reply.settle(None, StaleEpoch(f"{who!r} is at a later epoch than {epoch}"))
        else:
            try:
                reply = ref.ask(self._codec.decode(code, payload), block=False)
            except (MalformedFrame, Unsendable) as error:
                reply.settle(None, error)
        reply.on_settled(lambda settled: self._answer(number, generation, settled))

    def _answer(self, number: int, generation: int, reply: Reply[Any]) -> None:
        """Send what was answered; in the thread that answered."""
        if generation != self._generation:
            return
        try:
            code, payload = self._codec.encode(reply.result())
            item = pack_item(wire.REPLY, 0, number, code, payload)
        except BaseException as error:  # noqa: BLE001  # whatever it is, it is the caller's
            item = pack_item(wire.FAIL, 0, number, 0, self._codec.encode_error(error))
        self._urge(item)

    def _answered(self, number: int, code: int, payload: bytes) -> None:
        reply = self._calls.get(number)
        if reply is None:
            self._mesh.drop("late")
            return
        try:
            reply.settle(self._codec.decode(code, payload))
        except (MalformedFrame, Unsendable) as error:
            reply.settle(None, error)

    def _watch_for_peer(self, their_mref: int, who: int | str) -> None:
        ref = self._mesh.find_name(who) if isinstance(who, str) else self._mesh.find(who)
        system, generation = self._mesh.system, self._generation
        if ref is not None:
            mref = next(system.monitor_refs)
            self._watched[their_mref] = ref, mref

            def told(reason: object) -> None:  # in the actor's thread, after its last words
                if generation == self._generation:
                    self._watched.pop(their_mref, None)
                    self._urge(
                        pack_item(wire.DOWN, 0, their_mref, 0, self._codec.encode_reason(reason))
                    )

            if watch_from_afar(system, ref, mref, told):
                return
            self._watched.pop(their_mref, None)
        self._urge(pack_item(wire.DOWN, 0, their_mref, 0, self._codec.encode_reason(NOPROC)))

    def _down(self, mref: int, reason: object) -> None:
        owe = self._watches.pop(mref, None)
        if owe is not None:
            owe(reason)
