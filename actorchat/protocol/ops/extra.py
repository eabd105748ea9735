"""Knows what a message can have beside its text. Must not know who may say what."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from actorchat.limits import (
    EXPIRES_S_MAX,
    FILE_HASH_BYTES,
    FILE_NAME_CHARS_MAX,
    FILE_TYPE_CHARS_MAX,
    FILES_MAX,
    FORWARD_HOPS_MAX,
    MENTIONS_MAX,
    POSITION_MAX,
)
from actorchat.protocol.ops.field import Name, Position

FileHash = Annotated[bytes, Meta(min_length=FILE_HASH_BYTES, max_length=FILE_HASH_BYTES)]
FileSize = Annotated[int, Meta(ge=0, le=POSITION_MAX)]
FileType = Annotated[str, Meta(min_length=1, max_length=FILE_TYPE_CHARS_MAX)]
FileName = Annotated[str, Meta(min_length=1, max_length=FILE_NAME_CHARS_MAX)]
Hops = Annotated[int, Meta(ge=1, le=FORWARD_HOPS_MAX)]
Lifetime = Annotated[int, Meta(ge=1, le=EXPIRES_S_MAX)]
Place = Annotated[int, Meta(ge=1, le=POSITION_MAX)]
MessageKind = Literal["text", "location", "contact", "sealed", "file"]


class FileRef(Struct, gc=False, frozen=True):
    """A file by what it holds: the hash of its bytes, their count, a media type and a name."""

    hash: FileHash
    size: FileSize
    type: FileType
    name: FileName


class Forwarded(Struct, gc=False, frozen=True, rename={"sender": "from"}, omit_defaults=True):
    """The message is passed on: `hops` times so far, first written by `from` where that is told.

    Only who passes it on says so; the server can't know.
    """

    hops: Hops
    sender: Name | None = None


class Extra(Struct, gc=False, frozen=True, omit_defaults=True):
    """What a message has beside its text.

    `re` is the seq of the message that it answers; `mentions` names who is meant; `files` belong to
    kind `file`, and to no other. The text of a `location` is a geo URI (RFC 5870), that of a
    `contact` a user's name or a vCard, that of `sealed` whatever its reader can open. A send says
    `expires_s`, the record has the wall time `exp` in ms instead.
    """

    re: Place | None = None
    fwd: Forwarded | None = None
    mentions: Annotated[list[Name], Meta(max_length=MENTIONS_MAX)] = []
    kind: MessageKind = "text"
    files: Annotated[list[FileRef], Meta(max_length=FILES_MAX)] = []
    expires_s: Lifetime | None = None
    exp: Position | None = None

    def __post_init__(self) -> None:
        if bool(self.files) != (self.kind == "file"):
            raise ValueError("`files` go with kind `file`")
