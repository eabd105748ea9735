"""How a bug is planted in the actor runtime, by an edit of one function; who is to notice it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from actorchat import actor

Plant = Callable[[], None]


@dataclass(frozen=True)
class Bug:
    """`tests` are the likeliest to notice: "ref" is tests/unit/actor/test_ref.py.

    "ref::test_…" is one test there, for a bug that makes those before it hang.
    """

    name: str
    plant: Plant
    tests: tuple[str, ...]


BUGS: dict[str, Bug] = {}


class Stale(Exception):
    """The place where the bug was to be planted has gone."""


def noticed_by(*tests: str) -> Callable[[Plant], Plant]:
    def note(plant: Plant) -> Plant:
        BUGS[plant.__name__] = Bug(plant.__name__, plant, tests)
        return plant

    return note


def functions(name: str) -> Iterator[FunctionType]:
    """Yield the runtime's functions and methods called `name`, in whichever module they are."""
    name = name.rpartition(".")[2]
    for found in pkgutil.iter_modules(actor.__path__):
        module = importlib.import_module(f"{actor.__name__}.{found.name}")
        classes = [thing for thing in vars(module).values() if inspect.isclass(thing)]
        for owner in (module, *classes):
            function = vars(owner).get(name)
            function = getattr(function, "__func__", function)
            # Neither imported from elsewhere nor made by `dataclass`.
            if isinstance(function, FunctionType) and (
                function.__code__.co_filename == module.__file__
            ):
                yield function


def edit(name: str, old: str, new: str) -> None:
    """Replace `old` by `new` in the one function called `name` in which it stands, once.

    Where it stands in several, `name` is "Class.method".
    """
    found: dict[FunctionType, str] = {}
    for function in functions(name):
        if "." in name and function.__qualname__ != name:
            continue
        source = textwrap.dedent(inspect.getsource(function))
        if source.count(old) == 1:
            found[function] = source.replace(old, new)
    if len(found) != 1:
        raise Stale(f"{len(found)} functions {name} have once: {old}")
    ((function, source),) = found.items()
    names: dict[str, Any] = {}
    code = compile(source, f"<{function.__qualname__}>", "exec")  # with this module's __future__
    exec(code, function.__globals__, names)  # noqa: S102  # the product's own source
    changed = names[function.__name__]
    # In place, so that it holds wherever the function was imported.
    function.__code__ = getattr(changed, "__func__", changed).__code__
