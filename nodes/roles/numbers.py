"""Knows what a node's numbers are called and mean to Prometheus. Must not know who counts them.

What is not declared here is not shown; a test compares this with the operator's report.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from actorchat.metrics import Exposition, Metric

Read = Callable[[], Mapping[str, int]]

NODE = (
    Metric("uptime_s", "gauge", "seconds", "Time since the start."),
    Metric("sessions", "gauge", "sessions", "Sessions open, signed in or not."),
    Metric("gc_pause_max_ms", "gauge", "ms", "Longest pause of the garbage collector."),
    Metric("gc_freezes", "gauge", "times", "Times that live objects were put out of its sight."),
    Metric("users", "gauge", "actors", "Users held in memory."),
    Metric("conversations", "gauge", "actors", "Conversations held in memory."),
    Metric("groups", "gauge", "actors", "Groups held in memory."),
    Metric("presence_online", "gauge", "users", "Users who are online."),
    Metric("presence_watched", "gauge", "users", "Users at whom somebody looks."),
    Metric("presence_pushes", "counter", "frames", "Changes of presence pushed to sessions."),
    Metric("presence_signals_dropped", "counter", "signals", "Signs of typing not passed on."),
    Metric("log_batches", "counter", "batches", "Batches that were synced."),
    Metric("log_appends", "counter", "appends", "Appends in those batches."),
    Metric("log_bytes", "counter", "bytes", "Bytes in those batches."),
    Metric("log_failed_batches", "counter", "batches", "Batches that met a full disk."),
    Metric("log_full", "gauge", "", "1 while the disk is full and sends are refused."),
    Metric("log_generation", "gauge", "", "Counted up when the disk is full, and when it is not."),
    Metric("file_transfers", "gauge", "files", "Files that are being brought or fetched."),
    Metric("files_received", "counter", "files", "Files that were brought and are kept."),
    Metric("files_sent", "counter", "files", "Files that were fetched, or begun to be."),
    Metric("files_refused", "counter", "files", "Files that were not taken or given."),
    Metric("sweeps", "counter", "passes", "Passes over the store for what was kept long enough."),
    Metric("swept_messages", "gauge", "messages", "Messages let go since the store was made."),
    Metric("swept_bytes", "gauge", "bytes", "Bytes of those messages."),
    Metric("swept_updates", "gauge", "updates", "Updates let go that had waited too long."),
)
MEMBER = (
    Metric("slots_led", "gauge", "slots", "Slots that this node leads."),
    Metric("slots_leaving", "gauge", "slots", "Slots of these that are copied to another node."),
    Metric("slots_coming", "gauge", "slots", "Slots that are copied to this node."),
    Metric("slots_handed_over", "counter", "slots", "Slots that were given to another node."),
    Metric("slots_taken_over", "counter", "slots", "Slots that came from another node."),
    Metric("handed_over_bytes", "counter", "bytes", "Bytes of rows that were sent for that."),
    Metric("held_max_ms", "gauge", "ms", "Longest that one of them was held for its last changes."),
    Metric("slots_waiting", "gauge", "slots", "Slots whose leader can't be reached from here."),
    Metric("table_version", "gauge", "", "Version of the slot table that this node goes by."),
    Metric("members", "gauge", "nodes", "Nodes in the registry, this one too."),
    Metric("drained", "gauge", "", "1 while this node is to lead nothing any more."),
    Metric("links_up", "gauge", "links", "Links to other nodes that are up."),
    Metric("registry_connected", "gauge", "", "1 while the registry is in reach."),
    Metric("messages_dropped", "counter", "messages", "Messages between nodes that got lost."),
    Metric("frames_refused", "counter", "frames", "Frames of nodes that were not believed."),
)
ACTORS = (
    Metric("actors", "gauge", "actors", "Actors that run."),
    Metric("told", "counter", "messages", "Messages that were told."),
    Metric("handled", "counter", "messages", "Messages that were handled."),
    Metric("dead", "counter", "messages", "Messages that nobody could handle."),
    Metric("queued", "gauge", "messages", "Messages in mailboxes."),
    Metric("refused", "counter", "messages", "Messages that a full mailbox refused."),
    Metric("crashes", "counter", "crashes", "Actors that failed."),
    Metric("restarts", "counter", "restarts", "Actors that a supervisor started again."),
)


def expose_node(exposition: Exposition, actors: Read, node: Read, store: Read) -> None:
    """Show what the three return at each scrape; RocksDB's own gauges are those it has now."""
    exposition.add_reader("node", NODE, node)
    exposition.add_reader("actor", ACTORS, actors)
    gauges = (Metric(name, "gauge", "", f"RocksDB's {name}.") for name in store())
    exposition.add_reader("store", gauges, store)
