"""The house keeps its rules, and each rule can be broken."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.tidy import rule
from tests.tidy.rule import Finding, Rule, Source

ROOT = rule.project_root()
CHAT = "actorchat/chat/session.py"
KNOWS = '"""Knows one thing. Must not know another."""\n'
LONG_FUNCTION = "def long():\n" + "    x = 1\n" * rule.FUNCTION_LINES_MAX

Whole = Callable[[Iterable[Source]], Iterator[Finding]]


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    return rule.read_sources(ROOT)


def shown(findings: Iterable[Finding]) -> str:
    return "\n".join(str(finding) for finding in findings)


# -- each source ------------------------------------------------------------------------------


@pytest.mark.parametrize("check", rule.RULES, ids=lambda check: check.__name__)
def test_every_source_keeps_the_rule(check: Rule, sources: list[Source]) -> None:
    findings = [finding for source in sources for finding in check(source)]
    assert not findings, shown(findings)


BAD: list[tuple[Rule, str, str]] = [
    (rule.module_is_small, CHAT, "\n" * (rule.MODULE_LINES_MAX + 1)),
    (rule.module_is_small, "tests/unit/test_a.py", "\n" * (rule.TEST_MODULE_LINES_MAX + 1)),
    (rule.function_is_small, "bench/micro.py", LONG_FUNCTION),
    (rule.function_is_small, CHAT, LONG_FUNCTION.replace("def", "async def")),
    (rule.line_is_short, "tests/unit/test_a.py", "#" * (rule.LINE_CHARS_MAX + 1)),
    (rule.name_says_something, "actorchat/chat/util.py", ""),
    (rule.name_says_something, "nodes/node_manager.py", ""),
    (rule.name_says_something, "actorchat/common/__init__.py", ""),
    (rule.name_says_something, CHAT, "class SessionManager: ..."),
    (rule.name_says_something, CHAT, "class MessageData: ..."),
    (rule.nothing_is_left_over, "README.md", f"{rule.LEFTOVERS[0]}: write this"),
    (rule.nothing_is_left_over, CHAT, f"x = 1  # {rule.LEFTOVERS[2]}"),
    (rule.speaks_of_itself_alone, "README.md", f"see {rule.FOREIGN[0]}/main"),
    (rule.speaks_of_itself_alone, CHAT, f'PATH = "{rule.FOREIGN[0]}"'),
    (rule.speaks_of_itself_alone, "bench/README.md", f"as in {rule.FOREIGN[1]}ceiling"),
    (rule.module_says_what_it_knows, CHAT, '"""A session."""'),
    (rule.module_says_what_it_knows, CHAT, '"""Knows sessions."""'),
    (rule.module_says_what_it_knows, "nodes/__init__.py", ""),
    (rule.public_is_documented, CHAT, "def decide(): return 1"),
    (rule.public_is_documented, CHAT, "class A:\n  '''A thing.'''\n  async def go(self): ..."),
    (rule.public_is_documented, CHAT, "def decide():\n    '''Decide without a stop'''"),
    (rule.public_is_documented, "nodes/cli.py", "class A: ..."),
    (rule.pure_part_is_pure, CHAT, "import time"),
    (rule.pure_part_is_pure, CHAT, "def f():\n    from asyncio import sleep"),
    (rule.pure_part_is_pure, "actorchat/protocol/ops/message.py", "import os.path"),
    (rule.pure_part_is_pure, "actorchat/store/keys.py", "from random import random"),
    (rule.chat_imports_little, CHAT, "from actorchat.protocol import codec"),
    (rule.chat_imports_little, CHAT, "from ..store.keys import user_key"),
    (rule.chat_imports_little, CHAT, "from actorchat.settings import Settings"),
    (rule.chat_imports_little, CHAT, "import cbor2"),
    (rule.nothing_unsafe_is_read, "bench/load.py", "import " + "pickle"),
    (rule.nothing_unsafe_is_read, CHAT, "from " + "marshal import loads"),
    (rule.annotations_are_lazy, CHAT, f"{KNOWS}def f(x: int) -> int: return x"),
    (rule.unit_test_does_not_sleep, "tests/unit/test_a.py", "import time\ntime.sleep(0.1)"),
    (rule.unit_test_does_not_sleep, "tests/unit/test_a.py", "await asyncio.sleep(0.01)"),
    (rule.name_of_test_is_a_sentence, "tests/unit/test_a.py", "def test_resend(): ..."),
    (rule.name_of_test_is_a_sentence, "tests/fault/test_a.py", "async def test_kill_9(): ..."),
]


@pytest.mark.parametrize(("check", "path", "text"), BAD)
def test_rule_finds_a_breach(check: Rule, path: str, text: str) -> None:
    assert list(check(Source(path, text)))


GOOD: list[tuple[Rule, str, str]] = [
    (rule.module_is_small, CHAT, "\n" * rule.MODULE_LINES_MAX),
    (
        rule.function_is_small,
        CHAT,
        LONG_FUNCTION.replace("    x = 1\n", "    '''One.\n\n    Two.\n    '''\n", 1),
    ),
    (rule.name_says_something, "actorchat/store/utility_rate.py", "class Database: ..."),
    (rule.nothing_is_left_over, CHAT, "XXXL = 1"),
    (rule.speaks_of_itself_alone, CHAT, "# a path/" + "works, and /" + "workers too"),
    (rule.module_says_what_it_knows, CHAT, KNOWS),
    (rule.public_is_documented, CHAT, "def _private(): ...\nclass _A:\n  def b(self): ..."),
    (rule.public_is_documented, CHAT, "def decide():\n    '''Decide (here).'''"),
    (rule.pure_part_is_pure, "actorchat/store/rocks.py", "import os, time"),
    (rule.pure_part_is_pure, CHAT, "from actorchat.protocol.ops import select"),
    (rule.chat_imports_little, CHAT, "from actorchat import ids, limits"),
    (rule.chat_imports_little, CHAT, "from . import effect\nfrom ..protocol.ops.message import X"),
    (rule.chat_imports_little, CHAT, "import msgspec\nfrom typing import Any"),
    (rule.annotations_are_lazy, CHAT, f"{KNOWS}VERSION = 1"),
    (rule.unit_test_does_not_sleep, "tests/unit/test_a.py", "await asyncio.sleep(0)"),
    (rule.unit_test_does_not_sleep, "tests/fault/test_a.py", "time.sleep(1)"),
    (rule.name_of_test_is_a_sentence, "tests/unit/test_a.py", "def test_disk_is_full(): ..."),
]


@pytest.mark.parametrize(("check", "path", "text"), GOOD)
def test_rule_lets_good_style_pass(check: Rule, path: str, text: str) -> None:
    assert not list(check(Source(path, text)))


# -- the whole --------------------------------------------------------------------------------


def dead(sources: Iterable[Source]) -> Iterator[Finding]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    programs = [target.partition(":")[0] for target in project["scripts"].values()]
    return rule.no_module_is_dead(sources, programs)


def undeclared(sources: Iterable[Source]) -> Iterator[Finding]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["zk"], *extras["tui"], *extras["oidc"]]
    return rule.imports_are_declared(sources, [re.split(r"[<>=\[]", name)[0] for name in wanted])


WHOLES: list[Whole] = [
    rule.every_package_has_a_page,
    dead,
    undeclared,
    rule.unit_tests_mirror_the_code,
    rule.every_module_is_tested,
]


@pytest.mark.parametrize("check", WHOLES, ids=lambda check: check.__name__)
def test_project_keeps_the_rule(check: Whole, sources: list[Source]) -> None:
    findings = list(check(sources))
    assert not findings, shown(findings)


def test_package_without_a_page_is_found() -> None:
    package = Source("actorchat/chat/__init__.py", "")
    page = Source("actorchat/chat/README.md", "")
    assert list(rule.every_package_has_a_page([package]))
    assert not list(rule.every_package_has_a_page([package, page]))
    assert list(rule.every_package_has_a_page([Source("nodes/cli.py", "")]))


def test_dead_module_is_found_though_its_test_imports_it() -> None:
    module = Source("actorchat/chat/group.py", "import actorchat.chat.group")
    test = Source("tests/unit/chat/test_group.py", "from actorchat.chat import group")
    user = Source("actorchat/chat/__init__.py", "from .group import Group")
    assert list(rule.no_module_is_dead([module, test]))
    assert not list(rule.no_module_is_dead([module, user]))
    assert not list(rule.no_module_is_dead([module], ["actorchat.chat.group"]))


def test_undeclared_library_is_found() -> None:
    module = Source("nodes/cli.py", "import os, cbor2, actorchat.ids\nimport uuid_utils.compat")
    assert list(rule.imports_are_declared([module], ["cbor2"])) == [
        Finding("nodes/cli.py", 2, "uuid_utils is no declared dependency")
    ]
    assert not list(rule.imports_are_declared([module], ["cbor2", "uuid-utils"]))


def test_unit_test_without_a_subject_is_found() -> None:
    module = Source("actorchat/chat/group.py", "")
    beside = Source("tests/unit/chat/test_group_roles.py", "")
    elsewhere = Source("tests/unit/store/test_group.py", "")
    ground = [Source("actorchat/ids.py", ""), Source("tests/unit/test_ids.py", "")]
    package = [Source("nodes/cli.py", ""), Source("tests/unit/nodes/test_cli.py", "")]
    kit = Source("tests/unit/chat/playbook.py", "")
    assert list(rule.unit_tests_mirror_the_code([module, elsewhere])) == [
        Finding(elsewhere.path, 1, "mirrors no module")
    ]
    assert not list(rule.unit_tests_mirror_the_code([module, beside, kit, *ground, *package]))


def test_untested_module_is_found() -> None:
    module = Source("actorchat/chat/group.py", "def f():\n    return 1")
    vocabulary = Source("actorchat/chat/event.py", "class Joined:\n    def f(self): ...")
    by_name = Source("tests/property/test_group.py", "")
    by_import = Source("tests/unit/chat/test_chat.py", "from actorchat.chat.group import f")
    assert list(rule.every_module_is_tested([module, vocabulary])) == [
        Finding(module.path, 1, "no test has its name or imports it")
    ]
    assert not list(rule.every_module_is_tested([module, by_name]))
    assert not list(rule.every_module_is_tested([module, by_import]))


def test_top_level_holds_only_what_is_settled() -> None:
    findings = list(rule.top_level_is_settled(rule.top_level_names(ROOT)))
    assert not findings, shown(findings)


def test_stray_entry_of_the_top_level_is_found(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").touch()
    (tmp_path / ".pytest_cache").mkdir()
    names = rule.top_level_names(tmp_path)
    assert [finding.path for finding in rule.top_level_is_settled(names)] == ["docs"]


def test_sources_are_read_but_not_what_tools_leave(tmp_path: Path) -> None:
    for name in ("actorchat/ids.py", ".venv/lib/x.py", "actorchat/__pycache__/y.py", ".ci/run"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = [source.path for source in rule.read_sources(tmp_path)]
    assert found == [".ci/run", "actorchat/ids.py"]


def test_project_itself_is_read(sources: list[Source]) -> None:
    paths = {source.path for source in sources}
    assert {"actorchat/errors.py", "README.md", "Makefile", ".ci/run", "pyproject.toml"} <= paths


# -- floors -----------------------------------------------------------------------------------


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    env = {**os.environ, "PYTHONPATH": str(folder)}
    command = [str(program), "--no-cache", "--config", "pyproject.toml"]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_imports_go_down_only() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def miniature(tmp_path: Path) -> Path:
    """Lay out every module that the contracts name, empty, under the project's own contracts."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    contracts: list[dict[str, Any]] = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    named = " ".join(str(contract) for contract in contracts)
    for symbol in "[]{}'\",:|>":
        named = named.replace(symbol, " ")
    modules = {word for word in named.split() if word.startswith(("actorchat", "nodes"))}
    for module in {*modules, "actorchat.store.rocks", "actorchat.protocol.ops"}:
        if "*" not in module:
            folder = tmp_path / module.replace(".", "/")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "__init__.py").touch()
    for folder in (path for path in tmp_path.rglob("*") if path.is_dir()):
        (folder / "__init__.py").touch()
    return tmp_path


def test_miniature_keeps_the_contracts(miniature: Path) -> None:
    allowed = [
        ("actorchat/actor/ref.py", "import pykka"),
        ("actorchat/store/rocks/__init__.py", "import rocksdict"),
        ("actorchat/protocol/codec/__init__.py", "import cbor2"),
        ("actorchat/broker/session.py", "import actorchat.chat, actorchat.actor.ref"),
        ("nodes/boot.py", "import actorchat.broker, actorchat.gateway, actorchat.store.rocks"),
        ("actorchat/chat/__init__.py", "import actorchat.protocol.ops, actorchat.ids, msgspec"),
        ("actorchat/ids/__init__.py", "import actorchat.errors"),
    ]
    for path, text in allowed:
        (miniature / path).write_text(text, encoding="utf-8")
    done = lint_imports(miniature)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("actorchat/store/__init__.py", "import actorchat.chat"),
        ("actorchat/store/__init__.py", "import actorchat.protocol"),
        ("actorchat/gateway/__init__.py", "import actorchat.broker"),
        ("actorchat/client/__init__.py", "import actorchat.gateway"),
        ("actorchat/errors/__init__.py", "import actorchat.settings"),
        ("actorchat/broker/__init__.py", "import nodes"),
        ("nodes/__init__.py", "import actorchat.testing"),
        ("actorchat/chat/__init__.py", "import actorchat.protocol.codec"),
        ("actorchat/chat/__init__.py", "import actorchat.store"),
        ("actorchat/broker/__init__.py", "import pykka"),
        ("actorchat/store/__init__.py", "import rocksdict"),
        ("actorchat/protocol/connection/__init__.py", "import cbor2"),
        ("actorchat/broker/__init__.py", "import zmq"),
    ],
)
def test_import_that_goes_up_or_aside_is_found(miniature: Path, path: str, text: str) -> None:
    (miniature / path).write_text(text, encoding="utf-8")
    done = lint_imports(miniature)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BROKEN" in done.stdout
