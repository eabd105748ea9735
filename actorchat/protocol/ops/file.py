"""Knows the ops by which files are brought and fetched beside the messages.
Must not know how files travel, or where they are kept.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from actorchat.limits import FILE_TYPE_CHARS_MAX, FILES_PAGE_MAX
from actorchat.protocol.ops.extra import FileHash, FileSize
from actorchat.protocol.ops.field import RequestId

MediaType = Annotated[
    str,
    Meta(
        pattern=r"\A[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*\Z",
        max_length=FILE_TYPE_CHARS_MAX,
    ),
]

FilesLimit = Annotated[int, Meta(ge=1, le=FILES_PAGE_MAX)]


class Upload(Struct, tag_field="op", tag="upload", gc=False):
    """Ask for a ticket to bring the file with hash `sha256`, of `size` bytes and media type `type`.

    Answer: `{base, path, ticket, expires, stored}`: PUT the bytes to `base` + `path` with the
    headers `Actorchat-Ticket` and `Content-Type` before `expires` (ms since 1970), once. `stored`
    says that the server has this file and counts it as the user's too, so nothing need be brought.
    Errors: `too_large`, `quota_exceeded`, `size_mismatch`, `store_full`, `busy`, `unsupported`.
    """

    id: RequestId
    sha256: FileHash
    size: FileSize
    type: MediaType


class Download(Struct, tag_field="op", tag="download", gc=False):
    """Ask for a ticket to fetch the file with hash `sha256`.

    Who knows a hash may fetch the file. Answer: `{base, path, ticket, expires, size, type}`: GET
    `base` + `path` with the header `Actorchat-Ticket`, once. Errors: `no_such_file`, `busy`,
    `unsupported`.
    """

    id: RequestId
    sha256: FileHash


class Files(Struct, tag_field="op", tag="files", gc=False, omit_defaults=True):
    """Ask for a page of the files that are the user's, those behind the one with hash `after`.

    Answer: `{files: [{sha256, size, type, created}…], more, used, count, quota}`, by hash: when
    each became the user's (ms since 1970), and how many bytes of how many files count against the
    quota. Error: `busy`.
    """

    id: RequestId
    after: FileHash | None = None
    limit: FilesLimit = FILES_PAGE_MAX


class DropFile(Struct, tag_field="op", tag="drop_file", gc=False):
    """Ask for the file with hash `sha256` to be the user's no more, and not to count as theirs.

    Messages that refer to it do so still: its bytes go when no user has it and no message names it.
    Answer: `{dropped, used, count}`, when that is durable; `dropped` is false where it was not the
    user's. Errors: `store_full`, `unavailable`, `busy`.
    """

    id: RequestId
    sha256: FileHash


FILE_OPS = (Upload, Download, Files, DropFile)
