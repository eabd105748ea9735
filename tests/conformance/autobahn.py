"""Knows how Autobahn's fuzzing client is run against an echo over the real WebSocket gateway.

Must not know which verdicts are good enough. The suite needs Python 2.7 (pyenv's) and is installed
once, by that Python's pip, into `~/.cache/actorchat/autobahn`.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from actorchat.gateway.base import Outlet
from actorchat.gateway.ws import FORMS, Form, WsConnection, WsGateway
from actorchat.protocol import websocket as ws

CASES = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"]
PACKAGE = "autobahntestsuite==25.10.1"
# One of its packages is found by a .pth file alone, which a path in the environment does not read.
_START = """
import site, sys
site.addsitedir(sys.argv.pop(1))
from autobahntestsuite.wstest import run
run()
"""
INSTALL_S = 300.0
RUN_S = 300.0


class _EchoSession:
    """Sends back each frame that it is given; takes long messages from the start."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        outlet.admit()

    def receive(self, op: bytes) -> None:
        self._outlet.push(op)

    def closed(self, reason: str) -> None:
        pass


class _EchoConnection(WsConnection):
    """Hands whole messages to its session, instead of the ops in them."""

    __slots__ = ()

    def _to_op(self, opcode: int, payload: bytes) -> bytes:
        return ws.server_frame(opcode, payload)


class EchoGateway(WsGateway):
    """The real gateway, but for what is in the messages; a peer need not name a subprotocol."""

    def __init__(self, host: str, port: int) -> None:
        form = Form(ws.BINARY, lambda _: {}, lambda whole_frame: whole_frame)
        super().__init__(_EchoSession, host, port, forms={**FORMS, None: form})

    def _make_endpoint(self) -> _EchoConnection:
        return _EchoConnection(self)


def python27() -> str | None:
    """Return a Python 2.7 that runs, None where there is none."""
    versions = sorted(Path.home().glob(".pyenv/versions/2.7*/bin/python2.7"))
    found = shutil.which("python2.7")
    for candidate in (*map(str, versions), *([found] if found else [])):
        asked = subprocess.run([candidate, "-c", "import ssl"], capture_output=True, check=False)
        if asked.returncode == 0:
            return candidate
    return None


def install(python: str) -> Path | None:
    """Return where the suite is installed; None where it is not and can't be."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "actorchat"
    target = cache / "autobahn"
    if (target / "autobahntestsuite" / "wstest.py").exists():
        return target
    scratch = cache / f"autobahn.{os.getpid()}"
    command = [python, "-m", "pip", "install", "--quiet", "--target", str(scratch), PACKAGE]
    try:
        subprocess.run(command, capture_output=True, check=True, timeout=INSTALL_S)
        scratch.rename(target)
    except (subprocess.SubprocessError, OSError):
        shutil.rmtree(scratch, ignore_errors=True)
        return target if target.exists() else None
    return target


async def verdicts(python: str, installed: Path, scratch: Path) -> dict[str, dict[str, Any]]:
    """Run the cases; return what the suite says of each, by case."""
    gateway = EchoGateway("127.0.0.1", 0)
    await gateway.start()
    report = scratch / "report"
    spec = scratch / "spec.json"
    spec.write_text(
        json.dumps(
            {
                "outdir": str(report),
                "servers": [{"agent": "actorchat", "url": gateway.address}],
                "cases": CASES,
                "exclude-cases": [],
                "exclude-agent-cases": {},
            }
        ),
        encoding="utf-8",
    )
    program = await asyncio.create_subprocess_exec(
        *(python, "-B", "-c", _START, str(installed), "-m", "fuzzingclient", "-s", str(spec)),
        cwd=scratch,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await asyncio.wait_for(program.wait(), RUN_S)
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
        await gateway.stop()
    index = json.loads((report / "index.json").read_text(encoding="utf-8"))
    return dict(index["actorchat"])
