"""What the READMEs print is run as it stands, against a real node."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import pytest

from actorchat.client import connect
from tests.fault.node import ROOT, Node, Operator, running

EXAMPLES = (ROOT / "README.md", ROOT / "actorchat" / "client" / "README.md")


def example_of(page: Path) -> str:
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    return str(code)


async def answered(node: Node, code: str) -> str:
    """Run `code` as ann's program while bob answers what he gets; return what it printed."""
    operator = await Operator.sign_in(node)
    bobs = await operator.token("bob")
    await operator.token("ann", password="secret")
    await operator.close()
    address = f"tcp://127.0.0.1:{node.port}"
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        code.replace("tcp://127.0.0.1:7700", address),
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
def test_example_of_the_readme_works_as_printed(page: Path, tmp_path: Path) -> None:
    with running(tmp_path / "node") as node:
        printed = asyncio.run(answered(node, example_of(page)))
        assert node.stop() == 0
    assert printed.splitlines() == ["stored as 1", "bob says hello yourself"]
