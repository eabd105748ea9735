"""What the READMEs print is run as it stands, against a real node."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from actorchat.client import connect
from tests.fault.node import ROOT, Node, Operator, running

EXAMPLES = (ROOT / "README.md", ROOT / "actorchat" / "client" / "README.md")


def examples_of(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


async def answered(node: Node, code: str) -> str:
    """Run `code` as ann's program while bob answers what he gets; return what it printed."""
    operator = await Operator.sign_in(node)
    bobs = await operator.token("bob")
    await operator.token("ann", password="secret")
    await operator.close()
    address = f"tcp://127.0.0.1:{node.port}"
    places = json.loads((node.data / "node.json").read_text(encoding="utf-8"))
    for printed_at, real in (
        ("tcp://127.0.0.1:7700", address),
        ("ws://127.0.0.1:7701", places["ws"]),
        ("tcp://127.0.0.1:7702", places["zmq"].replace("zmq://", "tcp://")),
    ):
        code = code.replace(printed_at, real)
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        code,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(30), connect(address, user="bob", device="d", token=bobs) as bob:
            async for message in bob.messages():
                assert message.text == "hello"
                await bob.send(message.sender, "hello yourself")
                break
            printed, _ = await program.communicate()
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    assert program.returncode == 0
    return printed.decode()


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.parametrize("page", EXAMPLES, ids=lambda page: page.parent.name)
def test_examples_of_the_readme_work_as_printed(page: Path, tmp_path: Path) -> None:
    examples = examples_of(page)
    assert examples
    places = {f"gateway.{name}.listen": "127.0.0.1:0" for name in ("ws", "zmq")}
    for number, code in enumerate(examples):
        with running(tmp_path / str(number), places) as node:
            printed = asyncio.run(answered(node, code))
            assert node.stop() == 0
        assert printed.splitlines() == ["stored as 1", "bob says hello yourself"]


@pytest.mark.fault
@pytest.mark.slow
def test_curl_lines_of_the_readme_work_as_printed(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl here")
    page = EXAMPLES[0].read_text(encoding="utf-8")
    (lines,) = re.findall(r"```sh\n(at=.*?)```", page, re.DOTALL)
    with running(tmp_path / "node", {"gateway.http.listen": "127.0.0.1:0"}) as node:
        asyncio.run(accounts(node))
        at = json.loads((node.data / "node.json").read_text(encoding="utf-8"))["http"]
        script = lines.replace("http://127.0.0.1:7780", at)
        done = subprocess.run(
            ["sh", "-euc", script], capture_output=True, text=True, check=True, timeout=60
        )
        assert node.stop() == 0
    ready, welcome, sent, total = done.stdout.splitlines()[:1] + [
        line for line in done.stdout.splitlines()[1:] if not line.startswith("#")
    ]
    assert ready == "ready"
    assert json.loads(welcome)[0]["ok"]["user"] == "ann"
    (answer,) = json.loads(sent)
    assert (answer["re"], answer["ok"]["seq"]) == (2, 1)
    assert float(total.split()[1]) > 0


async def accounts(node: Node) -> None:
    operator = await Operator.sign_in(node)
    await operator.token("bob")
    await operator.token("ann", password="secret")
    await operator.close()
