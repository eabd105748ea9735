"""A node that must not start: it says why in its last line, exits by the table, touches nothing."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from actorchat.settings.loader import env_name
from tests.fault.node import Device, Node, Operator, running

pytestmark = pytest.mark.fault

EXIT_CANT_LISTEN, EXIT_BUSY, EXIT_CONFIG = 71, 75, 78
MESSAGES = 300


async def talk(node: Node, start: int, count: int) -> None:
    operator = await Operator.sign_in(node)
    token = await operator.token("ann")
    await operator.close()
    ann = await Device(node, "ann", token).sign_in()
    for number in range(start, start + count):
        reply = await ann.send("ann", f"note {number}", number.to_bytes(16, "big"))
        assert reply["ok"]["seq"] == number + 1
    await ann.leave()


async def notes(node: Node) -> int:
    operator = await Operator.sign_in(node)
    token = await operator.token("ann")
    await operator.close()
    ann = await Device(node, "ann", token).sign_in()
    history = await ann.history("ann")
    await ann.leave()
    return len(history)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of a node that was killed: half of it in table files, half only in the log."""
    path = tmp_path_factory.mktemp("killed") / "node"
    with running(path) as node:
        asyncio.run(talk(node, 0, MESSAGES))
        assert node.stop() == 0
        node.start()
        asyncio.run(talk(node, MESSAGES, MESSAGES))
        node.kill()
    return path


@pytest.fixture
def path(killed: Path, tmp_path: Path) -> Path:
    return shutil.copytree(killed, tmp_path / "node")


def start_in_vain(node: Node, *flags: str) -> tuple[int, str]:
    """Start it; return its exit status and its last line, which must be the only kind of words."""
    node.launch(*flags)
    status = node.wait()
    words = node.words()
    assert "Traceback" not in words
    return status, words.strip().splitlines()[-1]


def contents(store: Path) -> dict[str, str]:
    """Return a digest of each file of the store that holds rows, or says which do."""
    patterns = ("*.sst", "[0-9]*.log", "MANIFEST-*", "CURRENT")
    files = [file for pattern in patterns for file in store.glob(pattern)]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def biggest(pattern: str) -> Callable[[Path], Path]:
    return lambda store: max(store.glob(pattern), key=lambda file: file.stat().st_size)


def flip(file: Path, offset: int, count: int = 8) -> None:
    content = bytearray(file.read_bytes())
    flipped = bytes(byte ^ 0xFF for byte in content[offset : offset + count])
    content[offset : offset + count] = flipped
    file.write_bytes(content)


WAL, TABLE, MANIFEST = biggest("[0-9]*.log"), biggest("*.sst"), biggest("MANIFEST-*")


def current(store: Path) -> Path:
    return store / "CURRENT"


@pytest.mark.parametrize(
    ("victim", "damage"),
    [
        pytest.param(WAL, lambda f: flip(f, f.stat().st_size // 2), id="log-flipped"),
        pytest.param(TABLE, lambda f: flip(f, f.stat().st_size - 20, 16), id="table-foot-flipped"),
        pytest.param(TABLE, Path.unlink, id="table-missing"),
        pytest.param(MANIFEST, lambda f: flip(f, f.stat().st_size // 2), id="manifest-flipped"),
        pytest.param(MANIFEST, lambda f: f.write_bytes(bytes(50)), id="manifest-garbled"),
        pytest.param(MANIFEST, Path.unlink, id="manifest-missing"),
        pytest.param(current, Path.unlink, id="current-missing"),
        pytest.param(current, lambda f: f.write_text("hello\n"), id="current-garbled"),
        pytest.param(current, lambda f: os.truncate(f, 0), id="current-empty"),
    ],
)
def test_a_damaged_store_is_refused_by_the_name_of_its_file_and_not_repaired(
    path: Path, victim: Callable[[Path], Path], damage: Callable[[Path], object]
) -> None:
    file = victim(path / "store")
    damage(file)
    before = contents(path / "store")
    status, line = start_in_vain(Node(path))
    assert status == EXIT_CONFIG
    assert str(file) in line
    assert contents(path / "store") == before


def test_a_torn_tail_of_the_log_costs_at_most_the_torn_record(path: Path) -> None:
    file = WAL(path / "store")
    os.truncate(file, file.stat().st_size - 5)
    with running(path) as node:
        # The last records are hints and marks as well; a message at most is torn.
        assert asyncio.run(notes(node)) in {2 * MESSAGES, 2 * MESSAGES - 1}
        assert node.stop() == 0


def test_an_undamaged_copy_starts_with_all_of_it(path: Path) -> None:
    with running(path) as node:
        assert asyncio.run(notes(node)) == 2 * MESSAGES
        assert node.stop() == 0


def test_a_second_node_on_the_same_data_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with running(tmp_path / "node") as first:
        described = (first.data / "node.json").read_text()
        second = Node(first.data, words=tmp_path / "second.stderr")
        status, line = start_in_vain(second)
        assert status == EXIT_BUSY
        assert str(first.data / "store") in line and "in use" in line
        assert (first.data / "node.json").read_text() == described
        asyncio.run(talk(first, 0, 3))
        assert first.stop() == 0


def test_a_port_in_use_is_said_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        node = Node(tmp_path / "node")
        node.port = taken.getsockname()[1]
        status, line = start_in_vain(node)
        assert status == EXIT_CANT_LISTEN
        assert f"{node.port}" in line and "in use" in line
        assert not (node.data / "node.json").exists()
    # Nothing of the failed start is in the way of the next.
    with running(tmp_path / "node") as again:
        assert again.stop() == 0


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        pytest.param(
            {"limits.idle_timeout_s": -1, "auth.hash_threads": 0, "store.sync": "maybe"},
            ["limits.idle_timeout_s", "auth.hash_threads", "store.sync"],
            id="bounds-and-types",
        ),
        pytest.param(
            {"limits.no_such_thing": 1, "node.name": "Not A Name"},
            ["limits.no_such_thing", "node.name"],
            id="unknown-and-pattern",
        ),
        pytest.param(
            {
                "gateway.tcp.tls_cert": "/nowhere/cert.pem",
                "gateway.tcp.tls_key": "/nowhere/key.pem",
            },
            ["/nowhere/cert.pem", "/nowhere/key.pem"],
            id="files-that-are-not-there",
        ),
    ],
)
def test_settings_that_can_not_be_used_are_all_named(
    tmp_path: Path, settings: dict[str, object], named: list[str]
) -> None:
    node = Node(tmp_path / "node", settings)
    status, line = start_in_vain(node)
    assert status == EXIT_CONFIG
    for name in named:
        assert (name if name.startswith("/") else env_name(name)) in line
    assert not (node.data / "node.json").exists()


def test_a_file_of_bad_settings_is_refused_with_all_that_is_wrong_in_it(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text("[limits]\nidle_timeout_s = -1\nbogus = 3\n[store]\nsync = 'maybe'\n")
    node = Node(tmp_path / "node")
    status, line = start_in_vain(node, "--config", str(file))
    assert status == EXIT_CONFIG
    for name in (str(file), "limits.idle_timeout_s", "limits.bogus", "store.sync"):
        assert name in line
    assert not node.data.exists()
