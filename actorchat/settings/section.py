"""Knows what a table of settings is made of. Must not know any setting."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from actorchat import ids

MIB = 1024 * 1024

Name = Annotated[str, Meta(pattern=f"^{ids.NAME_PATTERN}$")]
Bytes = Annotated[int, Meta(ge=MIB)]
Count = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the settings file."""
