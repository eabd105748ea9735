"""Messages are found from the command line, and in a conversation."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.store.index import has_fts5
from nodes.cli.failure import Exit

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not has_fts5(), reason="this SQLite has no FTS5"),
]


def test_words_are_found_in_ones_own_conversations(shell: Any) -> None:
    for user in ("srch-ann", "srch-bob"):
        shell.json("user", "add", user, "--generate")
    shell.json("send", "srch-bob", "see you at eight", "--as", "srch-ann")
    shell.json("send", "srch-ann", "eight it is", "--as", "srch-bob")
    hits = shell.json("search", "eig", "--as", "srch-ann")
    assert [(hit["conv"], hit["seq"]) for hit in hits] == [("srch-bob", 2), ("srch-bob", 1)]
    assert "see you" in shell.run("search", "you", "--with", "srch-ann", "--as", "srch-bob").stdout
    assert shell.json("search", "nothing", "--as", "srch-ann") == []
    assert shell.run("search", "!", "--as", "srch-ann").returncode == Exit.REFUSED
