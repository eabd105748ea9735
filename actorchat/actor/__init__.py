"""Knows how actors run: mailboxes, scheduling, supervision.

Must not know chat, bytes, sockets, nodes.
"""

from actorchat.actor.behaviour import Actor
from actorchat.actor.broadcast import tell_all
from actorchat.actor.compat import CompatActor
from actorchat.actor.deadletter import DeadLetter, DeadLetters
from actorchat.actor.defer import ReplyTo
from actorchat.actor.dispatcher import Dispatcher, LoopDispatcher
from actorchat.actor.dynamic import DynamicSupervisor
from actorchat.actor.future import Reply
from actorchat.actor.groups import Groups, Joined, Left
from actorchat.actor.info import Info, Tree
from actorchat.actor.mailbox import NOTHING, Mailbox
from actorchat.actor.monitor import Down
from actorchat.actor.overlap import interleave
from actorchat.actor.pinned import PinnedDispatcher
from actorchat.actor.reason import KILLED, NOPROC, NORMAL, SHUTDOWN, Crash, Escalated
from actorchat.actor.ref import LocalRef, Ref
from actorchat.actor.seeded import SeededDispatcher, VirtualClock
from actorchat.actor.stream import Crashed, EventStream, Restarted
from actorchat.actor.supervisor import Child, Supervisor
from actorchat.actor.system import ActorSystem

__all__ = [
    "KILLED",
    "NOPROC",
    "NORMAL",
    "SHUTDOWN",
    "Actor",
    "ActorSystem",
    "Child",
    "CompatActor",
    "Crash",
    "Crashed",
    "DeadLetter",
    "DeadLetters",
    "Dispatcher",
    "Down",
    "DynamicSupervisor",
    "Escalated",
    "EventStream",
    "Groups",
    "Info",
    "Joined",
    "Left",
    "LocalRef",
    "LoopDispatcher",
    "NOTHING",
    "Mailbox",
    "PinnedDispatcher",
    "Ref",
    "Reply",
    "ReplyTo",
    "Restarted",
    "SeededDispatcher",
    "Supervisor",
    "Tree",
    "VirtualClock",
    "interleave",
    "tell_all",
]
