"""Knows everything that was seen in one run of a world. Must not know what ought to have been.

What can only be judged when it happens (a number used twice, a mark that goes back) is judged
here; what must hold in the end is for `checker`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b

from actorchat.actor import VirtualClock
from actorchat.ids import direct_pair
from actorchat.protocol.ops import MarkPush, Record

Pair = tuple[str, str]
VIOLATIONS_KEPT_MAX = 20


@dataclass(slots=True)
class Posting:
    """A message that an application wants sent, under its own `cid`.

    `floor` is the highest seq that was acked in its conversation before it was first posted.
    """

    user: str
    device: str
    to: str
    cid: bytes
    body: str
    order: int
    floor: int

    @property
    def pair(self) -> Pair:
        """The conversation."""
        return direct_pair(self.user, self.to)


@dataclass(slots=True)
class Receipt:
    """A message of the conversation with `conv` that an application holds."""

    upd: int
    conv: str
    seq: int
    cid: bytes


@dataclass
class Journal:
    """What the applications, the wires and the node did, and a digest over all of it."""

    clock: VirtualClock
    posts: dict[bytes, Posting] = field(default_factory=dict)
    acked: dict[bytes, int] = field(default_factory=dict)
    acked_head: Counter[Pair] = field(default_factory=Counter)
    failed: dict[bytes, str] = field(default_factory=dict)
    last_order: int = 0
    placed: dict[tuple[Pair, int], bytes] = field(default_factory=dict)
    updates: dict[str, dict[int, tuple[str, int]]] = field(default_factory=dict)
    pages: dict[tuple[str, Pair], list[Record]] = field(default_factory=dict)
    marks: dict[tuple[str, str, str], tuple[int, int]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    story: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    are_marks_lossy: bool = False
    is_telling: bool = False

    def __post_init__(self) -> None:
        self._digest = blake2b(digest_size=16)

    @property
    def trace(self) -> str:
        """The digest of all that happened so far."""
        return self._digest.hexdigest()

    def note(self, what: str, content: bytes = b"") -> None:
        """Take one event into the digest; keep it as text if somebody wants to read it."""
        head = f"{self.clock.now_s:.9f} {what} "
        self._digest.update(head.encode() + content)
        if self.is_telling:
            self.story.append(head + (f"({len(content)} bytes)" if content else ""))

    def violate(self, rule: str, text: str) -> None:
        """Record that a rule does not hold."""
        self.counts["violations"] += 1
        if len(self.violations) < VIOLATIONS_KEPT_MAX:
            self.violations.append(f"{rule} at {self.clock.now_s:.3f} s: {text}")

    # -- sends -------------------------------------------------------------------------------
    def accepted(self, cid: bytes, seq: int) -> None:
        """Note that a client was told that its message is durable as `seq`."""
        pair = self.posts[cid].pair
        before = self.acked.setdefault(cid, seq)
        if before != seq:
            self.violate("I6", f"{cid.hex()[:8]} was acked as {before} and then as {seq}")
        self.counts["acks"] += 1
        self.acked_head[pair] = max(self.acked_head[pair], seq)
        self.place(pair, seq, cid)

    def place(self, pair: Pair, seq: int, cid: bytes) -> None:
        """Note that somebody was shown `cid` at `seq` of a conversation."""
        before = self.placed.setdefault((pair, seq), cid)
        if before != cid:
            text = f"seq {seq} of {pair} was {before.hex()[:8]} and then {cid.hex()[:8]}"
            self.violate("I6", text)

    # -- deliveries --------------------------------------------------------------------------
    def shown(self, user: str, upd: int, record: Record, to: str | None = None) -> None:
        """Note an update as it came over a wire, repeated or not."""
        self.counts["updates_on_wires"] += 1
        if to is not None:
            self.counts["own_updates"] += 1
            if record.sender != user:
                self.violate("I4", f"{user} was shown a message of {record.sender} as their own")
        conv = record.sender if to is None else to
        pair = direct_pair(conv, user)
        log = self.updates.setdefault(user, {})
        message = (conv, record.seq)
        before = log.setdefault(upd, message)
        if before != message:
            self.violate("I6", f"update {upd} of {user} was {before} and then {message}")
        self.place(pair, record.seq, record.cid)
        self.judge_body(user, record)

    def update_cid(self, user: str, upd: int) -> bytes:
        """Return the id of the message that update `upd` of `user` was; empty: it was not seen."""
        conv, seq = self.updates.get(user, {}).get(upd, ("", 0))
        return self.placed.get((direct_pair(user, conv), seq), b"")

    def judge_body(self, user: str, record: Record) -> None:
        """See that a record was posted by who it says, to who got it, with that body."""
        post = self.posts.get(record.cid)
        if post is None:
            self.violate("I4", f"{user} got {record.cid.hex()[:8]}, which nobody sent")
            return
        if user not in post.pair:
            self.violate("I7", f"{user} got a message from {post.user} to {post.to}")
        if (post.user, post.body) != (record.sender, record.body):
            self.violate("I4", f"{record.cid.hex()[:8]} came to {user} with another sender or body")

    def marked(self, session: str, push: MarkPush) -> None:
        """Note marks that were shown in a session."""
        self.counts["marks"] += 1
        if push.read > push.delivered:
            self.violate("I5", f"{push.user} read {push.read} with {push.delivered} delivered")
        key = (session, push.conv, push.user)
        delivered, read = self.marks.get(key, (0, 0))
        went_back = push.delivered < delivered or push.read < read
        if went_back and not self.are_marks_lossy:
            text = f"marks of {push.user} went back from {delivered}, {read} to"
            self.violate("I5", f"{text} {push.delivered}, {push.read}")
        self.marks[key] = (push.delivered, push.read)

    def forget_marks(self) -> None:
        """Let marks begin anew: a hint that was not synced may be lost with the node's memory."""
        self.marks.clear()
