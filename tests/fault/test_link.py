"""Links between real processes: killed, stopped, wedged, parted; and between network namespaces."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actorchat import limits
from actorchat.cluster.mesh import Mesh
from actorchat.errors import ActorDead
from bench import link as bench_link
from tests.fault.link_node import mesh_in

pytestmark = [pytest.mark.fault, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 25.0
SLACK_S = 3.0


@contextlib.contextmanager
def far_node(
    folder: Path, name: str = "far", bind: str = "ipc", *before: str
) -> Iterator[subprocess.Popen[str]]:
    command = [*before, sys.executable, "-m", "tests.fault.link_node", str(folder), name, bind]
    node = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        assert node.stdout is not None
        assert node.stdout.readline() == "ready\n"
        yield node
    finally:
        for number in (signal.SIGCONT, signal.SIGKILL):
            if node.poll() is None:
                node.send_signal(number)
        node.communicate()


async def until(holds: Callable[[], Any], within_s: float = WAIT_S) -> float:
    begun_s = time.monotonic()
    while not holds():
        assert time.monotonic() - begun_s < within_s, "it never came to that"
        await asyncio.sleep(0.01)
    return time.monotonic() - begun_s


async def near(folder: Path, play: Callable[[Mesh], Awaitable[None]]) -> None:
    """Run a mesh in this process, linked to the far node."""
    folder.chmod(0o700)
    mesh = mesh_in(folder, "near", "ipc")
    try:
        await until(lambda: "far" in mesh.nodes())
        await play(mesh)
    finally:
        await mesh.close()
        await mesh.transport.gone()  # type: ignore[attr-defined]
        await mesh.system.stop()


async def test_a_killed_node_is_down_soon_and_its_next_incarnation_up(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)

    async def play(mesh: Mesh) -> None:
        desk = mesh.named("far", "desk")
        assert await desk.call("there?") == "there?"
        node.kill()
        waiting = desk.call("anybody?", timeout_s=60)
        took_s = await until(lambda: "far" not in mesh.nodes())
        assert took_s < limits.LINK_SUSPECT_S + SLACK_S  # not only by silence
        with pytest.raises(ActorDead) as dead:
            await waiting
        assert dead.value.reason == "noconnection"
        with far_node(tmp_path):
            await until(lambda: mesh.nodes().get("far") == 2)
            assert await desk.call("again") == "again"

    with far_node(tmp_path) as node:
        await near(tmp_path, play)


async def test_a_stopped_node_is_down_by_silence_and_comes_back(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)

    async def play(mesh: Mesh) -> None:
        node.send_signal(signal.SIGSTOP)
        took_s = await until(lambda: "far" not in mesh.nodes())
        assert took_s > limits.LINK_SILENT_S / 2
        node.send_signal(signal.SIGCONT)
        await until(lambda: "far" in mesh.nodes())
        assert await mesh.named("far", "desk").call("back") == "back"

    with far_node(tmp_path) as node:
        await near(tmp_path, play)


async def test_a_wedged_node_whose_zeromq_still_answers_is_down(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)

    async def play(mesh: Mesh) -> None:
        mesh.named("far", "desk").tell("wedge")
        took_s = await until(lambda: "far" not in mesh.nodes())
        assert took_s <= limits.LINK_SILENT_S + SLACK_S

    with far_node(tmp_path):
        await near(tmp_path, play)


async def test_an_idle_link_costs_no_time(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)

    async def play(mesh: Mesh) -> None:
        desk = mesh.named("far", "desk")
        for number in range(10_000):
            desk.tell(number)
        there_s, here_s = await desk.call("cpu"), time.process_time()
        await asyncio.sleep(3.0)
        assert time.process_time() - here_s < 0.15
        assert await desk.call("cpu") - there_s < 0.15

    with far_node(tmp_path):
        await near(tmp_path, play)


async def test_a_node_that_shuts_down_is_gone_at_once(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)

    async def play(mesh: Mesh) -> None:
        assert node.stdin is not None
        node.stdin.close()
        took_s = await until(lambda: "far" not in mesh.nodes())
        assert took_s < SLACK_S
        node.stdin = None

    with far_node(tmp_path) as node:
        await near(tmp_path, play)


def test_the_bench_of_links_loses_nothing(tmp_path: Path) -> None:
    if shutil.which("taskset") is None or (os.cpu_count() or 1) < 2:
        pytest.skip("the bench pins its processes to two cores")
    before = os.sched_getaffinity(0)
    try:
        assert bench_link.main(["--quick", "--rounds", "1", "--json", str(tmp_path / "f")]) == 0
    finally:
        os.sched_setaffinity(0, before)
    assert "curve_tell_us" in (tmp_path / "f").read_text()


# -- two hosts ------------------------------------------------------------------------------------
def ip(*words: str) -> bool:
    done = subprocess.run(["ip", *words], capture_output=True, check=False)
    return done.returncode == 0


@pytest.fixture
def hosts() -> Iterator[tuple[str, str]]:
    """Two network namespaces with a cable between them: 10.213.7.1 and 10.213.7.2."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and iproute2")
    tag = f"ac{os.getpid() % 100_000}"
    one, other = f"{tag}-a", f"{tag}-b"
    try:
        if not (ip("netns", "add", one) and ip("netns", "add", other)):
            pytest.skip("no network namespaces here")
        if not ip("-n", one, "link", "add", "v0", "type", "veth", "peer", "v0", "netns", other):
            pytest.skip("no veth here")
        for number, host in enumerate((one, other), 1):
            assert ip("-n", host, "addr", "add", f"10.213.7.{number}/24", "dev", "v0")
            assert ip("-n", host, "link", "set", "v0", "up")
            assert ip("-n", host, "link", "set", "lo", "up")
        yield one, other
    finally:
        ip("netns", "del", one)
        ip("netns", "del", other)


def said(node: subprocess.Popen[str], within_s: float = 30.0) -> str:
    """Return the next line that a node prints."""
    assert node.stdout is not None
    descriptor, line = node.stdout.fileno(), b""
    os.set_blocking(descriptor, False)
    until_s = time.monotonic() + within_s
    while not line.endswith(b"\n"):
        assert time.monotonic() < until_s, f"nothing but {line!r}"
        try:
            line += os.read(descriptor, 1)
        except BlockingIOError:
            time.sleep(0.01)
    return line.decode().strip()


def test_two_hosts_link_with_curve_part_and_find_each_other_again(
    tmp_path: Path, hosts: tuple[str, str]
) -> None:
    one, other = hosts

    def inside(host: str) -> tuple[str, ...]:
        return ("ip", "netns", "exec", host)

    with (
        far_node(tmp_path, "a", "tcp://10.213.7.1:7790", *inside(one)) as a,
        far_node(tmp_path, "b", "tcp://10.213.7.2:7790", *inside(other)) as b,
    ):
        assert (said(a), said(b)) == ("up b 1", "up a 1")
        assert ip("-n", one, "link", "set", "v0", "down")
        for node, peer in ((a, "b"), (b, "a")):
            words = said(node).split()
            assert words[:3] == ["down", peer, "1"]
            assert words[3] in {"silent", "disconnected"}
        assert ip("-n", one, "link", "set", "v0", "up")
        assert (said(a), said(b)) == ("up b 1", "up a 1")
