"""Knows how numbers are declared, counted and shown. Must not know who counts, or HTTP.

A package declares its counters as the fields of a slotted class and adds to them as plain ints,
which costs what an attribute costs. Names, kinds, units and help are read from the class only when
somebody asks:

    @dataclass(slots=True)
    class TcpCounters:
        accepted: Annotated[int, counter("connections", "Connections accepted.")] = 0

    counters.accepted += 1                          # the hot path
    exposition.add("gateway", counters)             # once, when the node is composed
    exposition.text()                               # at each scrape
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from prometheus_client import Metric as PrometheusMetric

Kind = Literal["counter", "gauge"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A declared number: what it is called, how it moves, in which unit, and what it means."""

    name: str
    kind: Kind
    unit: str
    help: str


def counter(unit: str, help: str) -> Metric:
    """Declare a field that only grows; it takes the field's name."""
    return Metric("", "counter", unit, help)


def gauge(unit: str, help: str) -> Metric:
    """Declare a field that goes up and down; it takes the field's name."""
    return Metric("", "gauge", unit, help)


def declared(cls: type) -> tuple[Metric, ...]:
    """Return the metrics that `cls` declares, in the order of its fields.

    Raises:
        TypeError: A public field carries no declaration, so that none can be forgotten.
    """
    found = []
    for name, hint in get_type_hints(cls, include_extras=True).items():
        if name.startswith("_"):
            continue
        marks = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
        metric = next((mark for mark in marks if isinstance(mark, Metric)), None)
        if metric is None:
            raise TypeError(f"{cls.__name__}.{name} is not declared as a counter or a gauge")
        found.append(Metric(name, metric.kind, metric.unit, metric.help))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Source:
    prefix: str
    metrics: tuple[Metric, ...]
    read: Callable[[], Mapping[str, int | float]]
    labels: Mapping[str, str] = field(default_factory=dict)


class Exposition:
    """The sources of one node's metrics; reads them when asked, keeps no numbers itself.

    Thread: any may ask; a reading of a counter that is being added to is at most one addition old.
    """

    def __init__(self, namespace: str = "actorchat") -> None:
        self._namespace = namespace
        self._sources: list[_Source] = []

    def add(self, prefix: str, counters: object, labels: Mapping[str, str] | None = None) -> None:
        """Show the declared fields of `counters` as `<namespace>_<prefix>_<field>`.

        Raises:
            TypeError: A public field of its class carries no declaration.
            ValueError: The same name was added with the same labels before.
        """
        metrics = declared(type(counters))

        def read() -> dict[str, int | float]:
            return {metric.name: getattr(counters, metric.name) for metric in metrics}

        self.add_reader(prefix, metrics, read, labels)

    def add_reader(
        self,
        prefix: str,
        metrics: Iterable[Metric],
        read: Callable[[], Mapping[str, int | float]],
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Show what `read` returns at each scrape; a declared name that it lacks is left out.

        Raises:
            ValueError: The same name was added with the same labels before.
        """
        source = _Source(prefix, tuple(metrics), read, dict(labels or {}))
        for metric in source.metrics:
            for other in self._sources:
                same = other.prefix == prefix and other.labels == source.labels
                if same and any(known.name == metric.name for known in other.metrics):
                    raise ValueError(f"metric {prefix}_{metric.name} is declared twice")
        self._sources.append(source)

    def snapshot(self) -> dict[str, int | float]:
        """Return all numbers as a flat map; labels are part of the name: `a_b{c="d"}`."""
        numbers: dict[str, int | float] = {}
        for source, values in self._readings():
            labels = ",".join(f'{name}="{value}"' for name, value in source.labels.items())
            for metric in source.metrics:
                if metric.name in values:
                    name = f"{source.prefix}_{metric.name}"
                    numbers[f"{name}{{{labels}}}" if labels else name] = values[metric.name]
        return numbers

    def text(self) -> bytes:
        """Return the text that Prometheus scrapes.

        Source: https://prometheus.io/docs/instrumenting/exposition_formats/
        """
        # Imported here because it costs 70 ms, which a command that prints a status need not pay.
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collector(self))
        return generate_latest(registry)

    def collect(self) -> Iterator[PrometheusMetric]:
        """Yield the families as prometheus_client's own objects, one for each name."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        families: dict[str, PrometheusMetric] = {}
        for source, values in self._readings():
            for metric in source.metrics:
                if metric.name not in values:
                    continue
                name = f"{self._namespace}_{source.prefix}_{metric.name}"
                if name not in families:
                    # The unit is told in the help: as a suffix of the name, which is what the
                    # format makes of it, it would say `connections_connections`.
                    text = f"{metric.help} Unit: {metric.unit}." if metric.unit else metric.help
                    make = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
                    families[name] = make(name, text)
                suffix = "_total" if metric.kind == "counter" else ""
                families[name].add_sample(
                    f"{families[name].name}{suffix}", dict(source.labels), values[metric.name]
                )
        yield from families.values()

    def _readings(self) -> Iterator[tuple[_Source, Mapping[str, int | float]]]:
        for source in self._sources:
            yield source, source.read()


class _Collector:
    """What prometheus_client wants to be given: an object with `collect`."""

    def __init__(self, exposition: Exposition) -> None:
        self._exposition = exposition

    def collect(self) -> Iterator[PrometheusMetric]:
        return self._exposition.collect()
