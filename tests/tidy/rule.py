"""The rules of the house as functions from sources to findings; `test_rule.py` applies them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import packages_distributions
from pathlib import Path

MODULE_LINES_MAX = 400
TEST_MODULE_LINES_MAX = 700
FUNCTION_LINES_MAX = 70
LINE_CHARS_MAX = 100

TOP_LEVEL = {
    "actorchat", "nodes", "config", "tests", "bench", "pyproject.toml", "README.md", "Makefile",
    "LICENSE", "CHANGELOG.md", ".ci", ".gitignore",
}  # fmt: skip
NOT_OURS = {".git", ".venv", "__pycache__", "data", "dist", "build", "node_modules"}
TEXT_SUFFIXES = {".py", ".md", ".toml", ".cddl", ".hex", ".typed", ".yml", ".yaml", ".json", ".sh"}

BANNED_WORDS = {"manager", "util", "utils", "helper", "helpers", "common", "data"}
IMPURE = {"time", "random", "threading", "socket", "asyncio", "select", "os", "logging"}
UNSAFE = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle"}
CHAT_MAY_IMPORT = {"errors", "ids", "clock", "limits", "metrics", "logs", "protocol.ops", "chat"}
# Shipped for tests: an engine that is the specification of the real one is used by nobody else.
TEST_KIT = ("actorchat/testing/", "actorchat/store/memory.py")
# Spelt in two halves, so that the rule does not find itself.
LEFTOVERS = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK", "remove before " + "merge")
FOREIGN = ("/" + "work", "proto" + "types/", "contract" + ".md", "proto" + "_")

# Documented where they are declared: asyncio's protocols, and the hooks of `actor.Actor`.
HOOKS = {
    "connection_made", "connection_lost", "data_received", "eof_received", "pause_writing",
    "resume_writing", "get_buffer", "buffer_updated", "on_start", "on_receive", "on_stop",
    "discarded",
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One breach of a rule."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


@dataclass(frozen=True)
class Source:
    """A file of the project, by its path from the root."""

    path: str
    text: str

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @property
    def is_module(self) -> bool:
        return self.path.endswith(".py")

    @property
    def module(self) -> str:
        """The dotted name: `actorchat/chat/__init__.py` is `actorchat.chat`."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def top(self) -> str:
        return self.path.split("/")[0]


Rule = Callable[[Source], Iterator[Finding]]


def project_root() -> Path:
    return Path(__file__).resolve().parents[2]


def read_sources(root: Path) -> list[Source]:
    """Read every text file of the project, in order of path."""
    found = []
    for path in sorted(root.rglob("*")):
        inner = path.relative_to(root)
        hidden = any(
            part in NOT_OURS or part.endswith(("_cache", ".egg-info", ".hypothesis"))
            for part in inner.parts
        )
        named = path.suffix in TEXT_SUFFIXES or inner.name in TOP_LEVEL or inner.parts[0] == ".ci"
        if not hidden and named and path.is_file():
            found.append(Source(inner.as_posix(), path.read_text(encoding="utf-8")))
    return found


# -- sizes ------------------------------------------------------------------------------------


def module_is_small(source: Source) -> Iterator[Finding]:
    most = TEST_MODULE_LINES_MAX if source.top == "tests" else MODULE_LINES_MAX
    if source.is_module and len(source.lines) > most:
        yield Finding(source.path, 1, f"{len(source.lines)} lines, at most {most}")


def function_is_small(source: Source) -> Iterator[Finding]:
    """Count a function's lines without its decorators and docstring."""
    if not source.is_module or source.top == "tests":
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if ast.get_docstring(node) is not None:
                doc = node.body[0]
                lines -= (doc.end_lineno or doc.lineno) - doc.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                text = f"{node.name}: {lines} lines, at most {FUNCTION_LINES_MAX}"
                yield Finding(source.path, node.lineno, text)


def line_is_short(source: Source) -> Iterator[Finding]:
    if source.is_module:
        for number, line in enumerate(source.lines, 1):
            if len(line) > LINE_CHARS_MAX:
                text = f"{len(line)} characters, at most {LINE_CHARS_MAX}"
                yield Finding(source.path, number, text)


# -- names and words --------------------------------------------------------------------------


def _words(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def name_says_something(source: Source) -> Iterator[Finding]:
    """Refuse manager, util, helper, common and data as a word of a module's or a class's name."""
    if not source.is_module:
        return
    for part in source.module.split("."):
        for word in _words(part) & BANNED_WORDS:
            yield Finding(source.path, 1, f"{word} in the name of a module or package")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef):
            for word in _words(node.name) & BANNED_WORDS:
                yield Finding(source.path, node.lineno, f"{word} in the name of class {node.name}")


def nothing_is_left_over(source: Source) -> Iterator[Finding]:
    for number, line in enumerate(source.lines, 1):
        for word in LEFTOVERS:
            if re.search(rf"(?<![A-Za-z]){word}(?![A-Za-z])", line):
                yield Finding(source.path, number, f"leftover {word}")


def speaks_of_itself_alone(source: Source) -> Iterator[Finding]:
    """Refuse paths of one machine and names of things that are not in the project."""
    for number, line in enumerate(source.lines, 1):
        for word in FOREIGN:
            end = "" if word[-1] in "/_" else r"(?![A-Za-z])"
            if re.search(rf"(?<![\w.]){re.escape(word)}{end}", line):
                yield Finding(source.path, number, f"{word} is not part of the project")


# -- docstrings -------------------------------------------------------------------------------


def module_says_what_it_knows(source: Source) -> Iterator[Finding]:
    if source.is_module and source.top in {"actorchat", "nodes"}:
        doc = " ".join((ast.get_docstring(source.tree) or "").split())
        if not re.match(r"Knows .+?\. Must not know .+?[.:]", doc):
            text = 'docstring does not begin "Knows …. Must not know …."'
            yield Finding(source.path, 1, text)


def public_is_documented(source: Source) -> Iterator[Finding]:
    """Want a docstring on each public class and function, its first line a sentence."""
    if not source.is_module or source.top not in {"actorchat", "nodes"}:
        return

    def visit(body: Iterable[ast.stmt], owner: str) -> Iterator[Finding]:
        for node in body:
            if isinstance(node, ast.If):
                yield from visit([*node.body, *node.orelse], owner)
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if node.name.startswith("_") or node.name in HOOKS or _is_repeated(node):
                continue
            name = f"{owner}{node.name}"
            doc = (ast.get_docstring(node) or "").strip()
            if not doc:
                yield Finding(source.path, node.lineno, f"{name} has no docstring")
            elif not doc.splitlines()[0].rstrip().endswith((".", ".)")):
                text = f"the first line of {name}'s docstring is no sentence"
                yield Finding(source.path, node.lineno, text)
            if isinstance(node, ast.ClassDef):
                yield from visit(node.body, f"{name}.")

    yield from visit(source.tree.body, "")


def _is_repeated(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Say whether the docstring stands elsewhere: overloads, setters, declared overrides."""
    for decorator in node.decorator_list:
        name = ast.unparse(decorator).rpartition(".")[2]
        if name in {"overload", "setter", "override"}:
            return True
    return False


# -- imports ----------------------------------------------------------------------------------


def imports(source: Source) -> Iterator[tuple[int, str]]:
    """Yield line and dotted name of all that a module imports, `from a import b` as `a.b`."""
    package = source.module.split(".")
    if not source.path.endswith("__init__.py"):
        package = package[:-1]
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *(node.module.split(".") if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{stem}.{alias.name}"


def pure_part_is_pure(source: Source) -> Iterator[Finding]:
    pure = ("actorchat/chat/", "actorchat/protocol/", "actorchat/store/keys.py")
    if source.is_module and source.path.startswith(pure):
        for line, name in imports(source):
            if name.split(".")[0] in IMPURE:
                yield Finding(source.path, line, f"a pure part imports {name.split('.')[0]}")


def chat_imports_little(source: Source) -> Iterator[Finding]:
    """Want chat to know only the ground floor, the ops, msgspec and the standard library."""
    if not (source.is_module and source.path.startswith("actorchat/chat/")):
        return
    for line, name in imports(source):
        first, _, rest = name.partition(".")
        if first == "actorchat":
            if not any(rest == ok or rest.startswith(f"{ok}.") for ok in CHAT_MAY_IMPORT):
                yield Finding(source.path, line, f"chat imports {name}")
        elif first != "msgspec" and first not in sys.stdlib_module_names:
            yield Finding(source.path, line, f"chat imports {name}")


def nothing_unsafe_is_read(source: Source) -> Iterator[Finding]:
    """Refuse libraries that run what they read."""
    if source.is_module:
        for line, name in imports(source):
            if name.split(".")[0] in UNSAFE:
                yield Finding(source.path, line, f"imports {name.split('.')[0]}")


def annotations_are_lazy(source: Source) -> Iterator[Finding]:
    if source.is_module and source.top in {"actorchat", "nodes", "bench"}:
        body = [node for node in source.tree.body if not _is_docstring(node)]
        names = {name for _, name in imports(source)}
        needs = any(
            isinstance(node, ast.AnnAssign | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            for node in body
        )
        if needs and "__future__.annotations" not in names:
            yield Finding(source.path, 1, "no `from __future__ import annotations`")


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def unit_test_does_not_sleep(source: Source) -> Iterator[Finding]:
    """Refuse waiting for real time in unit and property tests; giving way with sleep(0) is none."""
    if not (source.is_module and source.path.startswith(("tests/unit/", "tests/property/"))):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in {"time.sleep", "asyncio.sleep", "sleep"}:
                gives_way = bool(node.args) and ast.unparse(node.args[0]) == "0"
                if not gives_way:
                    yield Finding(source.path, node.lineno, f"{name} in a unit test")


def name_of_test_is_a_sentence(source: Source) -> Iterator[Finding]:
    """Want at least a subject and what it does: three words after `test`."""
    if source.is_module and source.top == "tests" and "/test_" in source.path:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                words = [word for word in node.name.split("_") if word]
                if words[0] == "test" and len(words) < 4:
                    yield Finding(source.path, node.lineno, f"{node.name} is no sentence")


RULES: tuple[Rule, ...] = (
    module_is_small,
    function_is_small,
    line_is_short,
    name_says_something,
    nothing_is_left_over,
    speaks_of_itself_alone,
    module_says_what_it_knows,
    public_is_documented,
    pure_part_is_pure,
    chat_imports_little,
    nothing_unsafe_is_read,
    annotations_are_lazy,
    unit_test_does_not_sleep,
    name_of_test_is_a_sentence,
)


# -- the project as a whole -------------------------------------------------------------------


def every_package_has_a_page(sources: Iterable[Source]) -> Iterator[Finding]:
    """Want a README beside each package's `__init__`; a package inside another may share its."""
    paths = {source.path for source in sources}
    for path in sorted(paths):
        if path.endswith("/__init__.py") and path.count("/") == 2 and path.startswith("actorchat/"):
            page = path.replace("__init__.py", "README.md")
            if page not in paths:
                yield Finding(page, 1, "missing: what the package knows, must not know, a picture")
    for top in ("bench", "nodes"):
        if any(path.startswith(f"{top}/") for path in paths) and f"{top}/README.md" not in paths:
            yield Finding(f"{top}/README.md", 1, "missing")


def imports_are_declared(sources: Iterable[Source], declared: Iterable[str]) -> Iterator[Finding]:
    """Want each library that the product imports among its declared dependencies.

    A library that is only there because another needs it may be gone tomorrow.
    """
    providers = packages_distributions()
    known = {_normal(name) for name in declared}
    for source in sources:
        if source.is_module and source.top in {"actorchat", "nodes"}:
            for line, name in imports(source):
                first = name.split(".")[0]
                if first in {"actorchat", "nodes", ""} or first in sys.stdlib_module_names:
                    continue
                if not known & {_normal(found) for found in providers.get(first, [first])}:
                    yield Finding(source.path, line, f"{first} is no declared dependency")


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def no_module_is_dead(sources: Iterable[Source], roots: Iterable[str] = ()) -> Iterator[Finding]:
    """Find modules that nothing but tests imports; programs and the test kit are no such."""
    modules = [source for source in sources if source.is_module and source.top != "tests"]
    imported: set[str] = set(roots)
    for source in modules:
        for _, name in imports(source):
            # `from a import b` may name a module or what is in one; both are noted.
            imported |= {name, name.rpartition(".")[0]} - {source.module}
    for source in modules:
        is_program = source.path.endswith(("__init__.py", "__main__.py")) or any(
            line.startswith("if __name__ ==") for line in source.lines
        )
        is_kit = source.path.startswith(TEST_KIT)
        if source.module not in imported and not is_program and not is_kit:
            yield Finding(source.path, 1, "imported by nobody")


def unit_tests_mirror_the_code(sources: Iterable[Source]) -> Iterator[Finding]:
    """Want `tests/unit/chat/test_session….py` to have a `chat/session.py` or package to test."""
    listed = list(sources)
    stems: dict[str, set[str]] = {}
    for source in listed:
        if source.is_module and source.top in {"actorchat", "nodes", "bench"}:
            folder, _, stem = source.path.removesuffix(".py").rpartition("/")
            stems.setdefault(folder, {_last(folder)}).add(stem)
            stems.setdefault(folder.rpartition("/")[0], set()).add(_last(folder))
    for source in listed:
        folder, found, name = source.path.rpartition("/test_")
        if found and source.is_module and source.path.startswith("tests/unit/"):
            home = folder.removeprefix("tests/unit").strip("/")
            known = stems.get(f"actorchat/{home}".rstrip("/"), set()) | stems.get(home, set())
            if not any(_is_test_of(name.removesuffix(".py"), stem) for stem in known):
                yield Finding(source.path, 1, "mirrors no module")


def every_module_is_tested(sources: Iterable[Source]) -> Iterator[Finding]:
    """Want each module that does anything to have a test of its name, or one that imports it."""
    listed = list(sources)
    tests = [source for source in listed if source.is_module and source.top == "tests"]
    names = {_last(source.path).removeprefix("test_").removesuffix(".py") for source in tests}
    imported = {
        known
        for source in tests
        for _, name in imports(source)
        for known in (name, name.rpartition(".")[0])
    }
    for source in listed:
        if source.is_module and source.top in {"actorchat", "nodes"} and _does_something(source):
            stem = _last(source.path).removesuffix(".py")
            if source.module not in imported and not any(_is_test_of(n, stem) for n in names):
                yield Finding(source.path, 1, "no test has its name or imports it")


def _does_something(source: Source) -> bool:
    """Say whether there is a function with a body; vocabularies and ports only declare."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = [part for part in node.body if not _is_docstring(part)]
            if body and not all(isinstance(part, ast.Pass) for part in body):
                return True
    return False


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _is_test_of(name: str, stem: str) -> bool:
    return any(name == known or name.startswith(f"{known}_") for known in (stem, f"{stem}s"))


def top_level_is_settled(names: Iterable[str]) -> Iterator[Finding]:
    for name in sorted(set(names) - TOP_LEVEL):
        yield Finding(name, 1, "is not one of the entries that the top level may hold")


def top_level_names(root: Path) -> set[str]:
    """Return what git tracks or would track at the top; without git, all but what is never ours."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout:
            return {name.split("/")[0] for name in done.stdout.split("\0") if name}
    except FileNotFoundError:
        pass
    return {
        path.name
        for path in root.iterdir()
        if path.name not in NOT_OURS
        and not path.name.endswith(("_cache", ".egg-info"))
        and not path.name.startswith((".coverage", ".hypothesis"))
    }
