"""The table of promises names tests that exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "actorchat/actor/README.md"
OF_THE_RUNTIME = ("unit/actor/test_*.py", "property/test_actor_*.py")
PROMISE = re.compile(r"\| (G\d+) \| .+? \| (.+?) \|$", re.MULTILINE)
NAME = re.compile(r"`(?:([\w/]+\.py)::)?(test_\w+)`")


def promises(page: str) -> dict[str, str]:
    """Return the last cell of each promise's row."""
    return dict(PROMISE.findall(page))


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


def missing(page: str) -> Iterator[str]:
    """Yield what the table names and the suite has not, and promises without a test."""
    files = sorted(path for pattern in OF_THE_RUNTIME for path in TESTS.glob(pattern))
    known = set[str]().union(*map(names_in, files))
    for promise, cell in promises(page).items():
        names = NAME.findall(cell)
        if not names:
            yield f"{promise} has no test"
        for file, name in names:
            if not file:
                if name not in known:
                    yield f"{promise}: {name}"
            elif not (TESTS / file).exists() or name not in names_in(TESTS / file):
                yield f"{promise}: {file}::{name}"


def test_every_promise_names_tests_that_exist() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [f"G{number}" for number in range(1, 9)] == list(promises(page))[:8]
    assert list(missing(page)) == []


def test_a_name_that_is_wrong_is_found() -> None:
    here = "conformance/test_guarantees_named.py::test_a_name_that_is_wrong_is_found"
    page = f"""
| | promise | test |
| --- | --- | --- |
| G1 | One. | `{here}` |
| G2 | Two. | `{here}_too`, `test_that_nobody_wrote` (order) |
| G3 | Three. | the same |
| G4 | Four. | `unit/actor/test_no_module.py::test_that_nobody_wrote` |
"""
    assert list(missing(page)) == [
        f"G2: {here}_too",
        "G2: test_that_nobody_wrote",
        "G3 has no test",
        "G4: unit/actor/test_no_module.py::test_that_nobody_wrote",
    ]
