"""Knows a registry: its actors, on the running loop. Must not know processes, signals or flags."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actorchat import logs
from actorchat.actor import ActorSystem, LoopDispatcher
from actorchat.cluster.journal import DiskFolder
from actorchat.cluster.registry_actor import Plan
from actorchat.cluster.registry_supervision import spawn_registry
from actorchat.errors import ActorchatError, Fatal, SettingsError, StoreIO
from actorchat.gateway.tls import tls_context
from actorchat.settings import parse_address
from actorchat.settings.registry import RegistrySection
from actorchat.store.committer import ThreadSyncer

log = logs.logger(__name__)

EXIT_CRASH = 70
KEY_CHARS_MIN = 16


class RegistryRole:
    """The registry of one process.

    `failure` is the error after which it could not go on. `on_end` is called with the exit status
    when the process must end by itself.
    """

    def __init__(self, settings: RegistrySection, on_end: Callable[[int], None]) -> None:
        self.failure: ActorchatError | OSError | None = None
        self._on_end = on_end
        self._settings = settings
        self._addresses: dict[str, Any] = {}
        loop = asyncio.get_running_loop()
        self._system = ActorSystem(LoopDispatcher(loop))
        self._system.on_crash(self._crashed)
        self._system.on_terminated(lambda *_: self._on_end(EXIT_CRASH))
        folder = Path(settings.data_dir).expanduser()
        self._plan = Plan(
            folder=lambda: DiskFolder(folder),
            syncer=lambda sync: ThreadSyncer(sync, loop.call_soon_threadsafe),
            key=read_key(settings.key_file),
            timeout_min_s=settings.timeout_min_s,
            timeout_max_s=settings.timeout_max_s,
        )
        certificate = settings.tls_cert
        self._context = tls_context(certificate, settings.tls_key) if certificate else None

    @property
    def address(self) -> str:
        """Where it listens, as `tcp://host:port`."""
        host, port = self._addresses["bound"]
        return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"

    async def start(self) -> None:
        """Read the journal, then listen.

        Raises:
            Fatal: The journal can't be used.
            StoreBusy: Another process has it open.
            OSError: The address can't be bound.
        """
        host, port = parse_address(self._settings.listen)
        root = spawn_registry(self._system, self._plan, self._addresses, host, port, self._context)
        try:
            await root.started()
        except ActorchatError:
            if self.failure is not None:
                raise self.failure from None
            raise

    async def stop(self) -> None:
        """Let nodes go, write what is left."""
        await self._system.stop()

    def _crashed(self, ref: Any, reason: Any, traceback: str) -> None:
        log.error("actor crashed", actor=ref.label, reason=str(reason), traceback=traceback)
        error = reason.error
        if self.failure is None and isinstance(error, ActorchatError | OSError):
            self.failure = error
        if isinstance(error, Fatal):
            self._on_end(error.exit_status)
        elif isinstance(error, OSError):
            self._on_end(StoreIO.exit_status)


def read_key(path: str) -> bytes:
    """Return the secret in the file at `path`; empty if there is to be none.

    Raises:
        SettingsError: It can't be read, is too short, or can be read by others.
    """
    if not path:
        return b""
    file = Path(path).expanduser()
    try:
        key = file.read_bytes().strip()
        mode = file.stat().st_mode
    except OSError as error:
        raise SettingsError([f"registry.key_file: {path}: {error.strerror or error}"]) from None
    if len(key) < KEY_CHARS_MIN:
        raise SettingsError([f"registry.key_file: {path}: fewer than {KEY_CHARS_MIN} characters"])
    if mode & 0o077:
        raise SettingsError([f"registry.key_file: {path}: others can read it; chmod 600 {path}"])
    return key
