from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import Annotated

import pytest

from actorchat.metrics import Exposition, Metric, counter, declared, gauge


@dataclass(slots=True)
class Counters:
    accepted: Annotated[int, counter("connections", "Connections accepted.")] = 0
    open: Annotated[int, gauge("connections", "Connections open now.")] = 0
    _note: str = ""


@dataclass(slots=True)
class Forgetful:
    accepted: Annotated[int, counter("", "Connections accepted.")] = 0
    forgotten: int = 0


def test_declaration_says_name_kind_unit_and_help() -> None:
    assert declared(Counters) == (
        Metric("accepted", "counter", "connections", "Connections accepted."),
        Metric("open", "gauge", "connections", "Connections open now."),
    )


def test_field_without_a_declaration_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Forgetful\.forgotten is not declared"):
        Exposition().add("gateway", Forgetful())


def test_numbers_are_read_when_they_are_asked_for() -> None:
    counters, exposition = Counters(), Exposition()
    exposition.add("gateway", counters)
    counters.accepted += 3
    assert exposition.snapshot() == {"gateway_accepted": 3, "gateway_open": 0}
    counters.open = 2
    assert exposition.snapshot()["gateway_open"] == 2


def test_text_is_what_prometheus_scrapes() -> None:
    exposition = Exposition()
    exposition.add("gateway", Counters(accepted=3, open=2))
    text = exposition.text().decode()
    assert "# TYPE actorchat_gateway_accepted_total counter\n" in text
    assert "# HELP actorchat_gateway_accepted_total Connections accepted." in text
    assert "actorchat_gateway_accepted_total 3.0\n" in text
    assert "# TYPE actorchat_gateway_open gauge\n" in text
    assert "actorchat_gateway_open 2.0\n" in text


def test_two_sources_of_a_kind_are_one_family_told_apart_by_labels() -> None:
    exposition = Exposition()
    exposition.add("gateway", Counters(accepted=1), {"transport": "tcp"})
    exposition.add("gateway", Counters(accepted=2), {"transport": "websocket"})
    text = exposition.text().decode()
    assert text.count("# TYPE actorchat_gateway_accepted_total") == 1
    assert 'actorchat_gateway_accepted_total{transport="tcp"} 1.0\n' in text
    assert 'actorchat_gateway_accepted_total{transport="websocket"} 2.0\n' in text
    assert exposition.snapshot()['gateway_accepted{transport="websocket"}'] == 2


def test_same_name_twice_is_refused() -> None:
    exposition = Exposition()
    exposition.add("gateway", Counters())
    with pytest.raises(ValueError, match="gateway_accepted is declared twice"):
        exposition.add("gateway", Counters())


def test_reader_may_lack_a_number() -> None:
    exposition = Exposition()
    metrics = [Metric("bytes", "gauge", "bytes", "Size."), Metric("keys", "gauge", "", "Keys.")]
    exposition.add_reader("store", metrics, lambda: {"bytes": 7})
    assert exposition.snapshot() == {"store_bytes": 7}
    assert b"store_keys" not in exposition.text()
    assert b"actorchat_store_bytes 7.0\n" in exposition.text()


@pytest.mark.parametrize(
    ("module", "heavy"),
    [("actorchat.metrics", "prometheus_client"), ("actorchat.logs", "structlog")],
)
def test_heavy_library_is_not_imported_before_it_is_needed(module: str, heavy: str) -> None:
    program = f"import sys, {module}; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
