"""Knows one run of an application on a device: the real client machine and its wire.

Must not know the node.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, cast

from actorchat.client import effect, event
from actorchat.client.event import State
from actorchat.client.life import Options
from actorchat.client.machine import Machine
from actorchat.errors import ActorchatError, Refusal
from actorchat.protocol import ops
from actorchat.protocol.codec import encode, encode_ack, encode_send
from actorchat.protocol.connection import Connection, Side, frame
from actorchat.testing.journal import Posting, Receipt
from actorchat.testing.net import NearSide, Wire

if TYPE_CHECKING:
    from actorchat.testing.device import Device

Answer = Callable[["dict[str, object] | None", "ActorchatError | None"], None]


@dataclass
class Habit:
    """How a device behaves: seconds from a message to its being held, order, sends under way."""

    take_s: float = 0.0
    is_strict: bool = False
    window: int = 16


@dataclass
class Ledger:
    """What the application keeps on its own disk: it survives the end of the process.

    A device that signs in first while the node's disk is full is taken on trust: its place can't
    be kept. It may be sent on past updates, and is told of it (`jumps`).
    """

    held: list[Receipt] = field(default_factory=list)
    taken: int | None = None
    first_cursor: int | None = None
    first_order: int = 0  # of the last message that anybody had posted then
    outbox: dict[bytes, Posting] = field(default_factory=dict)
    orders: set[int] = field(default_factory=set)  # of all that it ever posted
    jumps: list[tuple[int, int]] = field(default_factory=list)
    is_on_trust: bool = False
    wrote: set[bytes] = field(default_factory=set)  # ids of all that went out from here


class Process(NearSide):
    """One run of the application: a client machine, its wire, and what was not yet kept."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.is_frozen = False
        self.is_dead = False
        self.is_slow = False
        self.refusals = 0
        ledger, habit, world = device.ledger, device.habit, device.surroundings
        self._journal = world.journal
        self._world = world
        options = Options(habit.window, strict_order=habit.is_strict, resume=ledger.taken)
        self.machine = Machine(device.identity, options, world.rng.random)
        self._wire: Wire | None = None
        self._life = ""
        self._dialling: Dial | None = None
        self._connection = Connection(Side.CLIENT)
        self._fresh: list[Receipt] = []
        self._is_taking = False
        self._is_too_old = False
        self._is_reading = True
        self._tick: Any = None
        self._tick_at = 0.0

    def start(self) -> None:
        """Connect, and post again what was not accepted in an earlier run."""
        self.handle(event.Start())
        for posting in list(self.device.ledger.outbox.values()):
            self.post(posting)

    def post(self, posting: Posting, key: object = None) -> None:
        """Hand a message to the machine."""
        body, cid = posting.body, posting.cid
        self.device.ledger.wrote.add(cid)
        self.handle(event.Post(cid if key is None else key, posting.to, cid, body))

    @property
    def is_open(self) -> bool:
        """Whether it is signed in and reads."""
        return self.machine.state is State.OPEN and self._is_reading

    # -- the machine ---------------------------------------------------------------------------
    def handle(self, happened: event.Event) -> None:
        """Tell the machine what happened; do what it asks for."""
        machine, now_s = self.machine, self._world.now_s()
        for asked in machine.handle(happened, now_s):
            self._PERFORM[type(asked)](self, asked)
        at = machine.deadline()
        if at is not None and (self._tick is None or at < self._tick_at):
            if self._tick is not None:
                self._tick.cancel()
            self._tick_at = at
            self._tick = self._world.later(at - now_s, self._on_tick)

    def _on_tick(self) -> None:
        self._tick = None
        self.handle(event.Tick())

    # -- the wire ------------------------------------------------------------------------------
    def opened(self, wire: Wire) -> None:
        """Sign in over a wire that was dialled."""
        self._wire = wire
        self._life = wire.label
        self._connection = Connection(Side.CLIENT)
        self._is_reading = True
        self.handle(event.Opened())

    def received(self, chunk: bytes) -> None:
        """Pass on what `chunk` completes, and keep what is new."""
        found = cast("list[ops.ServerOp]", self._connection.receive(chunk))
        if self._connection.error is not None:
            self._journal.violate("wire", f"the node sent {self._connection.error}")
        for op in found:
            if isinstance(op, ops.Msg):
                self._journal.shown(self.device.user, op.upd, op.msg, op.to)
            elif isinstance(op, ops.Reply) and op.err is not None and op.err.retry != "never":
                self.refusals += 1
        self.handle(event.Received(found))
        self._take_soon()

    def ended(self, reason: str) -> None:
        """Learn that the wire is gone, or could not be opened."""
        self._wire = None
        self._dialling = None
        self.handle(event.Lost(reason))

    def die(self) -> None:
        """End without a word, as a kill does; the wire breaks."""
        self.is_frozen = self.is_dead = True
        if self._tick is not None:
            self._tick.cancel()
        if self._dialling is not None:
            self._dialling.give_up()
        if self._wire is not None:
            self._wire.hang_up()

    def pause(self) -> None:
        """Stop reading, as a device does that has no time."""
        if self._wire is not None and self.machine.state is State.OPEN:
            self._is_reading = False
            self._wire.down.pause()
            self.handle(event.Paused())

    def resume(self) -> None:
        """Read on."""
        if not self._is_reading:
            self._is_reading = True
            if self._wire is not None:
                self._wire.down.resume()
            self.handle(event.Resumed())

    # -- the application -----------------------------------------------------------------------
    def _take_soon(self) -> None:
        if self.is_frozen:
            return
        if not self._fresh:
            if self.machine.incoming.taken is not None:  # what it wrote itself came back
                self.device.ledger.taken = self.machine.incoming.taken
            return
        if self.device.habit.take_s or self.is_slow:
            if not self._is_taking:
                self._is_taking = True
                delay_s = max(self.device.habit.take_s, 1.0 if self.is_slow else 0.0)
                self._world.later(delay_s * self._world.rng.random(), self._take)
        else:
            self._take()

    def _take(self) -> None:
        self._is_taking = False
        if self.is_frozen or not self._fresh or self.machine.error is not None:
            return
        ledger, fresh = self.device.ledger, self._fresh
        self._fresh = []
        ledger.held += fresh
        self.handle(event.Taken(fresh[-1].upd))
        ledger.taken = self.machine.incoming.taken
        self._journal.counts["held"] += len(fresh)

    # -- effects -------------------------------------------------------------------------------
    def _connect(self, _: effect.Connect) -> None:
        self._dialling = Dial(self)
        self._world.net.dial(self._dialling)

    def _disconnect(self, asked: effect.Disconnect) -> None:
        wire, self._wire = self._wire, None
        self._is_reading = True
        if self._dialling is not None:
            self._dialling.give_up()
        if wire is not None:
            wire.finish_near() if asked.flush else wire.hang_up()

    def _signed_in(self, asked: effect.SignedIn) -> None:
        ledger = self.device.ledger
        if ledger.first_cursor is None:
            ledger.first_cursor = ledger.taken = asked.welcome.cursor
            ledger.first_order = self._journal.last_order
            ledger.is_on_trust = self._world.is_space_short()
        self._is_too_old = asked.welcome.too_old
        self._journal.counts["sign_ins"] += 1

    def _accepted(self, asked: effect.Accepted) -> None:
        key = asked.key
        cid = cast("bytes", key[1] if isinstance(key, tuple) else key)
        self._journal.accepted(cid, asked.seq)
        self._journal.counts["dups"] += asked.dup
        self.device.ledger.outbox.pop(cid, None)
        if isinstance(key, tuple) and key[0] == "other body":
            self._journal.violate("ids", f"{cid.hex()[:8]} was accepted with another body")

    def _answered(self, asked: effect.Answered) -> None:
        cast("Answer", asked.key)(asked.ok, None)

    def _failed(self, asked: effect.Failed) -> None:
        key = asked.key
        if callable(key):
            cast("Answer", key)(None, asked.error)
            return
        is_final = isinstance(asked.error, Refusal) and asked.error.outcome == "none"
        if isinstance(key, tuple):
            if is_final and asked.error.code != "id_conflict":
                self._journal.violate("ids", f"{key[0]} was refused: {asked.error}")
            elif is_final and key[0] == "again":
                self._journal.violate("ids", "a resend was taken for another message")
        elif is_final:
            cid = cast("bytes", key)
            self._journal.failed[cid] = asked.error.code
            self.device.ledger.outbox.pop(cid, None)

    def _jumped(self, asked: effect.Jumped) -> None:
        if self.is_frozen:
            return  # another process of this device has gone on
        if self._is_too_old:
            self._journal.counts["too_old"] += 1
            self.device.ledger.jumps.append((asked.held, asked.cursor))
            self._world.later(0.0, self._take_snapshot, asked.cursor)
            return
        if self.device.ledger.is_on_trust:
            self._journal.counts["jumps"] += 1
            self.device.ledger.jumps.append((asked.held, asked.cursor))
            return
        if all(map(self._is_own, range(asked.held + 1, asked.cursor + 1))):
            return  # a process that hung took note of what the device itself had sent
        text = f"{self.device.label} held {asked.held} and was told to go on after {asked.cursor}"
        self._journal.violate("I3", text)

    def _take_snapshot(self, cursor: int) -> None:
        """Hold what the history has, in place of the updates that are gone."""
        if not self.is_frozen and self.machine.error is None:
            self.handle(event.Taken(cursor))
            self.device.ledger.taken = self.machine.incoming.taken

    def _is_own(self, upd: int) -> bool:
        user, journal = self.device.user, self._journal
        return journal.update_cid(user, upd) in self.device.ledger.wrote

    def _ended(self, asked: effect.Ended) -> None:
        self._journal.note(f"{self.device.label} ended {type(asked.error).__name__}")
        if self._tick is not None:
            self._tick.cancel()
        self.device.process_ended(self, asked.error)

    def _message(self, op: ops.Msg) -> None:
        record = op.msg
        conv = record.sender if op.to is None else op.to
        self._fresh.append(Receipt(op.upd, conv, record.seq, record.cid))

    def _mark(self, op: ops.MarkPush) -> None:
        # A new session's marks may overtake what is under way to an old one.
        self._journal.marked(f"{self.device.label} {self._life}", op)

    def _write_send(self, op: ops.Send) -> None:
        self._put(encode_send(op.id, encode(op.to), op.cid, op.body))

    def _write_ack(self, op: ops.Ack) -> None:
        self._put(encode_ack(op.upd))

    def _write(self, op: ops.ClientOp) -> None:
        self._put(encode(op))

    def _put(self, payload: bytes) -> None:
        # A wire that has just gone is not known to the machine before its own turn.
        if self._wire is not None:
            self._wire.up.write(frame(payload))

    def _pass_over(self, op: ops.FlagPush) -> None:
        """Do nothing: it is a hint that no application here looks at."""

    _PERFORM: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        effect.Connect: _connect,
        effect.Disconnect: _disconnect,
        effect.SignedIn: _signed_in,
        effect.Accepted: _accepted,
        effect.Answered: _answered,
        effect.Failed: _failed,
        effect.Jumped: _jumped,
        effect.Ended: _ended,
        ops.Msg: _message,
        ops.MarkPush: _mark,
        ops.FlagPush: _pass_over,
        ops.Send: _write_send,
        ops.Ack: _write_ack,
        **dict.fromkeys(
            (
                *(ops.Hello, ops.Ping, ops.Mark, ops.History, ops.Revoke, ops.Provision),
                *ops.PEOPLE_OPS,
            ),
            _write,
        ),
    }


class Dial(NearSide):
    """One try to connect; given up, what still comes of it is hung up on."""

    def __init__(self, process: Process) -> None:
        self._process: Process | None = process
        self._wire: Wire | None = None

    def give_up(self) -> None:
        """Want nothing of it any more."""
        self._process = None

    def opened(self, wire: Wire) -> None:
        """Hand the wire over."""
        if self._process is None:
            wire.hang_up()
        else:
            self._process.opened(wire)

    def received(self, chunk: bytes) -> None:
        """Hand bytes over."""
        if self._process is not None:
            self._process.received(chunk)

    def ended(self, reason: str) -> None:
        """Hand the end over."""
        if self._process is not None:
            self._process.ended(reason)
