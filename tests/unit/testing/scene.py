"""A calm world in which a test says what happens: a node, and the phones of some users."""

from __future__ import annotations

from actorchat.ids import direct_pair
from actorchat.testing.device import Device
from actorchat.testing.journal import Posting
from actorchat.testing.process import Habit, Process
from actorchat.testing.world import Options, World

CALM = Options(chaos_s=2.0, kinds=frozenset())


class Scene:
    """A node that is on, and a phone that is signed in for each user."""

    def __init__(self, *users: str, seed: int = 1) -> None:
        self.world = World(seed, CALM)
        self.journal = self.world.journal
        self.world.node.power_on()
        self.world.operator.start()
        for user in users:
            self.world.provision(user, "phone")
        self.run(10.0)
        self.phones = {device.user: device for device in self.world.devices}
        assert sorted(self.phones) == sorted(users)
        for phone in self.phones.values():
            phone.habit = Habit()
            assert phone.is_open

    def run(self, time_s: float) -> None:
        self.world.dispatcher.run(self.world.dispatcher.now_s() + time_s, 1_000_000)

    def post(self, device: Device, to: str, body: str) -> bytes:
        """Post as a workload does; return the message's client id."""
        order = len(self.journal.posts) + 1
        cid = order.to_bytes(16, "big")
        floor = self.journal.acked_head[direct_pair(device.user, to)]
        posting = Posting(device.user, device.name, to, cid, body, order, floor)
        self.journal.posts[cid] = posting
        device.post(posting)
        return cid


def cids(device: Device) -> list[bytes]:
    """Return what the device's application holds, in order."""
    return [receipt.cid for receipt in device.ledger.held]


def process_of(scene: Scene, user: str) -> Process:
    process = scene.phones[user].process
    assert process is not None
    return process
