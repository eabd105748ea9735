"""Knows which files and addresses a cluster of one machine has. Must not know processes.

FOLDER/registry.toml  registry.key  registry/
       NAME.toml      NAME/operator.key …     one of each a node
       links/         the nodes' own sockets
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import socket
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from actorchat.cluster.link_key import write_node_key
from actorchat.errors import SettingsError
from actorchat.settings import render_toml
from actorchat.settings.cluster import MemberSettings, member_contradictions
from actorchat.settings.loader import gather
from actorchat.settings.registry import RegistrySettings, registry_contradictions
from nodes.boot import operator_key, write_private
from nodes.cluster.certificate import write_certificate

HOST = "127.0.0.1"
IPC_PATH_BYTES_MAX = 100  # of a socket, its lock included
PORTS: Mapping[str, int] = {"tcp": 7700, "ws": 7701, "zmq": 7702, "http": 7780}
PORT_STEP = 10  # between the ports of two nodes
REGISTRY_PORT = 7750
LINK_PORT = 7790
OUR_PORTS = range(10_240, 32_768)  # Linux gives those above to clients
TRIALS = 20


@dataclass(frozen=True, slots=True)
class Place:
    """One node: its name, its settings' file, its data."""

    name: str
    region: str
    config: Path
    data: Path


@dataclass(frozen=True, slots=True)
class Layout:
    """A cluster that is ready to be started. `registry_config` is None with a ZooKeeper.

    `ports` has those that are given, `shared` the settings of all nodes, by dotted key.
    """

    folder: Path
    registry: str
    registry_config: Path | None
    places: Sequence[Place]
    links: Path
    ports: Ports
    shared: Mapping[str, object]


@dataclass(slots=True)
class Wish:
    """What is asked for. `zookeeper`: hosts of a running one, to be used as the registry.

    `gateways`: which of them each node opens. `more`: settings of all nodes, by dotted key.
    `has_usual_ports`: listen at the ports that people know, where they are free.
    `address_of`: where each process has an address of its own: the one of a name.
    """

    count: int
    regions: Sequence[str] = ("local",)
    zookeeper: str = ""
    gateways: Iterable[str] = ("tcp",)
    more: Mapping[str, object] = field(default_factory=dict)
    has_usual_ports: bool = False
    address_of: Callable[[str], str] | None = None


def lay_out(folder: Path, wish: Wish) -> Layout:
    """Write all files of a cluster into `folder`; those of before that must stay, stay.

    Raises:
        SettingsError: What is asked for can't be.
        OSError: A file can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = folder.resolve()
    names = [f"n{number}" for number in range(1, wish.count + 1)]
    _check_count(folder, names)
    ports = Ports(is_usual=wish.has_usual_ports)
    config, key_file, authority = None, "", ""
    if wish.zookeeper:
        registry = zookeeper_address(wish.zookeeper)
    else:
        key_file = str(_registry_key(folder))
        tls: tuple[Path, Path] | None = None
        if wish.address_of is None:
            registry = f"tcp://{HOST}:{ports.take(REGISTRY_PORT)}"
        else:
            registry = f"tcp://{wish.address_of('registry')}:{REGISTRY_PORT}"
            tls = write_certificate(folder, wish.address_of("registry"))
            authority = str(tls[0])
        config = _write_registry(folder, registry, key_file, tls)
    links = links_folder(folder, names)
    shared = {
        "cluster.registry": registry,
        "cluster.registry_key_file": key_file,
        "cluster.registry_ca_file": authority,
        "cluster.members_min": wish.count,
        "log.format": "console",
        **wish.more,
    }
    layout = Layout(folder, registry, config, (), links, ports, shared)
    for _ in names:
        layout = with_one_more(layout, wish)
    return layout


def with_one_more(layout: Layout, wish: Wish) -> Layout:
    """Write the files of one more node; return the layout with it at its end.

    Raises:
        SettingsError: What is asked for can't be.
        OSError: A file can't be written.
    """
    folder, number = layout.folder, len(layout.places)
    name = f"n{number + 1}"
    region = wish.regions[number % len(wish.regions)]
    place = Place(name, region, folder / f"{name}.toml", folder / name)
    own: dict[str, object] = {
        "node.name": name,
        "node.region": place.region,
        "node.zone": name,
        "node.data_dir": str(place.data),
    }
    place.data.mkdir(exist_ok=True, mode=0o700)
    if wish.address_of is None:
        own["cluster.listen"] = f"ipc://{layout.links}/{name}"
        for gateway in wish.gateways:
            port = layout.ports.take(PORTS[gateway] + number * PORT_STEP)
            own[f"gateway.{gateway}.listen"] = f"{HOST}:{port}"
    else:
        own |= _with_an_address(place, wish.address_of(name), wish.gateways)
    given = {**layout.shared, **own}
    settings, _ = gather(MemberSettings, member_contradictions, None, {}, given)
    write_private(place.config, render_toml(settings, commented=False))
    if layout.places:  # one operator for all
        operator = operator_key(layout.places[0].data)
        write_private(place.data / "operator.key", operator + "\n")
    else:
        operator_key(place.data)
    return replace(layout, places=(*layout.places, place))


def _with_an_address(place: Place, host: str, gateways: Iterable[str]) -> dict[str, object]:
    """Return where a node listens that has an address of its own: at the usual ports."""
    key = place.data / "node.key"
    if not key.exists():
        write_node_key(key)
    return {
        "cluster.listen": f"tcp://{host}:{LINK_PORT}",
        "cluster.key_file": str(key),
        **{f"gateway.{gateway}.listen": f"{host}:{PORTS[gateway]}" for gateway in gateways},
    }


def zookeeper_address(hosts: str) -> str:
    """Return the registry's address for `host:port,host:port/root`, with or without zk://."""
    return hosts if hosts.startswith("zk://") else f"zk://{hosts}"


def _check_count(folder: Path, names: Sequence[str]) -> None:
    """Refuse another number of nodes than there were: what was theirs would wait for ever."""
    before = sorted(path.parent.name for path in folder.glob("n*/operator.key"))
    if before and set(before) != set(names):
        text = f"{folder} is of a cluster of {len(before)} nodes: take as many, or another folder"
        raise SettingsError([text])


def _registry_key(folder: Path) -> Path:
    path = folder / "registry.key"
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32) + "\n")
    return path


def _write_registry(
    folder: Path, address: str, key_file: str, tls: tuple[Path, Path] | None
) -> Path:
    overrides = {
        "registry.data_dir": str(folder / "registry"),
        "registry.listen": address.removeprefix("tcp://"),
        "registry.key_file": key_file,
        "log.format": "console",
    }
    if tls is not None:
        certificate, key = tls
        overrides |= {"registry.tls_cert": str(certificate), "registry.tls_key": str(key)}
    settings, _ = gather(RegistrySettings, registry_contradictions, None, {}, overrides)
    path = folder / "registry.toml"
    write_private(path, render_toml(settings, commented=False))
    return path


def links_folder(folder: Path, names: Sequence[str]) -> Path:
    """Return a folder of its owner alone for the nodes' sockets, whose paths must be short."""
    longest = max(len(f"{folder}/links/{name}.lock".encode()) for name in names)
    if longest <= IPC_PATH_BYTES_MAX:
        found = folder / "links"
    else:
        short = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
        found = Path(tempfile.gettempdir()) / f"actorchat-{os.getuid()}-{short}"
    found.mkdir(exist_ok=True, mode=0o700)
    # A socket in somebody else's folder could be anybody's.
    if found.stat().st_uid != os.getuid():
        raise SettingsError([f"{found} belongs to somebody else"])
    found.chmod(0o700)
    return found


class Ports:
    """Ports that nobody listens at, each given once.

    Not of those that the system gives to whoever connects: one that is free now would be taken
    by a client, soon or while its node is down.
    """

    def __init__(self, *, is_usual: bool = False) -> None:
        self._is_usual = is_usual
        self._taken: set[int] = set()

    def take(self, wanted: int) -> int:
        """Return `wanted` if usual ports are wanted and it is free, else any other."""
        others = [secrets.choice(OUR_PORTS) for _ in range(TRIALS)]
        for port in [wanted, *others] if self._is_usual else others:
            with contextlib.suppress(OSError), socket.socket() as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind((HOST, port))
                if port not in self._taken:
                    self._taken.add(port)
                    return port
        raise SettingsError(["no port is free"])
