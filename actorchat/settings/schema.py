"""Knows every setting, its default, bounds and meaning. Must not know where values come from.

A setting is one field of a Struct below, with its bounds and its explanation. The loader, the
environment, the flags and the commented file of `config init` all follow from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_type_hints

import msgspec
from msgspec import Meta

from actorchat import limits
from actorchat.settings.doors import GatewaySettings
from actorchat.settings.section import MIB, Bytes, Count, Name, Seconds, Section


class NodeSettings(Section, frozen=True):
    """Who this node is, and where it keeps its data."""

    data_dir: Annotated[
        str,
        Meta(min_length=1, description="Directory of the store; made if it is missing."),
    ] = "data"
    name: Annotated[Name, Meta(description="Name of the node, unique among its peers.")] = "node-1"
    region: Annotated[Name, Meta(description="Region; clients are sent to the nearest.")] = "local"
    zone: Annotated[Name, Meta(description="Failure domain within the region.")] = "local"


class StoreSettings(Section, frozen=True):
    """How the log is kept on disk."""

    sync: Annotated[
        bool,
        Meta(
            description="Sync to disk before a message is acknowledged. With false, messages that "
            "were acknowledged are lost when the machine fails: only for experiments."
        ),
    ] = True
    write_buffer_bytes: Annotated[
        Bytes,
        Meta(description="Memory for unflushed writes, for each column family."),
    ] = 16 * MIB
    write_buffer_total_bytes: Annotated[
        Bytes,
        Meta(description="Memory for unflushed writes of all column families together."),
    ] = 64 * MIB
    block_cache_bytes: Annotated[
        Bytes,
        Meta(description="Memory for blocks read from disk."),
    ] = 256 * MIB
    wal_bytes_max: Annotated[
        Bytes,
        Meta(description="Size of the write-ahead log beyond which column families are flushed."),
    ] = 64 * MIB


class ChatSettings(Section, frozen=True):
    """How users and conversations are held in memory."""

    entity_idle_s: Annotated[
        Seconds,
        Meta(description="Seconds without work after which a user or conversation leaves memory."),
    ] = limits.ENTITY_IDLE_S
    group_members_max: Annotated[
        int,
        Meta(
            ge=1,
            le=limits.GROUP_SIZE_MAX,
            description="Members that a group may have.",
        ),
    ] = limits.GROUP_MEMBERS_MAX
    edit_window_s: Annotated[
        Seconds,
        Meta(description="Seconds after it was sent in which a message may be edited."),
    ] = limits.EDIT_WINDOW_S
    group_inline_max: Annotated[
        int,
        Meta(
            ge=0,
            le=limits.GROUP_SIZE_MAX,
            description="Members with whom each gets a log entry a message; with more, one for "
            "all that came meanwhile.",
        ),
    ] = limits.GROUP_INLINE_MEMBERS_MAX


class PresenceSettings(Section, frozen=True):
    """Who is shown as online."""

    offline_after_s: Annotated[
        Seconds,
        Meta(description="Seconds after the last sign of life for which a user counts as online."),
    ] = limits.OFFLINE_AFTER_S


class JwtSettings(Section, frozen=True):
    """Sign-in by tokens (JWT) of an identity provider; wants the extra `oidc`."""

    jwks: Annotated[
        str,
        Meta(
            description="The provider's key set: an https:// URL or the path of a file; empty: no "
            "such tokens sign in. It is fetched anew every five minutes and for unknown keys."
        ),
    ] = ""
    issuer: Annotated[
        str, Meta(description="What the claim `iss` of a token must be, letter by letter.")
    ] = ""
    audience: Annotated[
        str, Meta(description="What must be the claim `aud` of a token, or one of its list.")
    ] = ""
    algorithms: Annotated[
        str,
        Meta(
            description="Algorithms of signatures, separated by spaces: of RS256 RS384 RS512 "
            "PS256 PS384 PS512 ES256 ES384 ES512 EdDSA."
        ),
    ] = "RS256 ES256 EdDSA"
    user_claim: Annotated[
        str,
        Meta(
            min_length=1,
            description="The claim that is the user's name here, letter by letter. It must be one "
            "that people can't change for themselves at the provider.",
        ),
    ] = "preferred_username"
    makes_users: Annotated[
        bool, Meta(description="A token of a user who has no account makes one.")
    ] = False
    leeway_s: Annotated[
        float, Meta(ge=0, le=300, description="Seconds by which the provider's clock may differ.")
    ] = 30.0


class SearchSettings(Section, frozen=True):
    """Whether people can search their own conversations."""

    enabled: Annotated[
        bool,
        Meta(
            description="Answer searches. Words are indexed beside the store, in search.db, when "
            "somebody searches; needs a SQLite with FTS5."
        ),
    ] = True


class RetentionSettings(Section, frozen=True):
    """How long what is kept. Messages are kept for ever, unless one of these says otherwise."""

    inbox_days: Annotated[
        float,
        Meta(
            gt=0,
            description="Days that a device may stay away: updates that it has not acked by then "
            "go, and it is told to read the history instead.",
        ),
    ] = limits.INBOX_KEEP_S / 86_400
    history_days: Annotated[
        float,
        Meta(
            ge=0,
            description="Days that a message is kept; 0: for ever. Never less than 7, nor than "
            "one more than inbox_days, for sends are repeated and updates wait so long.",
        ),
    ] = 0.0
    history_bytes_max: Annotated[
        int,
        Meta(
            ge=0,
            description="Bytes of messages that one conversation keeps, the newest; 0: all. "
            "Messages younger than what history_days can be at least are kept all the same.",
        ),
    ] = 0
    sweep_every_s: Annotated[
        Seconds,
        Meta(description="Seconds between two searches for what may go; each is slow and cheap."),
    ] = limits.SWEEP_EVERY_S


class AuthSettings(Section, frozen=True):
    """Password hashing (argon2id); the defaults are the floor that OWASP recommends."""

    signup: Annotated[
        Literal["closed", "invitation", "open"],
        Meta(
            description="Who makes accounts: closed: operators alone; invitation: also who has the "
            "code of an invitation (`actorchat invitation add`); open: everybody."
        ),
    ] = "closed"
    signups_per_minute: Annotated[
        Count,
        Meta(
            description="Tries a minute to make an account from one address, also the burst; as "
            "with source_failures_per_minute, behind a proxy all have the proxy's."
        ),
    ] = limits.SIGN_UPS_PER_MINUTE
    token_days: Annotated[
        float,
        Meta(
            ge=0,
            le=36_500,
            description="Days after which a device's token expires, those made before included; "
            "0: never. Clients that keep tokens ask for others in time.",
        ),
    ] = 0.0
    argon2_memory_kib: Annotated[
        int,
        Meta(ge=8, description="Memory of one hash, in KiB; times hash_threads at the worst."),
    ] = 19_456
    argon2_time_cost: Annotated[Count, Meta(description="Passes over that memory.")] = 2
    argon2_parallelism: Annotated[Count, Meta(description="Lanes of one hash.")] = 1
    hash_threads: Annotated[Count, Meta(description="Threads that hash passwords.")] = 2
    hashes_queued_max: Annotated[
        Count,
        Meta(description="Sign-ins that may wait for a hash; the next is told to come back."),
    ] = limits.HASHES_QUEUED_MAX
    devices_max: Annotated[
        Count,
        Meta(description="Devices of one user that may sign in; one more is refused."),
    ] = limits.DEVICES_MAX
    source_failures_per_minute: Annotated[
        Count,
        Meta(
            description="Wrong secrets a minute from one address (of IPv6 a /64), also the burst; "
            "no address is exempt, and behind a proxy all have the proxy's."
        ),
    ] = limits.SOURCE_FAILURES_PER_MINUTE
    jwt: JwtSettings = JwtSettings()


class HookSettings(Section, frozen=True):
    """Where events are posted to, and how long they are kept for who has not fetched them."""

    networks: Annotated[
        str,
        Meta(
            description="Networks that hooks may reach though they are private, as 10.1.0.0/16 "
            "separated by spaces. Private, loopback and link-local addresses are refused otherwise."
        ),
    ] = ""
    timeout_s: Annotated[
        float,
        Meta(gt=0, le=60, description="Seconds for one post, its answer included."),
    ] = limits.HOOK_TIMEOUT_S
    keep_days: Annotated[
        float,
        Meta(
            gt=0,
            le=365,
            description="Days for which events are kept for hooks and bots that do not take them, "
            "and after which a hook that fails is given up.",
        ),
    ] = limits.EVENTS_KEEP_DAYS


class LimitSettings(Section, frozen=True):
    """What one client, and all together, may ask of the node."""

    handshake_timeout_s: Annotated[
        Seconds,
        Meta(description="Seconds from connecting to being signed in."),
    ] = limits.HANDSHAKE_TIMEOUT_S
    idle_timeout_s: Annotated[
        Seconds,
        Meta(description="Seconds of silence after which a connection is closed."),
    ] = limits.IDLE_TIMEOUT_S
    outbox_bytes_max: Annotated[
        int,
        Meta(
            ge=limits.FRAME_BYTES_MAX,
            description="Unsent bytes of a connection; beyond, it is a slow consumer and closed.",
        ),
    ] = limits.OUTBOX_BYTES_MAX
    requests_in_flight_max: Annotated[
        Count,
        Meta(description="Unanswered requests of a connection; beyond, it is not read."),
    ] = limits.REQUESTS_IN_FLIGHT_MAX
    connections_max: Annotated[
        Count,
        Meta(description="Connections of the node, fewer if open files are; others are closed."),
    ] = limits.CONNECTIONS_MAX


class FileSettings(Section, frozen=True):
    """Files that messages refer to; they travel over the HTTP gateway."""

    file_bytes_max: Annotated[
        int,
        Meta(ge=1, description="Size of one file."),
    ] = limits.FILE_BYTES_MAX
    quota_bytes: Annotated[
        int,
        Meta(ge=0, description="Size of one user's files together."),
    ] = limits.FILE_QUOTA_BYTES
    disk_free_bytes_min: Annotated[
        int,
        Meta(ge=0, description="Space that files leave on the disk, for messages."),
    ] = limits.FILE_DISK_FREE_BYTES_MIN
    ticket_s: Annotated[
        Seconds,
        Meta(description="Seconds for which a ticket to bring or fetch a file is good."),
    ] = limits.FILE_TICKET_S
    transfers_max: Annotated[
        Count,
        Meta(description="Files under way at the same time; the next is told to come back."),
    ] = limits.FILE_TRANSFERS_MAX
    base_url: Annotated[
        str,
        Meta(
            pattern=r"^(https?://[^/?# ]+)?$",
            description="Where clients reach the HTTP gateway, as https://chat.example.org; empty "
            "for the address at which it listens.",
        ),
    ] = ""


class LogSettings(Section, frozen=True):
    """What is written to standard error."""

    level: Annotated[
        Literal["debug", "info", "warning", "error", "critical"],
        Meta(description="Least level that is written: debug, info, warning, error, critical."),
    ] = "info"
    format: Annotated[
        Literal["auto", "console", "json"],
        Meta(description="auto, console or json; auto is console on a terminal, else json."),
    ] = "auto"


class Settings(Section, frozen=True):
    """All settings of a standalone node."""

    node: NodeSettings = NodeSettings()
    gateway: GatewaySettings = GatewaySettings()
    store: StoreSettings = StoreSettings()
    chat: ChatSettings = ChatSettings()
    presence: PresenceSettings = PresenceSettings()
    retention: RetentionSettings = RetentionSettings()
    search: SearchSettings = SearchSettings()
    auth: AuthSettings = AuthSettings()
    hooks: HookSettings = HookSettings()
    limits: LimitSettings = LimitSettings()
    files: FileSettings = FileSettings()
    log: LogSettings = LogSettings()


class Setting(msgspec.Struct, frozen=True):
    """One setting: its dotted key, its type with bounds, its default and its explanation."""

    key: str
    type: Any
    default: str | int | float | bool
    description: str


def sections(cls: type[Section] = Settings, prefix: str = "") -> Iterator[tuple[str, type]]:
    """Yield the dotted name and the class of each table, outer ones first."""
    for name, hint in get_type_hints(cls).items():
        if isinstance(hint, type) and issubclass(hint, Section):
            yield f"{prefix}{name}", hint
            yield from sections(hint, f"{prefix}{name}.")


def table(root: type[Section] = Settings) -> dict[str, Setting]:
    """Return every setting by its dotted key, in the order of the file."""
    found: dict[str, Setting] = {}
    for section, cls in sections(root):
        hints = get_type_hints(cls, include_extras=True)
        for field in msgspec.structs.fields(cls):
            hint = hints[field.name]
            if not (isinstance(hint, type) and issubclass(hint, Section)):
                marks = [mark for mark in get_args(hint) if isinstance(mark, Meta)]
                text = next((mark.description for mark in marks if mark.description), "")
                key = f"{section}.{field.name}"
                found[key] = Setting(key, hint, field.default, text)
    return found
