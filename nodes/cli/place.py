"""Knows where things are: data, credentials, the running node. Must not know what is done there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from nodes.cli.failure import CommandFailed, Exit

DEFAULT_SERVER = "tcp://127.0.0.1:7700"


def _home(variable: str, fallback: str) -> Path:
    given = os.environ.get(variable, "")
    # The XDG specification has relative paths ignored.
    return Path(given) if given.startswith("/") else Path.home() / fallback


def data_dir(given: Path | None = None) -> Path:
    """Return the data directory: as given, of the environment, or the user's own."""
    if given is not None:
        return given
    if from_environment := os.environ.get("ACTORCHAT_DATA"):
        return Path(from_environment)
    return _home("XDG_DATA_HOME", ".local/share") / "actorchat"


def config_dir() -> Path:
    """Return the directory of what the command line keeps for the user."""
    if from_environment := os.environ.get("ACTORCHAT_CONFIG_DIR"):
        return Path(from_environment)
    return _home("XDG_CONFIG_HOME", ".config") / "actorchat"


def running_node(data: Path) -> dict[str, Any] | None:
    """Return what the node on `data` wrote about itself, if it is alive."""
    try:
        described = json.loads((data / "node.json").read_text(encoding="utf-8"))
        pid = int(described["pid"])
        os.kill(pid, 0)
        return {**described, "pid": pid, "tcp": str(described["tcp"])}
    except PermissionError:
        return None  # another user's node: its key can't be read either
    except (OSError, ValueError, KeyError, TypeError):
        return None


def server_address(server: str | None, data: Path | None) -> str:
    """Return the address to connect to: as given, else the node's on `data`, else the default."""
    if server:
        return server if "://" in server else f"tcp://{server}"
    node = running_node(data_dir(data))
    return node["tcp"] if node is not None else DEFAULT_SERVER


def realm(server: str | None, data: Path | None) -> str:
    """Return what a login is good for: the cluster of the node on `data`, or its address."""
    if not server:
        node = running_node(data_dir(data))
        if node is not None and node.get("cluster"):
            return f"cluster {node['cluster']}"
    return server_address(server, data)


def operator_key(data: Path | None) -> str:
    """Return the operator's secret of the node on `data`.

    Raises:
        CommandFailed: It can't be read.
    """
    path = data_dir(data) / "operator.key"
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        why = error.strerror or str(error)
        hint = "an operator's command needs the data directory of the node: --data DIR"
        raise CommandFailed(Exit.REFUSED, "no_operator_key", f"{path}: {why}", hint) from None
