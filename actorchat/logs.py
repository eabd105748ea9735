"""Knows how a log line is made and written. Must not know what is logged, or where files are.

A module asks for its logger once and names the event first, then its fields:

    log = logs.logger(__name__)
    log.info("session opened", user=user, session=session)

Lines go through the standard library, so that they mix with those of other libraries and a program
that embeds the client keeps its own set-up. Only `configure`, which a node calls once, decides
what they look like. Bodies, secrets and tokens never appear: a field of such a name is masked.
"""

from __future__ import annotations

import logging
import sys
from collections import OrderedDict
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import IO, Any, Literal

from actorchat.clock import Clock, SystemClock

Format = Literal["auto", "console", "json"]

MASKED_FIELDS = frozenset(
    {"body", "secret", "password", "token", "hash", "key", "payload", "record", "authorization"}
)
BYTES_SHOWN_MAX = 16
WARNING_EVERY_S = 10.0
WARNING_KEYS_MAX = 256

# What every record of the standard library has; whatever else one carries was given as `extra`.
_STANDARD_ATTRIBUTES = {
    *vars(logging.LogRecord("", 0, "", 0, "", None, None)),
    *("message", "asctime", "_logger", "_name", "_from_structlog"),
}


class Logger:
    """A standard logger whose fields are keyword arguments; a disabled level costs one look-up."""

    __slots__ = ("_fields", "_log")

    def __init__(self, log: logging.Logger, fields: dict[str, object]) -> None:
        self._log = log
        self._fields = fields

    def bind(self, **fields: object) -> Logger:
        """Return a logger that adds `fields` to every line."""
        return Logger(self._log, {**self._fields, **fields})

    @property
    def is_debug(self) -> bool:
        """Say whether debug lines are written; hot paths ask once and keep the answer."""
        return self._log.isEnabledFor(logging.DEBUG)

    def debug(self, event: str, **fields: object) -> None:
        """Log an event or an effect, for who follows one session through."""
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Log a step in the life of something: opened, started, stopped; never one message."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Log a misbehaving peer or shed load; where it can repeat, through `Warnings`."""
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, error: BaseException | None = None, **fields: object) -> None:
        """Log a crash, with the traceback of `error` where one is given."""
        self._write(logging.ERROR, event, fields, error)

    def critical(self, event: str, error: BaseException | None = None, **fields: object) -> None:
        """Log that data are at risk."""
        self._write(logging.CRITICAL, event, fields, error)

    def _write(
        self,
        level: int,
        event: str,
        fields: dict[str, object],
        error: BaseException | None = None,
    ) -> None:
        if self._log.isEnabledFor(level):
            # One key, because the standard library refuses names such as `name` and `args`.
            extra = {"fields": {**self._fields, **fields}}
            self._log.log(level, event, exc_info=error, extra=extra, stacklevel=3)


def logger(name: str, **fields: object) -> Logger:
    """Return the logger called `name`; `fields` are added to every line."""
    return Logger(logging.getLogger(name), fields)


@dataclass(slots=True)
class _Held:
    since_s: float
    count: int = 0


class Warnings:
    """Warnings that a peer can cause at will: each key is logged once in a while, then counted.

    The table is bounded: beyond `keys_max` keys the one that was quiet longest is forgotten, so
    that a flood of strangers costs neither memory nor a full disk. Thread: one.
    """

    def __init__(
        self,
        log: Logger,
        clock: Clock | None = None,
        every_s: float = WARNING_EVERY_S,
        keys_max: int = WARNING_KEYS_MAX,
    ) -> None:
        self._log = log
        self._clock = clock or SystemClock()
        self._every_s = every_s
        self._keys_max = keys_max
        self._held: OrderedDict[tuple[str, object], _Held] = OrderedDict()
        self.suppressed = 0

    def warn(self, event: str, key: object = None, **fields: object) -> bool:
        """Log `event` unless it was logged for `key` a short while ago; say whether it was.

        A line that follows suppressed ones says how many they were.
        """
        now_s = self._clock.monotonic_s()
        held = self._held.get((event, key))
        if held is not None and now_s - held.since_s < self._every_s:
            held.count += 1
            self.suppressed += 1
            self._held.move_to_end((event, key))
            return False
        if held is not None and held.count:
            fields["suppressed"] = held.count
        self._held[event, key] = _Held(now_s)
        self._held.move_to_end((event, key))
        if len(self._held) > self._keys_max:
            self._held.popitem(last=False)
        self._log.warning(event, **fields)
        return True


def configure(
    level: str = "info",
    format: Format = "auto",
    stream: IO[str] | None = None,
) -> None:
    """Write all log lines of this process to `stream`; calling it again replaces the set-up.

    Args:
        level: debug, info, warning, error or critical.
        format: `auto` is `console` on a terminal and `json`, one object a line, elsewhere.
        stream: Standard error unless given.
    Raises:
        ValueError: No such level or format.
    """
    # Imported here because it costs 130 ms, which a program that only uses the client need not pay.
    import structlog

    levels = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
    if level not in levels:
        raise ValueError(f"no log level {level!r}; one of {', '.join(levels)}")
    target = sys.stderr if stream is None else stream
    shape = format if format != "auto" else "console" if target.isatty() else "json"
    shared: list[Any] = [
        _spread_fields,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        mask,
    ]
    if shape == "console":
        is_coloured = target.isatty()
        render: list[Any] = [structlog.dev.ConsoleRenderer(colors=is_coloured)]
    elif shape == "json":
        to_json = structlog.processors.JSONRenderer(default=str)
        render = [structlog.processors.format_exc_info, to_json]
    else:
        raise ValueError(f"no log format {format!r}; one of auto, console, json")
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    for old in [old for old in root.handlers if getattr(old, "is_actorchat", False)]:
        root.removeHandler(old)
    handler.is_actorchat = True  # type: ignore[attr-defined]
    root.addHandler(handler)
    root.setLevel(levels[level])
    # For libraries that log through structlog itself: the same lines, by the same handler.
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared[1:],
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _spread_fields(
    _log: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Put a line's fields beside the event's name: a `Logger`'s, or the `extra` of any other."""
    given = vars(event["_record"])
    fields = given.get("fields")
    if fields is None:
        fields = {name: value for name, value in given.items() if name not in _STANDARD_ATTRIBUTES}
    for name, value in fields.items():
        event.setdefault(name, value)
    return event


def mask(_log: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide fields that must never be written, and shorten bytes: a structlog processor."""
    for name, value in event.items():
        if name in MASKED_FIELDS:
            event[name] = "[masked]"
        elif isinstance(value, (bytes, bytearray, memoryview)):
            shown = bytes(value[:BYTES_SHOWN_MAX]).hex()
            event[name] = shown if len(value) <= BYTES_SHOWN_MAX else f"{shown}… {len(value)} bytes"
    return event
