"""Whole worlds from seeds: what a node promises holds whatever happens to it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from actorchat.testing.fault import KINDS
from actorchat.testing.workload import PEERS
from actorchat.testing.world import Options, World

SEEDS = 300
SHARES = 10  # of the seeds, so that a failure does not hide the others and workers can share
AGAIN = "python -m tests.simulation.run --seeds 1 --start {seed} --story"

# Seeds that once found something, each with what it was; the unit tests tell the stories.
FOUND = {
    12: "debts in the outbox waited for somebody to write after a restart",
    58: "a slow device's mark took the place of a later one",
    258: "a resend was acked that had died with the home's actor",
    555: "a new device was forgotten when the disk was full",
    1155: "a new device's place was lost in a crash and the log trimmed past it",
    1466: "sessions were forgotten when a home crashed while it was built anew",
}


@pytest.mark.slow
@pytest.mark.parametrize("share", range(SHARES))
def test_promises_hold_in_every_world(share: int) -> None:
    failed = []
    for seed in range(share, SEEDS, SHARES):
        report = World(seed).run()
        if not report.is_well:
            failed.append(f"{report}\nagain: {AGAIN.format(seed=seed)}")
    assert not failed, "\n\n".join(failed)


@pytest.mark.parametrize("seed", FOUND)
def test_seed_that_found_something_is_well_now(seed: int) -> None:
    report = World(seed).run()
    assert report.is_well, f"{FOUND[seed]}\n{report}\nagain: {AGAIN.format(seed=seed)}"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_fault_strikes_and_is_survived(kind: str) -> None:
    report = World(7, Options(kinds=frozenset({kind}))).run()
    assert report.counts[f"fault {kind}"]
    assert report.is_well, str(report)


def test_calm_world_delivers_everything_once() -> None:
    report = World(1, Options(kinds=frozenset())).run()
    assert report.is_well, str(report)
    counts = report.counts
    # What a device wrote comes back to it, and is not handed to its application.
    from_others = counts["updates_on_wires"] - counts["own_updates"]
    assert from_others < counts["held"] < counts["updates_on_wires"]
    assert counts["held"] > len(PEERS)
    assert counts["crashes"] == counts["fatal"] == 0


def test_same_seed_is_the_same_world_to_the_bit() -> None:
    first, second = World(3).run(), World(3).run()
    assert first.trace == second.trace
    assert first.steps == second.steps
    assert World(4).run().trace != first.trace


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_seed_means_the_same_in_every_process(hash_seed: str) -> None:
    code = "from actorchat.testing.world import World; print(World(3).run().trace)"
    env = {**os.environ, "PYTHONHASHSEED": hash_seed}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == World(3).run().trace
