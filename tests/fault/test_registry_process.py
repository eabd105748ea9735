"""The registry as a process of its own: killed, stopped in its tracks, damaged, started twice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from actorchat.cluster.registry import RegistryAway, RegistryRefusal, create, put
from actorchat.cluster.registry_client import RegistryClient
from nodes.cluster.layout import HOST, Ports
from tests.conformance.registry_peers import Bell, Diary, until

pytestmark = pytest.mark.fault


class Process:
    """One registry over one folder, at one address from the first start on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.words = folder.with_suffix(".words")
        self.address = f"{HOST}:{Ports().take(0)}"
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> Process:
        command = [sys.executable, "-m", "nodes.cli", "registry", "up", "--json"]
        command += ["--data", str(self.folder), "--listen", self.address]
        with self.words.open("a", encoding="utf-8") as words:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=words, text=True, env=dict(os.environ)
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line:
            self.address = json.loads(line)["address"].removeprefix("tcp://")
        return self

    def client(self, timeout_s: float = 4.0, call_timeout_s: float = 10.0) -> RegistryClient:
        host, _, port = self.address.rpartition(":")
        return RegistryClient(host, int(port), timeout_s=timeout_s, call_timeout_s=call_timeout_s)

    def tell(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it; return its exit status."""
        process, self.process = self.process, None
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(number)
        status = process.wait(20.0)
        assert process.stdout is not None
        process.stdout.close()
        return status


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path / "registry").start()
    yield process
    process.end(signal.SIGKILL)


@pytest.mark.slow
async def test_registry_that_is_killed_again_and_again_loses_nothing_that_it_answered(
    registry: Process,
) -> None:
    rng = Random(7)
    client = registry.client()
    diary = Diary(client)
    await client.start()
    await create(client, "/mine", ephemeral=True)
    await create(client, "/n", b"0")
    acked = 0

    async def write() -> None:
        nonlocal acked
        tried = 0
        while True:
            tried += 1
            with contextlib.suppress(RegistryAway):
                await put(client, "/n", b"%d" % tried)
                acked = tried

    writing = asyncio.create_task(write())
    for _ in range(4):
        before = acked
        await until(lambda before=before: acked > before + 20)  # type: ignore[misc]
        await asyncio.sleep(rng.random() * 0.1)
        registry.end(signal.SIGKILL)
        await asyncio.to_thread(registry.start)
    before = acked
    await until(lambda: acked > before)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    found = await client.get("/n")
    assert found is not None and int(found.value) >= acked
    mine = await client.get("/mine")
    assert mine is not None and mine.owner == client.session
    assert "Lost" not in diary.kinds
    await client.close()
    assert registry.end() == 0


@pytest.mark.slow
async def test_registry_that_stood_still_gives_nobody_up(registry: Process) -> None:
    client = registry.client(timeout_s=1.0)
    diary = Diary(client)
    await client.start()
    await create(client, "/mine", ephemeral=True)
    registry.tell(signal.SIGSTOP)
    loop = asyncio.get_running_loop()
    await until(lambda: client.state == "suspended" and client.lease_end_s < loop.time())
    await asyncio.sleep(1.5)
    registry.tell(signal.SIGCONT)
    await until(lambda: client.state == "connected")
    assert "Lost" not in diary.kinds
    assert await client.get("/mine") is not None
    assert client.lease_end_s > loop.time()
    await client.close()


@pytest.mark.slow
async def test_node_that_stood_still_is_given_up_and_learns_it_when_it_wakes(
    registry: Process,
) -> None:
    holder = start_holder(registry)
    assert holder.stdout is not None
    other = registry.client()
    await other.start()
    try:
        assert await asyncio.to_thread(holder.stdout.readline) == "Connected held\n"
        bell = Bell()
        await other.watch("/held", bell)
        holder.send_signal(signal.SIGSTOP)
        await bell.ring()  # its timeout is one second
        await create(other, "/held", b"another's", ephemeral=True)
        holder.send_signal(signal.SIGCONT)
        said = [await asyncio.to_thread(holder.stdout.readline) for _ in range(3)]
        # Whatever the registry says first: it may not act from the moment at which it wakes.
        assert said == ["lease over\n", "Lost\n", "Connected taken\n"]
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
        await other.close()


def start_holder(registry: Process) -> subprocess.Popen[str]:
    where = registry.address.rpartition(":")[::2]
    command = [sys.executable, "-c", HOLDER, *where]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


HOLDER = """
import asyncio, sys
from actorchat.cluster.registry import EntryExists, create
from actorchat.cluster.registry_client import RegistryClient

async def main():
    client = RegistryClient(sys.argv[1], int(sys.argv[2]), timeout_s=1.0)
    loop, told, was_held = asyncio.get_running_loop(), [], True
    client.on_event(lambda event: told.append(type(event).__name__))
    await client.start()
    said = 0
    while True:
        if was_held and client.lease_end_s < loop.time():
            was_held = False
            print("lease over", flush=True)
        for kind in told[said:]:
            said += 1
            if kind == "Lost":
                print("Lost", flush=True)
            elif kind == "Connected":
                try:
                    await create(client, "/held", ephemeral=True)
                    print("Connected held", flush=True)
                except EntryExists:
                    print("Connected taken", flush=True)
        await asyncio.sleep(0.02)

asyncio.run(main())
"""


@pytest.mark.slow
async def test_second_registry_over_the_same_journal_is_refused(registry: Process) -> None:
    second = Process(registry.folder)
    second.words = registry.folder.with_suffix(".second")
    second.start()
    assert second.end() == 75
    assert "in use" in second.words.read_text(encoding="utf-8")
    third = Process(registry.folder.with_suffix(".third"))
    third.address = registry.address
    assert third.start().end() == 71


@pytest.mark.slow
async def test_damaged_journal_is_refused_and_named(registry: Process) -> None:
    client = registry.client()
    await client.start()
    for number in range(10):
        with contextlib.suppress(RegistryRefusal):
            await create(client, f"/e{number}")
    await client.close()
    assert registry.end() == 0
    path = registry.folder / "journal-0"
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(bytes(content))
    registry.start()
    assert registry.end() == 78
    assert "journal is damaged" in registry.words.read_text(encoding="utf-8")


@pytest.mark.slow
async def test_what_is_kept_is_shown_on_the_command_line(registry: Process) -> None:
    client = registry.client()
    await client.start()
    await create(client, "/members", b"")
    await create(client, "/members/node-1", b"\x1b[31mred", ephemeral=True)
    command = [sys.executable, "-m", "nodes.cli", "registry", "tree"]
    command += ["--at", f"tcp://{registry.address}", "--json"]
    shown = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=True
    )
    rows = json.loads(shown.stdout)
    assert [row["path"] for row in rows] == ["/", "/members", "/members/node-1"]
    assert rows[2]["owner"] == f"{client.session:x}"
    assert "\x1b" not in shown.stdout
    await client.close()
