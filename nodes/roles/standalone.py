"""Knows a node that does everything in one process. Must not know processes, signals or flags."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actorchat import logs
from actorchat.actor import ActorSystem, LoopDispatcher
from actorchat.actor.collector import Collector
from actorchat.broker.context import Terms
from actorchat.broker.hasher import Argon2
from actorchat.broker.tree import SESSIONS, Broker, Parts
from actorchat.chat.account import TOKEN_BYTES
from actorchat.chat.retention import Policy
from actorchat.clock import SystemClock
from actorchat.errors import Fatal, StoreIO
from actorchat.limits import DRAIN_ANSWER_S, PING_INTERVAL_S
from actorchat.metrics import Exposition
from actorchat.settings import Settings
from actorchat.store.committer import ThreadSyncer
from actorchat.store.index import TextIndex, Unsupported
from actorchat.store.rocks import RocksEngine
from nodes.roles.courier import make_courier
from nodes.roles.files import FileRoom, file_policy_of
from nodes.roles.gateways import make_gateways
from nodes.roles.issuer import make_token_reader
from nodes.roles.numbers import MEMBER, expose_node

if TYPE_CHECKING:
    from nodes.roles.membership import Membership

log = logs.logger(__name__)

EXIT_CRASH = 70
DAY_S = 86_400


class Standalone:
    """Store, broker and gateways of one node, on the running loop.

    `failure` is the error after which it could not go on. `on_end` is called with the exit status
    when the node must end by itself. `member`: its part in a cluster, which it has entered; None
    where it is the only node.
    """

    def __init__(
        self,
        settings: Settings,
        data: Path,
        operator_key: str,
        on_end: Callable[[int], None],
        collector: Collector | None = None,
        member: Membership | None = None,
    ) -> None:
        self.failure: Fatal | None = None
        self._settings = settings
        self._on_end = on_end
        self._collector = Collector() if collector is None else collector  # the process's
        self._started_s = time.monotonic()
        loop = asyncio.get_running_loop()
        self._engine = _open_engine(settings, data)
        sync = self._engine.sync if settings.store.sync else _no_sync
        self._syncer = ThreadSyncer(sync, loop.call_soon_threadsafe)
        self._member = member
        self._system = ActorSystem(LoopDispatcher(loop)) if member is None else member.system
        self._system.on_crash(self._crashed)
        self._system.on_terminated(self._terminated)
        auth, hooks = settings.auth, settings.hooks
        self._courier = make_courier(hooks)
        self._keyset, token_reader = make_token_reader(auth.jwt)
        self._broker = Broker(
            Parts(
                system=self._system,
                clock=SystemClock(),
                engine=self._engine,
                syncer=self._syncer,
                call_soon=loop.call_soon,
                hashing=Argon2(
                    auth.argon2_memory_kib, auth.argon2_time_cost, auth.argon2_parallelism
                ),
                hash_dispatchers=[
                    self._system.pinned(f"hash-{number}") for number in range(auth.hash_threads)
                ],
                operator_key=operator_key,
                hashes_queued_max=auth.hashes_queued_max,
                devices_max=auth.devices_max,
                source_failures_per_minute=auth.source_failures_per_minute,
                token_source=lambda: secrets.token_urlsafe(TOKEN_BYTES),
                entity_idle_s=settings.chat.entity_idle_s,
                group_members_max=settings.chat.group_members_max,
                edit_window_s=settings.chat.edit_window_s,
                group_inline_max=settings.chat.group_inline_max,
                offline_after_s=settings.presence.offline_after_s,
                terms=terms_of(settings),
                files=file_policy_of(settings),
                token_reader=token_reader,
                makes_users=auth.jwt.makes_users,
                courier=self._courier,
                events_keep_days=hooks.keep_days,
                policy=policy_of(settings),
                sweep_every_s=settings.retention.sweep_every_s,
                index=index_of(settings, data),
                index_dispatcher=self._system.pinned("index"),
                reach=None if member is None else member.reach,
                on_fatal=self._fatal,
            )
        )
        self._broker.context.report = self.report
        if member is not None:
            self._broker.context.locate = member.locate
        self._is_listening = False
        self._files = FileRoom(settings, data, self._broker.context)
        self._make_gateways(settings)

    def _make_gateways(self, settings: Settings) -> None:
        """Make the gateways, and what counts them."""
        self._numbers = Exposition()
        self._gateways = make_gateways(
            settings,
            self._broker.open_session,
            self.why_not_ready,
            self._numbers.text,
            self._files.depot,
        )
        self._metrics = Exposition()
        for name, gateway in self._gateways.items():
            self._metrics.add(name, gateway.counters)
            self._numbers.add("gateway", gateway.counters, {"transport": name})
        expose_node(self._numbers, self._system.counts, self._counts, self._engine.stats)
        if self._member is not None:
            self._numbers.add_reader("cluster", MEMBER, self._member.numbers)

    @property
    def tcp_address(self) -> str:
        """Where the TCP gateway listens, as `tcp://host:port`."""
        return self._gateways["tcp"].address

    @property
    def addresses(self) -> dict[str, str]:
        """Where each gateway listens, by its name, as `scheme://host:port`."""
        return {name: gateway.address for name, gateway in self._gateways.items()}

    async def start(self) -> None:
        """Start the actors, then listen."""
        await self._files.start(lambda: self.addresses.get("http", ""))
        if self._keyset is not None:
            self._keyset.start()
        await self._broker.start().started()
        if self._member is not None:
            await self._member.join()
        for gateway in self._gateways.values():
            await gateway.start()
        self._is_listening = True
        if self._member is not None:
            self._member.open(self.addresses, lambda: self._counts()["sessions"])

    def why_not_ready(self) -> str:
        """Say why no client should be sent here now; empty when one should."""
        committer = self._broker.context.log.committer
        if self.failure is not None or committer.is_broken:
            return "the store is broken"
        if not self._is_listening:
            return "not listening"
        if committer.is_full:
            return "the store is full"
        return "" if self._member is None else self._member.why_not_ready()

    async def stop(self) -> None:
        """Send clients away, let what is under way be stored, close the store."""
        if self.failure is None:
            await asyncio.gather(*(gateway.drain() for gateway in self._gateways.values()))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._settle(), DRAIN_ANSWER_S)
        else:
            await asyncio.gather(*(gateway.stop() for gateway in self._gateways.values()))
        await self._files.close()
        await self._courier.close()
        if self._keyset is not None:
            await self._keyset.close()
        if self._member is not None:
            await self._member.leave()
        self._broker.context.log.committer.hush()
        await self._system.stop()
        if self.failure is None:
            self._broker.context.log.apply()
            await asyncio.to_thread(self._engine.sync)
        self._syncer.close()
        self._engine.close()

    async def _settle(self) -> None:
        """Wait until what was appended has been told to users and conversations, while they run.

        What they append in turn, deliveries and confirmations, is waited for as well; what would be
        left is found in the log at the next start.
        """
        committer = self._broker.context.log.committer
        loop = asyncio.get_running_loop()
        while True:
            appended = committer.items
            told = loop.create_future()
            committer.append((), told.set_result)
            await told
            await asyncio.sleep(0)  # the turn in which those who were told have theirs
            if committer.items == appended + 1:
                return

    def report(self) -> dict[str, int | str]:
        """Return the node's counters, as an operator sees them."""
        return {
            "node": self._settings.node.name,
            **({} if self._member is None else self._member.report()),
            **self._counts(),
            **{name: int(count) for name, count in self._metrics.snapshot().items()},
            **{f"actor_{name}": count for name, count in self._system.counts().items()},
            **{f"store_{name}": count for name, count in self._engine.stats().items()},
        }

    def log_actors(self, count: int = 10) -> None:
        """Log the accounts, the longest queues that there are, and the handlers that wait longest.

        As warnings, so that they are seen at any level at which somebody would ask for them.
        """
        queues = [info for info in self._system.top(count) if info.queued]
        log.warning("actors at this moment", **self._system.counts())
        for event, infos in (
            ("actor with a long queue", queues),
            ("actor with a suspended handler", self._system.suspended(count)),
        ):
            for rank, info in enumerate(infos, 1):
                told = {name: value for name, value in info.as_dict().items() if value is not None}
                log.warning(event, rank=rank, **told)

    def _counts(self) -> dict[str, int]:
        sessions = self._system.names.whereis(SESSIONS)
        children = getattr(sessions._actor, "children", ()) if sessions is not None else ()
        return {
            "uptime_s": int(time.monotonic() - self._started_s),
            "sessions": len(children),
            "gc_pause_max_ms": round(self._collector.pause_max_s * 1000),
            "gc_freezes": self._collector.freezes,
            **self._broker.counts(),
            **self._files.depot.counts(),
        }

    # -- when something breaks ---------------------------------------------------------------------
    def _fatal(self, error: Exception) -> None:
        self.failure = error if isinstance(error, Fatal) else StoreIO(repr(error))
        self._on_end(self.failure.exit_status)

    def _crashed(self, ref: Any, reason: Any, traceback: str) -> None:
        log.error("actor crashed", actor=ref.label, reason=str(reason), traceback=traceback)
        if isinstance(reason.error, Fatal):
            self._fatal(reason.error)

    def _terminated(self, ref: Any, reason: object) -> None:
        self._on_end(EXIT_CRASH)


def terms_of(settings: Settings) -> Terms:
    """Return what clients are told of these settings; three pings fit into the idle timeout."""
    return Terms(
        durability="fsync" if settings.store.sync else "none",
        ping_s=min(PING_INTERVAL_S, settings.limits.idle_timeout_s / 3),
        in_flight_max=settings.limits.requests_in_flight_max,
    )


def _open_engine(settings: Settings, data: Path) -> RocksEngine:
    store = settings.store
    return RocksEngine(
        data / "store",
        write_buffer_bytes=store.write_buffer_bytes,
        write_buffer_total_bytes=store.write_buffer_total_bytes,
        block_cache_bytes=store.block_cache_bytes,
        wal_bytes_max=store.wal_bytes_max,
    )


def index_of(settings: Settings, data: Path) -> TextIndex | None:
    """Return the index of words, if this node has one."""
    if not settings.search.enabled:
        return None
    try:
        return TextIndex(data / "search.db")
    except Unsupported as error:
        log.warning("no search", reason=str(error))
        return None


def policy_of(settings: Settings) -> Policy:
    """Return how long what is kept under these settings."""
    kept = settings.retention
    return Policy(
        inbox_keep_s=kept.inbox_days * DAY_S,
        history_keep_s=kept.history_days * DAY_S if kept.history_days else None,
        history_bytes_max=kept.history_bytes_max or None,
    )


def _no_sync() -> None:
    """Stand in for the sync when the settings switch it off."""
