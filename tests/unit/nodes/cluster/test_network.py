"""A network's names follow from its folder, who is cut off is so both ways, and nothing is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from nodes.cluster import network
from nodes.cluster.network import (
    WRONG_HARDWARE,
    Network,
    NetworkFailed,
    NotCut,
    check_groups,
    cut_pairs,
    described,
    missing,
)

ALL = ("registry", "n1", "n2", "n3")


class Machine:
    """Plays `ip`: namespaces, what their neighbours are, and the host's links."""

    def __init__(self, addresses: Sequence[str] = ()) -> None:
        self.addresses = addresses
        self.namespaces: list[str] = []
        self.links: list[str] = []
        self.neighbours: dict[str, dict[str, str]] = {}
        self.pids: dict[str, list[int]] = {}
        self.broken = ""

    def __call__(self, arguments: Sequence[str], text: str) -> str:
        if self.broken and self.broken in [*arguments, *text.split()]:
            raise NetworkFailed("broken")
        match list(arguments):
            case ["-j", "-4", "address", "show"]:
                infos = [{"local": address} for address in self.addresses]
                return json.dumps([{"ifname": "x", "addr_info": infos}])
            case ["-j", "link", "show"]:
                return json.dumps([{"ifname": link} for link in self.links])
            case ["netns", "add", name]:
                self.namespaces.append(name)
            case ["netns", "del", name]:
                self.namespaces.remove(name)
            case ["netns", "list"]:
                return "".join(f"{name} (id: 1)\n" for name in self.namespaces)
            case ["netns", "pids", name]:
                found = self.pids.get(name, [])
                return "".join(f"{pid}\n" for pid in found if is_running(pid))
            case ["link", "del", name]:
                self.links.remove(name)
            case ["-batch", "-"]:
                self.links.append(text.split()[2])
            case ["-n", name, "-batch", "-"]:
                for words in map(str.split, text.splitlines()):
                    if words[0] == "neighbour":
                        assert words[1] == "replace" and words[-2:] == ["nud", "permanent"]
                        self.neighbours.setdefault(name, {})[words[2]] = words[4]
        return ""

    def reached(self, net: Network, name: str) -> set[str]:
        """Return whom a process finds where they are."""
        found = self.neighbours[net.namespace(name)]
        return {
            other for other in ALL if found.get(net.address(other)) not in (None, WRONG_HARDWARE)
        }


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def opened(folder: Path) -> tuple[Network, Machine]:
    machine = Machine()
    net = Network(folder, machine)
    net.open(ALL)
    return net, machine


def test_names_and_addresses_follow_from_the_folder(tmp_path: Path) -> None:
    one, other = Network(tmp_path / "a", Machine()), Network(tmp_path / "b", Machine())
    assert one.namespace("n1") == Network(tmp_path / "a", Machine()).namespace("n1")
    assert one.namespace("n1") != other.namespace("n1")
    assert len(one.link) <= 15  # Linux takes no more
    addresses = {one.address(name) for name in ALL}
    assert len(addresses) == 4
    assert {address.rpartition(".")[0] + ".0/24" for address in addresses} == {one.subnet}
    assert one.within("n1", ["x"]) == ["ip", "netns", "exec", one.namespace("n1"), "x"]


def test_network_that_the_host_has_is_left_alone(tmp_path: Path) -> None:
    first = Network(tmp_path, Machine()).address("n1")
    other = Network(tmp_path, Machine([first])).address("n1")
    assert other != first
    taken = [f"{network.NETWORK}.{number}.9" for number in range(256)]
    with pytest.raises(NetworkFailed, match="taken"):
        Network(tmp_path, Machine(taken)).address("n1")


def test_who_is_cut_off_is_so_both_ways_until_it_is_healed(tmp_path: Path) -> None:
    net, machine = opened(tmp_path)
    for name in ALL:
        assert machine.reached(net, name) == set(ALL) - {name}
    net.partition([["n1"], ["n2", "n3"]])
    assert machine.reached(net, "n1") == {"registry"}
    assert machine.reached(net, "n2") == {"n3", "registry"}
    assert machine.reached(net, "registry") == {"n1", "n2", "n3"}  # in no group
    assert described(net) == {"network": net.subnet, "cut": [["n1"], ["n2", "n3"]]}
    net.partition([["n1", "registry"], ["n2"]])  # another cut, not one more
    assert machine.reached(net, "n1") == {"registry", "n3"}
    assert machine.reached(net, "n3") == {"registry", "n1", "n2"}
    net.heal()
    for name in ALL:
        assert machine.reached(net, name) == set(ALL) - {name}
    assert described(net)["cut"] == []
    assert described(None) == {}


def test_node_that_comes_during_a_cut_reaches_all_and_cuts_stay(tmp_path: Path) -> None:
    machine = Machine()
    net = Network(tmp_path, machine)
    net.open(ALL[:3])
    net.partition([["n1"], ["n2"]])
    net.add("n3")
    assert machine.reached(net, "n3") == {"registry", "n1", "n2"}
    assert machine.reached(net, "n1") == {"registry", "n3"}


def test_nothing_is_left_and_another_clusters_stays(tmp_path: Path) -> None:
    net, machine = opened(tmp_path)
    machine.namespaces.append("actorchat-other-n1")
    assert machine.links == [net.link]
    assert Network(tmp_path, machine).sweep()  # as after a crash: by the folder alone
    assert machine.namespaces == ["actorchat-other-n1"]
    assert machine.links == []
    assert not net.sweep()


def test_what_was_left_running_is_ended_first(tmp_path: Path) -> None:
    net, machine = opened(tmp_path)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        machine.pids[net.namespace("n1")] = [process.pid]
        net.sweep()
        assert process.wait() == -15


def test_what_can_not_be_made_whole_is_taken_away(tmp_path: Path) -> None:
    machine = Machine()
    net = Network(tmp_path, machine)
    machine.broken = net.namespace("n3")
    with pytest.raises(NetworkFailed):
        net.open((*ALL[:3], "n3"))
    assert machine.namespaces == []
    assert machine.links == []


@pytest.mark.parametrize(
    ("groups", "why"),
    [
        ([["n1"]], "two groups or more"),
        ([["n1"], []], "two groups or more"),
        ([["n1"], ["n9"]], "no 'n9'; there are registry, n1"),
        ([["n1"], ["n2", "n1"]], "n1 is in two groups"),
    ],
)
def test_groups_that_are_none_are_refused(groups: list[list[str]], why: str) -> None:
    with pytest.raises(NotCut, match=why):
        check_groups(groups, ALL)


def test_pairs_are_those_of_different_groups() -> None:
    assert cut_pairs([["a", "b"], ["c"]]) == {frozenset("ac"), frozenset("bc")}
    assert cut_pairs([]) == set()


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "root" in missing()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", "")
    assert "ip and openssl" in missing()
    with pytest.raises(NetworkFailed, match="ip"):
        network.ip(["link"])
