"""What people do all day, and the histories that they read."""

from __future__ import annotations

import random

from actorchat.client.signin import Identity
from actorchat.testing.device import Device
from actorchat.testing.journal import Posting
from actorchat.testing.workload import PAIRS, PEERS, Pages, Workload
from actorchat.testing.world import World
from tests.unit.testing.scene import CALM, Scene


class Village:
    """The people of a world without a node: what they post stays in their outboxes."""

    def __init__(self, seed: int = 1) -> None:
        self.world = World(1, CALM)
        surroundings = self.world.surroundings
        devices = [Device(surroundings, Identity(u, "phone", "token", "t")) for u in PEERS]
        self.devices = {device.user: device for device in devices}
        self.workload = Workload(
            random.Random(seed), self.world.journal, devices, self.world.later, 0.1
        )

    def run(self, until_s: float) -> list[Posting]:
        self.world.dispatcher.run(until_s)
        return list(self.world.journal.posts.values())


def test_calm_world_ends_well_and_everybody_holds_what_was_sent() -> None:
    world = World(1, CALM)
    report = world.run()
    assert report.is_well, str(report)
    phones = {device.user: device for device in world.devices if device.name == "phone"}
    acked = [world.journal.posts[cid] for cid in world.journal.acked]
    assert acked
    for user, phone in phones.items():
        due = {post.cid for post in acked if post.to == user}
        held = [r for r in phone.ledger.held if world.journal.posts[r.cid].to == user]
        assert {receipt.cid for receipt in held} == due
        assert len(held) == len(due)


def test_people_write_to_their_peers_or_to_nobody() -> None:
    village = Village()
    village.workload.start()
    posts = village.run(60.0)
    written = {(post.user, post.to) for post in posts if post.to != "nobody"}
    assert written == {(user, peer) for user, peers in PEERS.items() for peer in peers}
    assert {post.pair for post in posts if post.to != "nobody"} == set(PAIRS)


def test_each_post_waits_on_its_own_device() -> None:
    village = Village()
    village.workload.start()
    posts = village.run(20.0)
    for user, device in village.devices.items():
        assert list(device.ledger.outbox.values()) == [p for p in posts if p.user == user]
    assert [post.order for post in posts] == list(range(1, len(posts) + 1))


def test_people_do_nothing_more_after_the_end() -> None:
    village = Village()
    village.workload.start()
    before = village.run(5.0)
    assert before
    village.workload.stop()
    assert village.run(60.0) == before


def test_same_seed_is_the_same_day() -> None:
    days = []
    for seed in (1, 1, 2):
        village = Village(seed)
        village.workload.start()
        days.append(village.run(10.0))
    assert days[0] == days[1]
    assert days[0] != days[2]


def test_device_that_is_being_revoked_posts_nothing() -> None:
    village = Village()
    village.devices["alice"].is_revoking = True
    village.workload.start()
    users = {post.user for post in village.run(60.0)}
    assert "alice" not in users
    assert "bob" in users


def test_pages_hold_the_whole_history_of_a_conversation() -> None:
    scene = Scene("alice", "bob")
    sent = [scene.post(scene.phones["alice"], "bob", str(at)) for at in range(20)]
    scene.run(10.0)
    Pages(scene.journal, scene.phones["bob"], "alice").read_all()
    scene.run(5.0)
    read = scene.journal.pages["bob", ("alice", "bob")]
    assert [(record.seq, record.cid) for record in read] == list(enumerate(sent, 1))
    assert scene.journal.counts["pages"] == 3
    assert scene.journal.violations == []


def test_page_that_is_not_what_was_sent_is_a_violation() -> None:
    scene = Scene("alice", "bob")
    cid = scene.post(scene.phones["alice"], "bob", "hello")
    scene.run(5.0)
    scene.journal.posts[cid].body = "hallo"
    Pages(scene.journal, scene.phones["bob"], "alice").read_all()
    scene.run(5.0)
    assert [text.split(" ")[0] for text in scene.journal.violations] == ["I4"]
