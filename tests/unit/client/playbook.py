"""The test form of the client's machine: `>> event << effect`, at a time that tests set."""

from __future__ import annotations

from actorchat.client.effect import Disconnect, Effect, Failed
from actorchat.client.event import Event, Opened, Received, Start, Tick
from actorchat.client.life import Options
from actorchat.client.machine import Machine
from actorchat.client.signin import Identity
from actorchat.protocol import ops

CID = b"0123456789abcdef"
ANN = Identity("ann", "phone", "token", "t0")


class Playbook:
    """Plays events to a machine and checks its effects, each in its order, none left over."""

    def __init__(self, identity: Identity = ANN, jitter: float = 0.5, **options: object) -> None:
        identity = Identity(identity.user, identity.device, identity.mech, identity.secret)
        self.machine = Machine(identity, Options(**options), lambda: jitter)
        self.now = 100.0
        self._effects: list[Effect] = []

    def __rshift__(self, event: Event) -> Playbook:
        assert not self._effects, f"not expected before {event}: {self._effects}"
        self._effects = self.machine.handle(event, self.now)
        return self

    def __lshift__(self, effect: Effect | type) -> Playbook:
        """Expect `effect`; where a class is given, any of it. Errors compare by class and code."""
        assert self._effects, f"expected {effect}, but there is no more"
        found = self._effects.pop(0)
        if isinstance(effect, type):
            assert isinstance(found, effect), f"expected a {effect.__name__}, found {found}"
        elif isinstance(effect, Failed):
            assert isinstance(found, Failed) and found.key == effect.key
            assert type(found.error) is type(effect.error)
            assert found.error.code == effect.error.code
        elif isinstance(effect, Disconnect):
            assert isinstance(found, Disconnect)
            assert found.reason, "a connection is dropped for a reason"
            assert (found.flush, found.elsewhere) == (effect.flush, effect.elsewhere)
        else:
            assert found == effect
        return self

    def after(self, seconds: float) -> Playbook:
        """Let time pass, and tick."""
        self.now += seconds
        return self >> Tick()

    def end(self) -> None:
        """Expect nothing more."""
        assert not self._effects, f"not expected: {self._effects}"


def welcome(rid: int = 1, **fields: object) -> ops.Reply:
    """Return a granted hello."""
    granted = {"user": "ann", "device": "phone", "head": 0, "cursor": 0, "ping_s": 25.0}
    return ops.Reply(re=rid, ok={**granted, **fields})


def said(*received: ops.ServerOp) -> Received:
    """Return the event of these ops."""
    return Received(list(received))


def delivery(upd: int, seq: int | None = None, sender: str = "bob") -> ops.Msg:
    """Return an update with a message in it."""
    record = ops.Record(sender, upd if seq is None else seq, 5, CID, f"m{upd}")
    return ops.Msg(upd, record)


def refused(rid: int, code: str, retry: str, after_ms: int | None = None) -> ops.Reply:
    """Return the refusal of a request."""
    return ops.Reply(re=rid, err=ops.Failure(code, "because", retry, "none", after_ms))


def signed_in(play: Playbook, **fields: object) -> Playbook:
    """Play up to the welcome."""
    from actorchat.client.effect import Connect, SignedIn

    return (
        play >> Start() << Connect() >> Opened() << ops.Hello >> said(welcome(**fields)) << SignedIn
    )
