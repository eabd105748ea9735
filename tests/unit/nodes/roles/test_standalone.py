from __future__ import annotations

from pathlib import Path

from actorchat.settings import load
from nodes.roles.standalone import Standalone


async def test_node_starts_reports_and_stops_in_this_loop(tmp_path: Path) -> None:
    overrides = {"gateway.tcp.listen": "127.0.0.1:0", "auth.argon2_memory_kib": 64}
    ended: list[int] = []
    node = Standalone(load(None, {}, overrides), tmp_path, "key", ended.append)
    await node.start()
    try:
        report = node.report()
        assert node.tcp_address.startswith("tcp://127.0.0.1:")
        assert report["sessions"] == 0
        assert report["tcp_open"] == 0
        assert report["actor_crashes"] == 0
    finally:
        await node.stop()
    assert ended == []
    assert node.failure is None
