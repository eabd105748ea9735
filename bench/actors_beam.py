"""Knows how Erlang is compiled and run for a figure. Must not know how it is measured there."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from bench.actors_plan import Size

_SOURCE = Path(__file__).with_name("actors_beam.erl")
_TIMEOUT_S = 300.0
_PROCESSES_MAX = 2_000_000


def is_installed() -> bool:
    """Say whether there is an Erlang that can compile."""
    return shutil.which("erl") is not None and shutil.which("erlc") is not None


def parse_result(output: str) -> tuple[float, int]:
    """Return the figure and what was verified from what the program printed.

    Raises:
        SystemExit: It printed no result.
    """
    for line in output.splitlines():
        if line.startswith("result "):
            _, value, checked = line.split()
            return float(value), int(checked)
    raise SystemExit(f"Erlang gave no result: {output[-500:]}")


@functools.cache
def _compiled() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="bench-beam-")
    subprocess.run(["erlc", "-o", folder.name, str(_SOURCE)], check=True)
    return folder


def take(figure: str, size: Size, kind: str = "otp") -> tuple[float, int]:
    """Return a figure of `otp` or `raw` and how many operations were verified."""
    call = f'actors_beam:main({kind}, "{figure}", {size.count}, {size.live}, os:getpid()), halt().'
    flags = ["+S", "1:1", "+P", str(_PROCESSES_MAX), "-noshell", "-pa", _compiled().name]
    done = subprocess.run(
        ["erl", *flags, "-eval", call],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
        env={**os.environ, "ERL_CRASH_DUMP_BYTES": "0"},
    )
    return parse_result(done.stdout + done.stderr)
