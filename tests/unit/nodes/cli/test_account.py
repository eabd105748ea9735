"""Accounts are made by the operator, and used by password once and by token from then on."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nodes.cli.failure import Exit

pytestmark = pytest.mark.slow


def test_an_account_is_made_and_signed_in_to(shell: Any) -> None:
    (made,) = shell.json("user", "add", "acc-ann", "--generate")
    assert made["user"] == "acc-ann"
    assert len(made["password"]) >= 20
    (who,) = shell.json("whoami")
    assert who["user"] == "acc-ann"
    assert who["default"]
    file = shell.config / "credentials.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(shell.config.stat().st_mode) == 0o700
    assert made["password"] not in file.read_text(encoding="utf-8")
    again = shell.run("user", "add", "acc-ann", "--generate")
    assert again.returncode == Exit.REFUSED
    assert again.stderr.startswith("actorchat: exists: ")
    assert "Traceback" not in again.stderr


def test_another_machine_signs_in_by_password(
    shell: Any, make_shell: Callable[[Path], Any], tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("correct horse\nsecond line\n", encoding="utf-8")
    done = shell.run("user", "add", "acc-bob", "--password-file", str(secret))
    assert done.returncode == Exit.OK, done.stderr
    (first,) = shell.json("whoami")

    other = make_shell(shell.data)
    other.environment["ACTORCHAT_CONFIG_DIR"] = str(tmp_path / "other")
    wrong = other.run("login", "acc-bob", "--password-file", "-", typed="battery staple\n")
    assert wrong.returncode == Exit.REFUSED
    assert wrong.stderr.startswith("actorchat: unauthenticated: ")
    assert other.run("whoami").returncode == Exit.REFUSED
    (second,) = other.json("login", "acc-bob", "--password-file", "-", typed="correct horse\n")
    assert second["device"] != first["device"]
    (sent,) = other.json("send", "acc-bob", "to myself")
    assert sent["seq"] == 1
    # The first machine's tokens still stand, until they are revoked from the second.
    assert shell.run("history", "acc-bob").returncode == Exit.OK
    assert other.run("revoke", f"{first['device']}-errand").returncode == Exit.OK
    revoked = shell.run("history", "acc-bob")
    assert revoked.returncode == Exit.REFUSED


def test_after_logout_the_token_is_void(shell: Any) -> None:
    shell.json("user", "add", "acc-cat", "--generate")
    file = shell.config / "credentials.toml"
    kept = file.read_text(encoding="utf-8")
    done = shell.run("logout")
    assert done.returncode == Exit.OK
    assert "void" not in done.stderr
    assert "acc-cat" not in file.read_text(encoding="utf-8")
    file.write_text(kept, encoding="utf-8")  # a copy that somebody made
    for command in (("history", "acc-cat"), ("tail", "--count", "1")):
        assert shell.run(*command).returncode == Exit.REFUSED


def test_without_a_terminal_a_password_must_be_given(shell: Any) -> None:
    done = shell.run("user", "add", "acc-dan")
    assert done.returncode == Exit.USAGE
    assert "--password-file" in done.stderr
    empty = shell.run("login", "acc-dan", "--password-file", "-", typed="\n")
    assert empty.returncode == Exit.USAGE
