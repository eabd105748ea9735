"""Knows the op by which a user searches. Must not know how anything is found."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from actorchat.limits import SEARCH_HITS_MAX, SEARCH_QUERY_CHARS_MAX
from actorchat.protocol.ops.field import Name, Position, RequestId

SearchText = Annotated[str, Meta(min_length=1, max_length=SEARCH_QUERY_CHARS_MAX)]
HitLimit = Annotated[int, Meta(ge=1, le=SEARCH_HITS_MAX)]


class Search(Struct, tag_field="op", tag="search", gc=False, omit_defaults=True):
    """Ask for the messages that have all words of `q`, the last perhaps only begun, newest first.

    They are of the user's conversations and groups, or of `conv` alone, a user or a group; with
    `before` older than that time (ms). Answer: `{hits: [{conv, record}…], partial}`; `partial` says
    that not all was indexed yet: asking again finds more. Errors: `unsupported` where the server
    has no search, `bad_request` without a word, `busy`.
    """

    id: RequestId
    q: SearchText
    conv: Name | None = None
    before: Position | None = None
    limit: HitLimit = 20
