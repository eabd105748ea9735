"""Knows what the registry says to each connection, and when sessions end.
Must not know sockets, disks, clocks or actors.

    Arrived, Said, Gone, Tick ──► handle(event, now) ──► Keep, Say, Hang

Everything that it answers after a `Keep` must be said only when that record is on the disk; reads
too, or one could see what a crash takes back. A session lives as long as its owner is heard. After
a restart, and after any time in which this process stood still, every session has its whole timeout
again: nobody is given up for a silence that was ours.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from actorchat.cluster.registry import BadRequest, NoEntry, Op, RegistryRefusal, check_path
from actorchat.cluster.registry_tree import Session, Touched, Tree
from actorchat.cluster.registry_wire import (
    NONCE_BYTES,
    WIRE_VERSION,
    Message,
    entry_out,
    ops_in,
    ops_out,
    refusal_out,
)
from actorchat.limits import (
    REGISTRY_SESSIONS_MAX,
    REGISTRY_TIMEOUT_MAX_S,
    REGISTRY_TIMEOUT_MIN_S,
)

WATCHES_MAX = 4_096  # of one connection; a node has about ten


class Arrived(msgspec.Struct, frozen=True, gc=False):
    """A connection is there."""

    conn: int


class Said(msgspec.Struct, frozen=True, gc=False):
    """A connection said something."""

    conn: int
    message: Message


class Gone(msgspec.Struct, frozen=True, gc=False):
    """A connection is over."""

    conn: int


class Tick(msgspec.Struct, frozen=True, gc=False):
    """Time has passed."""


Event: TypeAlias = Arrived | Said | Gone | Tick


class Keep(msgspec.Struct, frozen=True, gc=False):
    """Write a record into the journal."""

    record: Message


class Say(msgspec.Struct, frozen=True, gc=False):
    """Say something to a connection, when all before it is kept."""

    conn: int
    message: Message


class Hang(msgspec.Struct, frozen=True, gc=False):
    """End a connection, when all before it is said."""

    conn: int
    reason: str


Effect: TypeAlias = Keep | Say | Hang


class _Conn:
    __slots__ = ("nonce", "session", "watches")

    def __init__(self, nonce: bytes) -> None:
        self.nonce = nonce
        self.session = 0
        self.watches: set[tuple[str, bool]] = set()


def proof(key: bytes, *said: bytes) -> bytes:
    """Return what only a holder of `key` can say of `said`: HMAC-SHA-256."""
    return hmac.digest(
        key, b"".join(len(part).to_bytes(4, "big") + part for part in said), "sha256"
    )


class RegistryMachine:
    """The registry behind its connections. With an empty `key` anybody who can connect may."""

    def __init__(
        self,
        tree: Tree,
        now_s: float,
        chance: Callable[[int], bytes],
        key: bytes = b"",
        *,
        timeout_min_s: float = REGISTRY_TIMEOUT_MIN_S,
        timeout_max_s: float = REGISTRY_TIMEOUT_MAX_S,
        tick_s: float = 0.1,
    ) -> None:
        self.tree = tree
        self.counters = {"requests": 0, "writes": 0, "refused": 0, "expired": 0, "pauses": 0}
        self._chance = chance
        self._key = key
        self._timeout_min_s = timeout_min_s
        self._timeout_max_s = timeout_max_s
        self.tick_s = tick_s
        self._conns: dict[int, _Conn] = {}
        self._conn_of: dict[int, int] = {}  # session -> the connection that speaks for it
        self._heard_s = dict.fromkeys(tree.sessions, now_s)
        self._ticked_s = now_s
        self._watching: dict[tuple[str, bool], set[int]] = {}

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Return what follows from `event` at `now`, in seconds."""
        match event:
            case Arrived(conn):
                nonce = self._chance(NONCE_BYTES)
                self._conns[conn] = _Conn(nonce)
                return [Say(conn, {"nonce": nonce, "version": WIRE_VERSION})]
            case Said(conn, message):
                known = self._conns.get(conn)
                return [] if known is None else self._on_said(conn, known, message, now)
            case Gone(conn):
                self._forget(conn)
                return []
            case Tick():
                return self._on_tick(now)

    # -- sessions ---------------------------------------------------------------------------------
    def _on_tick(self, now: float) -> list[Effect]:
        late_s = now - self._ticked_s - self.tick_s
        self._ticked_s = now
        if late_s > self._timeout_min_s / 2:
            self.counters["pauses"] += 1
            for session in self._heard_s:
                self._heard_s[session] = now
            return []
        effects: list[Effect] = []
        for session, heard_s in list(self._heard_s.items()):
            if now - heard_s > self.tree.sessions[session].timeout_s:
                self.counters["expired"] += 1
                effects += self._end(session)
        return effects

    def _end(self, session: int) -> list[Effect]:
        effects: list[Effect] = [Keep({"end": session})]
        del self._heard_s[session]
        effects += self._tell(self.tree.end(session))
        conn = self._conn_of.pop(session, None)
        if conn is not None:
            effects += [Say(conn, {"event": "lost"}), Hang(conn, "session ended")]
            self._forget(conn)
        return effects

    def _forget(self, conn: int) -> None:
        known = self._conns.pop(conn, None)
        if known is None:
            return
        if self._conn_of.get(known.session) == conn:
            del self._conn_of[known.session]
        for watch in known.watches:
            self._watching[watch].discard(conn)
            if not self._watching[watch]:
                del self._watching[watch]

    # -- what is said -----------------------------------------------------------------------------
    def _on_said(self, conn: int, known: _Conn, message: Message, now: float) -> list[Effect]:
        re, what = message.get("id"), message.get("do")
        if type(re) is not int or not 0 <= re < 2**53:
            self._forget(conn)
            return [Hang(conn, "a request has an id")]
        self.counters["requests"] += 1
        try:
            if not known.session:
                if what != "hello":
                    raise BadRequest("hello comes first")
                return self._on_hello(conn, known, message, now)
            self._heard_s[known.session] = now
            effects, answer = self._on_request(conn, known, what, message)
        except RegistryRefusal as refusal:
            self.counters["refused"] += 1
            return [Say(conn, {"re": re, "err": refusal_out(refusal)})]
        return [*effects, Say(conn, {"re": re, "ok": answer}), *self._after(conn, what)]

    def _after(self, conn: int, what: object) -> list[Effect]:
        if what != "close":
            return []
        self._forget(conn)
        return [Hang(conn, "closed")]

    def _on_hello(self, conn: int, known: _Conn, message: Message, now: float) -> list[Effect]:
        re = message["id"]
        nonce, said = message.get("nonce"), message.get("proof")
        timeout_s, session_id = message.get("timeout_s"), message.get("session")
        secret = message.get("secret")
        is_right = (
            message.get("version") == WIRE_VERSION
            and isinstance(nonce, bytes)
            and isinstance(timeout_s, float | int)
            and isinstance(said, bytes)
            and hmac.compare_digest(said, proof(self._key, b"node", known.nonce, nonce))
        )
        if not is_right:
            self.counters["refused"] += 1
            self._forget(conn)
            err = {"code": "not_allowed", "path": "", "index": 0}
            return [Say(conn, {"re": re, "err": err}), Hang(conn, "not allowed")]
        assert isinstance(nonce, bytes)
        assert isinstance(timeout_s, float | int)
        effects: list[Effect] = []
        session = self.tree.sessions.get(session_id) if isinstance(session_id, int) else None
        if session is None or not isinstance(secret, bytes):
            if session_id:  # it had one, which is over: it must know before it gets another
                return [Say(conn, {"re": re, "err": {"code": "session_lost"}})]
            session = self._begin(float(timeout_s), effects)
        elif not hmac.compare_digest(secret, session.secret):
            raise BadRequest("another's session")
        old = self._conn_of.get(session.id)
        if old is not None:
            # Its node has come again: what still arrives by the old way is of the past.
            self._forget(old)
            effects.append(Hang(old, "came again"))
        known.session = session.id
        self._conn_of[session.id] = conn
        self._heard_s[session.id] = now
        granted = {
            "session": session.id,
            "secret": session.secret,
            "timeout_s": session.timeout_s,
            "proof": proof(self._key, b"registry", nonce, known.nonce),
        }
        return [*effects, Say(conn, {"re": re, "ok": granted})]

    def _begin(self, timeout_s: float, effects: list[Effect]) -> Session:
        if len(self.tree.sessions) >= REGISTRY_SESSIONS_MAX:
            raise BadRequest("too many sessions")
        # In this order what is no number at all becomes the least.
        granted_s = min(max(self._timeout_min_s, timeout_s), self._timeout_max_s)
        session = self.tree.begin(granted_s, self._chance(NONCE_BYTES))
        effects.append(Keep({"begin": granted_s, "secret": session.secret}))
        return session

    def _on_request(
        self, conn: int, known: _Conn, what: object, message: Message
    ) -> tuple[list[Effect], Any]:
        match what:
            case "ping":
                return [], {}
            case "get":
                return [], entry_out(self.tree.get(_path(message)))
            case "children":
                return [], {"names": "\n".join(self.tree.children(_path(message)))}
            case "multi":
                ops = ops_in(message.get("ops"))
                results, touched = self.tree.apply(known.session, ops)
                self.counters["writes"] += 1
                return [_kept(known.session, ops), *self._tell(touched)], {"results": results}
            case "watch":
                return [], self._watch(conn, known, message)
            case "unwatch":
                watch = (_path(message), bool(message.get("children")))
                known.watches.discard(watch)
                watching = self._watching.get(watch, set())
                watching.discard(conn)
                if not watching:
                    self._watching.pop(watch, None)
                return [], {}
            case "close":
                del self._heard_s[known.session]
                self._conn_of.pop(known.session, None)
                touched = self.tree.end(known.session)
                return [Keep({"end": known.session}), *self._tell(touched)], {}
            case _:
                raise BadRequest("no such request")

    def _watch(self, conn: int, known: _Conn, message: Message) -> Message:
        watch = (_path(message), bool(message.get("children")))
        if watch[1] and self.tree.get(watch[0]) is None:
            raise NoEntry(watch[0])
        if len(known.watches) >= WATCHES_MAX:
            raise BadRequest("too many watches")
        known.watches.add(watch)
        self._watching.setdefault(watch, set()).add(conn)
        return {}

    def _tell(self, touched: list[Touched]) -> list[Effect]:
        """Tell who watches, once for each thing whatever the transaction did to it."""
        effects: list[Effect] = []
        for path, children in dict.fromkeys((each.path, each.children) for each in touched):
            event = {"event": "changed", "path": path, "children": children}
            watching = sorted(self._watching.get((path, children), ()))
            effects += [Say(conn, event) for conn in watching]
        return effects


def replay(tree: Tree, record: Message) -> None:
    """Do to `tree` what a record of the journal says was done."""
    match record:
        case {"session": int(session), "ops": ops}:
            tree.apply(session, ops_in(ops))
        case {"begin": float(timeout_s), "secret": bytes(secret)}:
            tree.begin(timeout_s, secret)
        case {"end": int(session)}:
            tree.end(session)
        case _:
            raise BadRequest("no record of a registry")


def _kept(session: int, ops: list[Op]) -> Keep:
    return Keep({"session": session, "ops": ops_out(ops)})


def _path(message: Message) -> str:
    path = message.get("path")
    if not isinstance(path, str):
        raise BadRequest("path")
    check_path(path)
    return path
