"""Knows the commands that look into the store of a stopped node. Must not know its layout."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nodes.cli.failure import CommandFailed, Exit
from nodes.cli.option import Data, Json
from nodes.cli.place import data_dir, running_node
from nodes.cli.terminal import is_terminal, note, say, say_json, say_table

if TYPE_CHECKING:
    from actorchat.store.rocks import RocksEngine

FILES_KEPT_DAYS = 30.0


def register(app: typer.Typer) -> None:
    """Add the commands."""
    store = typer.Typer(help="Look into the store of a stopped node.", no_args_is_help=True)
    store.command("verify", epilog="Example: actorchat store verify --data ./data")(verify)
    store.command("stats", epilog="Example: actorchat store stats --json")(stats)
    store.command("files", epilog="Example: actorchat store files --older-than 30 --delete")(files)
    store.command("reindex", epilog="Example: actorchat store reindex")(reindex)
    app.add_typer(store, name="store")


def verify(data: Data = None, json: Json = False) -> None:
    """Read everything and check what must hold. Exit status: 0 sound, 78 corrupt, 75 in use."""
    from actorchat.store.verify import verify as check

    engine, path = _open(data)
    try:
        report = check(engine)
    finally:
        engine.close()
    problems = [str(problem) for problem in report.problems]
    if json:
        say_json(
            {
                "store": str(path),
                "sound": report.is_sound,
                "rows": report.rows,
                "problem_count": report.problem_count,
                "problems": problems,
            }
        )
    else:
        say_table(("family", "rows"), report.rows.items())
        for problem in problems:
            note(problem)
        if report.is_sound:
            say(f"{path}: sound") if is_terminal() else None
        else:
            note(f"{path}: {report.problem_count} problems")
    if not report.is_sound:
        raise typer.Exit(Exit.CONFIG)


def stats(
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="The settings that say how long what stays."),
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Count rows, owners and bytes of each family of the store, by reading everything once.

    Then what retention has let go since the store was made, and what is due to go.
    """
    import time

    from actorchat.broker.forecast import forecast
    from actorchat.settings import load
    from actorchat.store.verify import stats as count
    from nodes.roles.standalone import policy_of

    policy = policy_of(load(config))
    engine, path = _open(data)
    try:
        found = {name: asdict(family) for name, family in count(engine).items()}
        gone, due = forecast(engine, policy, time.time_ns() // 1_000_000)
    finally:
        engine.close()
    retention = {"gone": gone._asdict(), "due": due._asdict()}
    if json:
        say_json({"store": str(path), "families": found, "retention": retention})
        return
    headings = ("family", *next(iter(found.values())))
    say_table(headings, [(name, *family.values()) for name, family in found.items()])
    say_table(("retention", *gone._fields), [("gone", *gone), ("due", *due)])


def reindex(data: Data = None) -> None:
    """Throw the search index away; what is searched is indexed anew from the log."""
    from actorchat.store.index import remove_index

    engine, path = _open(data)
    engine.close()
    remove_index(path.parent / "search.db")
    note("the index is gone; each conversation is indexed again when it is searched")


def files(
    older_than: Annotated[
        float,
        typer.Option("--older-than", metavar="DAYS", min=0, help="Younger files are kept anyway."),
    ] = FILES_KEPT_DAYS,
    delete: Annotated[
        bool, typer.Option("--delete", help="Take away the files that no message refers to.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Read every file and compare it with its hash.")
    ] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Count the files that messages refer to, and those that none does; 78 where one is broken.

    What sealed messages refer to can't be read: such a file is kept by its age alone.
    """
    import time

    from actorchat.broker.file_sweep import survey, sweep
    from actorchat.store.blobs import Blobs

    engine, path = _open(data)
    blobs = Blobs(path.parent / "files")
    try:
        found = survey(engine, blobs)
        old = found.unreferenced(int((time.time() - older_than * 86_400) * 1000))
        broken = [one for one in found.files if check and not blobs.is_sound(one)]
        freed = sum(found.files[one].size for one in old)
        if delete:
            sweep(engine, blobs, found, old)
    finally:
        engine.close()
    counts = {
        "files": len(found.files),
        "bytes": found.size,
        "referenced": len(found.referenced & found.files.keys()),
        "unreferenced": len(old),
        "unreferenced_bytes": freed,
        "deleted": len(old) if delete else 0,
        "stray": len(found.stray),
        "missing": len(found.missing),
        "broken": len(broken),
    }
    if json:
        say_json({"store": str(path), **counts})
    else:
        say_table(("files", "count"), counts.items())
    for name, hashes in (("missing", found.missing), ("broken", broken)):
        for sha256 in hashes:
            note(f"{name}: {sha256.hex()}")
    if found.missing or broken:
        raise typer.Exit(Exit.CONFIG)


def _open(data: Path | None) -> tuple[RocksEngine, Path]:
    directory = data_dir(data)
    path = directory / "store"
    node = running_node(directory)
    if node is not None:
        raise CommandFailed(
            Exit.BUSY,
            "store_busy",
            f"{path} is open in the node with process id {node['pid']}",
            "stop that node first",
        )
    if not path.is_dir():
        raise CommandFailed(
            Exit.IO, "no_store", f"{path}: no such directory", "name the node's with --data DIR"
        )
    from actorchat.store.rocks import RocksEngine

    return RocksEngine(path), path
