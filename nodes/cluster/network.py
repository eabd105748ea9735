"""Knows the network namespaces of a cluster of one machine: made, cut from each other, taken away.
Must not know what runs in them.

Each process has a namespace with an address, all on one bridge in a namespace of its own; of the
host nothing is touched but one link to that bridge, by which clients come in. All names and
addresses of a cluster follow from its folder, so that what a killed supervisor left is found.

Who is who on the bridge is written down (permanent neighbours), not asked. To cut two from each
other, each is told a wrong hardware address of the other: frames go out as ever and nobody takes
them. So it is silent in both directions, at once, for connections that stand too.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path

from actorchat.errors import ActorchatError

NETWORK = "198.18"  # of 198.18.0.0/15, which is for tests of networks: no host has it by chance
NETWORKS = 256
REGISTRY = "registry"
REGISTRY_NUMBER = 2  # the host's is 1
NODE_NUMBERS = 10  # node N has 10 + N
END_S = 20.0  # for processes that were left behind, before they are killed
POLL_S = 0.05
WRONG_HARDWARE = "02:ac:00:00:ff:ff"

Groups = Sequence[Sequence[str]]
Ip = Callable[[Sequence[str], str], str]  # arguments and input of `ip`; returns what it prints


class NetworkFailed(ActorchatError):
    """A namespace could not be made, cut or taken away."""

    code = "no_namespaces"


class NotCut(ActorchatError):
    """Groups that can't be cut from each other; nothing was done."""

    code = "bad_groups"


def missing(tools: Sequence[str] = ("ip", "openssl")) -> str:
    """Say what namespaces need that is not here; empty if all is."""
    if os.geteuid():
        return "network namespaces need root"
    absent = [tool for tool in tools if shutil.which(tool) is None]
    return f"network namespaces need {' and '.join(absent)}" if absent else ""


def ip(arguments: Sequence[str], text: str = "") -> str:
    """Run `ip`; return what it prints. Blocks, for some milliseconds.

    Raises:
        NetworkFailed: It is not there, or refuses.
    """
    try:
        done = subprocess.run(  # noqa: S603 - made-up names only
            ["ip", *arguments],  # noqa: S607 - where it is differs
            input=text, capture_output=True, text=True, check=False,
        )  # fmt: skip
    except OSError as error:
        raise NetworkFailed(f"ip: {error.strerror or error}") from None
    if done.returncode:
        raise NetworkFailed(f"ip {' '.join(arguments)}: {done.stderr.strip() or 'failed'}")
    return done.stdout


class Network:
    """The namespaces of the cluster in `folder`. All calls block; thread: any, one at a time."""

    def __init__(self, folder: Path, run: Ip = ip) -> None:
        self._run = run
        digest = hashlib.sha256(str(folder.resolve()).encode()).digest()
        self._tag = digest[:4].hex()
        self._first_number = digest[4]
        self._subnet = ""
        self._names: list[str] = []
        self.cut: tuple[tuple[str, ...], ...] = ()  # the groups that don't reach each other

    @property
    def link(self) -> str:
        """The host's end of its link to the bridge; at most 15 characters."""
        return f"ac-{self._tag}"

    @property
    def subnet(self) -> str:
        """Its addresses, as 198.18.7.0/24."""
        return f"{self._choose_subnet()}.0/24"

    def namespace(self, name: str) -> str:
        """Return the namespace of a process."""
        return f"actorchat-{self._tag}-{name}"

    def address(self, name: str) -> str:
        """Return the address of a process, there before its namespace is."""
        return f"{self._choose_subnet()}.{_number(name)}"

    def within(self, name: str, command: Sequence[str]) -> list[str]:
        """Return how a command is run in the namespace of a process."""
        return ["ip", "netns", "exec", self.namespace(name), *command]

    def _choose_subnet(self) -> str:
        """Take a network of which the host has no address."""
        if self._subnet:
            return self._subnet
        taken = {
            str(each.get("local", "")).rpartition(".")[0]
            for link in json.loads(self._run(["-j", "-4", "address", "show"], "") or "[]")
            if link.get("ifname") != self.link  # was left, and goes
            for each in link.get("addr_info", ())
        }
        for offset in range(NETWORKS):
            found = f"{NETWORK}.{(self._first_number + offset) % NETWORKS}"
            if found not in taken:
                self._subnet = found
                return found
        raise NetworkFailed(f"all networks of {NETWORK}.0.0/16 are taken")

    # -- made --------------------------------------------------------------------------------------
    def open(self, names: Sequence[str]) -> None:
        """Take away what was left of before; make the bridge and the namespaces of these.

        Raises:
            NetworkFailed: It can't be done; nothing is left.
        """
        self.sweep()
        hub = self.namespace("hub")
        try:
            self._run(["netns", "add", hub], "")
            self._batch(hub, ["link add name hub type bridge", "link set hub up"])
            address = f"{self._choose_subnet()}.1/24"
            lines = [
                f"link add {self.link} type veth peer name host netns {hub}",
                f"address add {address} dev {self.link}",
                f"link set {self.link} up",
            ]
            self._run(["-batch", "-"], _lines(lines))
            self._batch(hub, ["link set host master hub up"])
            for name in names:
                self.add(name)
        except NetworkFailed:
            with contextlib.suppress(NetworkFailed):
                self.sweep()
            raise

    def add(self, name: str) -> None:
        """Make a namespace, which reaches all that are there.

        Raises:
            NetworkFailed: It can't be done.
        """
        own, hub = self.namespace(name), self.namespace("hub")
        self._run(["netns", "add", own], "")
        peer = f"peer name eth0 address {_hardware(name)} netns {own}"
        add = [f"link add {name} type veth {peer}", f"link set {name} master hub up"]
        self._batch(hub, add)
        address = f"address add {self.address(name)}/24 dev eth0"
        self._batch(own, ["link set lo up", address, "link set eth0 up"])
        self._names.append(name)
        self._acquaint()

    def sweep(self) -> bool:
        """Take everything away, also what a supervisor that was killed left; say if any was.

        Raises:
            NetworkFailed: It can't be done.
        """
        prefix = self.namespace("")
        listed = self._run(["netns", "list"], "").splitlines()
        left = [line.split()[0] for line in listed if line.startswith(prefix)]
        self._end_all(left)
        links = json.loads(self._run(["-j", "link", "show"], "") or "[]")
        if any(link.get("ifname") == self.link for link in links):
            self._run(["link", "del", self.link], "")
        for namespace in left:
            self._run(["netns", "del", namespace], "")
        self._names, self.cut = [], ()
        return bool(left)

    def _end_all(self, namespaces: Sequence[str]) -> None:
        """End what still runs there: nobody supervises it."""
        deadline_s = time.monotonic() + END_S
        number = signal.SIGTERM
        while pids := [pid for each in namespaces for pid in self._pids(each)]:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            if time.monotonic() > deadline_s:
                number = signal.SIGKILL
            time.sleep(POLL_S)

    def _pids(self, namespace: str) -> list[int]:
        return [int(pid) for pid in self._run(["netns", "pids", namespace], "").split()]

    # -- cut ---------------------------------------------------------------------------------------
    def partition(self, groups: Groups) -> None:
        """Cut these groups from each other, and nobody else; who is in none reaches all.

        Raises:
            NotCut: They are not groups of those that are there.
            NetworkFailed: It can't be done.
        """
        check_groups(groups, self._names)
        self.cut = tuple(tuple(group) for group in groups)
        self._acquaint()

    def heal(self) -> None:
        """Let everybody reach everybody.

        Raises:
            NetworkFailed: It can't be done.
        """
        self.cut = ()
        self._acquaint()

    def _acquaint(self) -> None:
        """Write down in each namespace where the others are, or where they are not."""
        wrong = cut_pairs(self.cut)
        lines: dict[str, list[str]] = {name: [] for name in self._names}
        for pair in combinations(self._names, 2):
            for here, there in (pair, pair[::-1]):
                hardware = WRONG_HARDWARE if frozenset(pair) in wrong else _hardware(there)
                neighbour = f"{self.address(there)} lladdr {hardware} dev eth0 nud permanent"
                lines[here].append(f"neighbour replace {neighbour}")
        for name, batch in lines.items():
            self._batch(self.namespace(name), batch)

    def _batch(self, namespace: str, lines: Sequence[str]) -> None:
        if lines:
            self._run(["-n", namespace, "-batch", "-"], _lines(lines))


def check_groups(groups: Groups, names: Sequence[str]) -> None:
    """See that groups can be cut from each other.

    Raises:
        NotCut: There are not two, one is empty, or somebody is not there, or in two of them.
    """
    if len(groups) < 2 or not all(groups):
        raise NotCut("expected two groups or more, as 1 2,3")
    seen: set[str] = set()
    for name in (name for group in groups for name in group):
        if name not in names:
            raise NotCut(f"there is no {name!r}; there are {', '.join(names)}")
        if name in seen:
            raise NotCut(f"{name} is in two groups")
        seen.add(name)


def cut_pairs(groups: Groups) -> set[frozenset[str]]:
    """Return who does not reach whom."""
    return {
        frozenset((one, other))
        for mine, theirs in combinations(groups, 2)
        for one in mine
        for other in theirs
    }


def described(network: Network | None) -> Mapping[str, object]:
    """Return what `cluster.json` says of it."""
    if network is None:
        return {}
    return {"network": network.subnet, "cut": [list(group) for group in network.cut]}


def _number(name: str) -> int:
    return REGISTRY_NUMBER if name == REGISTRY else NODE_NUMBERS + int(name.removeprefix("n"))


def _hardware(name: str) -> str:
    return f"02:ac:00:00:00:{_number(name):02x}"


def _lines(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
