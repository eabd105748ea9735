"""Knows how nodes find and reach each other. Must not know chat, clients or gateways.

Nothing lives here yet: a node runs alone. The slot table, the registry, links between nodes and
replication will.
"""
