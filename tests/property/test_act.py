"""Whatever is asked, the sequence is dense, and messages are what the acts make of them."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from actorchat.chat.act import refs_of
from actorchat.chat.acting import Acting
from actorchat.chat.conversation import Conversation
from actorchat.chat.effect import Refuse, Store
from actorchat.chat.event import Durable, Post
from actorchat.protocol.ops import AnyAct, Deleted, Edited, Extra, Reacted, Record

PAIR = ("ann", "bob")
refs = st.integers(1, 8)
acts = st.one_of(
    st.builds(Edited, refs),
    st.builds(Deleted, st.lists(refs, min_size=1, max_size=3)),
    st.builds(Reacted, refs, st.sampled_from("xy"), st.booleans()),
)
steps = st.tuples(
    st.sampled_from((*PAIR, "eve")),
    st.none() | st.builds(Extra, re=st.none() | refs) | acts,
    st.sampled_from(("one", "two", "")),
    st.integers(0, 3),  # how many appends are synced after it
)


class Nobody:
    def tell(self, event: object) -> None:
        raise AssertionError


class Kept:
    """A log that holds a machine's rows back until they are synced."""

    def __init__(self) -> None:
        self.machine = Conversation(PAIR, edit_window_s=10.0)
        self.rows: dict[int, Record] = {}
        self._late: list[tuple[int, list[Record]]] = []

    def take(self, user: str, more: Extra | AnyAct | None, body: str, cid: bytes, now: int) -> Any:
        acting = more if more is None or isinstance(more, Extra) else Acting(more)
        if isinstance(acting, Acting):
            known = {} if self.machine.acts is None else self.machine.acts.pending
            named = {ref: known.get(ref) or self.rows.get(ref) for ref in refs_of(acting.act)}
            acting.targets = {ref: record for ref, record in named.items() if record is not None}
        body = body if isinstance(more, Edited) or acting is more else ""
        post = Post(user, Nobody(), 1, cid, body, more=acting)
        (effect, *_) = self.machine.handle(post, now)
        if isinstance(effect, Store):
            record = Record(user, effect.seq, effect.ts, cid, body)
            written = [record]
            if isinstance(acting, Acting):
                record.act = acting.act
                written += acting.rewrites
            self._late.append((effect.seq, written))
        return effect

    def sync(self, count: int) -> None:
        for seq, written in self._late[:count]:
            self.rows.update((record.seq, record) for record in written)
            self.machine.handle(Durable(seq), 0)
        del self._late[:count]


@given(st.lists(steps, max_size=40))
def test_messages_are_what_the_acts_that_were_let_in_make_of_them(asked: list[Any]) -> None:
    kept, made = Kept(), dict[int, Record]()
    for number, (user, more, body, synced) in enumerate(asked):
        cid = number.to_bytes(16, "big")
        before = {seq: msgspec.structs.replace(record) for seq, record in kept.rows.items()}
        head = kept.machine.seq
        effect = kept.take(user, more, body, cid, 5_000)
        if isinstance(effect, Refuse):
            assert kept.machine.seq == head
            assert kept.rows == before
        else:
            assert effect.seq == head + 1
            _apply(made, effect.seq, user, more, effect.post.body)
        kept.sync(synced)
    kept.sync(len(asked))
    assert sorted(kept.rows) == list(range(1, kept.machine.seq + 1))
    assert kept.machine.acts is None or kept.machine.acts.pending == {}
    for seq, record in made.items():
        found = kept.rows[seq]
        assert (found.body, found.gone, found.edited, found.reactions) == (
            *(record.body, record.gone, record.edited, record.reactions),
        )


def _apply(made: dict[int, Record], seq: int, user: str, more: Any, body: str) -> None:
    """Do what was let in, and see that it could be."""
    if more is None or isinstance(more, Extra):
        assert more is None or more.re is None or more.re < seq
        made[seq] = Record(user, seq, 0, b"", body)
        return
    for ref in refs_of(more):
        record = made[ref]
        assert not record.gone
        if isinstance(more, Reacted):
            users = record.reactions.get(more.emoji, [])
            users = [one for one in users if one != user or more.on]
            if more.on and user not in users:
                users = [*users, user]
            record.reactions = {**record.reactions, more.emoji: users}
            if not users:
                del record.reactions[more.emoji]
            continue
        assert record.sender == user
        if isinstance(more, Edited):
            record.body, record.edited = body, seq
        else:
            made[ref] = Record(user, ref, 0, b"", "", gone=True)
