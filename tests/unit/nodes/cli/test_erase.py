"""An account is ended from the shell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nodes.cli.failure import Exit

pytestmark = pytest.mark.slow


def test_account_ends_and_its_name_stays_taken(shell: Any, tmp_path: Path) -> None:
    (made,) = shell.json("user", "add", "era-ann", "--generate")
    shell.json("user", "add", "era-bob", "--generate")
    shell.json("send", "era-bob", "hi", "--as", "era-ann")
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text(made["password"])
    wrong.write_text("wrong")
    delete = ("delete-account", "--as", "era-ann", "--yes", "--password-file")
    assert shell.run(*delete, str(wrong)).returncode == Exit.REFUSED
    done = shell.run(*delete, str(right))
    assert "has ended" in done.stderr
    assert shell.run("send", "era-ann", "hi", "--as", "era-bob").returncode == Exit.REFUSED
    assert shell.run("user", "add", "era-ann", "--generate").returncode == Exit.REFUSED
    (line,) = shell.json("conversations", "--as", "era-bob")
    assert line["gone"] is True
