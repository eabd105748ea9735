"""Knows how a bench starts a node: as the command line does, on a free port. Must not know figures.

python -m bench.node DATA_DIRECTORY [SETTING=VALUE ...]
"""

from __future__ import annotations

import sys

from actorchat.settings import load
from nodes import boot


def main() -> int:
    """Run a node until SIGTERM; print its port when it is ready."""
    overrides = {"node.data_dir": sys.argv[1], "gateway.tcp.listen": "127.0.0.1:0"}
    overrides["log.level"] = "warning"
    overrides |= dict(item.split("=", 1) for item in sys.argv[2:])
    settings = load(None, {}, overrides)

    def ready(info: boot.NodeInfo) -> None:
        print(f"ready {info.tcp.rsplit(':', 1)[1]}", flush=True)

    return boot.run(settings, on_ready=ready)


if __name__ == "__main__":
    sys.exit(main())
