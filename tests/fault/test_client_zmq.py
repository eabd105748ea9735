"""A client over ZeroMQ, and the command line, against a real node: kills, and keys of CURVE."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from actorchat.client import connect
from nodes.cluster.layout import Ports
from tests.fault.node import ROOT, Node, Operator, running

pytestmark = [pytest.mark.fault, pytest.mark.slow]
ZMQ: dict[str, object] = {"gateway.zmq.listen": "127.0.0.1:0"}


def address(node: Node) -> str:
    return str(json.loads((node.data / "node.json").read_text(encoding="utf-8"))["zmq"])


async def test_client_comes_back_over_zeromq_after_a_kill(tmp_path: Path) -> None:
    listen = f"127.0.0.1:{Ports().take(0)}"
    with running(tmp_path / "node", {"gateway.zmq.listen": listen}) as node:
        operator = await Operator.sign_in(node)
        anns, bobs = await operator.token("ann"), await operator.token("bob")
        await operator.close()
        at = address(node)
        async with (
            connect(at, user="ann", device="d", token=anns, reconnect_cap_s=0.5) as ann,
            connect(at, user="bob", device="d", token=bobs, reconnect_cap_s=0.5) as bob,
        ):
            posts = []
            for number in range(300):
                posts.append(ann.post("bob", f"{number}"))
                if number in {100, 200}:
                    await asyncio.sleep(0)
                    node.kill()
                    await asyncio.to_thread(node.start)
            async with asyncio.timeout(30):
                sent = await asyncio.gather(*posts)
                feed = bob.messages()
                got = [(await anext(feed)).text for _ in posts]
            assert [one.seq for one in sent] == list(range(1, 301))
            assert got == [f"{number}" for number in range(300)]
            assert ann.reconnects and bob.reconnects
        assert await asyncio.to_thread(node.stop) == 0


def test_command_line_brings_its_key_to_a_guarded_node(tmp_path: Path) -> None:
    cli = [sys.executable, "-m", "nodes.cli"]
    public = {
        name: subprocess.run(
            [*cli, "config", "curve-key", str(tmp_path / f"{name}.key")],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout.strip()
        for name in ("node", "ours", "others")
    }
    clients = tmp_path / "clients"
    clients.write_text(f"{public['ours']} us\n", encoding="ascii")
    settings = {
        **ZMQ,
        "gateway.zmq.secret_key_file": str(tmp_path / "node.key"),
        "gateway.zmq.clients_file": str(clients),
    }

    def status(node: Node, **keys: str) -> subprocess.CompletedProcess[str]:
        flags = ["--json", "--timeout", "2", "--data", str(node.data), "--server", address(node)]
        return subprocess.run(
            [*cli, "status", *flags],
            cwd=ROOT,
            env={**os.environ, **keys},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    with running(tmp_path / "data", settings) as node:
        one = {"ACTORCHAT_CURVE_SERVER": public["node"]}
        done = status(node, **one, ACTORCHAT_CURVE_KEY=str(tmp_path / "ours.key"))
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["zmq_accepted"] == 1
        done = status(node, **one, ACTORCHAT_CURVE_KEY=str(tmp_path / "others.key"))
        assert done.returncode == 1
        assert "does not let this client's CURVE key in" in done.stderr
        assert status(node, **one).returncode == 2
        done = status(node)
        assert done.returncode == 1
        assert "does it want CURVE" in done.stderr
        assert node.stop() == 0
