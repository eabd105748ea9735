"""Hooks are made, shown, tried, paused and forgotten by the operator."""

from __future__ import annotations

from typing import Any

import pytest

from nodes.cli.failure import Exit

pytestmark = pytest.mark.slow


def test_a_hook_lives_as_the_operator_says(shell: Any) -> None:
    (made,) = shell.json("hook", "add", "cli-hook", "http://127.0.0.1:9/in", "--generate")
    assert len(made["secret"]) >= 32
    secret = shell.data.parent / "hook.secret"
    secret.write_text("0123456789abcdef\n", encoding="utf-8")
    again = shell.run("hook", "add", "cli-hook", "http://a.example/", "--secret-file", str(secret))
    assert (again.returncode, "exists" in again.stderr) == (Exit.REFUSED, True)
    shown = {one["name"]: one for one in shell.json("hook", "list")}
    assert shown["cli-hook"]["state"] == "active"
    assert made["secret"] not in shell.run("hook", "list").stdout
    # Loopback is refused, for no setting of this node lets hooks go there.
    tried = shell.run("hook", "test", "cli-hook")
    assert tried.returncode == Exit.FAILED
    assert "NotCalled" in tried.stderr
    assert shell.run("hook", "pause", "cli-hook").returncode == Exit.OK
    assert {one["name"]: one["state"] for one in shell.json("hook", "list")}["cli-hook"] == "paused"
    assert shell.run("hook", "resume", "cli-hook").returncode == Exit.OK
    assert shell.run("hook", "remove", "cli-hook").returncode == Exit.OK
    assert shell.run("hook", "test", "cli-hook").returncode == Exit.REFUSED


@pytest.mark.parametrize("options", [(), ("--generate", "--secret-file", "x")])
def test_a_hook_wants_one_secret(shell: Any, options: tuple[str, ...]) -> None:
    done = shell.run("hook", "add", "cli-none", "http://a.example/", *options)
    assert done.returncode == Exit.USAGE
