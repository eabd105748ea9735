"""Knows the rows of devices and of the list of conversations, both ways.
Must not know who asks.
"""

from __future__ import annotations

from actorchat.broker.archive import Archive
from actorchat.broker.blocks import Blocks
from actorchat.broker.group_census import GroupCensus
from actorchat.broker.tombs import Tombs
from actorchat.broker.unread import writers
from actorchat.chat.block import Spans, last_shown, shown_ranges
from actorchat.chat.event import Pair
from actorchat.chat.people import Card, ConversationFacts, DeviceFacts
from actorchat.ids import GROUP_MARK, other_of
from actorchat.limits import UNREAD_COUNTED_MAX
from actorchat.protocol import codec
from actorchat.store import keys, kinds, values
from actorchat.store.engine import Engine, Op

_LAST = b"\xff" * keys.OWNER_BYTES


class Census:
    """What the store keeps for the lists that users see.

    The index of conversations has a row for each of the two users, written with the first message;
    of a store that was begun without it, when the conversation is used again. Costs: a conversation
    of a page 20 µs, and 0.5 µs for each unread message that is counted.
    """

    __slots__ = ("_archive", "_blocks", "_get", "_groups", "_scan", "_state", "_tombs")

    def __init__(self, engine: Engine, archive: Archive) -> None:
        self._archive = archive
        self._blocks = Blocks(engine)
        self._tombs = Tombs(engine)
        self._groups = GroupCensus(engine, archive)
        self._get = engine.get
        self._scan = engine.scan
        self._state = engine.family("state")

    # -- devices -----------------------------------------------------------------------------------
    def devices(self, user: str) -> list[DeviceFacts]:
        """Return the devices that may sign in, by name."""
        owner = keys.user_key(user)
        cursors = self._archive.cursors(owner)
        found = []
        for name in self.device_names(user):
            device = self._archive.device(user, name)
            assert device is not None
            seen = self._get(keys.state_key(owner, kinds.SEEN, name.encode()), self._state)
            title = self._get(keys.state_key(owner, kinds.TITLE, name.encode()), self._state)
            found.append(
                DeviceFacts(
                    name,
                    device.created_at_wall_ms,
                    0 if seen is None else values.unpack_position(seen),
                    "" if title is None else title.decode(),
                    cursors.get(name),
                )
            )
        return found

    def device_names(self, user: str) -> list[str]:
        """Return the names of the devices that may sign in, in order."""
        prefix = keys.state_key(keys.user_key(user), kinds.DEVICE)
        rows = self._scan(self._state, *keys.prefix_range(prefix))
        return [key[len(prefix) :].decode() for key, _ in rows]

    def title_row(self, user: str, device: str, title: str) -> Op:
        """Return the row of how a device is shown; an empty title deletes it."""
        key = keys.state_key(keys.user_key(user), kinds.TITLE, device.encode())
        return (self._state, key, title.encode() or None)

    def seen_row(self, user: str, device: str, at_wall_ms: int | None) -> Op:
        """Return the row of when a device signed in last; None deletes it."""
        key = keys.state_key(keys.user_key(user), kinds.SEEN, device.encode())
        return (self._state, key, None if at_wall_ms is None else values.pack_position(at_wall_ms))

    # -- what is said of people --------------------------------------------------------------------
    def card(self, user: str) -> Card | None:
        """Return what a user says of oneself; None if there is no such user."""
        value = self._get(keys.state_key(keys.user_key(user), kinds.PROFILE), self._state)
        if value is not None:
            said = codec.decode(value)
            return Card(said["title"], said["about"])
        return Card() if self._archive.has_account(user) else None

    def card_row(self, user: str, card: Card) -> Op:
        """Return the row of what a user says of oneself; nothing said deletes it."""
        is_empty = card == Card()
        value = None if is_empty else codec.encode({"title": card.title, "about": card.about})
        return (self._state, keys.state_key(keys.user_key(user), kinds.PROFILE), value)

    def contacts(self, user: str) -> list[str]:
        """Return a user's contacts, by name."""
        prefix = keys.state_key(keys.user_key(user), kinds.CONTACT)
        rows = self._scan(self._state, *keys.prefix_range(prefix))
        return [key[len(prefix) :].decode() for key, _ in rows]

    def has_contact(self, user: str, other: str) -> bool:
        """Say whether `other` is one of the user's contacts."""
        key = keys.state_key(keys.user_key(user), kinds.CONTACT, other.encode())
        return self._get(key, self._state) is not None

    def contact_row(self, user: str, contact: str, keep: bool) -> Op:
        """Return the row of a contact; not to keep it deletes it."""
        key = keys.state_key(keys.user_key(user), kinds.CONTACT, contact.encode())
        return (self._state, key, b"" if keep else None)

    # -- conversations -----------------------------------------------------------------------------
    def peers(self, user: str) -> list[str]:
        """Return those with whom a user has a conversation."""
        prefix = keys.state_key(keys.user_key(user), kinds.INDEX)
        rows = self._scan(self._state, *keys.prefix_range(prefix))
        return [other.decode() for _, other in rows]

    def index_rows(self, conversation: bytes, pair: Pair) -> tuple[Op, ...]:
        """Return the rows that list a conversation, for each of its users."""
        return tuple(
            (self._state, self._index_key(user, conversation), other_of(pair, user).encode())
            for user in dict.fromkeys(pair)
        )

    def is_listed(self, conversation: bytes, pair: Pair) -> bool:
        """Say whether a conversation has its rows; both are written at once."""
        return self._get(self._index_key(pair[0], conversation), self._state) is not None

    def conversations(
        self, user: str, after: str | None, limit: int, now_wall_ms: int = 0
    ) -> list[ConversationFacts]:
        """Return at most `limit` conversations and groups, behind the one with `after`.

        Those in which a block hides everything that there still is are none. At `now_wall_ms` the
        time of some messages is up, which are then unread no more.
        """
        owner = keys.user_key(user)
        prefix = keys.state_key(owner, kinds.INDEX)
        start = prefix if after is None else prefix + _key_of(user, after) + b"\0"
        found: list[ConversationFacts] = []
        while len(found) < limit:
            wanted = limit - len(found)
            rows = self._scan(self._state, start, prefix + _LAST, wanted)
            for key, other in rows:
                facts = self._facts(user, key[len(prefix) :], other.decode(), now_wall_ms)
                if facts is not None:
                    found.append(facts)
            if len(rows) < wanted:
                break
            start = rows[-1][0] + b"\0"
        return found

    def listed(self, user: str, after: bytes | None, limit: int) -> list[tuple[bytes, str]]:
        """Return the keys of at most `limit` conversations of a user, each with the other one."""
        prefix = keys.state_key(keys.user_key(user), kinds.INDEX)
        start = prefix if after is None else prefix + after + b"\0"
        rows = self._scan(self._state, start, prefix + _LAST, limit)
        return [(key[len(prefix) :], other.decode()) for key, other in rows]

    def listed_groups(self, user: str, after: bytes | None, limit: int) -> list[tuple[bytes, str]]:
        """Return the keys of at most `limit` groups of a user, each with its address."""
        found: list[tuple[bytes, str]] = []
        while len(found) < limit:
            rows = self.listed(user, after, limit)
            found += [(key, conv) for key, conv in rows if conv[0] == GROUP_MARK]
            if len(rows) < limit:
                break
            after = rows[-1][0]
        return found[:limit]

    def facts(self, user: str, conv: str, now_wall_ms: int) -> ConversationFacts | None:
        """Return what a list shows of a conversation that is led here; None: nothing."""
        return self._facts(user, _key_of(user, conv), conv, now_wall_ms)

    def key_of(self, user: str, conv: str) -> bytes:
        """Return the key of what a user calls `conv`."""
        return _key_of(user, conv)

    def groups(
        self, user: str, after: str | None, limit: int, now_wall_ms: int = 0
    ) -> list[ConversationFacts]:
        """Return at most `limit` of the groups that a user is in, behind `after`."""
        found: list[ConversationFacts] = []
        for address in self._groups.addresses(user, after):
            flags = self._flags(user, keys.group_key(address)) or 0
            if (facts := self._groups.facts(user, address, flags, now_wall_ms)) is not None:
                found.append(facts)
                if len(found) == limit:
                    break
        return found

    def conversation_keys(self, user: str, limit: int) -> list[tuple[bytes, str]]:
        """Return the keys of at most `limit` conversations of a user, each with the other user."""
        return self.listed(user, None, limit)

    def _facts(
        self, user: str, conversation: bytes, other: str, now_wall_ms: int
    ) -> ConversationFacts | None:
        archive = self._archive
        if other[0] == GROUP_MARK:
            flags = self._flags(user, conversation) or 0
            return self._groups.facts(user, other, flags, now_wall_ms)
        hidden = self._blocks.spans(conversation, user)
        head = last_shown(hidden, archive.last_seq(conversation))
        if head < archive.first_seq(conversation):
            return None
        marks = {}
        for one in (user, other):
            delivered, read = archive.marks(conversation, one)
            marks[one] = {"delivered": min(delivered, head), "read": min(read, head)}
        unread = self._unread(conversation, marks[user]["read"], head, hidden)
        return ConversationFacts(
            other,
            head,
            archive.record(conversation, head),
            writers(archive, user, conversation, unread, now_wall_ms),
            marks,
            self._flags(user, conversation) or 0,
            not archive.has_account(other),
        )

    def _unread(
        self, conversation: bytes, read: int, head: int, hidden: Spans
    ) -> list[tuple[int, bytes]]:
        """Return the newest records above `read` that are shown, as many as are counted."""
        found: list[tuple[int, bytes]] = []
        for after, before in reversed(shown_ranges(hidden, read, head + 1)):
            wanted = UNREAD_COUNTED_MAX + 1 - len(found)
            if not wanted:
                break
            found += self._archive.records(conversation, after, before, wanted, True)
        return found

    def flags(self, user: str, conv: str) -> int | None:
        """Return the user's flags of the conversation with `conv`; None if there is none."""
        conversation = _key_of(user, conv)
        if self._get(self._index_key(user, conversation), self._state) is None:
            return None
        return self._flags(user, conversation) or 0

    def flags_row(self, user: str, conv: str, flags: int) -> Op:
        """Return the row of the user's flags of a conversation; none set deletes it."""
        conversation = _key_of(user, conv)
        key = keys.state_key(keys.user_key(user), kinds.FLAGS, conversation)
        return (self._state, key, values.pack_position(flags) if flags else None)

    def _flags(self, user: str, conversation: bytes) -> int | None:
        key = keys.state_key(keys.user_key(user), kinds.FLAGS, conversation)
        value = self._get(key, self._state)
        return None if value is None else values.unpack_position(value)

    def _index_key(self, user: str, conversation: bytes) -> bytes:
        return keys.state_key(keys.user_key(user), kinds.INDEX, conversation)


def _key_of(user: str, conv: str) -> bytes:
    return keys.group_key(conv) if conv[0] == GROUP_MARK else keys.conversation_key(user, conv)
