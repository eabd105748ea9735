"""Knows all peers of this node, and which actor here a peer means. Must not know sockets.

The cluster's registry, or whoever knows the other nodes, gives `Mesh` a callable that returns
where each is; the mesh keeps a link to every one of them.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from struct import Struct
from typing import Any

import msgspec

from actorchat import limits, logs
from actorchat.actor import ActorSystem, LocalRef, Reply, tell_all
from actorchat.actor.reason import NOPROC
from actorchat.cluster.link import PeerAddress, Transport
from actorchat.cluster.link_codec import MessageCodec
from actorchat.cluster.link_frame import parse_head
from actorchat.cluster.link_peer import Peer
from actorchat.cluster.remote import RemoteRef
from actorchat.errors import LinkFull, MailboxFull, ProtocolError
from actorchat.ids import is_name

_REF = Struct("<BQQ")
_BY_NUMBER, _BY_NAME = 1, 2

Peers = Callable[[], Mapping[str, PeerAddress]]
Resolve = Callable[[str], LocalRef | None]
Undelivered = Callable[[LocalRef | str, object, int, str], object]


class NodeUp(msgspec.Struct, gc=False):
    """The link to `node` is up; what it sends comes after this."""

    node: str
    incarnation: int


class NodeDown(msgspec.Struct, gc=False):
    """The link to `node` ended, after all that was told before this."""

    node: str
    incarnation: int
    reason: str


class Mesh:
    """The links of one node, and its actors' way to those of other nodes.

    Args:
        node: This node's name in the registry.
        incarnation: Of this process: greater than those of all processes of `node` before it.
            The registry gives it; a clock must not, it may have been set back.
        peers: Returns all nodes and where they are; this one may be among them. Looked at every
            `LINK_BEAT_S`, and at `refresh`.

    Thread: made and closed on the dispatcher's; refs may be used from any.
    """

    def __init__(
        self,
        system: ActorSystem,
        node: str,
        incarnation: int,
        transport: Transport,
        peers: Peers,
    ) -> None:
        if not is_name(node) or incarnation < 1:
            raise ValueError(f"{node!r}, {incarnation}: no node's name, or no incarnation")
        self.system = system
        self.node = node
        self.incarnation = incarnation
        self.transport = transport
        self.codec = MessageCodec(self._pack_ref, self._find_ref)
        self.peers: dict[str, Peer] = {}
        self.numbers = itertools.count(1)  # of calls
        self.lanes = itertools.count(1)
        self.fences: dict[int | str, int] = {}
        self.found: dict[int, LocalRef] = {}  # by number: those who are told much
        # Who is called so where nobody is registered: may start an actor; None: nobody.
        self.resolve: Resolve = lambda _name: None
        # Told (to whom, message, epoch, code of why not) of what came and could not be told.
        self.undelivered: Undelivered = lambda _to, _message, _epoch, _why: None
        self._addresses = peers
        self._keys: frozenset[str] = frozenset()
        self._heard: dict[str, int] = {}  # incarnations of peers that left
        self._watchers: dict[LocalRef, None] = {}
        self._dropped: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._log = logs.logger(__name__)
        self._warnings = logs.Warnings(self._log, system.clock)
        self._timer: Any = None
        self._closed: Reply[None] | None = None
        self._own_ref = _REF.pack(_BY_NUMBER, incarnation, 0)[:-8], node.encode()

    # -- for whoever runs a node -----------------------------------------------------------------
    def start(self) -> None:
        """Listen, and dial all peers.

        Raises:
            SettingsError: The transport can't listen where it is to.
        """
        self.transport.start(self._receive, lambda key: key in self._keys)
        self._beat()

    def refresh(self) -> None:
        """Look for peers that are new, gone or elsewhere."""
        if self._closed is not None:
            return
        addresses = self._addresses()
        self._keys = frozenset(address.key for address in addresses.values() if address.key)
        now_s = self.system.dispatcher.now_s()
        for name in [name for name in self.peers if name not in addresses]:
            peer = self.peers[name]
            peer.machine.say_goodbye()
            peer.flush()
            peer.perform(peer.machine.close(now_s))
            self._heard[name] = peer.machine.peer_incarnation
            del self.peers[name]
        for name, address in addresses.items():
            known = self.peers.get(name)
            if known is None:
                if name != self.node and is_name(name):
                    peer = self.peers[name] = Peer(self, name, address)
                    least = max(address.incarnation, self._heard.get(name, 0))
                    peer.perform(peer.machine.fence(least, now_s))
                    peer.beat()
            elif known.address != address:
                old, known.address = known.address, address
                known.perform(known.machine.fence(address.incarnation, now_s))
                if (old.endpoint, old.key) != (address.endpoint, address.key):
                    known.perform(known.machine.give_up("moved", now_s))

    def close(self, drain_s: float = limits.LINK_DRAIN_S) -> Reply[None]:
        """Say goodbye to all peers; settled when they have all that was sent, or after `drain_s`.

        What is told from now on is dropped.
        """
        if self._closed is None:
            self._closed = Reply()
            for peer in self.peers.values():
                peer.machine.say_goodbye()
                peer.flush()
            self.system.dispatcher.call_later(drain_s, self._finish)
            self._finish_if_drained()
        return self._closed

    def nodes(self) -> dict[str, int]:
        """Return the peers that are up, and their incarnations."""
        return {
            name: peer.machine.peer_incarnation
            for name, peer in self.peers.items()
            if peer.machine.takes
        }

    def counts(self) -> dict[str, int]:
        """Return how many nodes are up, what waits, and how much was dropped or refused, and why.

        `dropped_…` are messages: of ours for a node that is down, and of peers that reached
        nobody. `refused_…` are frames.
        """
        totals: Counter[str] = Counter(up=len(self.nodes()))
        for peer in self.peers.values():
            totals.update(peer.counts())
            totals["refused_stale"] += peer.machine.refused
            totals["dropped_lost"] += peer.machine.lost
        totals.update({f"dropped_{why}": count for why, count in self._dropped.items()})
        totals.update({f"refused_{why}": count for why, count in self._refused.items()})
        return dict(totals)

    # -- for actors ------------------------------------------------------------------------------
    def named(self, node: str, name: str) -> RemoteRef:
        """Return a lasting ref of whoever is registered as `name` on `node`, which may be here."""
        return RemoteRef(self, node, name=name)

    def tell_all(self, refs: Iterable[LocalRef | RemoteRef], message: object) -> int:
        """Tell all of `refs` the same; encoded once, one item a node. Return how many were told.

        In order a receiver. A full mailbox, or a full link, keeps the message from nobody else.

        Raises:
            Unsendable: As `RemoteRef.tell`; nobody was told.
        """
        here: list[LocalRef] = []
        there: dict[tuple[str, int], list[RemoteRef]] = defaultdict(list)
        named: list[RemoteRef] = []
        for ref in refs:
            if isinstance(ref, LocalRef):
                here.append(ref)
            elif ref.name is None and ref.node in self.peers:
                there[ref.node, ref.epoch].append(ref)
            else:
                named.append(ref)
        told = 0
        if there or named:
            code, payload = self.codec.encode(message)
            for (node, epoch), group in there.items():
                try:
                    self.peers[node].spread(group, code, payload, epoch)
                    told += len(group)
                except LinkFull:
                    self.drop(LinkFull.code, len(group))
            for ref in named:
                try:
                    ref.tell(message)
                    told += 1
                except LinkFull:
                    self.drop(LinkFull.code)
        return told + tell_all(here, message)

    def monitor_nodes(self, ref: LocalRef) -> dict[str, int]:
        """Tell `ref` each `NodeUp` and `NodeDown` from now on; return `nodes()` of this moment.

        A `NodeDown` comes after all that the node's actors told, and after their Downs. It ends
        with the actor.
        """
        self._watchers[ref] = None
        return self.nodes()

    def fence(self, who: LocalRef | str, epoch: int) -> None:
        """Refuse messages that are sent to `who` by a table older than `epoch`; 0 ends that."""
        key = who if isinstance(who, str) else self.system.numbers.of(who)
        if epoch:
            self.fences[key] = epoch
        else:
            self.fences.pop(key, None)

    # -- for peers and refs ----------------------------------------------------------------------
    def drop(self, why: str, count: int = 1) -> None:
        """Count messages that reach nobody."""
        if count:
            self._dropped[why] += count
            if why not in {NOPROC, "late", "noconnection"}:
                self._warnings.warn("message dropped", why, reason=why)

    def find(self, number: int) -> LocalRef | None:
        """Return the actor here that has this number."""
        ref = self.system.numbers.whose(number)
        if ref is not None:
            if len(self.found) >= limits.LINK_FOUND_MAX:
                self.found.clear()
            self.found[number] = ref
        return ref

    def find_name(self, name: str) -> LocalRef | None:
        """Return the actor here that is called `name`; it may be started for that."""
        return self.system.names.whereis(name) or self.resolve(name)

    def node_up(self, node: str, incarnation: int) -> None:
        """Tell whoever watches nodes."""
        self._log.info("node up", peer=node, incarnation=incarnation)
        self._tell_watchers(NodeUp(node, incarnation))

    def node_down(self, node: str, incarnation: int, reason: str) -> None:
        """Tell whoever watches nodes."""
        self._log.info("node down", peer=node, incarnation=incarnation, reason=reason)
        self._tell_watchers(NodeDown(node, incarnation, reason))
        if self._closed is not None:
            self._finish_if_drained()

    def tell_at_home(self, ref: RemoteRef, message: object) -> None:
        """Tell an actor of this very node; of a node that nobody knows: drop the message."""
        local = self._at_home(ref)
        if local is None:
            self.drop(NOPROC if ref.node == self.node else "noconnection")
        else:
            local.tell(message)

    def call_at_home(self, ref: RemoteRef, message: object, reply: Reply[Any]) -> None:
        """Call an actor of this very node; `reply` is settled as the call is."""
        local = self._at_home(ref)
        if local is None:
            reply.settle(None, ref.dead())
            return
        answer = local.ask(message, block=False)
        answer.on_settled(lambda given: reply.settle(given._value, given._error))

    def watch_at_home(self, ref: RemoteRef, mref: int, owe: Callable[[object], None]) -> None:
        """Watch an actor of this very node by its lasting ref."""
        local = self._at_home(ref)
        if local is None:
            owe(NOPROC if ref.node == self.node else "noconnection")
        else:
            local.ended().on_settled(lambda ended: owe(ended.result()))

    def _at_home(self, ref: RemoteRef) -> LocalRef | None:
        if ref.node != self.node or ref.incarnation not in {0, self.incarnation}:
            return None
        return self.find(ref.number) if ref.name is None else self.find_name(ref.name)

    # -- refs in messages ------------------------------------------------------------------------
    def _pack_ref(self, ref: Any) -> bytes:
        if isinstance(ref, LocalRef):
            head, node = self._own_ref
            return head + self.system.numbers.of(ref).to_bytes(8, "little") + node
        if not isinstance(ref, RemoteRef):
            raise TypeError(f"{type(ref).__name__} is no ref")
        if ref.name is None:
            return _REF.pack(_BY_NUMBER, ref.incarnation, ref.number) + ref.node.encode()
        node = ref.node.encode()
        return _REF.pack(_BY_NAME, ref.incarnation, len(node)) + node + ref.name.encode()

    def _find_ref(self, packed: bytes) -> LocalRef | RemoteRef:
        if len(packed) < _REF.size:
            raise ValueError("half a ref")
        kind, incarnation, number = _REF.unpack_from(packed)
        rest = packed[_REF.size :]
        if kind == _BY_NAME:
            node, name = rest[:number].decode(), rest[number:].decode()
            return RemoteRef(self, node, incarnation, name=name)
        if kind != _BY_NUMBER or not rest:
            raise ValueError("no ref")
        node = rest.decode()
        if node == self.node and incarnation == self.incarnation:
            local = self.find(number)
            if local is not None:
                return local
        return RemoteRef(self, node, incarnation, number)

    # -- frames and time -------------------------------------------------------------------------
    def _receive(self, key: str | None, frame: bytes) -> None:
        try:
            head, at = parse_head(frame)
        except ProtocolError as error:
            self._refuse(error.code, reason=str(error))
            return
        peer = self.peers.get(head.node)
        if peer is None:
            self._refuse("unknown", peer=head.node)
        elif peer.address.key != key:
            self._refuse("key", peer=head.node)
        else:
            peer.receive(head, frame, at)
            if self._closed is not None:
                self._finish_if_drained()

    def _refuse(self, why: str, **about: object) -> None:
        self._refused[why] += 1
        self._warnings.warn("frame refused", why, why=why, **about)

    def _tell_watchers(self, event: NodeUp | NodeDown) -> None:
        for ref in list(self._watchers):
            if ref.is_alive():
                try:
                    ref.tell(event)
                except MailboxFull:
                    self.drop(MailboxFull.code)
            else:
                del self._watchers[ref]

    def _beat(self) -> None:
        if self._closed is None:
            self._timer = self.system.dispatcher.call_later(limits.LINK_BEAT_S, self._beat)
            self.refresh()
            self.transport.read()  # or a node that slept would take its peers for silent
            for peer in list(self.peers.values()):
                peer.beat()

    def _finish_if_drained(self) -> None:
        if all(peer.machine.is_drained for peer in self.peers.values()):
            self._finish()

    def _finish(self) -> None:
        assert self._closed is not None
        if self._closed.done():
            return
        if self._timer is not None:
            self._timer.cancel()
        self._closed.settle(None)
        for peer in self.peers.values():
            peer.perform(peer.machine.close(self.system.dispatcher.now_s()))
        self.transport.close()
