"""Knows which devices of a user are here, and how they come and go.
Must not know rows, sockets or what updates carry.
"""

from __future__ import annotations

from typing import Any

from actorchat.chat.delivery import Delivery
from actorchat.chat.effect import (
    Barrier,
    Effect,
    ForgetDevice,
    Push,
    SaveCursor,
    StartTimer,
)
from actorchat.chat.event import (
    Address,
    Attach,
    Attached,
    Aware,
    Company,
    CompanyDue,
    Detach,
    DeviceRevoked,
    Ended,
    Event,
    Stored,
    Update,
)
from actorchat.limits import COMPANY_WAIT_S


class Notice(Event):
    """Show `payload`, encoded, to all devices of the user that are here but `device`."""

    device: str
    payload: bytes


class Attendance:
    """The part of a user's home that attends to devices.

    A new device begins where the log does. It is let in when its place is synced and all the other
    sessions know of it: what they send from then on reaches it.
    """

    __slots__ = ("_direct", "devices", "head", "trimmed")

    def __init__(self, head: int, trimmed: int, cursors: dict[str, int]) -> None:
        self.head = head
        self.trimmed = trimmed
        self.devices = {name: Delivery(name, acked) for name, acked in cursors.items()}
        self._direct: Delivery | None = None

    @property
    def has_company(self) -> bool:
        """Whether the user has several devices."""
        return len(self.devices) > 1

    def sessions(self) -> list[Address]:
        """Return the sessions that are attached, or about to be."""
        found = (d.session or d.coming for d in self.devices.values())
        return [session for session in found if session is not None]

    def _land(self, upto: int, out: list[Effect]) -> None:
        raise NotImplementedError

    def _recheck(self, after: int, upto: int) -> list[Effect]:
        raise NotImplementedError

    def _on_attach(self, event: Attach, now_wall_ms: int) -> list[Effect]:
        out: list[Effect] = []
        delivery = self.devices.get(event.device)
        if delivery is None:
            place = self.trimmed
            delivery = self.devices[event.device] = Delivery(event.device, place)
            delivery.is_kept = False
            out.append(SaveCursor(event.device, place))
        if not delivery.is_kept:
            if not event.is_kept:
                return [*out, *self._announce(delivery, event)]
            if delivery.coming != event.session:
                return []  # it went meanwhile, or another one came
            if delivery.unaware:
                delivery.waiting = event
                return []
            delivery.is_kept, delivery.coming = True, None
        elif event.is_kept:
            return []  # it asked twice
        return [*out, *self._let_in(delivery, event)]

    def _announce(self, delivery: Delivery, event: Attach) -> list[Effect]:
        """Have a new device's place kept, and the other sessions told of it."""
        out: list[Effect] = []
        # Until a new device's place is synced, a crash could let the log be trimmed past what the
        # device was promised; so it comes in behind a barrier.
        if delivery.coming is not None and delivery.coming != event.session:
            out.append(Push(delivery.coming, Ended("takeover", "never")))
        delivery.coming, delivery.waiting = event.session, None
        others = [d.session for d in self.devices.values() if d.session is not None]
        delivery.unaware = others
        if others:
            out += [Push(session, Company(True)) for session in others]
            out.append(StartTimer(COMPANY_WAIT_S, CompanyDue()))
        again = Attach(event.device, event.session, event.resume, is_kept=True)
        return [*out, Barrier(None, again)]

    def _let_in(self, delivery: Delivery, event: Attach) -> list[Effect]:
        out: list[Effect] = []
        if delivery.session is not None and delivery.session != event.session:
            out.append(Push(delivery.session, Ended("takeover", "never")))
            out += self._on_aware(Aware(delivery.session), 0)
        self._direct = None
        delivery.session = event.session
        delivery.is_reading = False
        if event.resume is not None and delivery.acked < event.resume <= self.head:
            out.append(SaveCursor(event.device, event.resume))
            out += self._recheck(delivery.acked, event.resume)
            delivery.acked = event.resume
            self._land(event.resume, out)
        is_too_old = delivery.acked < self.trimmed
        if is_too_old:
            # Until it acks what it was told is gone, it is told so again whenever it comes.
            delivery.acked = self.trimmed - 1
        delivery.wanted = delivery.acked
        delivery.sent = max(delivery.acked, self.trimmed)
        attached = Attached(self.head, delivery.sent, self.has_company, is_too_old)
        out.append(Push(event.session, attached))
        # What is in the log now may not be synced yet; delivery begins behind this barrier.
        out.append(Barrier(None, Stored(self.head)))
        return out

    def _on_aware(self, event: Aware, now_wall_ms: int) -> list[Effect]:
        """Let those in who waited for `event.session` alone."""
        out: list[Effect] = []
        for delivery in list(self.devices.values()):
            if delivery.unaware and event.session in delivery.unaware:
                delivery.unaware = [s for s in delivery.unaware if s != event.session]
                waiting = delivery.waiting
                if waiting is not None and not delivery.unaware:
                    delivery.waiting = None
                    out += self._on_attach(waiting, now_wall_ms)
        return out

    def _on_company_due(self, event: CompanyDue, now_wall_ms: int) -> list[Effect]:
        """Let everybody in: a session that said nothing for so long is gone."""
        out: list[Effect] = []
        for delivery in list(self.devices.values()):
            for session in delivery.unaware:
                out += self._on_aware(Aware(session), now_wall_ms)
        return out

    def _on_detach(self, event: Detach, now_wall_ms: int) -> list[Effect]:
        out = self._on_aware(Aware(event.session), now_wall_ms)
        delivery = self.devices.get(event.device)
        if delivery is None:
            return out
        if delivery.coming == event.session:
            delivery.coming = delivery.waiting = None
        if delivery.session != event.session:
            return out
        delivery.session = None
        delivery.is_reading = False
        if delivery is self._direct:
            self._direct = None
        return out

    def _on_device_revoked(self, event: DeviceRevoked, now_wall_ms: int) -> list[Effect]:
        delivery = self.devices.pop(event.device, None)
        if delivery is None:
            return []
        if delivery is self._direct:
            self._direct = None
        # Its sessions first: should the rest fail, the next home sees that its right is gone.
        sessions = filter(None, (delivery.session, delivery.coming))
        out: list[Effect] = [Push(session, Ended("revoked", "never")) for session in sessions]
        out.append(ForgetDevice(event.device))
        if not self.has_company:
            out += [Push(session, Company(False)) for session in self.sessions()]
        return out

    def _on_notice(self, event: Notice, now_wall_ms: int) -> list[Effect]:
        return [
            Push(delivery.session, Update(event.payload))
            for delivery in self.devices.values()
            if delivery.session is not None and delivery.device != event.device
        ]

    _ATTEND: dict[type, Any] = {
        Attach: _on_attach,
        Aware: _on_aware,
        CompanyDue: _on_company_due,
        Detach: _on_detach,
        DeviceRevoked: _on_device_revoked,
        Notice: _on_notice,
    }
