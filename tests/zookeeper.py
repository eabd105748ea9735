"""A real ZooKeeper for tests: Debian's, started unprivileged on free ports of this machine."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nodes.cluster.layout import Ports

JARS = (Path("/usr/share/java/zookeeper.jar"), Path("/usr/share/java/slf4j-simple.jar"))
READY_S = 30.0
TICK_MS = 500

CONFIG = """
tickTime={tick}
initLimit=10
syncLimit=4
dataDir={folder}/state
clientPort={port}
clientPortAddress=127.0.0.1
admin.enableServer=false
4lw.commands.whitelist=ruok,srvr
maxClientCnxns=0
"""


def is_installed() -> bool:
    return all(jar.exists() for jar in JARS) and shutil.which("java") is not None


def install() -> None:
    """See to it that ZooKeeper is there, or skip with the reason why not."""
    if is_installed():
        return
    # One worker installs it; those who came for it at the same time find it done.
    with (Path(tempfile.gettempdir()) / "actorchat-zookeeper.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_installed():
            _install()


def _install() -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        pytest.skip("no ZooKeeper here, and Debian's can't be installed without root and apt-get")
    wanted = ("install", "-y", "--no-install-recommends", "zookeeper", "default-jre-headless")
    done = _apt(*wanted)
    if done.returncode:
        _apt("update")
        done = _apt(*wanted)
    if done.returncode or not all(jar.exists() for jar in JARS):
        pytest.skip(f"ZooKeeper can't be installed: {done.stderr.strip()[-200:]}")


def _apt(*arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


class Server:
    """One server's process."""

    def __init__(self, folder: Path, port: int, peers: str = "", number: int = 0) -> None:
        self.port = port
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "state").mkdir(parents=True)
        (folder / "zoo.cfg").write_text(
            CONFIG.format(tick=TICK_MS, folder=folder, port=port) + peers, encoding="ascii"
        )
        if number:
            (folder / "state" / "myid").write_text(str(number), encoding="ascii")
        if os.geteuid() == 0:
            for path in (folder, *folder.rglob("*")):
                shutil.chown(path, "nobody")

    def start(self) -> None:
        command = [
            "java", "-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-cp", ":".join(map(str, JARS)),
            "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(self._folder / "zoo.cfg"),
        ]  # fmt: skip
        if os.geteuid() == 0:
            drop = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
            command = [*drop, *command]
        with (self._folder / "words").open("ab") as words:
            self._process = subprocess.Popen(
                command, stdout=words, stderr=words, cwd=self._folder, start_new_session=True
            )

    def ask(self, word: str) -> str:
        """Return the answer to a four-letter word; empty while there is none."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1.0) as asked:
                asked.sendall(word.encode())
                return asked.makefile("r", encoding="utf-8").read()
        except OSError:
            return ""

    @property
    def mode(self) -> str:
        lines = [line for line in self.ask("srvr").splitlines() if line.startswith("Mode: ")]
        return lines[0].removeprefix("Mode: ") if lines else ""

    def wait_until_ready(self) -> None:
        deadline_s = time.monotonic() + READY_S
        while not self.mode:
            assert self._process is not None
            said = (self._folder / "words").read_text(encoding="utf-8", errors="replace")
            assert self._process.poll() is None, said
            assert time.monotonic() < deadline_s, f"ZooKeeper is not ready: {said[-2000:]}"
            time.sleep(0.1)

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


class Ensemble:
    """Some servers that are one ZooKeeper."""

    def __init__(self, folder: Path, count: int) -> None:
        free = Ports()
        ports = [free.take(0) for _ in range(3 * count)]
        peers = "".join(
            f"server.{n + 1}=127.0.0.1:{ports[count + 2 * n]}:{ports[count + 2 * n + 1]}\n"
            for n in range(count)
        )
        self.servers = [
            Server(folder / str(n + 1), ports[n], peers if count > 1 else "", n + 1)
            for n in range(count)
        ]

    @property
    def hosts(self) -> str:
        return ",".join(f"127.0.0.1:{server.port}" for server in self.servers)

    @property
    def leader(self) -> Server:
        return next(s for s in self.servers if s.mode in {"leader", "standalone"})

    def start(self) -> None:
        for server in self.servers:
            server.start()
        for server in self.servers:
            server.wait_until_ready()

    def kill(self) -> None:
        for server in self.servers:
            server.kill()


@contextmanager
def running_ensemble(count: int) -> Iterator[Ensemble]:
    """Run so many servers, which are gone afterwards."""
    install()
    # In the system's own scratch folder: the servers' user must be able to go there.
    folder = Path(tempfile.mkdtemp(prefix="actorchat-zookeeper-"))
    folder.chmod(0o755)
    ensemble = Ensemble(folder, count)
    try:
        ensemble.start()
        yield ensemble
    finally:
        ensemble.kill()
        shutil.rmtree(folder, ignore_errors=True)
