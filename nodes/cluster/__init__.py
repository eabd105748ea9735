"""Knows how a whole cluster runs on one machine. Must not know what its nodes do.

For trying things out, for tests and for figures: a registry and some nodes, each a process.
"""
