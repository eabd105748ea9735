"""Knows which users this machine is signed in as, and keeps their tokens. Must not know servers.

The file is TOML, mode 0600 in a directory of mode 0700:

    [servers."tcp://127.0.0.1:7700"]
    last = "ann"

    [servers."tcp://127.0.0.1:7700".users."ann"]
    device = "desk-3fa2"
    token = "…"
    errand_device = "desk-3fa2-errand"
    errand_token = "…"

A server is an address, or `cluster` and the registry's, for all its nodes.

A user has two devices here, because a device has one session: `tail` and `chat` listen as the
first, `send` and other short errands go as the second and so don't end them.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from nodes.cli.failure import CommandFailed, Exit
from nodes.cli.place import config_dir

_HOST_CHARS_MAX = 40


@dataclass(frozen=True)
class Login:
    """The devices by which one user is signed in here."""

    device: str
    token: str
    errand_device: str
    errand_token: str


def new_device() -> str:
    """Return a name for this machine as a device: its host's, and something no other has."""
    host = re.sub(r"[^a-z0-9]+", "-", socket.gethostname().lower()).strip("-")[:_HOST_CHARS_MAX]
    return f"{host.strip('-') or 'device'}-{secrets.token_hex(3)}"


def errand_of(device: str) -> str:
    """Return the name of the second device."""
    return f"{device}-errand"


def credentials_path() -> Path:
    """Return where the tokens are kept."""
    return config_dir() / "credentials.toml"


class Credentials:
    """The logins of one server."""

    def __init__(self, server: str) -> None:
        self.server = server
        found = _read().get(server, {})
        self.logins: dict[str, Login] = {}
        for user, fields in found.get("users", {}).items():
            try:
                self.logins[user] = Login(**fields)
            except TypeError:
                raise _unusable(f"the entry of {user} is not complete") from None
        last = found.get("last")
        self.last: str | None = last if last in self.logins else None

    def choose(self, user: str | None) -> tuple[str, Login]:
        """Return the user to act as: the one named, the last that signed in, or the only one.

        Raises:
            CommandFailed: There is none, or several and nothing says which.
        """
        chosen = user or self.last
        if chosen is None and len(self.logins) == 1:
            chosen = next(iter(self.logins))
        if chosen is None and self.logins:
            names = ", ".join(sorted(self.logins))
            raise CommandFailed(
                Exit.USAGE, "which_user", f"signed in here are {names}", "choose one with --as NAME"
            )
        if chosen is None or chosen not in self.logins:
            who = f"{chosen} is not" if chosen else "nobody is"
            hint = f"actorchat login {chosen or 'NAME'}, or as operator: actorchat user add NAME"
            raise CommandFailed(
                Exit.REFUSED, "not_signed_in", f"{who} signed in at {self.server}", hint
            )
        return chosen, self.logins[chosen]

    def keep(self, user: str, login: Login) -> None:
        """Write down a login, as the last one."""
        with _changed() as servers:
            entry = servers.setdefault(self.server, {})
            entry.setdefault("users", {})[user] = asdict(login)
            entry["last"] = user
        self.logins[user] = login
        self.last = user

    def renew(self, user: str, device: str, token: str) -> None:
        """Write down another token of one of a login's devices.

        Raises:
            CommandFailed: The login is not there any more.
        """
        with _changed() as servers:
            fields = servers.get(self.server, {}).get("users", {}).get(user, {})
            if device not in (fields.get("device"), fields.get("errand_device")):
                text = f"{user} is not signed in here by {device} any more"
                raise CommandFailed(Exit.REFUSED, "not_signed_in", text)
            which = "token" if device == fields["device"] else "errand_token"
            fields[which] = token
            login = Login(**fields)
        self.logins[user] = login

    def forget(self, user: str) -> None:
        """Strike out a login."""
        with _changed() as servers:
            entry = servers.get(self.server, {})
            entry.get("users", {}).pop(user, None)
            if entry.get("last") == user:
                del entry["last"]
            if not entry.get("users"):
                servers.pop(self.server, None)
        self.logins.pop(user, None)
        if self.last == user:
            self.last = None


def _unusable(why: str) -> CommandFailed:
    hint = "correct or remove the file, then sign in again"
    return CommandFailed(Exit.CONFIG, "credentials", f"{credentials_path()}: {why}", hint)


def _read() -> dict[str, Any]:
    import tomllib

    try:
        text = credentials_path().read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    try:
        servers = tomllib.loads(text).get("servers", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _unusable(str(error)) from None
    is_table = isinstance(servers, dict) and all(isinstance(one, dict) for one in servers.values())
    if not is_table or not all(isinstance(one.get("users", {}), dict) for one in servers.values()):
        raise _unusable("expected tables [servers.….users.…]")
    return cast("dict[str, Any]", servers)


@contextlib.contextmanager
def _changed() -> Iterator[dict[str, Any]]:
    """Give all servers' entries to be changed, and write them whole, one process at a time."""
    path = credentials_path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        servers = _read()
        yield servers
        scratch = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(_render(servers))
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    finally:
        os.close(directory)


def _render(servers: dict[str, Any]) -> str:
    # A JSON string is a TOML string.
    lines = ["# Tokens of the actorchat command line: as good as passwords, so keep them private."]
    for server, entry in servers.items():
        lines += ["", f"[servers.{json.dumps(server)}]"]
        if "last" in entry:
            lines.append(f"last = {json.dumps(entry['last'])}")
        for user, fields in entry.get("users", {}).items():
            lines += ["", f"[servers.{json.dumps(server)}.users.{json.dumps(user)}]"]
            lines += [f"{name} = {json.dumps(value)}" for name, value in fields.items()]
    return "\n".join(lines) + "\n"
