"""Knows the commands about a cluster of this machine. Must not know how its processes are run."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from actorchat.errors import ActorchatError
from nodes.cli.failure import CommandFailed, Exit
from nodes.cli.option import Json
from nodes.cli.place import data_dir
from nodes.cli.terminal import is_terminal, note, say, say_json, say_table, visible

DEFAULT_REGION = "local"
LOCAL = "local"
STOP_WAIT_S = 60.0
ASK_TIMEOUT_S = 3.0
OTHERS = ("registry", "cluster")  # who logs and is no node
COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "bright_red", "bright_cyan")

Folder = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Where all of it is kept (default: cluster in the data directory).",
        show_default=False,
    ),
]
Which = Annotated[str, typer.Argument(metavar="N", help="A node, as 2 or n2; or registry.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    cluster = typer.Typer(help="Run a cluster on this machine.", no_args_is_help=True)
    cluster.command("up", epilog="Example: actorchat cluster up -n 3 --regions eu,us")(up)
    cluster.command("status", epilog="Example: actorchat cluster status --json")(status)
    cluster.command("kill", epilog="Example: actorchat cluster kill 2")(kill)
    cluster.command("pause", epilog="Example: actorchat cluster pause 2")(pause)
    cluster.command("resume", epilog="Example: actorchat cluster resume 2")(resume)
    cluster.command("stop")(stop)
    from nodes.cli import cluster_change, cluster_cut

    cluster_cut.register(cluster)
    cluster_change.register(cluster)
    app.add_typer(cluster, name="cluster")


def up(
    nodes: Annotated[
        int, typer.Option("-n", "--nodes", metavar="N", min=1, max=64, help="How many nodes.")
    ] = 3,
    zookeeper: Annotated[
        str,
        typer.Option(
            "--zookeeper",
            metavar="local|HOSTS",
            help="A ZooKeeper as the registry: one of its own, or host:port,… of a running one.",
        ),
    ] = "",
    regions: Annotated[
        str,
        typer.Option("--regions", metavar="A,B", help="Regions that the nodes are in by turns."),
    ] = DEFAULT_REGION,
    gateways: Annotated[
        str, typer.Option("--gateways", metavar="A,B", help="Of tcp, ws, zmq and http.")
    ] = "tcp,ws,zmq,http",
    namespaces: Annotated[
        bool,
        typer.Option(
            "--namespaces",
            help="Each process in a network namespace of its own, for partition; needs root.",
        ),
    ] = False,
    data: Folder = None,
    json: Json = False,
) -> None:
    """Run a registry and N nodes in the foreground, with their logs, until Ctrl-C."""
    import asyncio

    from nodes.boot import raise_file_limit
    from nodes.cluster.layout import PORTS, Wish

    folder = folder_of(data)
    if running(folder) is not None:
        raise CommandFailed(Exit.BUSY, "running", f"a cluster runs over {folder}")
    opened = _listed(gateways)
    if not opened or not set(opened) <= set(PORTS):
        raise typer.BadParameter(f"--gateways: expected some of {', '.join(PORTS)}")
    network = None
    if namespaces:
        from nodes.cli.cluster_cut import network_for

        network = network_for(folder, zookeeper if zookeeper != LOCAL else "")
        opened = [each for each in opened if each != "zmq"]  # beyond loopback it needs keys
    wish = Wish(
        nodes,
        _listed(regions) or [DEFAULT_REGION],
        "" if zookeeper == LOCAL else zookeeper,
        opened,
        has_usual_ports=True,
    )
    raise_file_limit()
    hear = say_line_of()
    run = _run(folder, wish, hear, network, has_zookeeper=zookeeper == LOCAL, json=json)
    asyncio.run(run)  # uvloop can't give a process a group of its own


async def _run(
    folder: Path, wish: Any, hear: Any, network: Any, *, has_zookeeper: bool, json: bool
) -> None:
    import asyncio

    from nodes.cluster.town import Town

    town = Town(folder, wish, hear, has_zookeeper=has_zookeeper, network=network)
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    starting = asyncio.create_task(town.start())
    ending = asyncio.create_task(ended.wait())
    try:
        await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            await starting
            _tell_ready(town, json=json)
            await ending
    finally:
        for task in (starting, ending):
            task.cancel()
        await asyncio.gather(starting, ending, return_exceptions=True)
        await town.stop()


def _tell_ready(town: Any, *, json: bool) -> None:
    from nodes.cluster.town import addresses_of

    listens = {child.name: addresses_of(child.described) for child in town.nodes}
    folder = town.layout.folder
    if json:
        say_json({"registry": town.layout.registry, "nodes": listens, "data": str(folder)})
        return
    first, last = (town.layout.places[index].data for index in (0, -1))
    lines = [
        f"a cluster of {len(town.nodes)} nodes, registry {town.layout.registry}, data in {folder}",
        *(
            f"  {place.name} ({place.region}): {' '.join(listens[place.name].values())}"
            for place in town.layout.places
        ),
        "Clients connect to any of them. Try in another terminal:",
        f"  actorchat user add ann --generate --data {first}",
        f"  actorchat user add bob --generate --data {last}",
        f"  actorchat send bob hello --as ann --data {first}",
        f"  actorchat chat ann --as bob --data {last}",
        f"  actorchat whereis bob --data {first}",
        f"  actorchat cluster status --data {folder}   # also: kill 2, pause 2, resume 2, stop,",
        "                                               # add, drain 2, undrain 2, remove 2",
        *(["  also: partition 1 2,3,registry; heal"] if town.network is not None else []),
        "Ctrl-C stops it.",
    ]
    for line in lines:
        typer.echo(line, err=not is_terminal())


def say_line_of() -> Any:
    """Return what prints a line of a process's log, with its name in its colour before."""
    width = max(map(len, OTHERS))

    def hear(name: str, line: str) -> None:
        colour = "bright_black"
        if name not in OTHERS:
            colour = COLOURS[(int(name.removeprefix("n")) - 1) % len(COLOURS)]
        note(f"{typer.style(name.ljust(width), fg=colour)} | {visible(line)}")

    return hear


# -- a cluster that runs ---------------------------------------------------------------------------


def status(data: Folder = None, json: Json = False) -> None:
    """Show how the cluster and each of its nodes are doing."""
    import asyncio

    folder = folder_of(data)
    town = found(folder)
    rows = asyncio.run(_ask_all(folder, town))
    if json:
        say_json({"registry": town["registry"], "processes": rows, "cut": town.get("cut", [])})
        return
    note(f"registry {town['registry']}, data in {folder}")
    if town.get("cut"):
        note(f"cut from each other: {' | '.join(','.join(group) for group in town['cut'])}")
    headings = ("name", "state", "pid", "starts", "region", "leads", "leaving", "coming", "links",
                "waits for", "sessions", "registry", "tcp")  # fmt: skip
    for row in rows:
        row["state"] += ", drained" if row["drained"] else ""
    say_table(headings, [[row[name] for name in headings] for row in rows])


async def _ask_all(folder: Path, town: dict[str, Any]) -> list[dict[str, Any]]:
    import asyncio

    rows = list(await asyncio.gather(*(_ask(folder, each) for each in town["processes"])))
    drained = {name for row in rows for name in row.pop("knows_drained").split()}
    return [{**row, "drained": row["name"] in drained} for row in rows]


async def _ask(folder: Path, process: dict[str, Any]) -> dict[str, Any]:
    """Return a row of `status`: what the process's node says, if it answers."""
    from nodes.cli.wire import as_operator

    row: dict[str, Any] = {
        "name": process["name"],
        "state": state_of(process["pid"]),
        "pid": process["pid"] or "",
        "starts": process["starts"],
        "region": process["region"],
        "tcp": process["addresses"].get("tcp", ""),
        "leads": "", "leaving": "", "coming": "", "links": "", "waits for": "", "sessions": "",
        "registry": "", "knows_drained": "",
    }  # fmt: skip
    if row["state"] != "up" or not process["region"]:
        return row
    try:
        async with as_operator(row["tcp"], folder / row["name"], ASK_TIMEOUT_S) as operator:
            said = await operator.status()
    except (ActorchatError, OSError) as error:
        return {**row, "state": f"no answer: {error}"}
    return {
        **row,
        "leads": said["cluster_slots_led"],
        "leaving": said["cluster_slots_leaving"],
        "coming": said["cluster_slots_coming"],
        "links": said["cluster_links"],
        "waits for": said["cluster_waits_for"],
        "sessions": said["sessions"],
        "registry": said["cluster_registry"],
        "knows_drained": said["cluster_drained_nodes"],
    }


def state_of(pid: int | None) -> str:
    """Say how a process is: up, paused or down."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return "down"
    return {"T": "paused", "t": "paused", "Z": "down"}.get(fields[0], "up")


def kill(which: Which, data: Folder = None) -> None:
    """Kill a node or the registry, as a power cut would; it is started again by and by."""
    _signal(folder_of(data), which, signal.SIGKILL)


def pause(which: Which, data: Folder = None) -> None:
    """Stop a process in its tracks, as a machine that hangs."""
    _signal(folder_of(data), which, signal.SIGSTOP)


def resume(which: Which, data: Folder = None) -> None:
    """Let a paused process go on."""
    _signal(folder_of(data), which, signal.SIGCONT)


def stop(data: Folder = None) -> None:
    """End the cluster in order; return when it has ended."""
    folder = folder_of(data)
    if running(folder) is None:
        from nodes.cli.cluster_cut import sweep

        if sweep(folder):
            say("stopped: took away what a cluster that was killed had left")
            return
    pid = int(found(folder)["pid"])
    os.kill(pid, signal.SIGTERM)
    deadline_s = time.monotonic() + STOP_WAIT_S
    while state_of(pid) != "down":  # what it wrote about itself goes a moment before it does
        if time.monotonic() > deadline_s:
            text = f"process {pid} has not ended in {STOP_WAIT_S:g} s"
            raise CommandFailed(Exit.FAILED, "timeout", text)
        time.sleep(0.1)
    say("stopped")


def folder_of(data: Path | None) -> Path:
    """Return where a cluster is kept."""
    return data if data is not None else data_dir() / "cluster"


def running(folder: Path) -> dict[str, Any] | None:
    """Return what the cluster over `folder` says of itself; None if none runs."""
    from nodes.cluster.town import read_town

    return read_town(folder)


def found(folder: Path) -> dict[str, Any]:
    """Return the same.

    Raises:
        CommandFailed: None runs.
    """
    town = running(folder)
    if town is None:
        text, hint = f"no cluster runs over {folder}", "start one with: actorchat cluster up"
        raise CommandFailed(Exit.UNREACHABLE, "not_running", text, hint)
    return town


def _signal(folder: Path, which: str, number: signal.Signals) -> None:
    name = f"n{which}" if which.isdecimal() else which
    processes = {each["name"]: each["pid"] for each in found(folder)["processes"]}
    if name not in processes:
        text = f"there is no {visible(which)}; there are {', '.join(processes)}"
        raise CommandFailed(Exit.USAGE, "no_such_node", text)
    pid = processes[name]
    if pid is None or state_of(pid) == "down":
        raise CommandFailed(Exit.FAILED, "down", f"{name} does not run at this moment")
    os.kill(pid, number)
    say(f"{name}: {number.name} sent to process {pid}")


def _listed(text: str) -> list[str]:
    return [part for part in (each.strip() for each in text.split(",")) if part]
