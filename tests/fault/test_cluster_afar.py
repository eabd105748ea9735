"""What takes several nodes of a real cluster: invitations, search, the end of what there was."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from actorchat.client import Chat, connect
from actorchat.errors import Refusal
from tests.fault.test_cluster_up import Cluster, cluster

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(120)]

PASSWORD = "long enough"
PEOPLE = ("eve", "fay", "gus", "hal")
WAIT_S = 30.0


def test_people_find_hide_and_go_across_nodes(tmp_path: Path) -> None:
    with cluster(tmp_path / "c", "-n", "2") as found:
        asyncio.run(asyncio.wait_for(live(found, tmp_path / "c"), WAIT_S))


async def live(found: Cluster, folder: Path) -> None:
    rows = found.status()
    doors = [rows[name]["tcp"] for name in ("n1", "n2")]
    key = (folder / "n1" / "operator.key").read_text().strip()
    async with connect(doors[0], user="operator", device="test", operator=key) as operator:
        made = [await operator.add_invitation(f"of {number}") for number in range(4)]
        for user in PEOPLE:
            await operator.provision(user, password=PASSWORD)
    key = (folder / "n2" / "operator.key").read_text().strip()
    async with connect(doors[1], user="operator", device="test", operator=key) as operator:
        for one in made[1:]:
            await operator.revoke_invitation(one.invitation)
        assert [one.title for one in await operator.invitations()] == ["of 0"]

    def come(at: int, user: str) -> Chat:
        return connect(doors[at % 2], user=user, device="phone", password=PASSWORD)

    async with contextlib.AsyncExitStack() as stack:
        there = [await stack.enter_async_context(come(at, user)) for at, user in enumerate(PEOPLE)]
        for chat, user in zip(there, PEOPLE, strict=True):
            for other in PEOPLE:
                await chat.send(other, f"a word from {user}")
        eve, fay, _, hal = there
        assert len(await eve.search("word", limit=50)) == 7  # her own four, and theirs to her
        for other in PEOPLE[1:]:
            await eve.hide(other, 1)
            assert (await eve.history(other)).events[0].hidden
        assert len(await eve.search("word", limit=50)) == 4
        await hal.delete_account(PASSWORD)
        for chat in (eve, fay):
            with pytest.raises(Refusal, match="no_such_user"):
                while await chat.send("hal", "are you there?"):
                    await asyncio.sleep(0.1)
        assert [one.gone for one in await eve.conversations() if one.conv == "hal"] == [True]
