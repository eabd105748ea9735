"""Knows what the people of a simulated world do all day. Must not know faults or invariants."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec

from actorchat.client import event
from actorchat.client.message import PageAnswer
from actorchat.errors import ActorchatError, SessionEnded
from actorchat.ids import direct_pair
from actorchat.protocol.ops import History, Record
from actorchat.testing.device import Device
from actorchat.testing.journal import Journal, Posting

# Who writes to whom; dave writes to himself too. Mallory is in no conversation: the canary.
PEERS: dict[str, tuple[str, ...]] = {
    "alice": ("bob", "carol", "dave"),
    "bob": ("alice", "carol"),
    "carol": ("alice", "bob"),
    "dave": ("dave", "alice"),
    "mallory": (),
}
PAIRS = sorted({direct_pair(user, peer) for user, peers in PEERS.items() for peer in peers})
_ALPHABET = "abcdefghij ÄÖÜ€😀"
_WILD_SEQ = 1_000
NOBODY = "nobody"


class Workload:
    """Draws the next thing that somebody does, and does it.

    Args:
        interval_s: Seconds between two of them on average.
    """

    def __init__(
        self,
        rng: random.Random,
        journal: Journal,
        devices: list[Device],
        later: Callable[..., object],
        interval_s: float,
    ) -> None:
        self._rng = rng
        self._journal = journal
        self._devices = devices
        self._later = later
        self._interval_s = interval_s
        self._is_over = False
        self._posted = 0
        self._actions: list[tuple[Callable[[Device], None], int]] = [
            (self._send, 60),
            (self._burst, 8),
            (self._mark, 12),
            (self._mark_beyond, 1),
            (self._page, 6),
            (self._send_again, 6),
            (self._send_twice, 4),
            (self._send_other_body, 2),
            (self._send_to_nobody, 1),
        ]

    def start(self) -> None:
        """Begin, and go on until `stop`."""
        self._later(self._rng.expovariate(1 / self._interval_s), self._go_on)

    def stop(self) -> None:
        """Do nothing more."""
        self._is_over = True

    def _go_on(self) -> None:
        if self._is_over:
            return
        kinds, weights = zip(*self._actions, strict=True)
        active = [d for d in self._devices if not d.is_revoking]
        self._rng.choices(kinds, weights)[0](self._rng.choice(active))
        self.start()

    # -- sends -------------------------------------------------------------------------------
    def _send(self, device: Device) -> None:
        if PEERS[device.user]:
            self._post(device, self._rng.choice(PEERS[device.user]))

    def _burst(self, device: Device) -> None:
        if PEERS[device.user]:
            to = self._rng.choice(PEERS[device.user])
            for _ in range(self._rng.randint(3, 12)):
                self._post(device, to)

    def _post(self, device: Device, to: str) -> None:
        self._posted += 1
        cid = self._rng.randbytes(16)
        floor = self._journal.acked_head[direct_pair(device.user, to)]
        posting = Posting(device.user, device.name, to, cid, self._body(), self._posted, floor)
        self._journal.posts[cid] = posting
        self._journal.last_order = self._posted
        self._journal.note(f"{device.label} posts to {to}", cid)
        device.post(posting)

    def _body(self) -> str:
        rng = self._rng
        kind = rng.random()
        if kind < 0.05:
            return ""
        size = rng.randint(1, 60) if kind < 0.8 else rng.randint(60, 3_000)
        return "".join(rng.choices(_ALPHABET, k=min(size, 60))) + "x" * max(0, size - 60)

    def _acked(self, device: Device) -> Posting | None:
        mine = [
            post
            for cid in self._journal.acked
            if (post := self._journal.posts[cid]).user == device.user
        ]
        return self._rng.choice(mine) if mine else None

    def _send_again(self, device: Device) -> None:
        post = self._acked(device)
        if post is not None and device.process is not None:
            device.process.post(post, ("again", post.cid))

    def _send_twice(self, device: Device) -> None:
        # An impatient application: the first copy is still on its way.
        waiting = [post for post in device.ledger.outbox.values() if post.to != NOBODY]
        if waiting and device.process is not None:
            post = self._rng.choice(waiting)
            device.process.post(post, ("again", post.cid))

    def _send_other_body(self, device: Device) -> None:
        post = self._acked(device)
        if post is not None and device.process is not None:
            other = Posting(post.user, device.name, post.to, post.cid, post.body + "!", 0, 0)
            device.process.post(other, ("other body", post.cid))

    def _send_to_nobody(self, device: Device) -> None:
        self._post(device, NOBODY)

    # -- marks and pages ---------------------------------------------------------------------
    def _mark(self, device: Device) -> None:
        if device.process is not None and device.ledger.held:
            receipt = self._rng.choice(device.ledger.held[-10:])
            device.process.handle(event.MarkRead(receipt.conv, receipt.seq))

    def _mark_beyond(self, device: Device) -> None:
        # No seq is so high: the node must cut it down to what is there.
        if device.process is not None and PEERS[device.user]:
            peer = self._rng.choice(PEERS[device.user])
            device.process.handle(event.MarkRead(peer, _WILD_SEQ))

    def _page(self, device: Device) -> None:
        # The canary asks too: it gets a conversation of its own, which is empty.
        if device.process is None:
            return
        rng = self._rng
        before = rng.randint(1, 30) if rng.random() < 0.5 else None
        after = rng.randint(0, 10)
        conv = rng.choice(PEERS[device.user] or ("alice", "bob", "dave"))
        request = History(0, conv, after, before, rng.randint(1, 20))
        pages = Pages(self._journal, device, conv)
        device.process.handle(event.Ask(pages.take, request))


class Pages:
    """The pages of one conversation, as a device reads them from the newest to the oldest."""

    def __init__(self, journal: Journal, device: Device, conv: str) -> None:
        self._journal = journal
        self._device = device
        self._conv = conv
        self._read: list[Record] = []

    def read_all(self, before: int | None = None) -> None:
        """Read the whole conversation; it is in the journal when the last page has come."""
        if self._device.process is not None:
            request = History(0, self._conv, 0, before, 7)
            self._device.process.handle(event.Ask(self._take_next, request))

    def take(self, ok: dict[str, object] | None, error: ActorchatError | None) -> None:
        """Judge one page."""
        if ok is not None:
            self._judge(ok)

    def _take_next(self, ok: dict[str, object] | None, error: ActorchatError | None) -> None:
        user = self._device.user
        if ok is None:
            if not isinstance(error, SessionEnded):
                self.read_all(self._read[0].seq if self._read else None)
            return
        records = self._judge(ok)
        self._read[:0] = records
        if ok["more"] and records:
            self.read_all(records[0].seq)
        else:
            self._journal.pages[user, direct_pair(user, self._conv)] = self._read

    def _judge(self, ok: dict[str, object]) -> list[Record]:
        user, journal = self._device.user, self._journal
        page = msgspec.convert(ok, PageAnswer)
        pair = direct_pair(user, self._conv)
        last = 0
        for record in page.events:
            journal.judge_body(user, record)
            journal.place(pair, record.seq, record.cid)
            if record.seq <= last or (last and record.seq != last + 1):
                journal.violate("I2", f"a page of {pair} goes from seq {last} to {record.seq}")
            last = record.seq
        if last > page.head:
            journal.violate("I2", f"a page of {pair} has seq {last} above its head {page.head}")
        for member, marks in page.marks.items():
            if not marks.read <= marks.delivered <= page.head:
                journal.violate("I5", f"{member} has {marks} with head {page.head} in {pair}")
        journal.counts["pages"] += 1
        return page.events
