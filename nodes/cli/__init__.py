"""Knows the door of the command line. Must not know single commands.

Modules here import nothing heavy when they are imported: what a command needs it imports when it
runs, so that help and completion come at once.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `actorchat` with `arguments`, by default those of the process, and exit."""
    from nodes.cli.app import run

    raise SystemExit(run(arguments))
