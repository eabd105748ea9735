"""The parts of the world, looked at after a small life without faults."""

from __future__ import annotations

import pytest

from actorchat.testing import checker, disk, journal, knob, net, process, workload
from actorchat.testing.device import Device
from actorchat.testing.world import Options, World


@pytest.fixture(scope="module")
def world() -> World:
    world = World(3, Options(kinds=frozenset(), chaos_s=3.0))
    report = world.run()
    assert report.is_well, str(report)
    return world


def test_world_is_made_of_these_parts(world: World) -> None:
    assert isinstance(world.disk, disk.Disk)
    assert isinstance(world.journal, journal.Journal)
    assert all(isinstance(device, Device) for device in world.devices)
    assert len(world.devices) > 1
    for part in (checker, knob, net, workload):
        assert part.__doc__ is not None


def test_devices_hold_what_they_were_sent_and_owe_nothing(world: World) -> None:
    assert any(device.ledger.held for device in world.devices)
    for device in world.devices:
        assert isinstance(device.ledger, process.Ledger)
        assert device.ledger.outbox == {}


def test_violation_makes_a_journal_say_so(world: World) -> None:
    before = list(world.journal.violations)
    world.journal.violate("I1", "something was lost")
    assert before == []
    assert len(world.journal.violations) == 1
    assert "something was lost" in world.journal.violations[0]
