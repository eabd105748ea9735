"""Knows how settings are gathered from file, environment and flags. Must not know single ones.

All mistakes are found before any is reported, because who corrects a file wants to do it once.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta

from actorchat.errors import SettingsError
from actorchat.settings.rule import contradictions
from actorchat.settings.schema import Setting, Settings, sections, table
from actorchat.settings.section import Section

ENV_PREFIX = "ACTORCHAT_"
Origin = Literal["default", "file", "env", "flag"]
_Root = TypeVar("_Root", bound=Section)


class Resolved(msgspec.Struct, frozen=True):
    """Settings, and where each value came from: `origins["auth.argon2_time_cost"] == "env"`."""

    settings: Settings
    origins: dict[str, Origin]


def env_name(key: str) -> str:
    """Return the variable that overrides `key`: `log.level` is `ACTORCHAT_LOG__LEVEL`."""
    return ENV_PREFIX + key.replace(".", "__").upper()


def load(
    path: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Settings:
    """Return the settings; see `resolve`."""
    return resolve(path, env, overrides).settings


def resolve(
    path: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Resolved:
    """Return the settings and their origins; flags win over environment, file and defaults.

    Args:
        path: A TOML file, or none to begin with the defaults.
        env: The environment; `os.environ` unless given. Only names with `__` are settings.
        overrides: Flags by dotted key; text is read as in the environment, None is no override.
    Raises:
        SettingsError: Anything is wrong; `problems` has all of it, one line each.
    """
    settings, origins = gather(Settings, contradictions, path, env, overrides)
    return Resolved(settings, origins)


def gather(
    root: type[_Root],
    rule: Callable[[Mapping[str, Any]], Iterable[str]],
    path: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> tuple[_Root, dict[str, Origin]]:
    """Return the settings of `root`, a role's, and their origins; see `resolve`.

    What must hold between settings is `rule`'s to say. Another role's variables are none of this
    one's affair, since one environment may serve several.
    """
    known = table(root)
    problems: list[str] = []
    values: dict[str, object] = {key: setting.default for key, setting in known.items()}
    origins: dict[str, Origin] = dict.fromkeys(known, "default")

    def put(key: str, value: object, origin: Origin, said: str) -> None:
        try:
            is_text = origin != "file" and isinstance(value, str)
            values[key] = msgspec.convert(value, known[key].type, strict=not is_text)
            origins[key] = origin
        except msgspec.ValidationError as error:
            problems.append(f"{said}: {_expected(known[key].type, error)}, got {value!r}")

    if path is not None:
        for key, value in _read_file(Path(path), root, known, problems):
            put(key, value, "file", f"{path}: {key}")
    by_variable = {env_name(key): key for key in known}
    others = set() if root is Settings else {env_name(key) for key in table()}
    for variable, text in sorted((os.environ if env is None else env).items()):
        if variable in by_variable:
            put(by_variable[variable], text, "env", variable)
        elif variable.startswith(ENV_PREFIX) and "__" in variable and variable not in others:
            problems.append(f"{variable}: no such setting{_meant(variable, by_variable)}")
    for key, flag in (overrides or {}).items():
        if key not in known:
            problems.append(f"flag {key}: no such setting{_meant(key, known)}")
        elif flag is not None:
            put(key, flag, "flag", f"flag {key}")
    problems.extend(rule(values))
    if problems:
        raise SettingsError(problems)
    return msgspec.convert(_nested(values), root), origins


def _read_file(
    path: Path, root_type: type[Section], known: Mapping[str, Setting], problems: list[str]
) -> Iterator[tuple[str, object]]:
    """Yield the settings of a file by dotted key; what can't be one goes to `problems`."""
    try:
        root = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"{path}: {error.strerror or error}")
        return
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{path}: not TOML: {error}")
        return
    tables = dict(sections(root_type))
    pending: list[tuple[str, Any]] = list(root.items())
    while pending:
        key, value = pending.pop(0)
        if key in known:
            yield key, value
        elif key not in tables:
            what = "section" if isinstance(value, dict) else "setting"
            candidates = tables if isinstance(value, dict) else known
            problems.append(f"{path}: {key}: no such {what}{_meant(key, candidates)}")
        elif isinstance(value, dict):
            pending[:0] = [(f"{key}.{name}", inner) for name, inner in value.items()]
        else:
            problems.append(f"{path}: {key}: expected a table, got {value!r}")


def _nested(values: Mapping[str, object]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for key, value in values.items():
        *outer, name = key.split(".")
        inner = root
        for part in outer:
            inner = inner.setdefault(part, {})
        inner[name] = value
    return root


def _meant(word: str, candidates: Iterable[str]) -> str:
    # Without what all variables begin with, or any two of them would look alike.
    shorter = {name.removeprefix(ENV_PREFIX): name for name in candidates}
    close = difflib.get_close_matches(word.removeprefix(ENV_PREFIX), shorter, n=1)
    return f"; did you mean {shorter[close[0]]}?" if close else ""


def _expected(hint: Any, error: msgspec.ValidationError) -> str:
    """Say in the reader's words what msgspec refused."""
    kind = get_args(hint)[0]
    if get_origin(kind) is Literal:
        return f"expected one of {', '.join(get_args(kind))}"
    if any(isinstance(mark, Meta) and mark.pattern for mark in get_args(hint)[1:]):
        return "expected 1 to 64 of a-z 0-9 . _ - that begin and end with a letter or digit"
    text, _, _ = str(error).replace("`", "").partition(", got ")
    return text[:1].lower() + text[1:]
