"""Knows every setting of a node and how to gather them. Must not know who uses them."""

from __future__ import annotations

from actorchat.settings.doors import GatewaySettings, TcpSettings
from actorchat.settings.loader import Origin, Resolved, env_name, load, resolve
from actorchat.settings.rule import parse_address
from actorchat.settings.schema import (
    AuthSettings,
    ChatSettings,
    LimitSettings,
    LogSettings,
    NodeSettings,
    Setting,
    Settings,
    StoreSettings,
    table,
)
from actorchat.settings.template import render_toml

__all__ = [
    "AuthSettings",
    "ChatSettings",
    "GatewaySettings",
    "LimitSettings",
    "LogSettings",
    "NodeSettings",
    "Origin",
    "Resolved",
    "Setting",
    "Settings",
    "StoreSettings",
    "TcpSettings",
    "env_name",
    "load",
    "parse_address",
    "render_toml",
    "resolve",
    "table",
]
