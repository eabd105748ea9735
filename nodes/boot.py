"""Knows how a node's process starts, ends and exits. Must not know what the node does."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import json
import os
import resource
import secrets
import signal
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

import actorchat
from actorchat import logs
from actorchat.actor import ActorSystem, LoopDispatcher
from actorchat.actor.collector import Collector
from actorchat.errors import ActorchatError, Fatal, SettingsError, StoreBusy, StoreFull
from actorchat.settings import Settings
from actorchat.settings.cluster import MemberSettings
from nodes.dump import Dump
from nodes.roles.standalone import EXIT_CRASH, Standalone

if TYPE_CHECKING:
    from nodes.roles.membership import Membership

log = logs.logger(__name__)

# sysexits.h, where it has one.
EXIT_OK = 0
EXIT_CANT_LISTEN = 71
EXIT_BUSY = 75
EXIT_CONFIG = 78


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """Where a running node is found."""

    tcp: str
    data: Path
    pid: int
    also: Mapping[str, str] = field(default_factory=dict)  # the other gateways' addresses, by name
    cluster: str = ""  # the registry's address, where it is one of several


def run(settings: Settings, *, on_ready: Callable[[NodeInfo], None] | None = None) -> int:
    """Run a node until SIGINT or SIGTERM; return the exit status of its process.

    With `MemberSettings` it is one of a cluster, and waits for its registry first.
    0 after a clean stop, 78 if the store is corrupt or the settings can't be used, 74 after an I/O
    error of the store, 75 if another process has the store open, 71 if an address can't be bound.
    """
    logs.configure(settings.log.level, settings.log.format)
    raise_file_limit()
    if not faulthandler.is_enabled():
        faulthandler.enable()
    dump = Dump()
    dump.install()  # before the loop and the store have threads
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_serve(settings, on_ready, dump))
    except Fatal as error:
        path = getattr(error, "path", None)
        log.critical("node can't go on", code=error.code, reason=str(error), path=path)
        return error.exit_status
    except StoreBusy as error:
        log.critical("store is in use", reason=str(error))
        return EXIT_BUSY
    except SettingsError as error:
        log.critical("settings can't be used", reason=str(error))
        return EXIT_CONFIG
    except StoreFull as error:
        log.critical("no space to start", reason=str(error))
        return Fatal.exit_status
    except ActorchatError as error:
        log.critical("node failed", code=error.code, reason=str(error))
        return EXIT_CRASH
    except OSError as error:
        log.critical("node can't start", reason=str(error))
        return EXIT_CANT_LISTEN
    finally:
        dump.remove()


async def _serve(
    settings: Settings, on_ready: Callable[[NodeInfo], None] | None, dump: Dump
) -> int:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def end(status: int) -> None:
        if not ended.done():
            ended.set_result(status)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end, EXIT_OK)
    data = Path(settings.node.data_dir).expanduser()
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    collector = Collector()
    member = await _enter(settings, data, ended) if isinstance(settings, MemberSettings) else None
    if ended.done():
        return await ended
    node = Standalone(settings, data, operator_key(data), end, collector, member)
    if member is None:
        await node.start()
    elif not await _join(node, member, ended):
        return await ended
    dump.begin(loop, node.log_actors)
    also = {name: address for name, address in node.addresses.items() if name != "tcp"}
    cluster = settings.cluster.registry if isinstance(settings, MemberSettings) else ""
    info = NodeInfo(node.tcp_address, data, os.getpid(), also, cluster)
    describe(info)
    collector.start()
    log.info("node is ready", tcp=info.tcp, **also, data=str(data), pid=info.pid)
    if on_ready is not None:
        on_ready(info)
    try:
        status = await ended
        log.info("node stops", status=status)
    finally:
        dump.end()
        await node.stop()
        collector.stop()
    if node.failure is not None:
        raise node.failure
    with contextlib.suppress(FileNotFoundError):
        (data / "node.json").unlink()
    return status


async def _enter(
    settings: MemberSettings, data: Path, ended: asyncio.Future[int]
) -> Membership | None:
    """Make the node a member of its cluster; None if it is told to end before it is one."""
    # Imported here: a node that is alone needs none of it.
    from nodes.roles.membership import Membership
    from nodes.roles.seat import Seat

    seat = Seat(data)  # held as long as the process lives
    system = ActorSystem(LoopDispatcher(asyncio.get_running_loop()))
    member = Membership(settings, system, seat=seat.id)
    if await _unless_ended(member.enter(), ended):
        return member
    await member.leave()
    await member.system.stop()
    return None


async def _join(node: Standalone, member: Membership, ended: asyncio.Future[int]) -> bool:
    """Start the node; False if it was told to end before it was ready, and has."""
    try:
        if await _unless_ended(node.start(), ended):
            return True
    except BaseException:
        await member.leave()
        raise
    await node.stop()
    return False


async def _unless_ended(work: Coroutine[Any, Any, None], ended: asyncio.Future[int]) -> bool:
    """Do `work`; give it up and return False if the process is told to end meanwhile."""
    task = asyncio.ensure_future(work)
    awaited: set[asyncio.Future[Any]] = {task, ended}
    await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
        return True
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return False


def operator_key(data: Path) -> str:
    """Return the operator's secret of this data directory; made at the first start, mode 0600."""
    path = data / "operator.key"
    with contextlib.suppress(FileNotFoundError):
        key = path.read_text(encoding="ascii").strip()
        if key:
            return key
    key = secrets.token_urlsafe(32)
    write_private(path, key + "\n")
    return key


def describe(info: NodeInfo) -> None:
    """Write `node.json`, by which programs on this machine find the node."""
    described = {
        "pid": info.pid,
        "tcp": info.tcp,
        **info.also,
        "started_at_wall_ms": time.time_ns() // 1_000_000,
        "version": actorchat.__version__,
    }
    if info.cluster:
        described["cluster"] = info.cluster
    write_private(info.data / "node.json", json.dumps(described) + "\n")


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def raise_file_limit() -> None:
    """Allow as many open files as the system lets this process have: one a connection."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
