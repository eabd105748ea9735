"""Knows who supervises whom in a registry. Must not know what they do."""

from __future__ import annotations

import ssl
from typing import Any

from actorchat.actor import ActorSystem, Child, LocalRef, Supervisor
from actorchat.cluster.registry_actor import REGISTRY, Plan, RegistryActor
from actorchat.cluster.registry_listener import RegistryListener

LISTENER = "listener"


def spawn_registry(
    system: ActorSystem,
    plan: Plan,
    addresses: dict[str, Any],
    host: str,
    port: int,
    context: ssl.SSLContext | None = None,
) -> LocalRef:
    """Start a registry in `system`; await `started()` of what is returned.

    If the registry actor fails, it is built again from its journal and the listener after it, so
    that nodes connect anew and take up their sessions. `addresses["bound"]` is where it listens.
    """
    return system.spawn(
        Supervisor,
        "rest_for_one",
        3,
        10.0,
        [
            Child("registry", RegistryActor, args=(plan,), name=REGISTRY),
            Child(
                "listener", RegistryListener, args=(addresses, host, port, context), name=LISTENER
            ),
        ],
        name="registry-supervisor",
    )
