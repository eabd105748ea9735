"""Knows worlds in which what is kept is kept for seconds, and what must hold then all the same.
Must not know how anything is let go.

R1  a history is dense from where its ledger says to its head; what was acked and is not there
    lies before that, and is older than a message may go
R2  no message stands twice in a history, or in a user's log; numbers are given once
R3  a device got each update once and in order, but for those that it was told are gone
R4  the store is sound: every client id that is known is that of a message which is there
"""

from __future__ import annotations

from collections import Counter

from actorchat.chat.retention import Policy
from actorchat.store import keys
from actorchat.store.verify import verify
from actorchat.testing.checker import Checker
from actorchat.testing.device import Device
from actorchat.testing.journal import Pair, Posting
from actorchat.testing.workload import PAIRS, PEERS
from actorchat.testing.world import Options, World

# Longer than anybody is kept from sending, by being away or by a node whose disk is broken, so that
# no send is repeated after its id was forgotten.
SENT_KEEP_S = 48.0
AGED = Policy(1.5, SENT_KEEP_S, None, SENT_KEEP_S, 0.5)
SIZED = Policy(1.5, None, 600, SENT_KEEP_S, 0.5)
AGAIN_S = 2.0
SETTLE_S = 80.0


class RetentionChecker(Checker):
    """Judges what is left, and what everybody was told of the rest."""

    def check(self) -> None:
        """Judge everything."""
        for pair in PAIRS:
            self._check_rest(pair)
        for user in PEERS:
            log = self._journal.updates.get(user, {})
            for message, count in Counter(log.values()).items():
                if count > 1:
                    self._journal.violate("R2", f"{message} stands {count} times for {user}")
        for device in self._devices:
            self._check_device(device)
        for key in self.owed():
            self._journal.violate("rest", f"a fan-out marker is left for {key.hex()}")
        for problem in verify(self._engine).problems[:5]:
            self._journal.violate("R4", str(problem))

    def _check_rest(self, pair: Pair) -> None:
        journal, history = self._journal, self.history(pair)
        first = self._archive.first_seq(keys.conversation_key(*pair))
        journal.counts["gone"] += first - 1
        seqs = [record.seq for record in history]
        if seqs != list(range(first, first + len(seqs))) or (first > 1 and not seqs):
            journal.violate("R1", f"{pair} has {seqs[:5]}… where it should begin with {first}")
        at = {record.cid: record.seq for record in history}
        if len(at) != len(seqs):
            journal.violate("R2", f"a message stands twice in {pair}")
        for cid, seq in journal.acked.items():
            if journal.posts[cid].pair != pair:
                continue
            if seq >= first and at.get(cid) != seq:
                journal.violate("R1", f"acked as {seq} of {pair}, found at {at.get(cid)}")
        for record in history:
            journal.place(pair, record.seq, record.cid)
            journal.judge_body(pair[0], record)
            if record.cid in journal.failed:
                journal.violate("I4", f"{record.cid.hex()[:8]} was refused and is in {pair}")

    def _check_device(self, device: Device) -> None:
        """What a device was told is gone it may hold all the same, from a process that hung."""
        ledger = device.ledger
        held = {receipt.upd for receipt in ledger.held}
        gone = {upd for after, upto in ledger.jumps for upd in range(after + 1, upto + 1)}
        ledger.jumps = [(upd - 1, upd) for upd in gone - held]
        super()._check_device(device)

    def _check_company(self, device: Device, held: set[tuple[str, int]]) -> None:
        """What another device sent may be gone before this one comes; nothing to see."""


class RetentionWorld(World):
    """A world whose node keeps nothing for long."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed, Options(chaos_s=75.0, interval_s=0.5))
        self.node.policy = (AGED, SIZED)[seed % 2]
        self.node.sweep_every_s = (0.1, 1.0)[seed % 3 == 0]
        self._acked_at: dict[bytes, float] = {}
        self._note_ack = self.journal.accepted
        self.journal.accepted = self._accepted  # type: ignore[method-assign]
        self.workload._acked = self._acked_lately  # type: ignore[method-assign]

    def _accepted(self, cid: bytes, seq: int) -> None:
        self._acked_at.setdefault(cid, self.dispatcher.now_s())
        self._note_ack(cid, seq)

    def _acked_lately(self, device: Device) -> Posting | None:
        """Choose what is sent again: nothing whose id may be forgotten before it arrives."""
        if "disk_broken" in self.chaos.kinds:
            return None
        since_s = self.dispatcher.now_s() - AGAIN_S
        posts = (self.journal.posts[cid] for cid, at_s in self._acked_at.items() if at_s > since_s)
        mine = [post for post in posts if post.user == device.user]
        return self._rngs["people"].choice(mine) if mine else None

    def _checker(self) -> Checker:
        return RetentionChecker(
            self.disk.engine,
            self.journal,
            self.devices,
            is_calm=False,
            may_lose_marks=True,
            may_drop_hints=True,
        )

    def _unrest(self, checker: Checker) -> list[str]:
        """Return what is still to come: whom the history must serve has it to read."""
        if not self.node.is_ready:
            return ["the node is down"]
        if self._asking:
            return ["a device is still being made or revoked"]
        active = [d for d in self.devices if not d.is_revoking]
        found = [f"{d.label} is not signed in" for d in active if not d.is_open]
        found += [f"{d.label} owes {len(d.ledger.outbox)} sends" for d in active if d.ledger.outbox]
        return found + [f"owed: {key.hex()}" for key in checker.owed()]

    def _read_histories(self) -> None:
        """Wait instead, until nearly everything may go."""
        self._run_for(SETTLE_S)
