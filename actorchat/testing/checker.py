"""Knows what must hold when a world has come to rest. Must not know how it came there.

I1  what was acked is in the history, at the seq of the ack
I2  a history is dense from 1; all members see the same; the order is what a client promises
I3  each device got each message of others exactly once, in order; and what the user sent from
    another device, once both were there
I4  nothing is there that nobody sent; what was refused for good is not there
I5  marks never go back; read ≤ delivered ≤ head; what arrived is marked as delivered
I6  no number is given twice; an update log is dense
I7  nobody got a message of a conversation that they are not in
    nothing is left: no fan-out marker, no update that all devices have; the store is sound
"""

from __future__ import annotations

from collections import Counter

from actorchat.broker.archive import Archive
from actorchat.chat import inbox
from actorchat.chat.event import Conv
from actorchat.ids import direct_pair
from actorchat.protocol.codec import decode_record
from actorchat.protocol.ops import Record
from actorchat.store import keys
from actorchat.store.memory import MemoryEngine
from actorchat.store.verify import verify
from actorchat.testing.device import Device
from actorchat.testing.journal import Journal, Pair
from actorchat.testing.workload import PAIRS, PEERS


class Checker:
    """Compares what the store holds with what the journal saw.

    Args:
        is_calm: Nothing ever invited a client to send again, so that orders hold to the letter.
        may_lose_marks: A mark may have been under way to what crashed; it is counted only.
        may_drop_hints: The disk was full, so a log may be trimmed later than it could be.
    """

    def __init__(
        self,
        engine: MemoryEngine,
        journal: Journal,
        devices: list[Device],
        *,
        is_calm: bool,
        may_lose_marks: bool,
        may_drop_hints: bool,
    ) -> None:
        self._engine = engine
        self._archive = Archive(engine)
        self._journal = journal
        self._devices = devices
        self._is_calm = is_calm
        self._may_lose_marks = may_lose_marks
        self._may_drop_hints = may_drop_hints

    # -- the state -----------------------------------------------------------------------------
    def history(self, pair: Pair) -> list[Record]:
        """Return a conversation as the store has it."""
        key = keys.conversation_key(*pair)
        rows = self._archive.records(key, 0, keys.SEQ_MAX, 1_000_000, newest=False)
        return [decode_record(record) for _, record in rows]

    def due(self, user: str) -> list[Record]:
        """Return all that the devices of `user` must get, a conversation after the other.

        What they wrote themselves is due if it was shown, or waits to be.
        """
        rows = self._archive.rows(user, keys.user_key(user), 0)
        shown = self._journal.updates.get(user, {}).values()
        own: set[tuple[Conv, int]] = {(direct_pair(user, conv), seq) for conv, seq in shown}
        own |= {(row.pair, row.seq) for row in rows}
        return [
            record
            for pair in PAIRS
            if user in pair
            for record in self.history(pair)
            if record.sender != user or pair[0] == pair[1] or (pair, record.seq) in own
        ]

    def owed(self) -> list[bytes]:
        """Return the conversations with a fan-out marker."""
        rows = self._engine.scan(self._engine.family("outbox"), b"", b"\xff" * 19)
        return [key for key, _ in rows]

    def unmarked(self) -> list[str]:
        """Return whose delivered marks have not reached what they got."""
        late = []
        for pair in PAIRS:
            key, history = keys.conversation_key(*pair), self.history(pair)
            for user in sorted(set(pair)):
                got = [r.seq for r in history if r.sender != user or pair[0] == pair[1]]
                delivered, _ = self._archive.marks(key, user)
                if got and delivered < got[-1]:
                    late.append(f"{user} of {pair}: {delivered} of {got[-1]}")
        return late

    def unreceived(self) -> list[str]:
        """Return the devices whose application does not hold all that is due."""
        return [
            f"{device.label} holds {device.ledger.taken} of {head}"
            for device in self._devices
            if not device.is_revoking
            and device.ledger.taken != (head := len(self.due(device.user)))
        ]

    def unacked(self) -> list[str]:
        """Return the devices whose cursor is not at the head of their user's log."""
        late = []
        for user in PEERS:
            head = len(self.due(user))
            cursors = self._archive.cursors(keys.user_key(user))
            here = {d.name for d in self._devices if d.user == user and not d.is_revoking}
            late += [
                f"{user}/{name}: {cursors.get(name)} of {head}"
                for name in sorted(here)
                if cursors.get(name, 0) != head
            ]
        return late

    # -- the rules -----------------------------------------------------------------------------
    def check(self) -> None:
        """Judge everything; what does not hold is in the journal."""
        violate = self._journal.violate
        for pair in PAIRS:
            self._check_history(pair, self.history(pair))
        for user in PEERS:
            self._check_update_log(user)
        for device in self._devices:
            self._check_device(device)
        for key in self.owed():
            violate("rest", f"a fan-out marker is left for {key.hex()}")
        for text in self.unmarked():
            if self._may_lose_marks:
                self._journal.counts["marks_lost"] += 1
            else:
                violate("I5", f"not marked as delivered: {text}")
        report = verify(self._engine)
        for problem in report.problems[:5]:
            violate("store", str(problem))

    def _check_history(self, pair: Pair, history: list[Record]) -> None:
        journal, violate = self._journal, self._journal.violate
        seq_of: dict[bytes, int] = {}
        for expected, record in enumerate(history, 1):
            if record.seq != expected:
                violate("I2", f"history of {pair} has seq {record.seq} where {expected} was due")
            if record.cid in seq_of:
                violate("I2", f"{record.cid.hex()[:8]} is twice in {pair}")
            seq_of[record.cid] = record.seq
            journal.place(pair, record.seq, record.cid)
            journal.judge_body(pair[0], record)
            post = journal.posts.get(record.cid)
            if post is not None and record.seq <= post.floor:
                violate("I2", f"{pair} {record.seq} was sent after {post.floor} was acked")
            if record.cid in journal.failed:
                violate("I4", f"{record.cid.hex()[:8]} was refused and is in {pair}")
        for cid, seq in journal.acked.items():
            if journal.posts[cid].pair == pair and seq_of.get(cid) != seq:
                violate("I1", f"acked as {seq} of {pair}, found at {seq_of.get(cid)}")
        for user in set(pair):
            seen = journal.pages.get((user, pair))
            if seen is None:
                violate("I2", f"{user} could not read the history of {pair}")
            elif [(r.seq, r.cid) for r in seen] != [(r.seq, r.cid) for r in history]:
                violate("I2", f"{user} read another history of {pair}")
        self._check_order(pair, history)

    def _check_order(self, pair: Pair, history: list[Record]) -> None:
        """See that each device's messages stand in the order in which they were posted."""
        posts = self._journal.posts
        for device in self._devices:
            if device.user not in pair:
                continue
            mine = [
                post.order
                for record in history
                if (post := posts.get(record.cid)) is not None
                and post.order in device.ledger.orders
            ]
            passed = max(
                (sum(later > order for later in mine[:at]) for at, order in enumerate(mine)),
                default=0,
            )
            allowed = 0 if self._is_calm or device.habit.is_strict else device.habit.window - 1
            if passed > allowed and not (device.has_overlapped and allowed):
                text = f"{passed} messages of {device.label} in {pair} passed an older one"
                self._journal.violate("I2", text)

    def _check_update_log(self, user: str) -> None:
        journal, owner = self._journal, keys.user_key(user)
        log = journal.updates.get(user, {})
        due = self.due(user)
        messages = Counter(log.values())
        if sorted(log) != list(range(1, len(due) + 1)):
            journal.violate(
                "I6",
                f"updates of {user}: {len(log)} seen up to {max(log, default=0)}, {len(due)} due",
            )
        for message, count in messages.items():
            if count > 1:
                journal.violate("I6", f"{message} stands {count} times in the log of {user}")
        _, trimmed = self._archive.user_log(owner)
        cursors = self._archive.cursors(owner)
        low = min(cursors.values(), default=0)
        first = [row.upd for row in self._archive.rows(user, owner, 0)][:1]
        if trimmed > low or (first and first[0] > low + 1):
            text = f"log of {user} is trimmed to {trimmed}, {first}, with a cursor at {low}"
            journal.violate("rest", text)
        every: int = inbox.TRIM_EVERY_UPDATES  # type: ignore[attr-defined]  # as the knob is
        if low - trimmed >= every and not self._may_drop_hints:
            journal.violate("rest", f"log of {user} is trimmed to {trimmed} only: {cursors}")
        names = {d.name for d in self._devices if d.user == user and not d.is_revoking}
        if not set(cursors) <= names:
            journal.violate("rest", f"cursors of {user} for {sorted(set(cursors) - names)}")

    def _check_device(self, device: Device) -> None:
        journal, violate, ledger = self._journal, self._journal.violate, device.ledger
        log = self._journal.updates.get(device.user, {})
        held = [(r.upd, (r.conv, r.seq)) for r in ledger.held]
        if device.is_revoking:
            if device.process is not None:
                violate("devices", f"{device.label} was revoked and is still signed in")
        elif ledger.first_cursor is None:
            violate("devices", f"{device.label} never signed in")
            return
        first = ledger.first_cursor or 0
        jumps = ledger.jumps
        wanted = [
            (upd, log[upd])
            for upd in sorted(log)
            if upd > first and not any(held < upd <= cursor for held, cursor in jumps)
        ]
        # What it wrote itself comes back to it, and may or may not be handed to the application.
        wanted = [
            entry
            for entry in wanted
            if entry in held
            or entry[1][0] == device.user  # a note to oneself is handed on
            or journal.update_cid(device.user, entry[0]) not in ledger.wrote
        ]
        if device.is_revoking:
            wanted = wanted[: len(held)]
        if held != wanted:
            text = f"{device.label} holds {len(held)} messages after {first}, {len(wanted)} due"
            extra, missing = set(held) - set(wanted), set(wanted) - set(held)
            violate("I3", f"{text}; missing {sorted(missing)[:5]}, extra {sorted(extra)[:5]}")
        last: Counter[str] = Counter()
        for receipt in ledger.held:
            if receipt.seq <= last[receipt.conv]:
                text = f"{device.label} got {receipt.conv} {receipt.seq} after"
                violate("I3", f"{text} {last[receipt.conv]}")
            last[receipt.conv] = receipt.seq
        self._check_company(device, {message for _, message in held})
        if ledger.outbox and not device.is_revoking:
            violate("rest", f"{device.label} still waits for {len(ledger.outbox)} answers")

    def _check_company(self, device: Device, held: set[tuple[str, int]]) -> None:
        """See that `device` got what the user sent from another one while it had signed in."""
        ledger = device.ledger
        if device.is_revoking or ledger.is_on_trust:
            return
        # What a device wrote that was revoked before it had come to the others may be in history
        # alone: where a crash came between, nobody knows any more that there were others.
        revoked = {d.label for d in self._devices if d.is_revoking}
        for cid, seq in self._journal.acked.items():
            post = self._journal.posts[cid]
            if post.user != device.user or post.to == post.user:
                continue
            if f"{post.user}/{post.device}" in revoked:
                continue
            if post.device == device.name or cid in ledger.wrote:
                continue
            if post.order > ledger.first_order and (post.to, seq) not in held:
                text = f"{device.label} lacks {seq} to {post.to}, sent on {post.device}"
                self._journal.violate("I3", text)
