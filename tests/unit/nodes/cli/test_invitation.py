"""Operators make invitations, see what is left of them, and take them back."""

from __future__ import annotations

from typing import Any

import pytest

from nodes.cli.failure import Exit

pytestmark = pytest.mark.slow


def test_an_invitation_is_made_listed_and_revoked(shell: Any) -> None:
    (made,) = shell.json("invitation", "add", "--title", "a class", "--uses", "3", "--days", "1")
    assert len(made["code"]) >= 22
    (listed,) = [
        one for one in shell.json("invitation", "list") if one["invitation"] == made["invitation"]
    ]
    assert (listed["title"], listed["uses"], listed["left"]) == ("a class", 3, 3)
    assert listed["expires"] - listed["created"] == 86_400_000
    table = shell.run("invitation", "list")
    assert f"{made['invitation']}" in table.stdout
    assert "3/3" in table.stdout
    assert made["code"] not in table.stdout
    done = shell.run("invitation", "revoke", made["invitation"])
    assert done.returncode == Exit.OK, done.stderr
    again = shell.run("invitation", "revoke", made["invitation"])
    assert again.returncode == Exit.REFUSED
    assert again.stderr.startswith("actorchat: no_such_invitation: ")
    wrong = shell.run("invitation", "revoke", "nonsense")
    assert wrong.returncode == Exit.USAGE
    assert "Traceback" not in wrong.stderr


def test_code_is_printed_once_and_nothing_is_in_bounds_that_is_not(shell: Any) -> None:
    made = shell.run("invitation", "add")
    assert made.returncode == Exit.OK
    assert made.stdout.startswith("code: ")
    assert shell.run("invitation", "add", "--uses", "0").returncode == Exit.USAGE
    assert shell.run("invitation", "add", "--uses", "10001").returncode == Exit.USAGE
