"""Knows the command that plays a recording through a node. Must not know how it is played."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from actorchat.errors import ActorchatError
from nodes.cli.failure import Exit
from nodes.cli.option import Data, Json
from nodes.cli.place import data_dir, operator_key, running_node, server_address
from nodes.cli.terminal import note, say, say_json, say_table

if TYPE_CHECKING:
    from nodes.replay.run import Outcome, Plan

SHOWN_DIFFERENCES = 20


class By(StrEnum):
    """By which gateway people come in."""

    TCP = "tcp"
    WS = "ws"
    ZMQ = "zmq"
    POLL = "poll"
    MIXED = "mixed"


Offline = Annotated[
    float,
    typer.Option(
        "--offline",
        metavar="SHARE",
        min=0.0,
        max=1.0,
        help="Share of the recipients that stay away until everything was sent; of those "
        "who send nothing themselves.",
    ),
]
Groups = Annotated[
    bool,
    typer.Option(
        "--groups",
        help="Make a group of each person and all they wrote to, and play their messages there.",
    ),
]
InlineMax = Annotated[
    int | None,
    typer.Option(
        "--group-inline-max",
        metavar="N",
        min=0,
        help="Have the node tell members of larger groups of the head, not of each message.",
        show_default=False,
    ),
]
Nodes = Annotated[
    int,
    typer.Option(
        "--nodes", metavar="N", min=1, max=64, help="Start a cluster of so many; people are spread."
    ),
]
Zookeeper = Annotated[
    str,
    typer.Option(
        "--zookeeper",
        metavar="local|HOSTS",
        help="Have the cluster use a ZooKeeper: one of its own, or a running one.",
    ),
]
Join = Annotated[bool, typer.Option("--join", help="Have one more node join while messages flow.")]
Drain = Annotated[
    bool,
    typer.Option("--drain", help="Drain a node while messages flow; stop it when it is empty."),
]
Gateway = Annotated[
    By | None,
    typer.Option(
        "--gateway",
        help="The gateway to come in by; mixed: each person by one of all, and by another for "
        "the check (default: tcp, or those of --server).",
        show_default=False,
    ),
]
Servers = Annotated[
    list[str] | None,
    typer.Option(
        "--server",
        metavar="ADDRESS",
        envvar="ACTORCHAT_SERVER",
        help="Where a running node listens, once for each gateway (default: what the node of "
        "the data directory says, else tcp://127.0.0.1:7700).",
        show_default=False,
        show_envvar=True,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "replay",
        epilog="Example: actorchat replay traffic.jsonl.gz --self-contained --check --kill 3",
    )(replay)


def replay(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help='JSON Lines {"from", "to", "text"}, maybe gzipped.'),
    ],
    self_contained: Annotated[
        bool, typer.Option("--self-contained", help="Start a node for it, on scratch data.")
    ] = False,
    offline: Offline = 0.5,
    check: Annotated[
        bool, typer.Option("--check", help="Also read back and check every conversation's history.")
    ] = False,
    kill: Annotated[
        int,
        typer.Option("--kill", metavar="N", min=0, help="Kill the node N times on the way."),
    ] = 0,
    seed: Annotated[
        int, typer.Option("--seed", metavar="S", help="Who stays away, who comes in where.")
    ] = 0,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Play the first N messages.")
    ] = None,
    window: Annotated[
        int,
        typer.Option("--window", metavar="N", min=1, max=256, help="Sends under way, of each."),
    ] = 64,
    groups: Groups = False,
    group_inline_max: InlineMax = None,
    gateway: Gateway = None,
    nodes: Nodes = 1,
    zookeeper: Zookeeper = "",
    join: Join = False,
    drain: Drain = False,
    server: Servers = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Play recorded messages through a node, by one real client for each person, and check them.

    Each message must be acked, and be delivered once, to whom it was for, unaltered, in the order
    in which its sender sent. Exit status: 0 if all were, 1 if there is any difference. One of
    --join and --drain is that a send was refused for more than 2 s before it got through.
    """
    from nodes.boot import raise_file_limit
    from nodes.replay import door, traffic
    from nodes.replay.run import Plan

    if self_contained and (server or data):
        raise typer.BadParameter("--self-contained goes without --server and --data")
    if not self_contained:
        _refuse_for_others(group_inline_max, nodes > 1 or bool(zookeeper), kill)
    if join or drain:
        _check_moves(nodes, kill)
    addresses, key = ((), "") if self_contained else _find_node(gateway, server, data)
    plan = Plan(
        traffic=traffic.read(file, limit),
        addresses=addresses,
        operator_key=key,
        gateways=door.gateways_for(gateway or By.TCP),
        offline=offline,
        check=check,
        kills=kill,
        seed=seed,
        window=window,
        group_inline_max=group_inline_max,
        nodes=nodes,
        zookeeper=zookeeper,
        joins=join,
        drains=drain,
    )
    raise_file_limit()
    outcome = _play(plan, is_groups=groups)
    _tell(outcome, is_checked=check, json=json)
    if outcome.ledger.difference_count:
        raise typer.Exit(Exit.FAILED)


def _refuse_for_others(group_inline_max: int | None, is_cluster: bool, kill: int) -> None:
    """Refuse what can be had of a server of our own alone."""
    if group_inline_max is not None:
        raise typer.BadParameter("--group-inline-max needs --self-contained")
    if is_cluster:
        raise typer.BadParameter("--nodes and --zookeeper need --self-contained")
    if kill:
        raise typer.BadParameter("--kill kills only a node of our own: add --self-contained")


def _check_moves(nodes: int, kill: int) -> None:
    """Refuse to move slots where there are no two nodes, or one is killed meanwhile."""
    if nodes < 2:
        raise typer.BadParameter("--join and --drain need --nodes 2 or more")
    if kill:
        raise typer.BadParameter("--join and --drain go without --kill")


def _find_node(
    gateway: By | None, server: list[str] | None, data: Path | None
) -> tuple[tuple[str, ...], str]:
    """Return the addresses and the operator's key of a node that is there.

    Raises:
        NoDoor: Nothing is known of such a gateway.
    """
    from nodes.cli.wire import TIMEOUT_S, reach
    from nodes.replay import door

    if server:
        known = [server_address(one, data) for one in server]
    else:
        node = running_node(data_dir(data)) or {}
        known = [str(node[place]) for place in door.PLACES.values() if place in node]
        known = known or [server_address(None, data)]
        gateway = gateway or By.TCP
    addresses = tuple(known) if gateway is None else door.addresses_for(gateway, known)
    for address in addresses:
        reach(address, TIMEOUT_S)
    return addresses, operator_key(data)


def _play(plan: Plan, *, is_groups: bool = False) -> Outcome:
    import asyncio

    import uvloop

    from nodes.replay.group_run import GroupReplay
    from nodes.replay.run import Replay

    with _progress() as show, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            kind = GroupReplay if is_groups else Replay
            return runner.run(kind(plan, show).run())
        except BaseExceptionGroup as group:
            raise _first(group) from None


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error that the others followed from."""
    known, _ = group.split(ActorchatError)
    error: BaseException = known or group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _tell(outcome: Outcome, *, is_checked: bool, json: bool) -> None:
    summary = summarize(outcome, is_checked=is_checked)
    shown = [str(one) for one in outcome.ledger.differences[:SHOWN_DIFFERENCES]]
    if json:
        say_json({**summary, "shown": shown, "node_log": outcome.node_words})
    else:
        say_table(("", ""), [row for key, value in summary.items() for row in _rows(key, value)])
        for line in shown:
            note(line)
        if outcome.ledger.difference_count > len(shown):
            note(f"… and {outcome.ledger.difference_count - len(shown)} more")
        if outcome.node_words:
            note(f"the node logged: {outcome.node_words}")
        _say_verdict(outcome, is_checked=is_checked)


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Give what shows the progress: bars where standard error is a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield lambda phase, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description:>9}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=5) as bars:
        tasks: dict[str, Any] = {}

        def show(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                tasks[phase] = bars.add_task(phase, total=total)
            bars.update(tasks[phase], completed=done)

        yield show


def summarize(outcome: Outcome, *, is_checked: bool) -> dict[str, Any]:
    """Return the figures of a run, by name."""
    ledger = outcome.ledger
    busy_s = outcome.seconds.get("send", 0.0) + outcome.seconds.get("drain", 0.0)
    return {
        "messages": ledger.acked + ledger.failed,
        "people": outcome.people,
        "people_by_gateway": outcome.people_by_gateway,
        "people_offline": outcome.people_offline,
        "conversations": outcome.conversations,
        "conversations_across": outcome.conversations_across,
        "acked": ledger.acked,
        "delivered": ledger.delivered,
        "seconds": {
            **{phase: round(seconds, 3) for phase, seconds in outcome.seconds.items()},
            "all": round(sum(outcome.seconds.values()), 3),
        },
        "messages_per_s": round(ledger.delivered / busy_s) if busy_s else 0,
        "histories_read": outcome.histories if is_checked else 0,
        "kills": outcome.kills,
        "reconnects": outcome.reconnects,
        "refused_max_s": round(outcome.refused_max_s, 3),
        "slots_moved": outcome.slots_moved,
        "moved_in_s": {what: round(time_s, 3) for what, time_s in outcome.moved_in_s.items()},
        "wire_duplicates": outcome.wire_duplicates,
        "log_duplicates": outcome.log_duplicates,
        "updates_skipped": outcome.updates_skipped,
        "foreign": ledger.foreign,
        "difference_count": ledger.difference_count,
        "differences": dict(ledger.counts),
    }


def _rows(key: str, value: Any) -> list[tuple[str, str]]:
    name = key.replace("_", " ")
    if not isinstance(value, dict):
        return [(name, f"{value:,}")]
    return [(f"{name}, {inner}", f"{number:,}") for inner, number in value.items()]


def _say_verdict(outcome: Outcome, *, is_checked: bool) -> None:
    count = outcome.ledger.difference_count
    if count:
        say(typer.style(f"{count} differences", fg="red", bold=True))
    else:
        what = "acks, deliveries and histories" if is_checked else "acks and deliveries"
        say(typer.style(f"no difference in {what}", fg="green", bold=True))
