"""Knows how to draw any op, reply or record that is valid. Must not know how they are encoded."""

from __future__ import annotations

from hypothesis import strategies as st
from msgspec import Struct

from actorchat.ids import CLIENT_ID_BYTES, NAME_PATTERN, group_address
from actorchat.limits import (
    CONVERSATIONS_PAGE_MAX,
    FILE_HASH_BYTES,
    POSITION_MAX,
    REQUEST_ID_MAX,
)
from actorchat.protocol.ops import (
    Ack,
    Actors,
    Block,
    Blocks,
    Bot,
    Bye,
    Change,
    Contact,
    Contacts,
    Conversations,
    Delete,
    DeleteAccount,
    Deleted,
    Describe,
    Devices,
    Download,
    Edit,
    Edited,
    Events,
    Extra,
    Failure,
    FileRef,
    Flag,
    FlagPush,
    Forwarded,
    Group,
    Groups,
    Hello,
    History,
    Hook,
    Hooks,
    Locate,
    Mark,
    MarkPush,
    Msg,
    Password,
    Ping,
    Pong,
    Presence,
    PresenceState,
    Privacy,
    Profile,
    Provision,
    React,
    Reacted,
    Receipts,
    Record,
    Rename,
    Reply,
    Revoke,
    Search,
    Send,
    Signal,
    SignalPush,
    Status,
    Unwatch,
    Upload,
    Watch,
    Whereis,
)
from actorchat.protocol.ops.group import (
    Add,
    Alter,
    Assign,
    Create,
    Enter,
    Invite,
    Leave,
    Remove,
    Uninvite,
)

request_ids = st.integers(0, REQUEST_ID_MAX)
positions = st.integers(0, POSITION_MAX) | st.integers(0, 300)
durations = st.integers(0, REQUEST_ID_MAX)
names = st.from_regex(NAME_PATTERN, fullmatch=True)
hashes = st.binary(min_size=32, max_size=32)
client_ids = st.binary(min_size=CLIENT_ID_BYTES, max_size=CLIENT_ID_BYTES)
bodies = st.text(max_size=300)
signal_kinds = st.sampled_from(("typing", "recording", "stopped"))
secrets = st.text(min_size=1, max_size=40)

groups = client_ids.map(group_address)
tokens = st.from_regex(r"[A-Za-z0-9_-]{22}", fullmatch=True)
roles = st.sampled_from(("owner", "admin", "member", "reader"))
whos = st.sampled_from(("members", "admins"))
spans = st.sampled_from(("all", "since_join"))
titles = st.text(min_size=1, max_size=128)
sizes = st.none() | st.integers(1, 256)
changes: st.SearchStrategy[Struct] = st.one_of(
    st.builds(
        Create,
        titles,
        st.lists(names, max_size=3),
        st.text(max_size=60),
        whos,
        whos,
        spans,
        sizes,
    ),
    st.builds(
        Alter,
        st.none() | titles,
        st.none() | bodies,
        st.none() | whos,
        st.none() | whos,
        st.none() | spans,
        sizes,
    ),
    st.builds(Add, st.lists(names, min_size=1, max_size=3), st.sampled_from(("member", "reader"))),
    st.builds(Remove, names),
    st.builds(Leave, st.none() | names),
    st.builds(Assign, names, roles),
    st.builds(Invite, st.none() | tokens, st.none() | tokens),
    st.builds(Uninvite, tokens),
    st.builds(Enter, st.none() | tokens, st.none() | tokens),
)

places = st.integers(1, POSITION_MAX) | st.integers(1, 300)
emojis = st.text(min_size=1, max_size=16)
files = st.builds(
    FileRef,
    st.binary(min_size=FILE_HASH_BYTES, max_size=FILE_HASH_BYTES),
    positions,
    st.text(min_size=1, max_size=127),
    st.text(min_size=1, max_size=255),
)
_asides = {
    "re": st.none() | places,
    "fwd": st.none() | st.builds(Forwarded, st.integers(1, 99), st.none() | names),
    "mentions": st.lists(names, max_size=3),
    "expires_s": st.none() | st.integers(1, 7_776_000),
    "exp": st.none() | positions,
}
extras: st.SearchStrategy[Extra] = st.one_of(
    st.builds(Extra, kind=st.sampled_from(("text", "location", "contact", "sealed")), **_asides),
    st.builds(
        Extra, kind=st.just("file"), files=st.lists(files, min_size=1, max_size=3), **_asides
    ),
)
acts: st.SearchStrategy[Struct] = st.one_of(
    st.builds(Edited, places),
    st.builds(Deleted, st.lists(places, min_size=1, max_size=4)),
    st.builds(Reacted, places, emojis, st.booleans()),
)
records = st.builds(
    Record,
    names,
    positions,
    positions,
    client_ids,
    bodies,
    st.none() | groups,
    st.none() | changes,
    st.none() | extras,
    st.none() | acts,
    st.none() | positions,
    st.booleans(),
    st.booleans(),
    st.dictionaries(emojis, st.lists(names, min_size=1, max_size=3), max_size=2),
)

event_kinds = st.lists(st.sampled_from(("message", "change")), max_size=2)
_switches = st.none() | st.booleans()

CLIENT_STRATEGIES: dict[type[Struct], st.SearchStrategy[Struct]] = {
    Hello: st.builds(
        Hello,
        request_ids,
        request_ids,
        names,
        names,
        st.sampled_from(("password", "token", "operator", "jwt")),
        secrets,
        st.none() | positions,
        st.text(max_size=128),
    ),
    Ping: st.just(Ping()),
    Send: st.builds(Send, request_ids, names, client_ids, bodies, st.none() | extras),
    Ack: st.builds(Ack, positions),
    Mark: st.builds(Mark, names, positions),
    History: st.builds(
        History,
        request_ids,
        names,
        positions,
        st.none() | positions,
        st.integers(1, 200),
        st.none() | positions,
        st.booleans(),
        st.none() | st.integers(1, 131_072),
        st.lists(st.sampled_from(("message", "change")), max_size=8),
    ),
    Change: st.builds(Change, request_ids, groups, client_ids, changes),
    Group: st.builds(Group, request_ids, groups, st.none() | names),
    Receipts: st.builds(Receipts, request_ids, groups, st.none() | names),
    Groups: st.builds(Groups, request_ids, st.none() | groups, st.integers(1, 100)),
    Watch: st.builds(Watch, request_ids, st.lists(names, min_size=1, max_size=5)),
    Unwatch: st.builds(Unwatch, st.lists(names, min_size=1, max_size=5)),
    Signal: st.builds(Signal, names, signal_kinds),
    Privacy: st.builds(
        Privacy, request_ids, st.none() | st.sampled_from(("everyone", "contacts", "nobody"))
    ),
    Revoke: st.builds(Revoke, request_ids, names),
    Provision: st.builds(Provision, request_ids, names, st.none() | secrets, st.none() | names),
    Status: st.builds(Status, request_ids),
    Locate: st.builds(Locate, request_ids, names, st.text(max_size=64)),
    Whereis: st.builds(Whereis, request_ids, names),
    Actors: st.builds(
        Actors,
        request_ids,
        st.sampled_from(("tree", "top", "info")),
        st.sampled_from(("queue", "reductions", "memory")),
        st.integers(1, 50),
        st.text(min_size=1, max_size=256),
    ),
    Devices: st.builds(Devices, request_ids),
    Rename: st.builds(Rename, request_ids, names, st.text(max_size=64)),
    Conversations: st.builds(
        Conversations, request_ids, st.none() | names, st.integers(1, CONVERSATIONS_PAGE_MAX)
    ),
    Profile: st.builds(Profile, request_ids, names),
    Describe: st.builds(
        Describe, request_ids, st.none() | st.text(max_size=64), st.none() | st.text(max_size=256)
    ),
    Contact: st.builds(Contact, request_ids, names, st.booleans()),
    Contacts: st.builds(Contacts, request_ids),
    Block: st.builds(Block, request_ids, names, st.booleans()),
    Blocks: st.builds(Blocks, request_ids),
    DeleteAccount: st.builds(DeleteAccount, request_ids, secrets),
    Password: st.builds(
        Password, request_ids, secrets, secrets, st.booleans(), st.lists(names, max_size=16)
    ),
    Bot: st.builds(Bot, request_ids, names, names, event_kinds),
    Events: st.builds(
        Events, request_ids, st.none() | positions, st.integers(1, 100), st.integers(0, 5_000)
    ),
    Hook: st.builds(
        Hook,
        request_ids,
        names,
        st.just("add"),
        st.text(min_size=1, max_size=60),
        st.text(min_size=16, max_size=60),
        st.lists(st.sampled_from(("message", "change")), min_size=1, max_size=2),
    )
    | st.builds(Hook, request_ids, names, st.sampled_from(("remove", "pause", "resume", "test"))),
    Hooks: st.builds(Hooks, request_ids),
    Flag: st.builds(Flag, request_ids, names, _switches, _switches, _switches),
    Upload: st.builds(
        Upload, request_ids, hashes, positions, st.sampled_from(("image/png", "a/b+c.d"))
    ),
    Download: st.builds(Download, request_ids, hashes),
    Edit: st.builds(Edit, request_ids, names, client_ids, places, bodies),
    Delete: st.builds(
        Delete,
        request_ids,
        names,
        client_ids,
        st.lists(places, min_size=1, max_size=4),
        st.sampled_from(("me", "all")),
    ),
    React: st.builds(React, request_ids, names, client_ids, places, emojis, st.booleans()),
    Search: st.builds(
        Search,
        request_ids,
        st.text(min_size=1, max_size=256),
        st.none() | names,
        st.none() | positions,
        st.integers(1, 50),
    ),
}

failures = st.builds(
    Failure,
    st.sampled_from(("busy", "unauthenticated", "store_full", "id_conflict")),
    st.text(max_size=60),
    st.sampled_from(("never", "now", "after", "reconnect", "elsewhere")),
    st.sampled_from(("none", "done", "unknown")),
    st.none() | durations,
)

accepted = st.fixed_dictionaries(
    {"seq": positions, "ts": positions}, optional={"dup": st.just(True)}
)
_wire_records = st.fixed_dictionaries(
    {"from": names, "seq": positions, "ts": positions, "cid": client_ids, "body": bodies}
)
_marks = st.fixed_dictionaries({"delivered": positions, "read": positions})
pages = st.fixed_dictionaries(
    {
        "events": st.lists(_wire_records, max_size=4),
        "head": positions,
        "more": st.booleans(),
        "marks": st.dictionaries(names, _marks, max_size=2),
    }
)
reports = st.dictionaries(names, st.integers(-(2**63), 2**63) | st.text(max_size=20), max_size=5)

replies = st.builds(Reply, re=request_ids, ok=accepted | pages | reports | st.just({})) | st.builds(
    Reply, re=st.none() | request_ids, err=failures
)

PUSH_STRATEGIES: dict[type[Struct], st.SearchStrategy[Struct]] = {
    Msg: st.builds(Msg, positions, records, st.none() | names),
    MarkPush: st.builds(MarkPush, names, names, positions, positions),
    Presence: st.builds(
        Presence,
        st.lists(st.builds(PresenceState, names, st.booleans(), st.none() | positions), max_size=3),
    ),
    SignalPush: st.builds(SignalPush, names, signal_kinds),
    FlagPush: st.builds(FlagPush, names, st.booleans(), st.booleans(), st.booleans()),
    Pong: st.just(Pong()),
    Bye: st.builds(
        Bye,
        st.sampled_from(
            ("drain", "takeover", "revoked", "idle", "protocol", "slow_consumer", "overload")
        ),
        st.sampled_from(("now", "after", "never", "elsewhere")),
        st.none() | durations,
    ),
}

client_ops = st.one_of(*CLIENT_STRATEGIES.values())
server_ops = st.one_of(replies, *PUSH_STRATEGIES.values())
