"""Knows how the packages of a client in JavaScript get here. Must not know the client.

They are pinned with their hashes in a lockfile beside it, and installed once, by npm from wherever
it is set up to fetch, into `~/.cache/actorchat`: nothing of them is ever in the tree.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

INSTALL_S = 120.0
WANTED = ("package.json", "package-lock.json")


class NotInstalled(Exception):
    """Node or npm are missing, or the packages can't be fetched here."""


def installed(client: Path) -> Path:
    """Return a copy of the folder `client`, with its packages beside it.

    Raises:
        NotInstalled: It can't be; says why.
        AssertionError: The lockfile is wrong, or what was fetched is not what it names.
    """
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise NotInstalled(f"there is no {program} here")
    digest = hashlib.sha256(b"".join((client / name).read_bytes() for name in WANTED)).hexdigest()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "actorchat"
    target = cache / f"{client.name}-{digest[:16]}"
    if not target.exists():
        _install(client, target)
    for script in client.glob("*.mjs"):
        shutil.copyfile(script, target / script.name)
    return target


def _install(client: Path, target: Path) -> None:
    scratch = target.with_name(f"{target.name}.{os.getpid()}")
    scratch.mkdir(parents=True)
    try:
        for name in WANTED:
            shutil.copyfile(client / name, scratch / name)
        command = [
            "npm",
            "install",
            "--no-save",
            "--omit=optional",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
        ]
        try:
            run = subprocess.run(
                command,
                cwd=scratch,
                capture_output=True,
                text=True,
                check=False,
                timeout=INSTALL_S,
            )
        except subprocess.TimeoutExpired:
            raise NotInstalled(f"npm took more than {INSTALL_S:g} s") from None
        ours = ("EINTEGRITY", "EUSAGE", "EJSONPARSE")
        assert not any(code in run.stderr for code in ours), run.stderr
        if run.returncode:
            raise NotInstalled(f"npm can't install: {run.stderr.strip()[-300:]}")
        try:
            scratch.rename(target)
        except OSError:
            assert target.exists()  # another run was faster
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
