"""Knows which kinds of processes have settings of their own, and the kind that a file is of.
Must not know single settings.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from actorchat.settings.cluster import GatewayNodeSettings, MemberSettings, member_contradictions
from actorchat.settings.registry import RegistrySettings, registry_contradictions
from actorchat.settings.rule import contradictions
from actorchat.settings.schema import Settings
from actorchat.settings.section import Section


class Kind(Struct, frozen=True):
    """One of them: what is written for it, what is read, and what must hold in it.

    `what` it is in a sentence; `run` is how it is started with a FILE.
    """

    written: type[Section]
    read: type[Section]
    rule: Callable[[Mapping[str, Any]], Iterable[str]]
    what: str
    run: str


KINDS = {
    "standalone": Kind(
        Settings, Settings, contradictions, "a standalone node", "actorchat up --config"
    ),
    "chat": Kind(
        MemberSettings,
        MemberSettings,
        member_contradictions,
        "a node of a cluster",
        "actorchat node --config",
    ),
    "gateway": Kind(
        GatewayNodeSettings,
        MemberSettings,
        member_contradictions,
        "a node that is a gateway only",
        "actorchat node --config",
    ),
    "registry": Kind(
        RegistrySettings,
        RegistrySettings,
        registry_contradictions,
        "a registry",
        "actorchat registry up --config",
    ),
}
_TABLES = {"cluster": "chat", "registry": "registry"}


def kind_of(path: str | Path) -> Kind:
    """Return the kind that a file is of, by its tables; one that can't be read is a node's."""
    try:
        tables = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        tables = {}
    names = [name for table, name in _TABLES.items() if table in tables]
    return KINDS[names[0] if names else "standalone"]
