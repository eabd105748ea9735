"""Ready fast: how long a store of a million messages takes to open, after a close and a kill."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from pathlib import Path

import pytest

from actorchat.store.rocks import RocksEngine

log = logging.getLogger(__name__)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

MESSAGES = 1_000_000
OPEN_S_MAX = 3.0

# What a direct message leaves behind: history and sent; its inbox rows are trimmed.
GENERATOR = f"""
import os, signal, sys
from actorchat.store import keys
from actorchat.store.rocks import RocksEngine
engine = RocksEngine(sys.argv[1])
history, sent = engine.family("history"), engine.family("sent")
body = os.urandom({MESSAGES} + 100)
pairs = [keys.conversation_key(f"ann{{n}}", f"bob{{n}}") for n in range(5000)]
batch = engine.batch()
for number in range({MESSAGES}):
    if number % 500 == 0:
        engine.write(batch)
        batch = engine.batch()
    conversation, seq = pairs[number % 5000], number // 5000 + 1
    record = body[number : number + 100]
    cid = number.to_bytes(16, "big")
    batch.put(keys.history_key(conversation, seq), keys.pack_history(1, record), history)
    batch.put(keys.sent_key(conversation, b"0", cid), keys.pack_sent(seq, number), sent)
engine.write(batch)
engine.sync()
if sys.argv[2] == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
engine.close()
"""


@pytest.fixture(params=["close", "kill"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A store of so many messages, as its process left it when it ended so."""
    path, end = tmp_path / "store", request.param
    run = subprocess.run(
        [sys.executable, "-c", GENERATOR, str(path), end],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == (-9 if end == "kill" else 0), run.stderr
    return path


def test_a_store_of_a_million_messages_opens_in_no_time(store: Path, alone: None) -> None:
    began = time.monotonic()
    engine = RocksEngine(store)
    took = time.monotonic() - began
    rows = engine.stats()["rows_estimate_history"]
    engine.close()
    log.info("opened %d messages in %.2f s", rows, took)
    assert rows > MESSAGES * 0.9
    assert took < OPEN_S_MAX
