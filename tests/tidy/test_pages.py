"""The pages lead to files that exist, and say nothing twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from actorchat.protocol.ops import CLIENT_OPS
from tests.tidy.rule import project_root

ROOT = project_root()
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
NAMED = re.compile(r"`((?:tests|actorchat|nodes|bench|config)/[\w./-]+)`")
PAGES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(
        part.startswith(".") or part == "node_modules" for part in path.parts[len(ROOT.parts) :]
    )
)


def dead_links(page: Path, text: str, root: Path = ROOT) -> Iterator[str]:
    """Yield what a page leads to, or names, and what is not there."""
    for target in LINK.findall(text):
        if "://" not in target and not (page.parent / target).exists():
            yield target
    for name in NAMED.findall(text):
        if not (root / name).exists():
            yield name


def tables(text: str) -> Iterator[list[list[str]]]:
    """Yield the tables of a page as rows of cells."""
    rows: list[list[str]] = []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            yield rows
            rows = []


def doubled(text: str) -> Iterator[str]:
    """Yield what stands in a table twice, and lines of a table that is not one."""
    for rows in tables(text):
        if len(rows) < 2 or set("".join(rows[1])) - set("-: "):
            yield f"a stray row: {rows[0][0]}"
            continue
        names = [" | ".join(row[:2]) for row in rows[2:]]
        yield from sorted({name for name in names if names.count(name) > 1})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_leads_to_what_exists_and_says_it_once(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert list(dead_links(page, text)) == []
    assert list(doubled(text)) == []


def test_dead_link_and_doubled_row_are_found(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    text = "[a](there.md) [b](https://example.org/x) `tests/no_such.py` [c](README.md#part)\n"
    page.write_text(text, encoding="utf-8")
    assert list(dead_links(page, text, tmp_path)) == ["there.md", "tests/no_such.py"]
    table = "| op | from |\n| --- | --- |\n| a | x |\n| b | x |\n| a | x |\n\n| a stray |\n"
    assert list(doubled(table)) == ["a | x", "a stray row: a stray"]


def ops_in(text: str) -> list[str]:
    """Return the ops that a page's table has, from whom clients say."""
    found = []
    for rows in tables(text):
        if rows[0][:2] == ["op", "from"]:
            said = [row for row in rows[2:] if row[1] != "server"]
            found += [row[0].strip("`") for row in said]
    return found


def test_table_of_ops_has_each_once() -> None:
    page = (ROOT / "actorchat/protocol/README.md").read_text(encoding="utf-8")
    assert sorted(ops_in(page)) == sorted(CLIENT_OPS)
