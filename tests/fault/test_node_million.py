"""A store of a million messages: the node is ready soon, answers soon, and takes little memory."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fault.node import MIB, ROOT, Device, Node, Operator

pytestmark = [pytest.mark.fault, pytest.mark.slow]

MESSAGES = 1_000_000
USERS = 1_000
READY_S_MAX = 3.0
KILLED_READY_S_MAX = 8.0  # what stood only in the log is replayed first
ANSWER_S_MAX = 0.5
RSS_BYTES_MAX = 250 * MIB

# In a process of its own, so that it can end as a node may: by SIGKILL.
BUILDER = """
import itertools, os, signal, sys
from actorchat.broker.rows import Rows
from actorchat.chat.account import Account
from actorchat.ids import direct_pair
from actorchat.protocol import codec
from actorchat.store import keys
from actorchat.store.rocks import RocksEngine
path, messages, users = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
engine = RocksEngine(path)
rows = Rows(engine)
names = [f"user-{number}" for number in range(users)]
packed = {name: codec.encode(name) for name in names}
heads = dict.fromkeys(names, 0)
batch = engine.batch()
def put(ops):
    for family, key, value in ops:
        batch.put(key, value, family)
put(rows.account(Account(name, 0)) for name in names)
each = messages // users
body = "see you at eight, by the old bridge "
for number, name in enumerate(names):
    peer = names[(number + 1) % users]
    conversation = keys.conversation_key(name, peer)
    owner = keys.user_key(peer)
    tag = bytes((direct_pair(name, peer)[0] != name,))
    for seq in range(1, each + 1):
        cid = seq.to_bytes(16, "big")
        record = codec.encode_record(packed[name], seq, seq, cid, body)
        put(rows.message(conversation, seq, record, tag + cid, seq, False))
        if seq > each * 9 // 10:  # a tenth was not fetched yet
            heads[peer] += 1
            put((rows.update(owner, heads[peer], conversation, seq, record),))
    first = direct_pair(name, peer)[0]
    received = {} if first == peer else {direct_pair(name, peer): each}
    put(rows.checkpoint(owner, heads[peer], 0, received, lambda pair: keys.conversation_key(*pair)))
    if number % 10 == 9:
        engine.write(batch)
        batch = engine.batch()
engine.write(batch)
engine.sync()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The store as a killed node leaves it."""
    data = tmp_path / "node"
    data.mkdir()
    began = time.monotonic()
    arguments = [str(data / "store"), str(MESSAGES), str(USERS)]
    run = subprocess.run([sys.executable, "-c", BUILDER, *arguments], cwd=ROOT, check=False)
    assert run.returncode == -signal.SIGKILL
    print(f"built in {time.monotonic() - began:.1f} s")
    return data


async def timed_first_answers(node: Node, number: int) -> dict[str, float]:
    """Return how long the first of each took, in seconds, on a node that has served nobody yet."""
    operator = await Operator.sign_in(node)
    before, me, after = (f"user-{number + step}" for step in (-1, 0, 1))
    ann = Device(node, me, await operator.token(me))
    took_s = {}
    began = time.monotonic()
    await ann.sign_in()
    took_s["sign-in"] = time.monotonic() - began
    began = time.monotonic()
    reply = await ann.send(after, "the first after the start", b"after-the-start!")
    took_s["send"] = time.monotonic() - began
    assert reply["ok"]["seq"] == MESSAGES // USERS + 1
    began = time.monotonic()
    again = await ann.send(after, "see you at eight, by the old bridge ", bytes(15) + b"\x05")
    took_s["send again"] = time.monotonic() - began
    assert (again["ok"]["seq"], again["ok"]["dup"]) == (5, True)
    began = time.monotonic()
    page = await ann.ask({"op": "history", "conv": before, "limit": 200})
    took_s["history"] = time.monotonic() - began
    assert len(page["ok"]["events"]) == 200 and page["ok"]["head"] == MESSAGES // USERS
    began = time.monotonic()
    waiting = MESSAGES // USERS // 10
    while len(ann.messages) < waiting:
        await asyncio.sleep(0.005)
    took_s["catch-up"] = time.monotonic() - began
    assert ann.gaps == 0
    await ann.leave()
    await operator.close()
    return took_s


def start_and_measure(node: Node, after: str, number: int) -> None:
    node.start()
    rss = node.rss_bytes()
    took_s = asyncio.run(timed_first_answers(node, number))
    answers = ", ".join(f"{name} {value * 1000:.1f}" for name, value in took_s.items())
    later = node.rss_bytes()
    print(
        f"after a {after} ready in {node.ready_s:.2f} s, first answers (ms): {answers}; "
        f"resident {rss / MIB:.0f} MiB, then {later / MIB:.0f}"
    )
    assert node.ready_s < (READY_S_MAX if after == "stop" else KILLED_READY_S_MAX)
    assert max(took_s.values()) < ANSWER_S_MAX
    assert later < RSS_BYTES_MAX
    assert node.stop() == 0


@pytest.mark.timeout(300)
def test_a_million_messages_are_no_burden_at_the_start(data: Path, alone: None) -> None:
    node = Node(data)
    try:
        start_and_measure(node, "kill", 7)
        start_and_measure(node, "stop", 70)
    finally:
        node.kill()
