"""Knows the types that op fields share, with their bounds. Must not know a single op."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from actorchat.ids import CLIENT_ID_BYTES, NAME_LENGTH_MAX, NAME_PATTERN
from actorchat.limits import (
    AGENT_CHARS_MAX,
    BODY_CHARS_MAX,
    JWT_CHARS_MAX,
    POSITION_MAX,
    REQUEST_ID_MAX,
    SECRET_CHARS_MAX,
)

RequestId = Annotated[int, Meta(ge=0, le=REQUEST_ID_MAX)]
Position = Annotated[int, Meta(ge=0, le=POSITION_MAX)]
Version = Annotated[int, Meta(ge=0, le=REQUEST_ID_MAX)]
DurationMs = Annotated[int, Meta(ge=0, le=REQUEST_ID_MAX)]

# Names that become accounts are matched in full. Where a name only asks for something that
# exists, its length is enough, and the hot path is spared a regular expression for each message.
NewName = Annotated[str, Meta(pattern=rf"\A{NAME_PATTERN}\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH_MAX)]

ClientId = Annotated[bytes, Meta(min_length=CLIENT_ID_BYTES, max_length=CLIENT_ID_BYTES)]
Body = Annotated[str, Meta(max_length=BODY_CHARS_MAX)]
Secret = Annotated[str, Meta(max_length=SECRET_CHARS_MAX)]
HelloSecret = Annotated[str, Meta(max_length=JWT_CHARS_MAX)]
NewSecret = Annotated[str, Meta(min_length=1, max_length=SECRET_CHARS_MAX)]
Agent = Annotated[str, Meta(max_length=AGENT_CHARS_MAX)]
Code = Annotated[str, Meta(min_length=1, max_length=32)]
