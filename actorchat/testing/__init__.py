"""Knows how to run the system without real time, disks or networks. Must not know production.

The kit for tests and benchmarks; `nodes` and all lower floors are forbidden to import it.
"""

from actorchat.testing.fake import FakeRef
from actorchat.testing.kit import ActorTestKit, AsyncActorTestKit
from actorchat.testing.probe import AsyncProbe, Probe
from actorchat.testing.rehearsal import SyncKit

__all__ = ["ActorTestKit", "AsyncActorTestKit", "AsyncProbe", "FakeRef", "Probe", "SyncKit"]
