"""Knows how Debian's ZooKeeper is started for one cluster of this machine.
Must not know what is kept there.
"""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

from actorchat.errors import SettingsError

JARS = (Path("/usr/share/java/zookeeper.jar"), Path("/usr/share/java/slf4j-simple.jar"))
HOST = "127.0.0.1"
ASK_TIMEOUT_S = 1.0
_CONFIG = """\
tickTime=500
dataDir={folder}/state
clientPort={port}
clientPortAddress={host}
admin.enableServer=false
4lw.commands.whitelist=srvr
maxClientCnxns=0
"""


def zookeeper_command(folder: Path, port: int, host: str = HOST) -> list[str]:
    """Write the settings of a single server into `folder`; return how it is started.

    Raises:
        SettingsError: It is not installed.
    """
    if not all(jar.exists() for jar in JARS) or shutil.which("java") is None:
        text = "no ZooKeeper here: apt-get install zookeeper default-jre-headless"
        raise SettingsError([text])
    (folder / "state").mkdir(parents=True, exist_ok=True, mode=0o700)
    config = folder / "zoo.cfg"
    config.write_text(_CONFIG.format(folder=folder, port=port, host=host), encoding="ascii")
    return [
        "java", "-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp", ":".join(map(str, JARS)),
        "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(config),
    ]  # fmt: skip


def zookeeper_answers(port: int, host: str = HOST) -> bool:
    """Say whether the server on this machine takes sessions. Blocks, a second at most."""
    try:
        with socket.create_connection((host, port), ASK_TIMEOUT_S) as asked:
            asked.sendall(b"srvr")
            return "Mode: " in asked.makefile("r", encoding="utf-8").read()
    except OSError:
        return False
