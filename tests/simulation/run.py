"""Run many worlds: `python -m tests.simulation.run --seeds N --start S`.

Prints each world in which something did not hold, with its seed; `--story` prints all that
happened in it. Exit status 1 if there was one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from actorchat.testing.world import Options, World


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.run", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many worlds")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--chaos-s", type=float, default=Options().chaos_s)
    parser.add_argument("--kinds", help="faults, by comma; without it the seed chooses")
    parser.add_argument("--story", action="store_true", help="print all that happened")
    parser.add_argument("--stop", action="store_true", help="stop at the first failure")
    asked = parser.parse_args()
    kinds = None if asked.kinds is None else frozenset(filter(None, asked.kinds.split(",")))
    options = Options(chaos_s=asked.chaos_s, kinds=kinds, is_telling=asked.story)
    totals: Counter[str] = Counter()
    failed = []
    worlds = 0
    began_s = time.process_time()
    for seed in range(asked.start, asked.start + asked.seeds):
        try:
            report = World(seed, options).run()
        except KeyboardInterrupt:
            break
        except Exception as error:
            print(f"seed {seed}: {type(error).__name__}: {error}", flush=True)
            raise
        worlds += 1
        totals += report.counts
        if asked.story:
            print("\n".join(report.story))
        if not report.is_well:
            failed.append(seed)
            print(report, flush=True)
            if asked.stop:
                break
    ms = (time.process_time() - began_s) * 1000 / max(1, worlds)
    print(f"{worlds} worlds, {len(failed)} failed {failed[:40]}; {ms:.0f} ms CPU each")
    print(", ".join(f"{name} {count}" for name, count in sorted(totals.items())))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
