"""Knows the options that several commands share. Must not know what they lead to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Data directory of the node (default: $ACTORCHAT_DATA, else "
        "~/.local/share/actorchat).",
        show_default=False,
    ),
]
Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="ADDRESS",
        envvar="ACTORCHAT_SERVER",
        help="tcp://, tls://, ws://, wss://, zmq://, http:// or https://host:port (default: the "
        "node of the data directory, else tcp://127.0.0.1:7700). For a zmq:// that CURVE guards, "
        "ACTORCHAT_CURVE_SERVER is its public key and ACTORCHAT_CURVE_KEY the file of your "
        "secret one.",
        show_default=False,
        show_envvar=True,
    ),
]
As = Annotated[
    str | None,
    typer.Option(
        "--as", metavar="NAME", help="Whom to act as (default: the last who signed in).",
        show_default=False,
    ),
]  # fmt: skip
Json = Annotated[bool, typer.Option("--json", help="Print JSON, an object a line.")]
Timeout = Annotated[
    float, typer.Option("--timeout", metavar="SECONDS", min=0.1, help="How long to wait.")
]
