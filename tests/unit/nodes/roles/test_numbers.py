"""What an operator's report counts, Prometheus is shown, too."""

from __future__ import annotations

from pathlib import Path

from actorchat.metrics import Exposition
from actorchat.settings import load
from nodes.roles.numbers import ACTORS, NODE, expose_node
from nodes.roles.standalone import Standalone


async def test_every_number_of_the_report_is_shown(tmp_path: Path) -> None:
    overrides = {
        "gateway.tcp.listen": "127.0.0.1:0",
        "gateway.http.listen": "127.0.0.1:0",
        "auth.argon2_memory_kib": 64,
    }
    node = Standalone(load(None, {}, overrides), tmp_path, "key", lambda _: None)
    await node.start()
    try:
        report = node.report()
        text = node._numbers.text().decode()
    finally:
        await node.stop()
    for name in report:
        if name == "node" or name.startswith(tuple(f"{kind}_" for kind in node.addresses)):
            continue  # a name, and the gateways' counters, which carry their transport as a label
        known = f"actorchat_{name}", f"actorchat_node_{name}"
        assert any(f"\n{start}{end} " in text for start in known for end in ("", "_total")), name
    for transport in node.addresses:
        assert f'actorchat_gateway_open{{transport="{transport}"}} 0.0' in text


def test_numbers_are_read_at_each_scrape() -> None:
    counts = {"crashes": 1}
    exposition = Exposition()
    expose_node(exposition, lambda: counts, dict, lambda: {"file_bytes": 7})
    assert b"actorchat_actor_crashes_total 1.0\n" in exposition.text()
    counts["crashes"] = 2
    assert b"actorchat_actor_crashes_total 2.0\n" in exposition.text()
    assert b"actorchat_store_file_bytes 7.0\n" in exposition.text()


def test_every_number_is_explained() -> None:
    assert all(metric.help.endswith(".") for metric in NODE + ACTORS)
