"""Knows how a registry's process starts, ends and exits. Must not know what a registry does."""

from __future__ import annotations

import asyncio
import faulthandler
import signal
from collections.abc import Callable

import uvloop

from actorchat import logs
from actorchat.errors import ActorchatError, Fatal, SettingsError, StoreBusy
from actorchat.settings.registry import RegistrySettings
from nodes.boot import EXIT_BUSY, EXIT_CANT_LISTEN, EXIT_CONFIG, EXIT_OK, raise_file_limit
from nodes.roles.registry import EXIT_CRASH, RegistryRole

log = logs.logger(__name__)


def run(settings: RegistrySettings, *, on_ready: Callable[[str], None] | None = None) -> int:
    """Run a registry until SIGINT or SIGTERM; return the exit status of its process.

    0 after a clean stop, 78 if the journal is damaged or the settings can't be used, 74 after an
    I/O error of the journal, 75 if another process has it open, 71 if the address can't be bound.
    """
    logs.configure(settings.log.level, settings.log.format)
    raise_file_limit()
    if not faulthandler.is_enabled():
        faulthandler.enable()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_serve(settings, on_ready))
    except Fatal as error:
        path = getattr(error, "path", None)
        log.critical("registry can't go on", code=error.code, reason=str(error), path=path)
        return error.exit_status
    except StoreBusy as error:
        log.critical("journal is in use", reason=str(error))
        return EXIT_BUSY
    except SettingsError as error:
        log.critical("settings can't be used", reason=str(error))
        return EXIT_CONFIG
    except ActorchatError as error:
        log.critical("registry failed", code=error.code, reason=str(error))
        return EXIT_CRASH
    except OSError as error:
        log.critical("registry can't start", reason=str(error))
        return EXIT_CANT_LISTEN


async def _serve(settings: RegistrySettings, on_ready: Callable[[str], None] | None) -> int:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def end(status: int) -> None:
        if not ended.done():
            ended.set_result(status)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end, EXIT_OK)
    role = RegistryRole(settings.registry, end)
    try:
        await role.start()
        log.info("registry is ready", address=role.address, folder=settings.registry.data_dir)
        if on_ready is not None:
            on_ready(role.address)
        status = await ended
        log.info("registry stops", status=status)
    finally:
        await role.stop()
    if status != EXIT_OK and role.failure is not None:
        raise role.failure
    return status
